"""What planners enter: needs, alert rules and what these found, forecasts by others."""

import math
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Final, Literal, get_args

import pandas as pd
from sqlalchemy import Connection, Engine, Table, func, insert, select, update

from store.database import Mark, insert_row, mark_of, writing
from store.errors import DataError, MissingError, first_few
from store.facts.reading import read_commodities, read_table
from store.messages import Message, message
from store.planning.audit import LONGEST_REASON, THINGS, Actor, AuditTrail, audited, checked_name
from store.schema.database_tables import (
    alert_rules,
    alerts,
    audit,
    forecasts,
    needs,
    rival_forecasts,
)
from store.vocabulary import AGGREGATES, COMMODITY, DESTINATIONS

_LONGEST_MONTHS: Final = 36
MOST_TONNES: Final = 1e6
"""Tonnes a month, some hundred times what China exports."""

LONGEST_LEAD_DAYS: Final = 730

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
    stock: float = 0.0
    """Tonnes held."""
    lead_days: int = 0
    """Days from order to clearance in China."""


def add_need(engine: Engine, need: NeedRow, *, actor: Actor, at: datetime) -> int:
    """Save a need with its audit row and return its number."""
    checked_name(need.name, "need")
    _check(need)
    row = {**asdict(need), "name": need.name.strip()}
    days = {name: row[name].date() for name in ("period_from", "period_to")}
    with audited(engine, actor, at=at) as trail:
        check_place(trail.connection, need.commodity, need.destination)
        values = {**row, **days, "author": trail.actor, "created_at": at}
        number = insert_row(trail.connection, needs, values)
        months = {name: f"{day:%Y-%m}" for name, day in days.items()}
        trail.note("create", f"need {number}", after={**row, **months})
    return number


def end_need(engine: Engine, number: int, *, actor: Actor, at: datetime) -> None:
    """End a need, and the alert rules on it, with their audit rows."""
    with audited(engine, actor, at=at) as trail:
        end_row(trail, needs, number, "need")
        is_dependent = alert_rules.c.ended_at.is_(None) & (alert_rules.c.need_id == number)
        rules = trail.connection.scalars(select(alert_rules.c.id).where(is_dependent)).all()
        trail.connection.execute(update(alert_rules).where(is_dependent).values(ended_at=at))
        for rule in rules:
            trail.note("end", f"alert rule {rule}")


def restore_need(engine: Engine, number: int, *, actor: Actor, at: datetime) -> None:
    """Take back the end of a need and of the alert rules that ended with it."""
    with audited(engine, actor, at=at) as trail:
        run = trail.connection
        ended = run.scalar(select(needs.c.ended_at).where(needs.c.id == number))
        if ended is None:
            raise MissingError(
                message(
                    "No need %(number)s has ended. Expected one that has. See /needs.",
                    number=number,
                )
            )
        is_dependent = (alert_rules.c.need_id == number) & (alert_rules.c.ended_at == ended)
        rules = run.scalars(select(alert_rules.c.id).where(is_dependent)).all()
        run.execute(update(alert_rules).where(is_dependent).values(ended_at=None))
        run.execute(update(needs).where(needs.c.id == number).values(ended_at=None))
        for thing in (f"need {number}", *(f"alert rule {rule}" for rule in rules)):
            trail.note("restore", thing)


def check_place(connection: Connection, commodity: str, destination: str) -> None:
    """Check that a destination of a commodity is forecast."""
    forecast = FORECAST if commodity == COMMODITY else _forecast_of(connection, commodity)
    if destination not in forecast:
        expected = ", ".join(forecast) if forecast is FORECAST else first_few(forecast)
        of = "" if forecast is FORECAST else f" of commodity {commodity}"
        raise DataError(
            f"No destination {destination!r}{of} is forecast. Expected one of {expected}. "
            "Correct it."
        )


def _forecast_of(connection: Connection, commodity: str) -> tuple[str, ...]:
    query = select(forecasts.c.destination).where(forecasts.c.commodity == commodity).distinct()
    destinations = tuple(sorted(connection.scalars(query)))
    if not destinations:
        published = first_few(read_commodities(connection, forecasts)) or "there is none"
        raise MissingError(
            f"No forecasts of commodity {commodity!r}. Expected one of those published: "
            f"{published}. See /api/v1/commodities."
        )
    return destinations


def end_row(trail: AuditTrail, table: Table, number: int, thing: str) -> None:
    """End an active row, with its audit row."""
    live = table.c.ended_at.is_(None)
    ended = update(table).where(live & (table.c.id == number)).values(ended_at=trail.at)
    if not trail.connection.execute(ended).rowcount:
        numbers = trail.connection.scalars(select(table.c.id).where(live).order_by(table.c.id))
        raise MissingError(no_such(thing.replace(" ", "-"), number, list(numbers)))
    trail.note("end", f"{thing} {number}")


