"""A group of partner tables in the store, ready to be forecast by one model at one moment."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import pandas as pd
from sqlalchemy import Engine

from features.partner_table import PartnerTable
from features.policy import STRONG, product_share
from flows.table_stand import MONTHS_BACK, TableStand, open_listed
from flows.workspace import store_of
from models.engine.spec import EngineSpec
from models.many import Group
from sources.commodities_file import Commodity
from store.errors import DataError
from store.reading import read_analog_events, read_events
from store.settings import Settings

MAGNETS: Final = "rare-earth magnets"
"""What the ledger of policy speaks of, where a commodity's materials name it."""

FAMILY: Final = "group"
"""How the names of models of groups begin."""


@dataclass(frozen=True, slots=True)
class GroupStand:
    """The tables of a group that could be opened, and why the others could not."""

    name: str
    stands: Mapping[str, TableStand]
    """By commodity; each names the group's model and all that it rests on."""
    refused: Mapping[str, str]
    """By commodity why it has no table."""
    group: Group

    def past(self) -> tuple[list[Group], dict[str, list[PartnerTable]]]:
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
    settings: Settings, as_of: pd.Timestamp, name: str, members: Sequence[Commodity]
) -> GroupStand:
    """Return a group at an as_of; rows known later are not even read.

    A commodity without a full table takes no other down. Where all are without, no table stands.
    """
    opened: dict[str, TableStand] = {}
    refused: dict[str, str] = {}
    for one in members:
        try:
            opened[one.code] = open_listed(settings, as_of, one.code)
        except DataError as err:
            refused[one.code] = str(err)
    events = material_events(store_of(settings), as_of)
    materials = {one.code: one.materials for one in members if one.code in opened}
    vintage = _vintage(opened, materials, events)
    stands = {
        code: replace(stand, made_by=FAMILY, vintage=vintage) for code, stand in opened.items()
    }
    tables = {code: stand.table for code, stand in opened.items()}
    told = events if any(materials.values()) else None
    group = Group(tables, materials, told, EngineSpec(threads=settings.threads), as_of)
    return GroupStand(name, stands, refused, group)


def material_events(engine: Engine, as_of: pd.Timestamp) -> pd.DataFrame:
    """Return all versions known at ``as_of`` of acts on materials, those on magnets among them."""
    own = read_events(engine, as_of=as_of)
    own = own.loc[product_share(own) >= STRONG].assign(material=MAGNETS)
    others = read_analog_events(engine, as_of=as_of)
    return pd.concat([others, own[others.columns]], ignore_index=True)


def _vintage(
    opened: Mapping[str, TableStand],
    materials: Mapping[str, Sequence[str]],
    events: pd.DataFrame,
) -> str:
    """Return a digest of all that the forecasts of a group rest on."""
    digest = hashlib.sha256()
    for code in sorted(opened):
        told = f"{code} {opened[code].table.digest} {';'.join(materials[code])}\n"
        digest.update(told.encode())
    if any(materials.values()):
        digest.update(events.to_csv(index=False, lineterminator="\n").encode())
    return digest.hexdigest()
