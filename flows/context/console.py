"""Progress on stderr: live on a terminal, plain lines elsewhere."""

import logging
from collections.abc import Iterable, Sequence
from typing import Final, TypeVar

from rich import progress
from rich.console import Console

from store.numbers import visible

CONSOLE: Final = Console(stderr=True, highlight=False)

LOG: Final = logging.getLogger("magnetcast")
"""Messages are logged here too; jobs send them to Prefect (``flows.context.prefect_runs``)."""
LOG.setLevel(logging.INFO)
LOG.propagate = False

LINES: Final = 4
"""Plain lines printed over one loop."""

_Item = TypeVar("_Item")


def echo(message: str) -> None:
    """Print one line to stderr, and log it."""
    message = visible(message)
    CONSOLE.print(message, soft_wrap=True, markup=False)
    LOG.info(message)


def track(items: Sequence[_Item], label: str) -> Iterable[_Item]:
    """Yield the items and show how far the loop got."""
    if CONSOLE.is_terminal:
        return progress.track(items, f"  {label}", console=CONSOLE)
    return _plain(items, label)


def _plain(items: Sequence[_Item], label: str) -> Iterable[_Item]:
    every = max(1, -(-len(items) // LINES))
    for count, item in enumerate(items, start=1):
        yield item
        if count % every == 0 or count == len(items):
            echo(f"  {label}: {count}/{len(items)}")