def no_such(thing: str, number: int, live: list[int]) -> Message:
    """Explain that there is no such active row."""
    return message(
        "There is no active %(what)s %(number)s. Choose one of: %(known)s. See %(address)s.",
        what=THINGS[thing],
        number=number,
        known=first_few(live) if live else message("there is none"),
        address=f"/api/v1/{thing}s",
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
    if not (math.isfinite(need.stock) and 0 <= need.stock <= MOST_TONNES):
        raise DataError(
            message(
                "A stock of %(amount)s t. Expected 0 to %(most)s. Correct stock.",
                amount=str(need.stock),
                most=f"{MOST_TONNES:,.0f}",
            )
        )
    if not 0 <= need.lead_days <= LONGEST_LEAD_DAYS:
        raise DataError(
            message(
                "A lead time of %(days)s days. Expected 0 to %(most)s. Correct lead_days.",
                days=need.lead_days,
                most=LONGEST_LEAD_DAYS,
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


Watched = Literal["shortfall", "below_last_year", "median"]
WATCHED: Final[tuple[str, ...]] = get_args(Watched)
"""The probability that a month falls short of a need; the probability that it is below the same
month a year earlier; the median itself."""

MOST_POINTS: Final = 100.0


@dataclass(frozen=True, slots=True)
class AlertRule:
    """Report a month that changes by at least ``points`` between two publications."""

    name: str
    measure: str
    points: float
    """Percentage points of a probability; percent of the earlier median."""
    need_id: int | None = None
    destination: str = ""
    commodity: str = ""
    """Empty means the commodity of the need, or magnets."""


@dataclass(frozen=True, slots=True)
class AlertFinding:
    """What one rule found in one publication."""

    rule_id: int
    as_of: datetime
    against: datetime
    fired: bool
    period: date | None
    """Month that changed most, None where the two publications share no month."""
    before: float | None
    after: float | None
    message: str


def add_rule(
    engine: Engine, rule: AlertRule, *, actor: Actor, at: datetime, since: datetime | None
) -> int:
    """Save a rule, for publications after ``since``, with its audit row and return its number."""
    _check_alert_rules(rule)
    uid = uuid.uuid4().hex
    with audited(engine, actor, at=at) as trail:
        row = {**asdict(rule), "name": rule.name.strip(), **_place(trail, rule)}
        values = {**row, "uid": uid, "since": since, "author": trail.actor, "created_at": at}
        number = insert_row(trail.connection, alert_rules, values)
        trail.note("create", f"alert rule {number}", after=row)
    return number


def end_rule(engine: Engine, number: int, *, actor: Actor, at: datetime) -> None:
    """End a rule, with its audit row."""
    with audited(engine, actor, at=at) as trail:
        end_row(trail, alert_rules, number, "alert rule")


def save_findings(
    engine: Engine, findings: Sequence[AlertFinding], *, at: datetime
) -> list[AlertFinding]:
    """Save findings and return the new ones; each rule reports once per publication."""
    new = []
    with writing(engine) as connection:
        saved = {(row.rule_id, row.as_of) for row in connection.execute(select(alerts))}
        for finding in findings:
            if (finding.rule_id, finding.as_of) in saved:
                continue
            values = {**asdict(finding), "evaluated_at": at, "attempts": 0}
            connection.execute(insert(alerts).values(values))
            new.append(finding)
    return new


def note_delivery(
    engine: Engine, finding: tuple[int, datetime], *, tries: int, at: datetime, trouble: str
) -> None:
    """Record how the delivery of one finding went; no trouble means that it was accepted."""
    is_finding = (alerts.c.rule_id == finding[0]) & (alerts.c.as_of == finding[1])
    status = {"attempts": alerts.c.attempts + tries, "trouble": trouble}
    delivered = {} if trouble else {"delivered_at": at}
    with writing(engine) as connection:
        connection.execute(update(alerts).where(is_finding).values(**status, **delivered))


def _place(trail: AuditTrail, rule: AlertRule) -> dict[str, str]:
    """The commodity and destination a rule watches: those of its need if it has one."""
    if rule.need_id is None:
        commodity = rule.commodity or COMMODITY
        check_place(trail.connection, commodity, rule.destination)
        return {"commodity": commodity, "destination": rule.destination}
    of = needs.c
    live = select(of.id, of.commodity, of.destination).where(of.ended_at.is_(None))
    by_number = {row.id: row for row in trail.connection.execute(live)}
    if rule.need_id not in by_number:
        raise MissingError(no_such("need", rule.need_id, sorted(by_number)))
    need = by_number[rule.need_id]
    if rule.commodity not in {"", need.commodity}:
        raise DataError(
            f"A rule on need {need.id} with commodity={rule.commodity!r}. Expected that of the "
            f"need, {need.commodity}. Leave commodity out."
        )
    return {"commodity": need.commodity, "destination": need.destination}


def _check_alert_rules(rule: AlertRule) -> None:
    checked_name(rule.name, "rule")
    if rule.measure not in WATCHED:
        raise DataError(
            f"A rule on {rule.measure!r}. Expected one of {', '.join(WATCHED)}. Correct measure."
        )
    if not (math.isfinite(rule.points) and 0 < rule.points <= MOST_POINTS):
        raise DataError(
            message(
                "A rule on a change of %(points)s points. Expected more than 0 and at most "
                "%(most)s. Correct points.",
                points=str(rule.points),
                most=f"{MOST_POINTS:g}",
            )
        )
    if (rule.measure == "shortfall") != (rule.need_id is not None):
        raise DataError(
            f"A rule on {rule.measure} with need_id={rule.need_id}. Expected the number of a need "
            "for shortfall, and none for the others. Correct need_id."
        )


@dataclass(frozen=True, slots=True)
class RivalForecast:
    """Somebody else's forecast of one month."""

    name: str
    """Whose it is: a person, a bank, a newswire, a model."""
    source: str
    """Where it stands; may be empty."""
    made_on: pd.Timestamp
    destination: str
    period: pd.Timestamp
    tonnes: float
    commodity: str = COMMODITY


def add_rival_forecasts(
    engine: Engine, rows: Sequence[RivalForecast], *, actor: Actor, at: datetime
) -> None:
    """Save forecasts by others, all or none, with an audit row for each; earlier ones stay."""
    if not rows:
        raise DataError(message("There is no forecast to save. Enter one."))
    if len(rows) > MOST_RIVALS:
        raise DataError(
            message(
                "%(count)s forecasts at once. Expected 1 to %(most)s. Send them in parts.",
                count=len(rows),
                most=MOST_RIVALS,
            )
        )
    keys = [(row.name, row.commodity, row.destination, row.period, row.made_on) for row in rows]
    if len(set(keys)) < len(keys):
        row = next(row for row, key in zip(rows, keys, strict=True) if keys.count(key) > 1)
        raise DataError(
            message("%(month)s is entered twice. Enter it once.", month=f"{row.period:%Y-%m}")
        )
    with audited(engine, actor, at=at) as trail:
        for row in rows:
            _check_rival(row, at)
            check_place(trail.connection, row.commodity, row.destination)
            values = {**asdict(row), "name": row.name.strip(), "source": row.source.strip()}
            days = {name: values[name].date() for name in ("period", "made_on")}
            entry = {**values, **days, "author": trail.actor, "available_at": at}
            number = insert_row(trail.connection, rival_forecasts, entry)
            texts = {"period": f"{row.period:%Y-%m}", "made_on": f"{row.made_on:%Y-%m-%d}"}
            trail.note("create", f"rival forecast {number}", after={**values, **texts})


MOST_RIVALS: Final = 100
"""Rows written at once."""


def _check_rival(row: RivalForecast, at: datetime) -> None:
    checked_name(row.name, "forecast")
    if row.source.strip():
        checked_name(row.source, "source", longest=LONGEST_REASON)
    if not (math.isfinite(row.tonnes) and 0 <= row.tonnes <= MOST_TONNES):
        raise DataError(
            message(
                "A forecast of %(amount)s t. Expected 0 to %(most)s. Correct tonnes.",
                amount=str(row.tonnes),
                most=f"{MOST_TONNES:,.0f}",
            )
        )
    if row.made_on.date() > at.date():
        raise DataError(
            message(
                "A forecast made on %(day)s, which is in the future. Expected today or earlier. "
                "Correct made_on.",
                day=f"{row.made_on:%Y-%m-%d}",
            )
        )


_COUNTED: Final = (func.max(audit.c.id), func.count(alerts.c.rule_id), func.sum(alerts.c.attempts))
"""Every write of a planner adds an audit row; findings and deliveries are counted."""


@dataclass(frozen=True, slots=True)
class PlanningRows:
    """All planning rows at one moment, ended ones included; not modified."""

    mark: Mark
    needs: pd.DataFrame
    rules: pd.DataFrame
    alerts: pd.DataFrame
    rivals: pd.DataFrame
    """Forecasts by others, oldest first; ``period`` is the first day of the month."""
    audit: pd.DataFrame


def read_planning(engine: Engine) -> PlanningRows:
    """Read all planning rows in one transaction."""
    with engine.begin() as connection:
        return PlanningRows(
            mark=mark_of(connection, _COUNTED),
            needs=read_table(connection, needs),
            rules=read_table(connection, alert_rules),
            alerts=read_table(connection, alerts),
            rivals=read_table(connection, rival_forecasts),
            audit=read_table(connection, audit),
        )


def read_planning_mark(engine: Engine) -> Mark:
    """A mark that changes with every planning write, finding and delivery."""
    with engine.begin() as connection:
        return mark_of(connection, _COUNTED)
