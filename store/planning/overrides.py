"""Overrides: a planner's own estimates, with a reason, beside the published median."""

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
from store.schema.planning_tables import overrides
from store.schema.tables import forecasts
from store.vocabulary import COMMODITY

TARGET: Final = "forecast"
FIELD: Final = "p50"
OVERRIDE_COLUMNS: Final = (
    "commodity", "destination", "period", "as_of", "tonnes", "author", "reason", "available_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class OverrideRow:
    """A planner's estimate for one published month."""

    destination: str
    period: pd.Timestamp
    as_of: pd.Timestamp
    """As_of of the publication it refers to."""
    tonnes: float
    reason: str
    commodity: str = COMMODITY


def add_override(engine: Engine, override: OverrideRow, *, who: Actor, at: datetime) -> None:
    """Save an override with its audit row; the published median and earlier overrides stay.

    Args:
        engine: an opened store.
        override: the estimate and its reason.
        who: who writes.
        at: the moment, aware.

    Raises:
        DataError: it is not valid.
        MissingError: no such month was published.
        TokenError: the token may not write.
    """
    _check(override)
    key = f"{override.destination}|{override.period:%Y-%m}|{override.as_of:%Y-%m-%dT%H:%M:%SZ}"
    with audited(engine, who, at=at) as trail:
        check_place(trail.connection, override.commodity, override.destination)
        _find(trail.connection, override)
        before, last = _newest(trail, override.commodity, key)
        row = {"value": repr(override.tonnes), "reason": override.reason.strip()}
        named = {
            "commodity": override.commodity, "target": TARGET, "target_key": key, "field": FIELD
        }  # fmt: skip
        trail.connection.execute(
            insert(overrides).values(
                **named, **row, author=trail.actor, available_at=_after(last, at)
            )
        )
        thing = f"{TARGET} {override.commodity}|{key}"
        trail.note("override", thing, before=before, after=row)


def override_rows(connection: Connection) -> pd.DataFrame:
    """Fetch all overrides of forecasts: ``OVERRIDE_COLUMNS``, oldest first.

    ``period`` is the first day of the month, ``tonnes`` the planner's estimate.
    """
    rows = fetch(connection, overrides, wanted=[overrides.c.target == TARGET])
    parts = rows["target_key"].str.split("|", expand=True).reindex(columns=range(3))
    estimates = rows.assign(
        destination=parts[0],
        period=pd.to_datetime(parts[1], format="%Y-%m"),
        as_of=pd.to_datetime(parts[2], utc=True),
        tonnes=rows["value"].astype(float),
    )
    return estimates[list(OVERRIDE_COLUMNS)].sort_values("available_at", ignore_index=True)


def _find(connection: Connection, override: OverrideRow) -> None:
    """Check that the month was published."""
    own = (
        (forecasts.c.commodity == override.commodity)
        & (forecasts.c.destination == override.destination)
        & (forecasts.c.period == override.period.date())
        & (forecasts.c.as_of == override.as_of)
    )
    if not connection.scalar(select(func.count()).select_from(forecasts).where(own)):
        raise MissingError(
            f"No forecast of {override.destination} in {override.period:%Y-%m} as of "
            f"{override.as_of:%Y-%m-%d}, commodity {override.commodity}. Expected a published one. "
            "See /api/v1/publications."
        )


def _newest(
    trail: AuditTrail, commodity: str, key: str
) -> tuple[dict[str, str] | None, datetime | None]:
    """Return the values and moment of the newest earlier override, if any."""
    of = overrides.c
    own = (of.commodity == commodity) & (of.target == TARGET) & (of.target_key == key)
    newest = (
        select(overrides.c.value, overrides.c.reason, overrides.c.available_at)
        .where(own & (overrides.c.field == FIELD))
        .order_by(overrides.c.available_at.desc())
        .limit(1)
    )
    row = trail.connection.execute(newest).first()
    if row is None:
        return None, None
    return {"value": row.value, "reason": row.reason}, row.available_at


def _after(last: datetime | None, at: datetime) -> datetime:
    """Return a moment later than the last one, even if the clock went backwards."""
    return at if last is None else max(at, last + timedelta(microseconds=1))


def _check(override: OverrideRow) -> None:
    checked_name(override.reason, "reason", longest=LONGEST_REASON)
    if not (math.isfinite(override.tonnes) and 0 <= override.tonnes <= MOST_TONNES):
        raise DataError(
            f"An override of {override.tonnes} t. Expected 0 to {MOST_TONNES:,.0f}. Correct tonnes."
        )
