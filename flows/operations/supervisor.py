"""Restarts servers of ``magnetcast up`` that ended although nobody stopped them.

``python -m flows.operations.supervisor`` is the last process that ``up`` starts and the first that
``down`` stops.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import pandas as pd

from flows.clock import utc_now
from flows.context.console import echo
from flows.operations import local_servers
from flows.operations.server_processes import is_missing
from store.settings import Settings

CHECK_S: Final = 1.0
"""Seconds between two checks."""

STEADY_S: Final = 60.0
"""A server that ran that long is restarted at once; others wait twice as long each time."""

LONGEST_S: Final = 120.0
"""Longest wait before a restart."""

FILE: Final = "started-again.json"
"""File beside the pids with the restarts of the last day, by server."""

SHOWN_FOR: Final = pd.Timedelta(days=1)


def supervise(settings: Settings, *, is_over: Callable[[], bool] = lambda: False) -> None:
    """Restart every server that ended although nobody stopped it.

    Args:
        settings: Where things are kept.
        is_over: Whether to return.
    """
    waits: dict[str, float] = {}
    started: dict[str, float] = {}
    while not is_over():
        now = time.monotonic()
        for server in local_servers.servers(settings):
            name = server.name
            if name == local_servers.SUPERVISOR or not is_missing(settings, name):
                continue
            ran_for = now - started.get(name, float("-inf"))
            if ran_for < waits.get(name, 0.0):
                continue
            waits[name] = (
                CHECK_S if ran_for > STEADY_S else min(2 * waits.get(name, CHECK_S), LONGEST_S)
            )
            started[name] = now
            if local_servers.restart(settings, server):
                _record(settings, name, utc_now())
                echo(f"supervisor  {name} had ended; it was restarted")
        time.sleep(CHECK_S)


def recent_restarts(settings: Settings, now: pd.Timestamp) -> Mapping[str, Sequence[pd.Timestamp]]:
    """Return when the supervisor restarted which server in the day before a moment.

    Args:
        settings: Where things are kept.
        now: The moment (UTC).
    """
    try:
        stored = json.loads(_file(settings).read_text(encoding="utf-8"))
        restarts = {str(name): [pd.Timestamp(one) for one in stored[name]] for name in stored}
    except (OSError, ValueError, TypeError):
        return {}
    recent = {
        name: [one for one in moments if now - one <= SHOWN_FOR]
        for name, moments in restarts.items()
    }
    return {name: moments for name, moments in recent.items() if moments}


def _record(settings: Settings, name: str, now: pd.Timestamp) -> None:
    """Record a restart; a full disk keeps no server down."""
    restarts = dict(recent_restarts(settings, now))
    restarts[name] = [*restarts.get(name, []), now]
    stored = {name: [one.isoformat() for one in moments] for name, moments in restarts.items()}
    with suppress(OSError):
        _file(settings).write_text(json.dumps(stored) + "\n", encoding="utf-8")


def _file(settings: Settings) -> Path:
    return settings.run_dir / FILE


if __name__ == "__main__":
    supervise(Settings())
