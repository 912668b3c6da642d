"""Overrides: what a planner puts beside the model's median, with a reason; never in its place."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import pandas as pd
from sqlalchemy import Connection, Engine, func, insert, select

from store.errors import DataError, MissingError
from store.facts.reading import fetch
from store.planning.audit import LONGEST_REASON, Actor, AuditTrail, audited
from store.planning.needs import MOST_TONNES, check_place, checked_name
from store.schema.tables import forecasts, overrides
from store.vocabulary import COMMODITY

TARGET: Final = "forecast"
FIELD: Final = "p50"
OVERRIDE_COLUMNS: Final = (
    "commodity", "destination", "period", "as_of", "tonnes", "author", "reason", "available_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class OverrideRow:
    """What somebody expects instead of the median of one published month."""

    destination: str
    period: pd.Timestamp
    as_of: pd.Timestamp
    """Moment of the publication it speaks of."""
    tonnes: float
    reason: str
    commodity: str = COMMODITY


def add_override(engine: Engine, told: OverrideRow, *, who: Actor, at: datetime) -> None:
    """Keep an override beside the published median, with its audit row; earlier ones stay.

    Args:
        engine: an opened store.
        told: what is expected, and why.
        who: who writes.
        at: the moment, aware.

    Raises:
        DataError: it makes no sense.
        MissingError: no such month was published.
        TokenError: the token may not write.
    """
    _check(told)
    key = f"{told.destination}|{told.period:%Y-%m}|{told.as_of:%Y-%m-%dT%H:%M:%SZ}"
    with audited(engine, who, at=at) as journal:
        check_place(journal.connection, told.commodity, told.destination)
        _find(journal.connection, told)
        before, last = _newest(journal, told.commodity, key)
        row = {"value": repr(told.tonnes), "reason": told.reason.strip()}
        named = {
            "commodity": told.commodity, "target": TARGET, "target_key": key, "field": FIELD
        }  # fmt: skip
        journal.connection.execute(
            insert(overrides).values(
                **named, **row, author=journal.actor, available_at=_after(last, at)
            )
        )
        thing = f"{TARGET} {told.commodity}|{key}"
        journal.note("override", thing, before=before, after=row)


def override_rows(connection: Connection) -> pd.DataFrame:
    """Fetch every override of a forecast ever made: ``OVERRIDE_COLUMNS``, oldest first.

    ``period`` is the first day of the month; tonnes are those expected.
    """
    rows = fetch(connection, overrides, wanted=[overrides.c.target == TARGET])
    parts = rows["target_key"].str.split("|", expand=True).reindex(columns=range(3))
    told = rows.assign(
        destination=parts[0],
        period=pd.to_datetime(parts[1], format="%Y-%m"),
        as_of=pd.to_datetime(parts[2], utc=True),
        tonnes=rows["value"].astype(float),
    )
    return told[list(OVERRIDE_COLUMNS)].sort_values("available_at", ignore_index=True)


def _find(connection: Connection, told: OverrideRow) -> None:
    """See that the month was published."""
    own = (
        (forecasts.c.commodity == told.commodity)
        & (forecasts.c.destination == told.destination)
        & (forecasts.c.period == told.period.date())
        & (forecasts.c.as_of == told.as_of)
    )
    if not connection.scalar(select(func.count()).select_from(forecasts).where(own)):
        raise MissingError(
            f"No forecast of {told.destination} in {told.period:%Y-%m} as of "
            f"{told.as_of:%Y-%m-%d}, commodity {told.commodity}. Expected a published one. See "
            "/api/v1/publications."
        )


def _newest(
    journal: AuditTrail, commodity: str, key: str
) -> tuple[dict[str, str] | None, datetime | None]:
    """Return what was expected before, and since when."""
    of = overrides.c
    own = (of.commodity == commodity) & (of.target == TARGET) & (of.target_key == key)
    newest = (
        select(overrides.c.value, overrides.c.reason, overrides.c.available_at)
        .where(own & (overrides.c.field == FIELD))
        .order_by(overrides.c.available_at.desc())
        .limit(1)
    )
    row = journal.connection.execute(newest).first()
    if row is None:
        return None, None
    return {"value": row.value, "reason": row.reason}, row.available_at


def _after(last: datetime | None, at: datetime) -> datetime:
    """Return a moment later than the last one, whatever the clock did since."""
    return at if last is None else max(at, last + timedelta(microseconds=1))


def _check(told: OverrideRow) -> None:
    checked_name(told.reason, "reason", longest=LONGEST_REASON)
    if not (math.isfinite(told.tonnes) and 0 <= told.tonnes <= MOST_TONNES):
        raise DataError(
            f"An override of {told.tonnes} t. Expected 0 to {MOST_TONNES:,.0f}. Correct tonnes."
        )
