"""Overrides: a planner's own estimates beside the published median, and all planning rows."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import pandas as pd
from sqlalchemy import Connection, Engine, func, insert, select

from store.database import Mark, mark_of
from store.errors import DataError, MissingError
from store.facts.reading import fetch
from store.messages import message
from store.planning.audit import LONGEST_REASON, Actor, AuditTrail, audited, checked_name
from store.planning.needs import MOST_TONNES, check_place
from store.schema.tables import alert_rules, alerts, audit, forecasts, needs, overrides
from store.vocabulary import COMMODITY

MOST_A_DAY: Final = 1000
"""Overrides that one writer may save within a day; none of them is ever removed."""

TARGET: Final = "forecast"
FIELD: Final = "p50"
_OVERRIDE_COLUMNS: Final = (
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

    Raises:
        DataError: it is not valid.
        MissingError: no such month was published.
        TokenError: the token may not write.
    """
    _check(override)
    key = f"{override.destination}|{override.period:%Y-%m}|{override.as_of:%Y-%m-%dT%H:%M:%SZ}"
    with audited(engine, who, at=at) as trail:
        _check_room(trail)
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
    """Fetch all overrides of forecasts: ``_OVERRIDE_COLUMNS``, oldest first.

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
    return estimates[list(_OVERRIDE_COLUMNS)].sort_values("available_at", ignore_index=True)


def _check_room(trail: AuditTrail) -> None:
    day = overrides.c.available_at > trail.at - timedelta(days=1)
    own = select(func.count()).where(day & (overrides.c.author == trail.actor))
    if trail.connection.execute(own).scalar_one() >= MOST_A_DAY:
        raise DataError(
            message(
                "%(writer)s saved %(most)s overrides within a day. Expected at most as many. "
                "Wait, or correct the program that writes them.",
                writer=trail.actor,
                most=MOST_A_DAY,
            )
        )


def _find(connection: Connection, override: OverrideRow) -> None:
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
            message(
                "An override of %(amount)s t. Expected 0 to %(most)s. Correct tonnes.",
                amount=str(override.tonnes),
                most=f"{MOST_TONNES:,.0f}",
            )
        )


_COUNTED: Final = (
    func.max(audit.c.id),
    func.count(alerts.c.rule_id),
    func.sum(alerts.c.attempts),
)
"""Every write of a planner adds an audit row; findings and deliveries are counted."""


@dataclass(frozen=True, slots=True)
class PlanningRows:
    """All planning rows at one moment, ended ones included; not modified."""

    mark: Mark
    needs: pd.DataFrame
    rules: pd.DataFrame
    alerts: pd.DataFrame
    overrides: pd.DataFrame
    """As ``store.planning.overrides.override_rows``."""
    audit: pd.DataFrame


def read_planning(engine: Engine) -> PlanningRows:
    """Read all planning rows in one transaction."""
    with engine.begin() as connection:
        return PlanningRows(
            mark=mark_of(connection, _COUNTED),
            needs=fetch(connection, needs),
            rules=fetch(connection, alert_rules),
            alerts=fetch(connection, alerts),
            overrides=override_rows(connection),
            audit=fetch(connection, audit),
        )


def read_planning_mark(engine: Engine) -> Mark:
    """Return a mark that changes with every planning write, finding and delivery."""
    with engine.begin() as connection:
        return mark_of(connection, _COUNTED)
