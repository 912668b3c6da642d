"""Keeps up what ``magnetcast up`` started: a server that was killed is started again.

``python -m flows.operations.supervisor`` is the last thing that ``up`` starts and the first that
``down`` ends.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import pandas as pd

from flows.clock import utc_now
from flows.context.console import say
from flows.operations import local_servers
from store.settings import Settings

LOOK_S: Final = 1.0
"""Seconds between two looks."""

STEADY_S: Final = 60.0
"""A server that lived that long is started again at once; others wait ever longer."""

LONGEST_S: Final = 120.0

FILE: Final = "started-again.json"
"""File beside the pids with the moments of the last day, by server."""

TOLD_FOR: Final = pd.Timedelta(days=1)


def keep(settings: Settings, *, is_over: Callable[[], bool] = lambda: False) -> None:
    """Start again whatever ended though nobody ended it, until told to stop.

    Args:
        settings: Where things are kept.
        is_over: Whether to stop.
    """
    waits: dict[str, float] = {}
    begun: dict[str, float] = {}
    while not is_over():
        now = time.monotonic()
        for server in local_servers.servers(settings):
            if server.name == local_servers.KEEPER or not local_servers.is_missing(
                settings, server.name
            ):
                continue
            lived = now - begun.get(server.name, float("-inf"))
            if lived < waits.get(server.name, 0.0):
                continue
            waits[server.name] = (
                LOOK_S if lived > STEADY_S else min(2 * waits.get(server.name, LOOK_S), LONGEST_S)
            )
            begun[server.name] = now
            if local_servers.start_again(settings, server):
                _note(settings, server.name, utc_now())
                say(f"keeper    {server.name} had ended; it was started again")
        time.sleep(LOOK_S)


def started_again(settings: Settings, now: pd.Timestamp) -> Mapping[str, Sequence[pd.Timestamp]]:
    """Return when the keeper started which server again in the day before a moment.

    Args:
        settings: Where things are kept.
        now: The moment (UTC).
    """
    try:
        told = json.loads(_file(settings).read_text(encoding="utf-8"))
        found = {str(name): [pd.Timestamp(one) for one in told[name]] for name in told}
    except (OSError, ValueError, TypeError):
        return {}
    late = {name: [one for one in found[name] if now - one <= TOLD_FOR] for name in found}
    return {name: moments for name, moments in late.items() if moments}


def _note(settings: Settings, name: str, now: pd.Timestamp) -> None:
    """Note that a server was started again; a full disk keeps no server down."""
    found = dict(started_again(settings, now))
    found[name] = [*found.get(name, []), now]
    told = {name: [one.isoformat() for one in moments] for name, moments in found.items()}
    with suppress(OSError):
        _file(settings).write_text(json.dumps(told) + "\n", encoding="utf-8")


def _file(settings: Settings) -> Path:
    return settings.run_dir / FILE


if __name__ == "__main__":
    keep(Settings())
