"""How far series strayed from their own paths in the past, and how their months went together.

Private to ``models.event_study.diversion``.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Places = NDArray[np.int64]

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


def learn_errors(error: Floats, is_told: Flags, origins: Places) -> PastErrors:
    """Return scales and what months have in common, shrunk to simple forms.

    Every window is held against the errors outside its own months: a wild month must not excuse
    itself in the past, when it cannot in the window asked about.

    Args:
        error: Series x windows x months ahead, NaN where unknown. The last window, the one asked
            about, teaches nothing.
        is_told: Which of them rest on a published figure; only they teach.
        origins: Month of each window's origin.
    """
    ahead = error.shape[2]
    month = origins[:, None] + np.arange(ahead)
    size = np.where(is_told & np.isfinite(error), np.abs(error), np.nan)[:, :-1]
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
