"""What a monitor found, and the tests that tell drift from chance.

Series here are short (a dozen to some dozens of months) and their neighbours go together, so every
test allows for that. How often each speaks without a cause is measured in ADR 24.
"""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.linalg import toeplitz

Floats = NDArray[np.float64]

Monitor = Literal[
    "slo", "score-drift", "naive", "coverage-drift", "feature-drift", "contradictions", "slow"
]  # fmt: skip

LEVEL: Final = 0.01
"""Chance that a test of errors or of the band speaks without a cause."""

MOST_ALIKE: Final = 0.8
"""Largest correlation of neighbouring months that is believed of so few."""

LEAST_FREEDOM: Final = 3.0


@dataclass(frozen=True, slots=True)
class Reading:
    """One thing that was measured: above (or outside) its bound it is an alarm."""

    monitor: Monitor
    subject: str
    """What was measured: ``all``, or the name of a family of features."""
    value: float
    bound: float
    """NaN where too little is known to judge."""
    size: int
    """How many days, months or runs the value rests on."""
    fired: bool
    words: str


@dataclass(frozen=True, slots=True)
class TestResult:
    """A mean, or a difference of means, beside what chance allows."""

    value: float
    bound: float

    @property
    def is_beyond(self) -> bool:
        """Tell whether chance does not explain it."""
        return self.value > self.bound


def shift_of(values: Floats, recent: int, *, level: float = LEVEL) -> TestResult:
    """Return how far the mean of the last values lies above that of all before them.

    Args:
        values: Oldest first, finite; more than ``recent`` of them.
        recent: How many are the last.
        level: Chance of a bound too low where nothing changed.
    """
    before = values[:-recent]
    weight = np.r_[np.full(len(before), -1.0 / len(before)), np.full(recent, 1.0 / recent)]
    return _tested(float(weight @ values), weight, before, level)


def excess_of(values: Floats, *, level: float = LEVEL) -> TestResult:
    """Return how far the mean of all values lies above zero; arguments as for ``shift_of``."""
    weight = np.full(len(values), 1.0 / len(values))
    return _tested(float(values.mean()), weight, values, level)


def likeness(values: Floats) -> float:
    """Return the correlation of neighbours, 0 to ``MOST_ALIKE``, mended for a short series."""
    own = values - values.mean()
    square = float(own @ own)
    if square == 0.0:
        return 0.0
    found = float(own[1:] @ own[:-1]) / square
    count = len(values)
    # Source: Kendall 1954; the estimate is too low by (1 + 4 rho) / n.
    return float(np.clip((found * count + 1.0) / max(count - 4.0, 1.0), 0.0, MOST_ALIKE))


def worth_of(shares: Floats, cells: Floats, recent: int, expected: float) -> float:
    """Return how many independent cells those of the last months count for.

    A shock hits all destinations at once and goes on for months, so hits go together: the spread
    and the likeness of all months tell how much.

    Args:
        shares: Share of each month's cells that held, oldest first.
        cells: Cells of each month.
        recent: How many months are the last.
        expected: Share that should hold.
    """
    alike, count = likeness(shares), len(shares)
    within = float(toeplitz(alike ** np.arange(count)).mean())
    square = float(((shares - shares.mean()) ** 2).sum())
    variance = square / max(count * (1.0 - within), 1e-12)
    around = variance * float(toeplitz(alike ** np.arange(recent)).mean())
    most = float(cells[-recent:].sum())
    return (
        most if around == 0.0 else float(np.clip(expected * (1.0 - expected) / around, 1.0, most))
    )


def binomial_limits(worth: int, expected: float, *, level: float = LEVEL) -> tuple[float, float]:
    """Return between which shares chance keeps ``worth`` independent cells."""
    tails = np.array([level / 2.0, 1.0 - level / 2.0])
    low, high = np.asarray(stats.binom.ppf(tails, worth, expected)) / worth
    return float(low), float(high)


def _tested(value: float, weight: Floats, learned: Floats, level: float) -> TestResult:
    """Hold a weighted sum against its spread, neighbours alike as the learned values are."""
    alike = likeness(learned)
    count = len(learned)
    within = float(toeplitz(alike ** np.arange(count)).mean())
    square = float(((learned - learned.mean()) ** 2).sum())
    variance = square / max(count * (1.0 - within), 1e-12)
    around = float(weight @ toeplitz(alike ** np.arange(len(weight))) @ weight)
    freedom = max(1.0 / within - 1.0, LEAST_FREEDOM)
    return TestResult(value, float(stats.t.ppf(1.0 - level, freedom) * np.sqrt(variance * around)))
