"""Alert rules, and what each rule found in each publication."""

import math
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Final, Literal, get_args

from sqlalchemy import Engine, insert, select, update

from store.database import insert_row, writing
from store.errors import DataError, MissingError
from store.messages import message
from store.planning.audit import Actor, AuditTrail, audited, checked_name
from store.planning.needs import check_place, check_room, end_row, no_such
from store.schema.tables import alert_rules, alerts, needs
from store.vocabulary import COMMODITY

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
    engine: Engine, rule: AlertRule, *, who: Actor, at: datetime, since: datetime | None
) -> int:
    """Save a rule with its audit row and return its number.

    Args:
        since: the newest publication; the rule applies to later ones only.

    Raises:
        DataError: the rule is not valid.
        MissingError: it watches a need that is not active, or its commodity has no forecast.
        TokenError: the token may not write.
    """
    _check(rule)
    uid = uuid.uuid4().hex
    with audited(engine, who, at=at) as trail:
        check_room(trail, alert_rules, "alert rule")
        row = {**asdict(rule), "name": rule.name.strip(), **_place(trail, rule)}
        made = {
            **row,
            "url": "",
            "uid": uid,
            "since": since,
            "author": trail.actor,
            "created_at": at,
        }
        number = insert_row(trail.connection, alert_rules, made)
        trail.note("create", f"alert rule {number}", after=row)
    return number


def end_rule(engine: Engine, number: int, *, who: Actor, at: datetime) -> None:
    """End a rule, with its audit row.

    Raises:
        MissingError: there is no such rule, or it has ended.
        TokenError: the token may not write.
    """
    with audited(engine, who, at=at) as trail:
        end_row(trail, alert_rules, number, "alert rule")


def save_findings(
    engine: Engine, findings: Sequence[AlertFinding], *, at: datetime
) -> list[AlertFinding]:
    """Save findings and return the new ones; each rule reports once per publication."""
    new = []
    with writing(engine) as connection:
        known = {(row.rule_id, row.as_of) for row in connection.execute(select(alerts))}
        for found in findings:
            if (found.rule_id, found.as_of) in known:
                continue
            status = {"evaluated_at": at, "attempts": 0, "trouble": ""}
            connection.execute(insert(alerts).values(**asdict(found), **status))
            new.append(found)
    return new


def note_delivery(
    engine: Engine, finding: tuple[int, datetime], *, tries: int, at: datetime, trouble: str
) -> None:
    """Record how the delivery of one finding went; no trouble means that it was accepted."""
    own = (alerts.c.rule_id == finding[0]) & (alerts.c.as_of == finding[1])
    status = {"attempts": alerts.c.attempts + tries, "trouble": trouble}
    delivered = {} if trouble else {"delivered_at": at}
    with writing(engine) as connection:
        connection.execute(update(alerts).where(own).values(**status, **delivered))


def _place(trail: AuditTrail, rule: AlertRule) -> dict[str, str]:
    """Return the commodity and destination a rule watches: those of its need if it has one."""
    if rule.need_id is None:
        commodity = rule.commodity or COMMODITY
        check_place(trail.connection, commodity, rule.destination)
        return {"commodity": commodity, "destination": rule.destination}
    of = needs.c
    live = select(of.id, of.commodity, of.destination).where(of.ended_at.is_(None))
    found = {row.id: row for row in trail.connection.execute(live)}
    if rule.need_id not in found:
        raise MissingError(no_such("need", rule.need_id, sorted(found)))
    need = found[rule.need_id]
    if rule.commodity not in {"", need.commodity}:
        raise DataError(
            f"A rule on need {need.id} with commodity={rule.commodity!r}. Expected that of the "
            f"need, {need.commodity}. Leave commodity out."
        )
    return {"commodity": need.commodity, "destination": need.destination}


def _check(rule: AlertRule) -> None:
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
