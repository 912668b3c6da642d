"""System status in words, for the terminal and for the service."""

from typing import TYPE_CHECKING

import pandas as pd

from flows.monitoring.health import (
    BROKEN,
    LEVELS,
    SystemHealth,
    day_and_time,
    examine,
)
from sources.http import KEY_PAGES
from store.messages import Message, message
from store.settings import Settings

if TYPE_CHECKING:
    from service.live.health import HealthReport


def status_lines(health: SystemHealth) -> list[str]:
    """Return the status, then what is wrong, each with the page of its remedy."""
    alarms = [
        f"{'BROKEN' if one.code > 1 else 'WARNING'} {one.alarm}: {one.message} "
        f"(docs/operations.md#{one.alarm})"
        for one in health.alarms
    ]
    return [str(LEVELS[health.code]), *map(str, lines_of(health)), *alarms]


def lines_of(health: SystemHealth) -> list[Message]:
    """Return the facts, one or two sentences a line."""
    facts, lines = health.facts, list[Message]()
    if facts.due is not None and facts.due_on is not None:
        newest = facts.newest
        lines.append(
            message(
                "Figures of %(month)s were due on %(day)s; the newest known of the world are of "
                "%(newest)s.",
                month=f"{facts.due:%Y-%m}",
                day=f"{facts.due_on:%Y-%m-%d}",
                newest=message("none") if newest is None else f"{newest:%Y-%m}",
            )
        )
    if facts.next_month is not None and facts.next_on is not None:
        lines.append(
            message(
                "The next, of %(month)s, are due on %(day)s.",
                month=f"{facts.next_month:%Y-%m}",
                day=f"{facts.next_on:%Y-%m-%d}",
            )
        )
    if facts.forecast_as_of is not None:
        when = day_and_time(facts.forecast_as_of)
        lines.append(message("The newest forecast is as of %(day)s %(time)s UTC.", **when))
    if facts.last_run_at is not None:
        lines.append(
            message(
                "The last run began %(day)s %(time)s UTC: %(state)s.",
                state=facts.last_run,
                **day_and_time(facts.last_run_at),
            )
        )
    lines += [
        message(
            "%(source)s is not asked: MAGNETCAST_%(name)s_KEY is not set, free at %(page)s.",
            source=name,
            name=name.upper(),
            page=KEY_PAGES[name],
        )
        for name in facts.unasked
    ]
    lines.append(facts.champion or message("Champion: none."))
    if facts.champion_trouble:
        lines.append(
            message("The champion cannot forecast; the next run falls back to other models.")
        )
    lines.append(
        message(
            "Quarantine: %(files)s files wait. Free disk: %(size)s GB.",
            files=facts.quarantined,
            size=f"{facts.free_bytes / 1e9:.1f}",
        )
    )
    lines += [
        message("Measured, %(monitor)s: %(sentences)s", monitor=one.monitor, sentences=one.words)
        for one in facts.readings
    ]
    lines.append(
        message("Last backup: never.")
        if facts.backup_at is None
        else message("Last backup: %(day)s %(time)s UTC.", **day_and_time(facts.backup_at))
    )
    return lines


def health_report(settings: Settings, now: pd.Timestamp) -> "HealthReport":
    """Return the health of the system."""
    from service.live.health import Alarm, HealthReport  # noqa: PLC0415 - the service's own

    health = examine(settings, now)
    return HealthReport(
        at=now,
        code=health.code,
        headline=LEVELS[health.code],
        lines=tuple(lines_of(health)),
        alarms=tuple(Alarm(one.alarm, one.code == BROKEN, one.message) for one in health.alarms),
    )
