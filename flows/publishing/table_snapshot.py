"""Full partner tables as they were known at one moment, alone or in a group with one model."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import pandas as pd
from sqlalchemy import Engine

from features.families.policy import STRONG, product_share
from features.months import month_label
from features.panel.partner_table import LEAST_PARTNERS, PartnerTable, partner_table
from flows.context.stores import store_of
from flows.publishing.run_config import GroupRecord, RunConfig, table_config
from models.forecasting.fallback import CHAMPION
from models.forecasting.forecaster import STATISTICAL
from models.forecasting.panel_forecaster import CommodityGroup, GroupForecaster
from models.learning.spec import EngineSpec
from store.errors import DataError, first_few
from store.facts.evidence import read_label, read_partner_counts
from store.facts.reading import read_analog_events, read_events, read_observations
from store.settings import Settings
from store.vocabulary import MAX_HORIZON, MONTHS_AHEAD

MONTHS_BACK: Final = (12, 9, 6, 3)
"""Months before the as_of of the past origins that a table is backtested from."""

MOST_LATE: Final = MAX_HORIZON - MONTHS_AHEAD
"""Months a table of then may have been late to count as what was known then."""

STALE: Final = "stale"

OF_TABLE: Final = "partners-"
OF_GROUP: Final = "group-"
"""How the names of models begin: of a table's own, and of a group's."""

MAGNETS: Final = "rare-earth magnets"
"""What the ledger of policy speaks of, where a commodity's materials name it."""


@dataclass(frozen=True, slots=True)
class TableSnapshot:
    """One table at one moment, with all that its forecast rests on."""

    settings: Settings
    config: RunConfig
    group: CommodityGroup
    """The tables and controls that its model is trained on; of its own alone where it is in no
    group."""
    engine: Engine = field(repr=False)
    observations: pd.DataFrame = field(repr=False)
    """All versions of the commodity's figures known at the moment."""
    spec: EngineSpec
    record: GroupRecord | None = None
    """What the group rests on; None where the table has a model of its own."""

    @property
    def as_of(self) -> pd.Timestamp:
        """Return the forecaster's as_of (UTC)."""
        return self.group.as_of

    @property
    def table(self) -> PartnerTable:
        """Return the table."""
        return self.group.tables[self.config.commodity]

    @property
    def forecaster(self) -> GroupForecaster:
        """Return how it is forecast."""
        return GroupForecaster(self.spec)

    @property
    def data_vintage(self) -> str:
        """Return the digest of all that its forecast rests on."""
        return self.table.digest if self.record is None else self.record.vintage

    @property
    def recipe(self) -> str:
        """Return what names how a model is made: its kind and choices."""
        return self.model_family.removesuffix("-")

    @property
    def model_family(self) -> str:
        """Return how the names of models of the same choices begin."""
        return f"{OF_TABLE if self.record is None else OF_GROUP}{self.spec.digest}-"

    @property
    def model_version(self) -> str:
        """Return the name of the model: the same figures and choices give the same name."""
        return f"{self.model_family}{self.data_vintage[:8]}-{self.as_of:%Y%m%d}"

    @property
    def last_period(self) -> str:
        """Return the last month that is forecast, ``YYYY-MM``."""
        return month_label(self.table.cutoff + self.table.horizon)

    @property
    def status(self) -> str:
        """Return the status of a forecast made here."""
        status = CHAMPION if self.is_trained else STATISTICAL
        if not self.table.is_late:
            return status
        return STALE if self.is_trained else f"{STALE}, {status}"

    def fallback(self) -> "TableSnapshot | None":
        """Return the same under the next model of the chain.

        After the model of a group comes one of the table alone, then what statistical experts say
        without any training; None after that.
        """
        if self.record is not None:
            alone = replace(self.config, group="", materials=())
            return replace(self, config=alone, group=CommodityGroup.alone(self.table), record=None)
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
        """Tell whether its model learns from past origins, and is not the experts alone."""
        return self.spec.pairs > 0

    def past(self) -> dict[int, PartnerTable]:
        """Return by months back (``MONTHS_BACK``) the table as it was known then.

        Where nothing tells what was known then (a history loaded at once has one release day,
        months released anew have the last one), the table of now ends as many months earlier.
        """
        found = {}
        for months in MONTHS_BACK:
            table = self._at(self.as_of - pd.DateOffset(months=months), months)
            if table is not None and table.cutoff < self.table.cutoff:
                found[months] = table
        return found

    def _at(self, moment: pd.Timestamp, months: int) -> PartnerTable | None:
        code = self.config.commodity
        try:
            then = partner_table(self.observations, commodity=code, as_of=moment)
        except DataError:
            then = None
        if then is None or then.late_months > max(self.table.late_months, MOST_LATE):
            return self.table.shortened(months, as_of=moment)
        return then


