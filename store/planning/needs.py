"""Needs: the tonnes a planner requires for a destination, month by month."""

import math
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final

import pandas as pd
from sqlalchemy import Connection, Engine, Table, func, select, update

from store.database import insert_row
from store.errors import DataError, MissingError, first_few
from store.facts.reading import fetch_commodities
from store.messages import Message, message
from store.planning.audit import THINGS, Actor, AuditTrail, audited, checked_name
from store.schema.tables import alert_rules, forecasts, needs
from store.vocabulary import AGGREGATES, COMMODITY, DESTINATIONS

_LONGEST_MONTHS: Final = 36
MOST_TONNES: Final = 1e6
"""Tonnes a month, some hundred times what China exports."""

MOST_ACTIVE: Final = 200
"""Needs, and alert rules, that one writer may have in force."""

FORECAST: Final = (*AGGREGATES, *DESTINATIONS)
"""Destinations of the magnet forecast, sums included."""


@dataclass(frozen=True, slots=True)
class NeedRow:
    """Tonnes needed each month; ``period_from`` and ``period_to`` are first days of months."""

    name: str
    destination: str
    period_from: pd.Timestamp
    period_to: pd.Timestamp
    tonnes: float
    commodity: str = COMMODITY


def add_need(engine: Engine, need: NeedRow, *, who: Actor, at: datetime) -> int:
    """Save a need with its audit row and return its number.

    Raises:
        DataError: the need is not valid.
        MissingError: its commodity has no forecast.
        TokenError: the token may not write.
    """
    checked_name(need.name, "need")
    _check(need)
    row = {**asdict(need), "name": need.name.strip()}
    days = {name: row[name].date() for name in ("period_from", "period_to")}
    with audited(engine, who, at=at) as trail:
        check_room(trail, needs, "need")
        check_place(trail.connection, need.commodity, need.destination)
        made = {**row, **days, "author": trail.actor, "created_at": at}
        number = insert_row(trail.connection, needs, made)
        months = {name: f"{day:%Y-%m}" for name, day in days.items()}
        trail.note("create", f"need {number}", after={**row, **months})
    return number


def end_need(engine: Engine, number: int, *, who: Actor, at: datetime) -> None:
    """End a need, and the alert rules on it, with their audit rows.

    Raises:
        MissingError: there is no such need, or it has ended.
        TokenError: the token may not write.
    """
    with audited(engine, who, at=at) as trail:
        end_row(trail, needs, number, "need")
        own = alert_rules.c.ended_at.is_(None) & (alert_rules.c.need_id == number)
        rules = trail.connection.scalars(select(alert_rules.c.id).where(own)).all()
        trail.connection.execute(update(alert_rules).where(own).values(ended_at=at))
        for rule in rules:
            trail.note("end", f"alert rule {rule}")


def check_room(trail: AuditTrail, table: Table, what: str) -> None:
    """Check that a writer has less than ``MOST_ACTIVE`` active rows in a table."""
    own = (table.c.author == trail.actor) & table.c.ended_at.is_(None)
    count = trail.connection.execute(select(func.count()).where(own)).scalar_one()
    if count >= MOST_ACTIVE:
        raise DataError(
            message(
                "%(writer)s has %(most)s active %(what)s. Expected at most as many. End one that "
                "is not needed any more.",
                writer=trail.actor,
                most=MOST_ACTIVE,
                what=THINGS[f"{what}s"],
            )
        )


def check_place(connection: Connection, commodity: str, destination: str) -> None:
    """Check that a destination of a commodity is forecast.

    Raises:
        DataError: the destination is not forecast.
        MissingError: the commodity has no forecast.
    """
    known: tuple[str, ...] = FORECAST
    if commodity != COMMODITY:
        known = _forecast_of(connection, commodity)
    if destination not in known:
        expected = ", ".join(known) if known is FORECAST else first_few(known)
        of = "" if commodity == COMMODITY else f" of commodity {commodity}"
        raise DataError(
            f"No destination {destination!r}{of} is forecast. Expected one of {expected}. "
            "Correct it."
        )


def _forecast_of(connection: Connection, commodity: str) -> tuple[str, ...]:
    own = select(forecasts.c.destination).where(forecasts.c.commodity == commodity).distinct()
    found = tuple(sorted(connection.scalars(own)))
    if not found:
        published = first_few(fetch_commodities(connection, forecasts)) or "there is none"
        raise MissingError(
            f"No forecasts of commodity {commodity!r}. Expected one of those published: "
            f"{published}. See /api/v1/commodities."
        )
    return found


def end_row(trail: AuditTrail, table: Table, number: int, what: str) -> None:
    """End an active row, with its audit row."""
    live = table.c.ended_at.is_(None)
    ended = update(table).where(live & (table.c.id == number)).values(ended_at=trail.at)
    if not trail.connection.execute(ended).rowcount:
        known = trail.connection.scalars(select(table.c.id).where(live).order_by(table.c.id))
        raise MissingError(no_such(what.replace(" ", "-"), number, list(known)))
    trail.note("end", f"{what} {number}")


def no_such(what: str, number: int, live: list[int]) -> Message:
    """Explain that there is no such active row."""
    return message(
        "No %(what)s %(number)s in force. Expected one of: %(known)s. See %(address)s.",
        what=THINGS[what],
        number=number,
        known=first_few(live) if live else message("there is none"),
        address=f"/api/v1/{what}s",
    )


def _check(need: NeedRow) -> None:
    if not (math.isfinite(need.tonnes) and 0 < need.tonnes <= MOST_TONNES):
        raise DataError(
            message(
                "A need of %(amount)s t a month. Expected more than 0 and at most %(most)s. "
                "Correct tonnes.",
                amount=str(need.tonnes),
                most=f"{MOST_TONNES:,.0f}",
            )
        )
    first, last = need.period_from, need.period_to
    months = (last.year - first.year) * 12 + last.month - first.month + 1
    if not 1 <= months <= _LONGEST_MONTHS:
        raise DataError(
            message(
                "A need from %(first)s to %(last)s, %(months)s months. Expected 1 to %(most)s. "
                "Correct period_from or period_to.",
                first=f"{first:%Y-%m}",
                last=f"{last:%Y-%m}",
                months=months,
                most=_LONGEST_MONTHS,
            )
        )
