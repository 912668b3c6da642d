"""Plain forecasts, for all series at once: what a model must beat."""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from features.origin import Origin

Floats = NDArray[np.float64]

DRIFT_MONTHS: Final = 24


def seasonal_naive(origin: Origin) -> Floats:
    """Return the newest known same month of an earlier year, else the last value.

    As series x targets, in tonnes.
    """
    last = last_value(origin)
    back = 12 * -(-origin.horizons // 12) - origin.horizons
    column = origin.tonnes.shape[1] - 1 - back
    same = np.where(column >= 0, origin.tonnes[:, np.maximum(column, 0)], np.nan)
    return np.where(np.isfinite(same), same, last)


def last_value(origin: Origin) -> Floats:
    """Return the last known month of each series, repeated; series x targets, in tonnes."""
    known = np.isfinite(origin.tonnes)
    last = origin.tonnes.shape[1] - 1 - known[:, ::-1].argmax(axis=1)
    value = origin.tonnes[np.arange(len(known)), last]
    return np.repeat(value[:, None], len(origin.targets), axis=1)


def drift(origin: Origin) -> Floats:
    """Return the last value moved on by the mean monthly step of two years, at least 0.

    As series x targets, in tonnes.
    """
    steps = np.diff(origin.tonnes[:, -DRIFT_MONTHS - 1 :], axis=1)
    known = np.isfinite(steps)
    slope: Floats = np.where(known, steps, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    return np.maximum(last_value(origin) + slope[:, None] * origin.horizons[None, :], 0.0)


BASELINES: Final[dict[str, Callable[[Origin], Floats]]] = {
    "seasonal_naive": seasonal_naive,
    "last_value": last_value,
    "drift": drift,
}
