"""Full partner tables as they were known at one moment."""

from dataclasses import dataclass, field, replace
from typing import Final

import pandas as pd
from sqlalchemy import Engine

from features.months import month_label
from features.panel.partner_table import LEAST_PARTNERS, PartnerTable, partner_table
from flows.context.stores import store_of
from flows.publishing.run_config import RunConfig, table_config
from models.forecasting.fallback import CHAMPION
from models.forecasting.forecaster import STATISTICAL
from models.forecasting.panel_forecaster import forecast_table
from models.learning.spec import PANEL_SPEC, Spec
from store.errors import DataError, first_few
from store.facts.evidence import read_label, read_partner_counts
from store.facts.reading import read_observations
from store.settings import Settings
from store.vocabulary import MAX_HORIZON, MONTHS_AHEAD

MONTHS_BACK: Final = (12, 9, 6, 3)
"""Months before the as_of of the past origins that a table is backtested from."""

_MOST_LATE: Final = MAX_HORIZON - MONTHS_AHEAD
"""Months a table of then may have been late to count as what was known then."""

_STALE: Final = "stale"

OF_TABLE: Final = "partners-"
"""How the names of models begin."""


@dataclass(frozen=True, slots=True)
class TableSnapshot:
    """One table at one moment, with all that its forecast rests on."""

    settings: Settings
    config: RunConfig
    table: PartnerTable
    engine: Engine = field(repr=False)
    observations: pd.DataFrame = field(repr=False)
    """All versions of the commodity's figures known at the moment."""
    spec: Spec

    @property
    def as_of(self) -> pd.Timestamp:
        return self.table.as_of

    @property
    def data_vintage(self) -> str:
        return self.table.digest

    @property
    def recipe(self) -> str:
        return self.model_family.removesuffix("-")

    @property
    def model_family(self) -> str:
        return f"{OF_TABLE}{self.spec.digest}-"

    @property
    def model_version(self) -> str:
        return f"{self.model_family}{self.data_vintage[:8]}-{self.as_of:%Y%m%d}"

    @property
    def last_period(self) -> str:
        return month_label(self.table.cutoff + self.table.horizon)

    @property
    def status(self) -> str:
        status = CHAMPION if self.is_trained else STATISTICAL
        if not self.table.is_late:
            return status
        return _STALE if self.is_trained else f"{_STALE}, {status}"

    def fallback(self) -> "TableSnapshot | None":
        """Return the same by what experts say without any training; None after that."""
        if not self.is_trained:
            return None
        return replace(self, spec=replace(self.spec, pairs=0))

    def of_family(self, name: str) -> "TableSnapshot | None":
        """Return the same under the model of the chain that a name is of; None where of none."""
        one: TableSnapshot | None = self
        while one is not None and not name.startswith(one.model_family):
            one = one.fallback()
        return one

    @property
    def is_trained(self) -> bool:
        return self.spec.pairs > 0

    def past(self) -> list[PartnerTable]:
        """Return the table as it was known at past moments (``MONTHS_BACK``), oldest first.

        Where nothing tells what was known then (a history loaded at once has one release day,
        months released anew have the last one), the table of now ends as many months earlier.
        """
        found = {}
        for months in MONTHS_BACK:
            table = self._at(self.as_of - pd.DateOffset(months=months), months)
            if table is not None and table.cutoff < self.table.cutoff:
                found[table.cutoff] = table
        return [found[cutoff] for cutoff in sorted(found)]

    def _at(self, moment: pd.Timestamp, months: int) -> PartnerTable | None:
        code = self.config.commodity
        try:
            then = partner_table(self.observations, commodity=code, as_of=moment)
        except DataError:
            then = None
        if then is None or then.late_months > max(self.table.late_months, _MOST_LATE):
            return self.table.shortened(months, as_of=moment)
        return then

    def forecast(self, *, status: str) -> pd.DataFrame:
        """Return the coherent forecast in the columns of a forecast file."""
        made = forecast_table(self.table, self.spec, status=status)
        return made.assign(model=self.model_version)


def open_table(
    settings: Settings, as_of: pd.Timestamp, commodity: str, *, until: int | None = None
) -> TableSnapshot:
    """Return the table of a commodity at an as_of; rows known later are not even read.

    Args:
        until: Leave out figures that later ingests than this one brought; None takes all.
    """
    engine = store_of(settings)
    figures = read_observations(engine, as_of=as_of, commodity=commodity, until=until)
    try:
        table = partner_table(figures, commodity=commodity, as_of=as_of)
    except DataError as err:
        raise DataError(f"{err} {other_tables(settings, as_of, commodity)}") from err
    config = table_config(commodity, read_label(engine, commodity))
    return TableSnapshot(
        settings, config, table, engine, figures, replace(PANEL_SPEC, threads=settings.threads)
    )


def other_tables(settings: Settings, as_of: pd.Timestamp, commodity: str) -> str:
    """Say which other full tables were known."""
    others = [code for code in full_commodities(settings, as_of) if code != commodity]
    return f"Other full tables known by then: {first_few(others) or 'none'}."


def full_commodities(settings: Settings, as_of: pd.Timestamp) -> list[str]:
    """Return the commodities of which a source in the store lists partners in full, sorted."""
    counts = read_partner_counts(store_of(settings), as_of=as_of)
    full = counts.loc[counts["destinations"] >= LEAST_PARTNERS, "commodity"]
    return sorted(set(full))
