"""A full partner table in the store, ready to be forecast at one moment."""

from dataclasses import dataclass, field
from typing import Final

import pandas as pd
from sqlalchemy import Engine

from features.panel.partner_table import LEAST_PARTNERS, PartnerTable, partner_table
from flows.context.workspace import store_of
from flows.publishing.group_record import GroupRecord
from models.engine.spec import EngineSpec
from models.evaluation.backtest import Backtest
from models.evaluation.scores import hit_rates
from models.forecasting.commodity_groups import CommodityGroup, GroupForecaster
from models.forecasting.forecaster import MODEL
from store.errors import DataError, first_few
from store.facts.labels import read_label
from store.facts.partner_tables import read_partner_counts
from store.facts.reading import read_observations
from store.settings import Settings
from store.vocabulary import BY_PARTNER, COMMODITY, MAX_HORIZON, MONTHS_AHEAD

MONTHS_BACK: Final = (12, 9, 6, 3)
"""Months before the as_of of the past origins that a table is replayed from."""

MOST_LATE: Final = MAX_HORIZON - MONTHS_AHEAD
"""Months a table of then may have been late to count as what was known then."""

STALE: Final = "stale"

OF_TABLE: Final = "partners-"
OF_GROUP: Final = "group-"
"""How the names of models begin: of a table's own, and of a group's."""


@dataclass(frozen=True, slots=True)
class TableSnapshot:
    """A table at one moment, what was known of it before, and how to forecast it."""

    settings: Settings
    as_of: pd.Timestamp
    table: PartnerTable
    spec: EngineSpec
    engine: Engine = field(repr=False)
    observations: pd.DataFrame = field(repr=False)
    """All versions of the commodity's figures known at as_of."""
    label: str = ""
    """What the commodity is called; empty where nobody told."""
    group: GroupRecord | None = None
    """Whose model forecasts it; None has its own."""

    @property
    def forecaster(self) -> GroupForecaster:
        """Return how it is forecast."""
        return GroupForecaster(self.spec)

    @property
    def data_vintage(self) -> str:
        """Return the digest of all that its forecast rests on."""
        return self.table.digest if self.group is None else self.group.vintage

    @property
    def published_as(self) -> str:
        """Return the commodity it is published as.

        The magnets' own forecasts rest on the evidence and keep their key; their partner table has
        another, so that no reader mixes the two.
        """
        code = self.table.commodity
        return f"{code}{BY_PARTNER}" if code == COMMODITY else code

    @property
    def model_family(self) -> str:
        """Return how the names of models of the same choices begin."""
        return f"{OF_TABLE if self.group is None else OF_GROUP}{self.spec.digest}-"

    @property
    def model_version(self) -> str:
        """Return the name of the model: the same figures and choices give the same name."""
        return f"{self.model_family}{self.data_vintage[:8]}-{self.as_of:%Y%m%d}"

    @property
    def status(self) -> str:
        """Return what is published of a forecast made here."""
        return STALE if self.table.is_late else "champion"

    def past(self) -> list[PartnerTable]:
        """Return the table as it was known at past origins, one a cutoff, oldest first.

        Where nothing tells what was known then (a history loaded at once has one release day,
        months released anew have the last one), the table of now ends as many months earlier.
        """
        found = {table.cutoff: table for table in self.past_by_months().values()}
        return [found[cutoff] for cutoff in sorted(found)]

    def past_by_months(self) -> dict[int, PartnerTable]:
        """Return by months back (``MONTHS_BACK``) the table as it was known then, as ``past``."""
        found = {}
        for months in MONTHS_BACK:
            table = self._at(self.as_of - pd.DateOffset(months=months), months)
            if table is not None and table.cutoff < self.table.cutoff:
                found[months] = table
        return found

    def _at(self, moment: pd.Timestamp, months: int) -> PartnerTable | None:
        code = self.table.commodity
        try:
            then = partner_table(self.observations, commodity=code, as_of=moment)
        except DataError:
            then = None
        if then is None or then.late_months > max(self.table.late_months, MOST_LATE):
            return self.table.shortened(months, as_of=moment)
        return then


def open_table(
    settings: Settings, as_of: pd.Timestamp, commodity: str, *, until: int | None = None
) -> TableSnapshot:
    """Return the table of a commodity at an as_of; rows known later are not even read.

    Args:
        settings: Where things are kept.
        as_of: The moment to stand at (UTC).
        commodity: Whose table.
        until: Leave out figures that later ingests than this one brought; None takes all.

    Raises:
        DataError: The store held no full table of it by then; names those it held.
    """
    try:
        return open_listed(settings, as_of, commodity, until=until)
    except DataError as err:
        others = [code for code in full_commodities(settings, as_of) if code != commodity]
        told = first_few(others) or "none"
        raise DataError(f"{err} Other full tables known by then: {told}.") from err


def open_listed(
    settings: Settings, as_of: pd.Timestamp, commodity: str, *, until: int | None = None
) -> TableSnapshot:
    """Return the table of a commodity that a list names; as ``open_table``, looks at no other.

    Raises:
        DataError: The store held no full table of it by then.
    """
    engine = store_of(settings)
    observations = read_observations(engine, as_of=as_of, commodity=commodity, until=until)
    table = partner_table(observations, commodity=commodity, as_of=as_of)
    spec = EngineSpec(threads=settings.threads)
    label = read_label(engine, commodity)
    return TableSnapshot(settings, as_of, table, spec, engine, observations, label)


def forecast_of(stand: TableSnapshot, seen: Backtest | None = None) -> pd.DataFrame:
    """Return the forecast of a table: ``FORECAST_COLUMNS``, and band_hit_rate if it was replayed.

    Args:
        stand: Where it is made.
        seen: How past forecasts turned out.
    """
    alone, code = CommodityGroup.alone(stand.table), stand.table.commodity
    made = stand.forecaster.forecast_member(alone, code, status=stand.status)
    return finished(stand, made, seen)


def finished(stand: TableSnapshot, made: pd.DataFrame, seen: Backtest | None) -> pd.DataFrame:
    """Return a forecast under its model's name, with how often its bands held."""
    made = made.assign(model=stand.model_version)
    if seen is None or seen.cells.empty:
        return made
    return made.assign(band_hit_rate=made["destination"].map(hit_rates(seen.cells, MODEL)))


def full_commodities(settings: Settings, as_of: pd.Timestamp) -> list[str]:
    """Return the commodities of which a source in the store lists partners in full, sorted."""
    counts = read_partner_counts(store_of(settings), as_of=as_of)
    full = counts.loc[counts["destinations"] >= LEAST_PARTNERS, "commodity"]
    return sorted(set(full))
