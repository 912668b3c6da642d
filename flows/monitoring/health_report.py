"""The health report of the service: ``magnetcast status`` with the runbook's paragraphs."""

import re
from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path
from typing import Final

import pandas as pd

from flows.monitoring.health import examine
from flows.monitoring.health_checks import BROKEN
from flows.monitoring.status import headline, lines_of
from service.live.health import Alarm, Examine, HealthReport
from store.settings import PROJECT_ROOT, Settings

RUNBOOK: Final = PROJECT_ROOT / "docs" / "operations.md"


def examiner(settings: Settings) -> Examine:
    """Return the health report as a function of the moment, for the service."""
    return partial(health_report, settings)


def health_report(settings: Settings, now: pd.Timestamp) -> HealthReport:
    """Return the health of the system.

    Args:
        settings: Where things are kept.
        now: The moment of asking (UTC).
    """
    health = examine(settings, now)
    remedies = runbook(RUNBOOK)
    return HealthReport(
        at=now,
        code=health.code,
        headline=headline(health),
        lines=tuple(lines_of(health)),
        alarms=tuple(
            Alarm(one.alarm, one.code == BROKEN, one.message, remedies.get(one.alarm, ()))
            for one in health.alarms
        ),
    )


@cache
def runbook(page: Path) -> Mapping[str, tuple[str, ...]]:
    """Return what to do about each alarm, in paragraphs; empty where the docs are not installed.

    Args:
        page: Markdown with a heading of the third level for each alarm.
    """
    try:
        text = page.read_text(encoding="utf-8")
    except OSError:
        return {}
    parts = re.split(r"^#{2,3} (.+)$", text, flags=re.MULTILINE)
    return {name: _paragraphs(text) for name, text in zip(parts[1::2], parts[2::2], strict=True)}


def _paragraphs(text: str) -> tuple[str, ...]:
    """Return paragraphs on one line each, links as their text."""
    plain = re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", text)
    return tuple(" ".join(one.split()) for one in plain.split("\n\n") if one.strip())
