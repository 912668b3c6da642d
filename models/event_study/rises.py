"""Rises beyond expectation: every run of months of every series, weighed by how sure it is.

Private to ``models.event_study.diversion``.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from models.policy.past_errors import PastErrors

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

LONGEST: Final = 6
"""Months of the longest run that is tried: diversion lasts while new ways are cheap."""

TAILS: Final = 5.0
"""Degrees of freedom by which runs of differently told windows are made comparable."""


@dataclass(frozen=True, slots=True)
class RiseWindow:
    """Months after an act, or after a month of the past as if it were one.

    Arrays are series x windows x months unless said otherwise.
    """

    error: Floats
    """Log of what came over what was expected, NaN where nothing is known."""
    stderr: Floats
    """Standard error that cells have themselves."""
    level_stderr: Floats
    """Series x windows: that of the level behind the expectation."""
    is_told: Flags
    """Whether a cell rests on a published figure."""
    above: Floats
    """What came less the series' own path, in tonnes."""


@dataclass(frozen=True, slots=True)
class RunScores:
    """Scores of all runs of months."""

    spans: tuple[tuple[int, int], ...]
    """First month and the one after the last."""
    score: Floats
    """Spans x series x windows: standard deviations beyond expectation, -inf where no alert may
    rest on it."""
    spread: Floats
    """Spans x series x windows: standard deviation of the run's error in logs."""
    told: Floats
    """Windows: how many cells rest on a figure."""

    def surprise(self) -> Floats:
        """Return for each score how rarely one of its window's cells goes as far, 0 to 1."""
        return surprise_of(self.score, self.told)

    def rarest(self) -> Floats:
        """Return the least surprise of each window over series and spans."""
        best = self.score.max(axis=(0, 1), initial=-np.inf)
        return surprise_of(best, self.told)


def surprise_of(score: Floats, told: Floats) -> Floats:
    """Return the chance that the largest of ``told`` scores goes as far: the less, the rarer."""
    alone = student.sf(score, TAILS)
    return np.asarray(-np.expm1(np.maximum(told, 1.0) * np.log1p(-np.minimum(alone, 1 - 1e-12))))


def runs_of(window: RiseWindow, past: PastErrors) -> RunScores:
    """Return the score of every run of up to six months.

    A run is a mean of errors in which each month weighs by how sure it is. It counts only where a
    published figure is in it and the series lies above its own path.
    """
    months = window.error.shape[2]
    spans = tuple(
        (start, end)
        for start in range(months)
        for end in range(start + 1, min(start + LONGEST, months) + 1)
    )
    score = np.empty((len(spans), *window.level_stderr.shape))
    spread = np.empty_like(score)
    for place, (start, end) in enumerate(spans):
        score[place], spread[place] = _run(window, past, slice(start, end))
    told = (window.is_told & np.isfinite(window.error)).sum(axis=(0, 2)).astype(float)
    return RunScores(spans, score, spread, told)


def _run(window: RiseWindow, past: PastErrors, span: slice) -> tuple[Floats, Floats]:
    error = window.error[:, :, span]
    stderr = window.stderr[:, :, span]
    together = past.months[span, span]
    scale = past.scale
    known = np.isfinite(error)
    own = scale[..., None] ** 2 * np.diag(together) + stderr**2
    weight = np.where(known, 1.0 / own, 0.0)
    total = weight.sum(axis=2)
    weight = weight / np.where(total > 0, total, 1.0)[..., None]
    mean = (weight * np.nan_to_num(error)).sum(axis=2)
    shared = np.einsum("dot,ts,dos->do", weight, together, weight)
    variance = scale**2 * shared + (weight**2 * stderr**2).sum(axis=2) + window.level_stderr**2
    spread = np.sqrt(np.maximum(variance, 1e-12))
    counts = (window.is_told[:, :, span] & known).any(axis=2)
    counts &= np.where(known, window.above[:, :, span], 0.0).sum(axis=2) > 0
    return np.where(counts, mean / spread, -np.inf), spread