@dataclass(frozen=True, slots=True)
class OpenedTables:
    """The tables of one model that could be opened, and why the others could not."""

    snapshots: Mapping[str, TableSnapshot]
    """By commodity."""
    refused: Mapping[str, str]
    """By commodity why it has no table."""

    @property
    def group(self) -> CommodityGroup:
        """Return what the model of them all is trained on."""
        return next(iter(self.snapshots.values())).group

    def past(self) -> list[CommodityGroup]:
        """Return the group at past moments, oldest first; the same months are walked once."""
        tables = {code: one.past() for code, one in self.snapshots.items()}
        found = {}
        for months in MONTHS_BACK:
            moment = self.group.as_of - pd.DateOffset(months=months)
            then = {code: of[months] for code, of in tables.items() if months in of}
            if then:
                cutoffs = tuple(sorted((code, table.cutoff) for code, table in then.items()))
                found[cutoffs] = self.group.at(then, moment)
        return sorted(found.values(), key=_newest_cutoff)


def _newest_cutoff(group: CommodityGroup) -> int:
    return max(table.cutoff for table in group.tables.values())


def open_tables(
    settings: Settings,
    as_of: pd.Timestamp,
    configs: Sequence[RunConfig],
    *,
    until: int | None = None,
) -> OpenedTables:
    """Return the tables of configurations that share a model; rows known later are not even read.

    A commodity without a full table takes no other down.

    Args:
        settings: Where things are kept.
        as_of: The moment to forecast at (UTC).
        configs: One group, or one configuration that is in none.
        until: Leave out figures that later ingests than this one brought; None takes all.
    """
    engine = store_of(settings)
    figures: dict[str, pd.DataFrame] = {}
    tables: dict[str, PartnerTable] = {}
    refused: dict[str, str] = {}
    for config in configs:
        code = config.commodity
        figures[code] = read_observations(engine, as_of=as_of, commodity=code, until=until)
        try:
            tables[code] = partner_table(figures[code], commodity=code, as_of=as_of)
        except DataError as err:
            refused[code] = str(err)
    opened = [config for config in configs if config.commodity in tables]
    group = _group_of(as_of, opened, tables, engine)
    record = _record_of(group, configs[0].group) if configs[0].group else None
    spec = EngineSpec(threads=settings.threads)
    snapshots = {
        one.commodity: TableSnapshot(
            settings, _labelled(one, engine), group, engine, figures[one.commodity], spec, record
        )
        for one in opened
    }
    return OpenedTables(snapshots, refused)


def open_table(settings: Settings, as_of: pd.Timestamp, commodity: str) -> TableSnapshot:
    """Return the table of one commodity at an as_of, with a model of its own.

    Raises:
        DataError: The store held no full table of it by then; names those it held.
    """
    opened = open_tables(settings, as_of, [table_config(commodity)])
    if reason := opened.refused.get(commodity):
        raise DataError(f"{reason} {other_tables(settings, as_of, commodity)}")
    return opened.snapshots[commodity]


def other_tables(settings: Settings, as_of: pd.Timestamp, commodity: str) -> str:
    """Say which other full tables were known."""
    others = [code for code in full_commodities(settings, as_of) if code != commodity]
    return f"Other full tables known by then: {first_few(others) or 'none'}."


def full_commodities(settings: Settings, as_of: pd.Timestamp) -> list[str]:
    """Return the commodities of which a source in the store lists partners in full, sorted."""
    counts = read_partner_counts(store_of(settings), as_of=as_of)
    full = counts.loc[counts["destinations"] >= LEAST_PARTNERS, "commodity"]
    return sorted(set(full))


def _group_of(
    as_of: pd.Timestamp,
    configs: Sequence[RunConfig],
    tables: Mapping[str, PartnerTable],
    engine: Engine,
) -> CommodityGroup:
    materials = {one.commodity: one.materials for one in configs if one.group}
    events = material_events(engine, as_of) if any(materials.values()) else None
    ordered = {code: tables[code] for code in sorted(tables)}
    return CommodityGroup(ordered, as_of, materials, events)


def _record_of(group: CommodityGroup, name: str) -> GroupRecord:
    return GroupRecord(
        name=name,
        materials={code: group.materials[code] for code in group.tables},
        figures={code: table.digest for code, table in group.tables.items()},
        controls="" if group.events is None else _digest(group.events),
    )


def _labelled(config: RunConfig, engine: Engine) -> RunConfig:
    return config if config.label else replace(config, label=read_label(engine, config.commodity))


def material_events(engine: Engine, as_of: pd.Timestamp) -> pd.DataFrame:
    """Return all versions known at ``as_of`` of acts on materials, those on magnets among them."""
    own = read_events(engine, as_of=as_of)
    own = own.loc[product_share(own) >= STRONG].assign(material=MAGNETS)
    others = read_analog_events(engine, as_of=as_of)
    return pd.concat([others, own[others.columns]], ignore_index=True)


def _digest(events: pd.DataFrame) -> str:
    text = events.to_csv(index=False, lineterminator="\n")
    return hashlib.sha256(text.encode()).hexdigest()
