"""Commodities: which rows their forecasts are computed from, their labels and partner tables.

Beside them China Customs' codes of trading partners, as in ``data/customs_partners.csv``.
"""

import csv
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Final, NamedTuple

import pandas as pd
from sqlalchemy import ColumnElement, Connection, Engine, func, select

from store.database import insert_row, reading, writing
from store.facts.reading import known_by, read_commodities, read_table
from store.schema import database_tables as tables
from store.schema.database_tables import labels, observations
from store.settings import PROJECT_ROOT
from store.vocabulary import COMMODITY, HS6, ORIGIN, WORLD

_EVIDENCE: Final = (
    tables.observations,
    tables.policy_events,
    tables.tariff_steps,
    tables.analog_events,
    tables.release_calendar,
)
"""Tables that forecasts are computed from."""


def under_china_code(rows: pd.DataFrame) -> pd.Series:
    """Mask of the rows on the magnets under China's code; others are of HS6 or materials."""
    return rows["commodity"].eq(COMMODITY)


_CODE: Final = re.compile(r"[A-Z]{0,2}\d+")


def read_evidence(
    engine: Engine, *, as_of: datetime | None = None, until: int | None = None
) -> pd.DataFrame:
    """Read the figures that magnet forecasts are computed from, all versions; as ``read_table``."""
    wanted = [_is_evidence(engine)]
    return read_table(engine, tables.observations, as_of=as_of, until=until, wanted=wanted)


def _is_evidence(engine: Engine) -> ColumnElement[bool]:
    """The condition of these figures: on magnets, on materials.

    Materials have names and no code. China's exports of 850511 hold other metal magnets too, so
    that only their values count, for ``features.panel.statements.hs6_values``.
    """
    row, names = tables.observations.c, read_commodities(engine)
    own_figures = [COMMODITY, *(name for name in names if not _CODE.fullmatch(name))]
    is_value = (row.commodity == HS6) & (row.measure == "value_musd") & (row.origin == ORIGIN)
    values = is_value & ((row.destination == WORLD) | (row.period_from != row.period_to))
    return row.commodity.in_(own_figures) | values


@dataclass(frozen=True, slots=True)
class EvidenceDigests:
    """Digests of what was known at a moment: equal rows give equal digests."""

    digest: str
    """Digest of all tables: the ``data_vintage`` of forecasts computed from them."""
    tables: Mapping[str, str]
    """For each table, its number of rows and the start of its digest."""


def evidence_digests(
    engine: Engine, *, as_of: datetime | None = None, until: int | None = None
) -> EvidenceDigests:
    """Digests of the evidence on magnets that ``read_evidence`` would read."""
    digest, parts = hashlib.sha256(), {}
    is_evidence = _is_evidence(engine)
    with engine.begin() as connection:
        for table in _EVIDENCE:
            wanted = [is_evidence] if table is tables.observations else []
            frame = read_table(connection, table, as_of=as_of, until=until, wanted=wanted)
            text = frame.to_csv(index=False, lineterminator="\n").encode()
            digest.update(table.name.encode())
            digest.update(text)
            parts[table.name] = f"{len(frame)} rows, {hashlib.sha256(text).hexdigest()[:16]}"
    return EvidenceDigests(digest.hexdigest(), parts)


def save_label(engine: Engine, commodity: str, label: str, *, at: datetime) -> bool:
    """Save the label of a commodity and tell whether it is new; an empty one changes nothing."""
    with writing(engine) as connection:
        is_new = bool(label) and read_labels(connection).get(commodity) != label
        if is_new:
            insert_row(
                connection, labels, {"commodity": commodity, "label": label, "available_at": at}
            )
    return is_new


def read_labels(where: Engine | Connection) -> dict[str, str]:
    """Read the newest label of each commodity that has one."""
    with reading(where) as connection:
        rows = connection.execute(select(labels).order_by(labels.c.id)).all()
    return {str(row.commodity): str(row.label) for row in rows}


MEASURE: Final = "net_weight_t"


def read_partner_counts(engine: Engine, *, as_of: datetime | None = None) -> pd.DataFrame:
    """Count the destinations of each commodity and source, in the month with most of them.

    Args:
        as_of: leave out rows that became known later; None counts all.

    Returns:
        commodity, source, destinations: how many have usable figures of one single month; ordered
        by commodity and source.
    """
    row = observations.c
    count = func.count(row.destination.distinct()).label("destinations")
    months = (
        select(row.commodity, row.source, count)
        .where(row.origin == ORIGIN, row.measure == MEASURE, row.usable)
        .where(row.period_from == row.period_to)
        .where(*known_by(observations, as_of))
        .group_by(row.commodity, row.source, row.period_from)
    )
    of = months.subquery().c
    query = (
        select(of.commodity, of.source, func.max(of.destinations))
        .group_by(of.commodity, of.source)
        .order_by(of.commodity, of.source)
    )
    with engine.begin() as connection:
        rows = [tuple(line) for line in connection.execute(query)]
    return pd.DataFrame(rows, columns=["commodity", "source", "destinations"])


_TABLE: Final = PROJECT_ROOT / "data" / "customs_partners.csv"

RESIDUAL: Final = r"C\d{3}"
"""Places that are no country: "C" and the customs' code, such as C701 for partners unknown. They
are part of the world and of no destination."""


class PartnerCode(NamedTuple):
    """One line of the table."""

    code: str
    destination: str
    """ISO alpha-3, or a residual place."""
    name_zh: str
    name_en: str


@cache
def partner_codes() -> tuple[PartnerCode, ...]:
    """Every code, in order."""
    with _TABLE.open(encoding="utf-8", newline="") as file:
        return tuple(PartnerCode(**row) for row in csv.DictReader(file))


@cache
def residual_names() -> dict[str, str]:
    """The English name of each residual place."""
    return {c.destination: c.name_en for c in partner_codes() if c.destination == f"C{c.code}"}
