"""What was known of a full partner table at one moment, and of those before it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import pandas as pd
from sqlalchemy import Engine

from features.build import catalogue_digest
from features.months import month_label
from features.panel.partner_table import (
    LEAST_PARTNERS,
    PartnerTable,
    partner_table,
)
from flows.context.recipes import recipe_of
from flows.context.run_config import MAGNETS, RunConfig, config_of
from flows.context.stores import store_of
from flows.context.workspace import Workspace, open_workspace
from models.forecasting.fallback import FallbackForecast, sound
from models.forecasting.panel_forecaster import PanelForecaster
from models.forecasting.snapshot import Snapshot
from models.learning.spec import PANEL_SPEC, Spec
from store.errors import DataError, first_few
from store.facts.evidence import read_label, read_partner_counts
from store.facts.reading import read_observations
from store.messages import Message, message
from store.publications.panels import NO_PANEL, StoredPanel
from store.settings import Settings
from store.vocabulary import MAX_HORIZON, MONTHS_AHEAD


def table_panel(table: PartnerTable) -> StoredPanel:
    """Return a full partner table as the panel behind its forecast.

    Cells that a source lists are observed; sums, remainders and what no source of a listed month
    lists are derived. Tonnes are as they are stated, and nothing else tells of a cell, so that
    nothing can contradict it.
    """
    cells = Snapshot.of_table(table).published_months
    keys = pd.MultiIndex.from_frame(cells[["destination", "period"]])
    own = table.listed.reindex(keys).set_axis(cells.index)
    of_month = cells["period"].map(table.listed.groupby("period").max())
    return StoredPanel(
        cells.assign(
            stderr_log=0.0,
            kind=np.where(own.notna(), "observed", "derived"),
            available_at=own.fillna(of_month).fillna(table.as_of),
        ),
        NO_PANEL.contradictions,
    )


MONTHS_BACK: Final = (12, 9, 6, 3)
"""Months before the as_of of the past origins that a table is backtested from."""

_MOST_LATE: Final = MAX_HORIZON - MONTHS_AHEAD
"""Months a table of then may have been late to count as what was known then."""

OF_TABLE: Final = "partners-"
"""How the names of recipes begin."""


@dataclass(frozen=True, slots=True)
class TableWorkspace:
    """One table at one moment, with all that its forecast rests on."""

    settings: Settings
    config: RunConfig
    table: PartnerTable
    engine: Engine = field(repr=False)
    observations: pd.DataFrame = field(repr=False)
    """All versions of the commodity's figures known at the moment."""
    spec: Spec
    origin: None = field(default=None, init=False)
    """Where forecasts must be plausible: not here, for series of a few tonnes jump as they like."""

    @property
    def as_of(self) -> pd.Timestamp:
        return self.table.as_of

    @property
    def data_vintage(self) -> str:
        return self.table.digest

    @property
    def recipe(self) -> str:
        return f"{OF_TABLE}{self.spec.digest}-{catalogue_digest()[:6]}"

    @property
    def model_version(self) -> str:
        return f"{self.recipe}-{self.data_vintage[:8]}-{self.as_of:%Y%m%d}"

    @property
    def made_with(self) -> Mapping[str, object]:
        """What the digest of the table does not tell: its recipe."""
        return {"parameters": self.spec.changed} if self.spec.changed else {}

    @property
    def last_period(self) -> str:
        return month_label(self.table.cutoff + self.table.horizon)

    @property
    def untrained(self) -> "TableWorkspace":
        """The same by what experts say without any training: the last in the fallback order."""
        return replace(self, spec=replace(self.spec, pairs=0))

    def experts(self) -> FallbackForecast:
        """Return what the experts forecast; the spec of ``untrained`` makes it quick."""
        fitted = PanelForecaster(self.spec).fit(self.snapshot)
        return FallbackForecast(sound(next(fitted.predict()), self.snapshot), None)

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

    @property
    def snapshot(self) -> Snapshot:
        return Snapshot.of_table(self.table)

    @property
    def panel(self) -> StoredPanel:
        """What was known of past months, as it is kept beside the publication."""
        return table_panel(self.table)

    @property
    def notes(self) -> list[Message]:
        """What is odd about the table and its past, in sentences."""
        return [*self.table.notes, *hindsight(self.past())]


Known = Workspace | TableWorkspace
"""What was known of some goods at one moment: all that their forecast rests on."""


def known_of(
    settings: Settings, as_of: pd.Timestamp, config: RunConfig = MAGNETS, spec: Spec | None = None
) -> Known:
    """Return what was known of the goods of a configuration.

    Args:
        spec: Choices of a model trained on it; the champion's recipe if left out.
    """
    spec = spec or recipe_of(settings, as_of, config=config).spec
    if config.is_main:
        return open_workspace(settings, as_of, spec=spec)
    return open_table(settings, as_of, config.commodity, spec=spec)


def open_table(
    settings: Settings,
    as_of: pd.Timestamp,
    commodity: str,
    *,
    until: int | None = None,
    spec: Spec = PANEL_SPEC,
) -> TableWorkspace:
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
    key = config_of(commodity).published_as
    config = RunConfig(key, read_label(engine, key))
    return TableWorkspace(settings, config, table, engine, figures, spec)


def other_tables(settings: Settings, as_of: pd.Timestamp, commodity: str) -> str:
    """Say which other full tables were known."""
    others = [code for code in full_commodities(settings, as_of) if code != commodity]
    return f"Other full tables known by then: {first_few(others) or 'none'}."


def full_commodities(settings: Settings, as_of: pd.Timestamp) -> list[str]:
    """Return the commodities of which a source in the store lists partners in full, sorted."""
    counts = read_partner_counts(store_of(settings), as_of=as_of)
    full = counts.loc[counts["destinations"] >= LEAST_PARTNERS, "commodity"]
    return sorted(set(full))


def hindsight(past: Sequence[PartnerTable]) -> tuple[Message, ...]:
    """Say how many of the past tables are not as they were known then."""
    revised = sum(table.is_revised for table in past)
    if not revised:
        return ()
    note = message(
        "%(count)s of the %(past)s past tables that were replayed are today's, cut short, for "
        "nothing tells what was known then: later revisions are in the scores and hit rates, never "
        "in a forecast.",
        count=revised,
        past=len(past),
    )
    return (note,)
