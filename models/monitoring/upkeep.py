"""Whether new figures contradict the rest, and whether runs take longer than they did."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd

from models.monitoring.readings import Reading

NAMED: Final = 5
"""Statements named in an alarm."""

SLOWER: Final = 3.0
"""Times the usual duration from which a run is slow: far beyond what a busy machine adds."""

SLOWER_S: Final = 300.0
"""And at least so much longer."""

FEWEST_RUNS: Final = 5
USUAL_RUNS: Final = 20
"""Runs whose median is usual."""


def contradictions(now: pd.DataFrame, before: pd.DataFrame) -> Reading:
    """Return how many suspicious statements are new: each is a figure a person should look at.

    Args:
        now: ``EvidencePanel.suspicious`` at this moment.
        before: The same at the publication before.
    """
    known = set(_named(before))
    new = [name for name in _named(now) if name not in known]
    shown = "; ".join(statement for statement, _ in new[:NAMED])
    words = f"{len(now)} published figures contradict the rest, {len(new)} of them newly"
    return Reading(
        "contradictions", "all", float(len(new)), 0.0, len(now), bool(new),
        f"{words}: {shown}" if new else words,
    )  # fmt: skip


def durations(seconds: Sequence[float]) -> Reading:
    """Hold the last run against the usual one.

    Args:
        seconds: Durations of finished runs, oldest first.
    """
    before = np.asarray(seconds[:-1][-USUAL_RUNS:], dtype=float)
    if len(before) < FEWEST_RUNS:
        words = f"{len(seconds)} finished runs; {FEWEST_RUNS + 1} are needed to judge"
        return Reading("slow", "run", np.nan, np.nan, len(seconds), False, words)  # noqa: FBT003
    usual, last = float(np.median(before)), float(seconds[-1])
    bound = max(SLOWER * usual, usual + SLOWER_S)
    words = f"the last run took {last / 60:.1f} min; usual are {usual / 60:.1f} min"
    return Reading("slow", "run", last, bound, len(before), last > bound, words)


def _named(suspicious: pd.DataFrame) -> list[tuple[str, str]]:
    return list(zip(suspicious["statement"], suspicious["source_url"], strict=True))
