"""``magnetcast status``: how it is in words, or what stands as a table."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Final

import pandas as pd
from cyclopts import Parameter

from flows.cli.app import Out
from flows.cli.output import Format, write_result
from flows.clock import utc_now
from flows.context.workspace import store_of
from models.registry import registry
from store.database import shown_address
from store.facts.reading import latest_forecast, read_runs, read_vintages
from store.settings import Settings

TOLD: Final = frozenset({"slo", "score-drift", "naive", "coverage-drift", "slow"})
"""Monitors whose findings are told though nothing is wrong."""

if TYPE_CHECKING:
    from flows.monitoring.health import SystemHealth
    from flows.monitoring.health_checks import OtherCommodity


def status(
    *,
    format: Annotated[  # noqa: A002 - the option's name
        Format | None, Parameter(help="Instead tell what stands as a table.")
    ] = None,
    out: Out = None,
) -> None:
    """Tell in words how it is; the exit code is 0 if fine, 1 if stale or degraded, 2 if broken.

    With --format or --out instead a table of what was ingested, published and which model is
    champion, with exit code 0.
    """
    if format is not None or out is not None:
        write_result(status_table(Settings()), out=out, form=format or "table")
        return
    from flows.monitoring.health import examine  # noqa: PLC0415 - a table does not need it

    health = examine(Settings(), utc_now())
    sys.stdout.write("\n".join(in_words(health)) + "\n")
    sys.exit(health.code)


def in_words(health: "SystemHealth") -> list[str]:
    """Say how it is, then what is wrong, each line with the page that says what to do."""
    alarms = [
        f"{'BROKEN' if one.code > 1 else 'WARNING'} {one.alarm}: {one.words} "
        f"(docs/operations.md#{one.alarm})"
        for one in health.alarms
    ]
    return [headline(health), *lines_of(health), *alarms]


def headline(health: "SystemHealth") -> str:
    """Say in a sentence how it is."""
    from flows.monitoring.health_checks import WORDS  # noqa: PLC0415 - as above

    return f"magnetcast is {WORDS[health.code]}."


def lines_of(health: "SystemHealth") -> list[str]:
    """Say what stands and what is due next, a sentence or two a line."""
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
        lines.append(f"The forecast stands at {facts.forecast_as_of:%Y-%m-%d %H:%M} UTC.")
    if facts.last_run_at is not None:
        lines.append(
            f"The last run began {facts.last_run_at:%Y-%m-%d %H:%M} UTC: {facts.last_run}."
        )
    lines += [_of_other(one) for one in facts.others]
    lines.append(f"Champion: {facts.champion or 'none'}.")
    lines.append(
        f"Quarantine: {facts.quarantined} files wait. Suspicious statements: {facts.suspicious}. "
        f"Free disk: {facts.free_bytes / 1e9:.1f} GB."
    )
    # Two targets of one monitor may say the same.
    lines += dict.fromkeys(
        f"Measured, {one.monitor}: {one.words}." for one in facts.readings if one.monitor in TOLD
    )
    lines += [_of_restarts(name, facts.started_again[name]) for name in sorted(facts.started_again)]
    made = "never" if facts.backup_at is None else f"{facts.backup_at:%Y-%m-%d %H:%M} UTC"
    lines.append(f"Last backup: {made}.")
    return lines


def _of_restarts(name: str, moments: Sequence[pd.Timestamp]) -> str:
    """Say that a server had ended and was started again."""
    times = "once" if len(moments) == 1 else f"{len(moments)} times"
    last = f"{max(moments):%Y-%m-%d %H:%M} UTC"
    return f"Started again in the last day: {name}, {times}, last at {last}."


def _of_other(one: "OtherCommodity") -> str:
    """Say what stands of a commodity beside the magnets."""
    run = f" Its last run: {one.last_run}." if one.last_run else ""
    if one.forecast_as_of is None:
        return f"{one.commodity}: no forecast.{run}"
    return (
        f"{one.commodity}: forecast as of {one.forecast_as_of:%Y-%m-%d}, {one.months}, "
        f"{one.status}.{run}"
    )


def status_table(settings: Settings) -> pd.DataFrame:
    """Return what is known of data, forecast, model and runs, one row a fact."""
    engine = store_of(settings)
    vintages, runs, latest = read_vintages(engine), read_runs(engine), latest_forecast(engine)
    champion = registry.champion(settings)
    facts = {
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
