"""The chance that a month is below a level, from the published quantiles."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from service.wording.numbers import MISSING, NBSP
from store.vocabulary import QUANTILES

LOWEST: Final = QUANTILES[0]
HIGHEST: Final = QUANTILES[-1]


def chance_below(values: Sequence[float], level: float) -> float:
    """Return the chance that a month is below a level, interpolated between the quantiles.

    Args:
        values: The quantiles of ``QUANTILES`` in tonnes, not falling.
        level: Tonnes; NaN gives NaN.

    Returns:
        A share; ``LOWEST`` means at most that, ``HIGHEST`` at least that, because the tails are not
        published.
    """
    if np.isnan(level):
        return float("nan")
    known = np.asarray(values, dtype=float)
    if level < known[0]:
        return LOWEST
    if level > known[-1]:
        return HIGHEST
    # Of equal quantiles the highest counts: so much lies at or below them.
    steps = np.append(np.diff(known) > 0, True)
    return float(np.interp(level, known[steps], np.asarray(QUANTILES)[steps]))


def chance_words(chance: float) -> str:
    """Return a chance in whole percent, or as a bound beyond the published quantiles."""
    if np.isnan(chance):
        return MISSING
    if chance <= LOWEST:
        return f"under {100 * LOWEST:.0f}{NBSP}%"
    if chance >= HIGHEST:
        return f"over {100 * HIGHEST:.0f}{NBSP}%"
    return f"{100 * chance:.0f}{NBSP}%"
