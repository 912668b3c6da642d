"""Keeps up what ``magnetcast up`` started: a server that was killed is started again.

``python -m flows.keeping`` is the last thing that ``up`` starts and the first that ``down`` ends.
"""

import time
from collections.abc import Callable
from typing import Final

from flows import machine
from flows.console import say
from store.settings import Settings

LOOK_S: Final = 1.0
"""Seconds between two looks."""

STEADY_S: Final = 60.0
"""A server that lived that long is started again at once; others wait ever longer."""

LONGEST_S: Final = 120.0


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
        for server in machine.servers(settings):
            if server.name == machine.KEEPER or not machine.is_missing(settings, server.name):
                continue
            lived = now - begun.get(server.name, float("-inf"))
            if lived < waits.get(server.name, 0.0):
                continue
            waits[server.name] = (
                LOOK_S if lived > STEADY_S else min(2 * waits.get(server.name, LOOK_S), LONGEST_S)
            )
            begun[server.name] = now
            if machine.start_again(settings, server):
                say(f"keeper    {server.name} had ended; it was started again")
        time.sleep(LOOK_S)


if __name__ == "__main__":
    keep(Settings())
