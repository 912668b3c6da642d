"""What a monitor found: tests that tell drift from chance, freshness, contradictions, durations.

Series here are short (a dozen to some dozens of months) and their neighbours go together, so every
test allows for that. How often each speaks without a cause is measured in ADR 24.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import pandas as pd
from scipy import stats
from scipy.linalg import toeplitz

from sources.bundled.release_calendar import ReleaseCalendar
from store.arrays import Floats

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


GRACE_DAYS: Final = 2
"""Days after a release that figures and forecast may take."""

TARGETS: Final[Mapping[int, float]] = {90: 0.97, 365: 0.99}
"""Share of days, by days looked back on: two days of ninety, three of a year may be missed."""


@dataclass(frozen=True, slots=True)
class PublishedMoment:
    """A publication: its as_of, and when it could be read (both UTC)."""

    as_of: pd.Timestamp
    published_at: pd.Timestamp


def freshness(
    publications: Sequence[PublishedMoment],
    figures: pd.DataFrame,
    calendar: ReleaseCalendar,
    *,
    now: pd.Timestamp,
) -> list[Reading]:
    """Return the share of fresh days, one reading a window of ``TARGETS``.

    A day is fresh if at its end a forecast could be read made as of the newest release due
    ``GRACE_DAYS`` before, or later. Days on which nobody could know that month's figures are left
    out: customs were late, not we. Nothing is asked of days before the first publication.

    Args:
        publications: All of them, any order.
        figures: period_to and available_at of China's figures; not modified.
        calendar: When months were, or are, due.
        now: The moment of asking (UTC); its day is not over and does not count.
    """
    if not publications:
        return []
    ordered = sorted(publications, key=lambda one: one.published_at)
    today = now.normalize()
    first = ordered[0].published_at.normalize() + pd.Timedelta(days=1)
    start = max(first, today - pd.Timedelta(days=max(TARGETS)))
    days = pd.date_range(start, today - pd.Timedelta(days=1), freq="D")
    fresh = np.array([_is_fresh(day, ordered, figures, calendar) for day in days], dtype=float)
    return [_judged(fresh[-window:], window, target) for window, target in TARGETS.items()]


def _is_fresh(
    day: pd.Timestamp,
    publications: Sequence[PublishedMoment],
    figures: pd.DataFrame,
    calendar: ReleaseCalendar,
) -> float:
    """Return 1 for a fresh day, 0 for one that is not, NaN for one that does not count."""
    end = day + pd.Timedelta(days=1)
    due = calendar.last_released(day - pd.Timedelta(days=GRACE_DAYS))
    due_on = calendar.released_on(due).tz_localize("UTC")
    newest = max(one.as_of for one in publications if one.published_at <= end)
    if newest >= due_on:
        return 1.0
    is_known = (figures["period_to"] >= due) & (figures["available_at"] <= end)
    return 0.0 if is_known.any() else np.nan


def _judged(
    fresh: "np.ndarray[tuple[int], np.dtype[np.float64]]", window: int, target: float
) -> Reading:
    counted = fresh[np.isfinite(fresh)]
    days, missed = len(counted), int((counted == 0.0).sum())
    share = float(counted.mean()) if days else 1.0
    late = len(fresh) - days
    left = int((1.0 - target) * window) - missed
    if not len(fresh):
        words = "no full day has passed since the first publication"
        return Reading("slo", f"{window} days", share, target, 0, False, words)  # noqa: FBT003
    words = (
        f"a forecast from the newest due release was published on {days - missed} "
        f"of {days} days of the last {window} ({share:.1%}; target {target:.0%}); "
        f"{max(left, 0)} more may be missed"
        + (f"; on {late} days the figures themselves were late" if late else "")
        + (f"; the budget is overdrawn by {-left} days" if left < 0 else "")
    )
    return Reading("slo", f"{window} days", share, target, days, left < 0, words)


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
