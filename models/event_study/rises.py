"""Rises beyond expectation: every run of months of every series, weighted by how sure it is.

How far series strayed from their paths in the past shows how far is far, and the same search at
months without an act how rare a finding is. Private to ``models.event_study.diversion``.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.optimize import nnls
from scipy.stats import t as student

from store.arrays import Flags, Floats, Ints

TAIL: Final = 0.9
TAIL_NORMAL: Final = 1.6449
"""Part of a series' errors that its scale covers, and that quantile of a normal one's size: heavy
tails make a scale larger, single months do not."""

CAUTION: Final = 12.0
"""Months that the panel's own scale counts for beside a series' own."""

LEAST_SCALE: Final = 0.03
"""No series is foreseen better than this, log units."""

WILD: Final = 4.0
"""Scales beyond which an error counts no further in what months have in common."""


@dataclass(frozen=True, slots=True)
class PastErrors:
    """What an error in logs is to be held against."""

    scale: Floats
    """Series x windows: of the errors outside the window's own months."""
    months: Floats
    """Covariance of the months ahead in scales, months x months: noise of single months, an error
    of the level, a drift that grows."""


def learn_errors(error: Floats, is_published: Flags, origins: Ints) -> PastErrors:
    """Return scales and what months have in common, shrunk to simple forms.

    Every window is held against the errors outside its own months: a wild month must not excuse
    itself in the past, when it cannot in the window asked about.

    Args:
        error: Series x windows x months ahead, NaN where unknown. The last window, the one asked
            about, teaches nothing.
        is_published: Which of them rest on a published figure; only they teach.
        origins: Month of each window's origin.
    """
    ahead = error.shape[2]
    month = origins[:, None] + np.arange(ahead)
    size = np.where(is_published & np.isfinite(error), np.abs(error), np.nan)[:, :-1]
    pooled = _tail(size.reshape(1, -1))[0]
    scale = np.empty((len(error), len(origins)))
    for window, origin in enumerate(origins):
        outside = (month[:-1] < origin) | (month[:-1] >= origin + ahead)
        own = _tail(size[:, outside])
        count = np.isfinite(size[:, outside]).sum(axis=1) / ahead
        own = np.where(count > 0, own, pooled)
        variance = (count * own**2 + CAUTION * pooled**2) / (count + CAUTION)
        scale[:, window] = np.maximum(np.sqrt(variance), LEAST_SCALE)
    signed = np.where(np.isfinite(size), error[:, :-1], np.nan) / scale[:, -1, None, None]
    return PastErrors(scale, _months_together(np.clip(signed, -WILD, WILD)))


def _tail(size: Floats) -> Floats:
    """Return the scale of each row, 0 for one without any month."""
    ordered = np.sort(size, axis=1)
    count = np.isfinite(size).sum(axis=1)
    place = np.maximum(np.ceil(TAIL * count).astype(int) - 1, 0)
    found = ordered[np.arange(len(size)), place] / TAIL_NORMAL
    return np.where(count > 0, found, 0.0)


def _months_together(scaled: Floats) -> Floats:
    """Return the covariance of months ahead, of the form noise + level + drift."""
    ahead = scaled.shape[2]
    rows = scaled.reshape(-1, ahead)
    known = np.isfinite(rows).astype(float)
    value = np.nan_to_num(rows)
    count = known.T @ known
    moment = (value.T @ value) / np.maximum(count, 1.0)
    first, second = np.indices((ahead, ahead))
    forms = [
        (first == second).astype(float),
        np.ones((ahead, ahead)),
        np.minimum(first, second).astype(float),
    ]
    weight = np.sqrt(count).ravel()
    design = np.stack([form.ravel() * weight for form in forms], axis=1)
    found, _ = nnls(design, moment.ravel() * weight)
    together: Floats = sum((k * form for k, form in zip(found, forms, strict=True)), np.zeros(1))
    return together + 1e-6 * np.eye(ahead)


LONGEST: Final = 6
"""Months of the longest run that is tried: diversion lasts while new ways are cheap."""

TAILS: Final = 5.0
"""Degrees of freedom by which runs of windows with differently many figures are made comparable."""


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
    is_published: Flags
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
    known: Floats
    """Windows: how many cells rest on a figure."""

    def surprise(self) -> Floats:
        """Return for each score how rarely one of its window's cells goes as far, 0 to 1."""
        return surprise_of(self.score, self.known)

    def rarest(self) -> Floats:
        """Return the least surprise of each window over series and spans."""
        best = self.score.max(axis=(0, 1), initial=-np.inf)
        return surprise_of(best, self.known)


def surprise_of(score: Floats, known: Floats) -> Floats:
    """Return the chance that the largest of ``known`` scores goes as far: the less, the rarer."""
    alone = student.sf(score, TAILS)
    return np.asarray(-np.expm1(np.maximum(known, 1.0) * np.log1p(-np.minimum(alone, 1 - 1e-12))))


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
    known = (window.is_published & np.isfinite(window.error)).sum(axis=(0, 2)).astype(float)
    return RunScores(spans, score, spread, known)


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
    counts = (window.is_published[:, :, span] & known).any(axis=2)
    counts &= np.where(known, window.above[:, :, span], 0.0).sum(axis=2) > 0
    return np.where(counts, mean / spread, -np.inf), spread


BODY: Final = 0.5
"""Part of the trials that is read as it is; of the rarer half the tail is drawn on."""

LEAST_BLOCKS: Final = 4.0
"""Windows of the past without a month in common that a tail needs."""


@dataclass(frozen=True, slots=True)
class Placebo:
    """The distribution of the rarest finding of a window in which nothing happened."""

    logs: Floats
    """Minus the logs of the trials' surprises, increasing."""
    blocks: float
    """How many windows without a month in common the trials are worth."""

    @classmethod
    def of(cls, surprise: Floats, months: int) -> "Placebo":
        """Return the distribution of trials at successive months.

        Args:
            surprise: Of each trial, 0 to 1.
            months: Of one window: so many successive trials share months and count as one.
        """
        logs = np.sort(-np.log(np.maximum(surprise, 1e-300)))
        return cls(logs, (len(logs) + months - 1) / months)

    def p_value(self, surprise: Floats) -> Floats:
        """Return how often a window without an act has a finding as rare.

        Beyond the middle the logs are taken as exponential, with the spread that the trials have
        about their number of blocks: so a rate holds although they are few (a Lomax predictive).
        """
        asked = -np.log(np.maximum(surprise, 1e-300))
        count = len(self.logs)
        body = (1.0 + count - np.searchsorted(self.logs, asked)) / (1.0 + count)
        bend = float(np.quantile(self.logs, BODY))
        above = self.logs[self.logs > bend]
        mean = max(float((above - bend).mean()) if len(above) else 0.0, 1e-9)
        worth = (1.0 - BODY) * self.blocks
        excess = np.maximum(asked - bend, 0.0) / mean
        tail = (1.0 - BODY) * (1.0 + excess / worth) ** (-worth)
        return np.where(asked > bend, tail, body)
