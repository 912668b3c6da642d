"""System status: in words, as a table, and for the service with the runbook's steps."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

import pandas as pd

from flows.context.stores import store_to_read
from flows.monitoring.health import BROKEN, LEVELS, OtherCommodity, SystemHealth, examine
from models.registry import registry
from service.live.health import Alarm, HealthReport
from store.database import shown_address
from store.facts.reading import latest_forecast, read_runs, read_vintages
from store.settings import PROJECT_ROOT, Settings


def status_lines(health: SystemHealth) -> list[str]:
    """Return the status, then what is wrong, each with the page of its remedy."""
    alarms = [
        f"{'BROKEN' if one.code > 1 else 'WARNING'} {one.alarm}: {one.message} "
        f"(docs/operations.md#{one.alarm})"
        for one in health.alarms
    ]
    return [headline(health), *lines_of(health), *alarms]


def headline(health: SystemHealth) -> str:
    """Return the status in one sentence."""
    return f"magnetcast is {LEVELS[health.code]}."


def lines_of(health: SystemHealth) -> list[str]:
    """Return the facts, one or two sentences a line."""
    facts, lines = health.facts, list[str]()
    if facts.due is not None and facts.due_on is not None:
        known = "none" if facts.newest is None else f"{facts.newest:%Y-%m}"
        lines.append(
            f"Figures of {facts.due:%Y-%m} were due on {facts.due_on:%Y-%m-%d}; the newest known "
            f"are of {known}."
        )
    if facts.next_month is not None and facts.next_on is not None:
        lines.append(f"The next, of {facts.next_month:%Y-%m}, are due on {facts.next_on:%Y-%m-%d}.")
    if facts.forecast_as_of is not None:
        lines.append(f"The newest forecast is as of {facts.forecast_as_of:%Y-%m-%d %H:%M} UTC.")
    if facts.last_run_at is not None:
        lines.append(
            f"The last run began {facts.last_run_at:%Y-%m-%d %H:%M} UTC: {facts.last_run}."
        )
    lines += [_commodity_line(one) for one in facts.others]
    lines.append(f"Champion: {facts.champion or 'none'}.")
    if facts.champion_trouble:
        lines.append("The champion cannot forecast; the next run falls back to other models.")
    lines.append(
        f"Quarantine: {facts.quarantined} files wait. Free disk: {facts.free_bytes / 1e9:.1f} GB."
    )
    lines += [f"Measured, {one.monitor}: {one.words}." for one in facts.readings]
    made = "never" if facts.backup_at is None else f"{facts.backup_at:%Y-%m-%d %H:%M} UTC"
    lines.append(f"Last backup: {made}.")
    return lines


def _commodity_line(one: OtherCommodity) -> str:
    """Return the line of a commodity other than magnets."""
    run = f" Its last run: {one.last_run}." if one.last_run else ""
    forecast = f"forecast as of {one.forecast}" if one.forecast else "no forecast"
    return f"{one.commodity}: {forecast}.{run}"


def status_table(settings: Settings) -> pd.DataFrame:
    """Return data, forecast, model and runs as a table, one fact per row."""
    with store_to_read(settings) as engine:
        vintages, runs, latest = read_vintages(engine), read_runs(engine), latest_forecast(engine)
    champion = registry.champion(settings)
    facts = {
        "home": f"{settings.home} ({settings.home_source})",
        "database": shown_address(settings.url),
        "files ingested": str(len(vintages)),
        "rows ingested": str(int(vintages["rows"].sum())) if len(vintages) else "0",
        "runs": str(len(runs)),
        "last run": f"{runs['started_at'].max():%Y-%m-%d %H:%M} UTC" if len(runs) else "none",
        "champion": "none"
        if champion is None
        else f"version {champion.version}, {champion.model_version}",
        "forecast as of": f"{latest['as_of'].max():%Y-%m-%d}" if len(latest) else "none",
        "cutoff": str(latest["cutoff"].iloc[0]) if len(latest) else "none",
        "months": f"{latest['period'].min()} to {latest['period'].max()}"
        if len(latest)
        else "none",
    }
    return pd.DataFrame({"fact": list(facts), "value": list(facts.values())})


RUNBOOK: Final = PROJECT_ROOT / "docs" / "operations.md"


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
