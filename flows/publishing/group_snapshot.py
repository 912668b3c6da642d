"""A group of partner tables in the store, ready to be forecast by one model at one moment."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import pandas as pd
from sqlalchemy import Engine

from features.families.policy import STRONG, product_share
from features.panel.partner_table import PartnerTable
from flows.context.workspace import store_of
from flows.publishing.group_record import GroupRecord
from flows.publishing.table_snapshot import MONTHS_BACK, TableSnapshot, open_listed
from models.forecasting.commodity_groups import CommodityGroup
from sources.files.commodities import Commodity
from store.errors import DataError
from store.facts.reading import read_analog_events, read_events
from store.settings import Settings

MAGNETS: Final = "rare-earth magnets"
"""What the ledger of policy speaks of, where a commodity's materials name it."""


@dataclass(frozen=True, slots=True)
class GroupSnapshot:
    """The tables of a group that could be opened, and why the others could not."""

    name: str
    stands: Mapping[str, TableSnapshot]
    """By commodity; each knows who is in the group."""
    refused: Mapping[str, str]
    """By commodity why it has no table."""
    group: CommodityGroup

    def past(self) -> tuple[list[CommodityGroup], dict[str, list[PartnerTable]]]:
        """Return the group at past moments, oldest first, and each commodity's tables then."""
        tables = {name: stand.past_by_months() for name, stand in self.stands.items()}
        groups = []
        for months in MONTHS_BACK:
            moment = self.group.as_of - pd.DateOffset(months=months)
            then = {name: of[months] for name, of in tables.items() if months in of}
            if then:
                groups.append(self.group.at(then, moment))
        return groups, {name: list(of.values()) for name, of in tables.items()}


def open_group(
    settings: Settings,
    as_of: pd.Timestamp,
    name: str,
    members: Sequence[Commodity],
    *,
    until: int | None = None,
) -> GroupSnapshot:
    """Return a group at an as_of; rows known later are not even read.

    A commodity without a full table takes no other down. Where all are without, no table stands.

    Args:
        settings: Where things are kept.
        as_of: The moment to stand at (UTC).
        name: What the group is called.
        members: The commodities in it.
        until: Leave out figures that later ingests than this one brought; None takes all.
    """
    opened: dict[str, TableSnapshot] = {}
    refused: dict[str, str] = {}
    for one in members:
        try:
            opened[one.code] = open_listed(settings, as_of, one.code, until=until)
        except DataError as err:
            refused[one.code] = str(err)
    tables = {code: opened[code].table for code in sorted(opened)}
    materials = {one.code: one.materials for one in members if one.code in opened}
    events = material_events(store_of(settings), as_of) if any(materials.values()) else None
    record = GroupRecord(
        name=name,
        materials={code: materials[code] for code in tables},
        figures={code: table.digest for code, table in tables.items()},
        controls="" if events is None else _digest(events),
    )
    labels = {one.code: one.label for one in members if one.label}
    stands = {
        code: replace(stand, group=record, label=labels.get(code, stand.label))
        for code, stand in opened.items()
    }
    group = CommodityGroup(tables, as_of, materials, events)
    return GroupSnapshot(name, stands, refused, group)


def material_events(engine: Engine, as_of: pd.Timestamp) -> pd.DataFrame:
    """Return all versions known at ``as_of`` of acts on materials, those on magnets among them."""
    own = read_events(engine, as_of=as_of)
    own = own.loc[product_share(own) >= STRONG].assign(material=MAGNETS)
    others = read_analog_events(engine, as_of=as_of)
    return pd.concat([others, own[others.columns]], ignore_index=True)


def _digest(events: pd.DataFrame) -> str:
    text = events.to_csv(index=False, lineterminator="\n")
    return hashlib.sha256(text.encode()).hexdigest()
