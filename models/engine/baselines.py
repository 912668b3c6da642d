"""Bands for the experts on their own, so that the product can be compared with each of them."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.engine.forecast import Engine
from models.engine.quantiles import Quantiles
from models.engine.training_set import PanelTrainingSet
from models.learning.conformal import horizon_weight, weighted_quantiles
from store.vocabulary import QUANTILES

Floats = NDArray[np.float64]

MIDDLE: Final = "experts"
"""Name of the median of the experts that the engine starts from."""

LAST_VALUE: Final = "last_value"
"""Name of the last known month said of all months ahead."""

MOST_CELLS: Final = 20_000
"""Past errors that a band is read from, at most."""

PLAIN: Final = np.array([-1.8, -1.28, -0.6, 0.0, 0.6, 1.28, 1.8])
"""Distances of the quantiles in spreads where no past error is known."""


def expert_quantiles(engine: Engine, own: Quantiles, name: str) -> Floats:
    """Return an expert's forecast with the band of its own past errors, in tonnes.

    Args:
        engine: At the cutoff.
        own: The forecasts of the series asked for.
        name: An expert, ``MIDDLE``, or ``LAST_VALUE``, which has the band of the seasonal naive.

    Returns:
        Series x months x quantiles.
    """
    band_of = "seasonal_naive" if name == LAST_VALUE else name
    return around(engine, own, name, error_quantiles(engine.known, band_of, engine.view.horizon))


def around(engine: Engine, own: Quantiles, name: str, distance: Floats) -> Floats:
    """Return an expert's forecast with a given band; as ``expert_quantiles``.

    Args:
        engine: At the cutoff.
        own: The forecasts of the series asked for.
        name: As for ``expert_quantiles``.
        distance: Of the quantiles from the expert's forecast, in spreads, months x quantiles.
    """
    spread = engine.view.stats(engine.last).spread[own.rows]
    said = _last_value(engine, own) if name == LAST_VALUE else _predicted(own, name)
    values = said[:, :, None] + distance * spread[:, None, None]
    return np.sort(np.maximum(values, 0.0), axis=2)


def _predicted(own: Quantiles, name: str) -> Floats:
    return own.middle if name == MIDDLE else own.experts[name]


def _last_value(engine: Engine, own: Quantiles) -> Floats:
    """Return the last known month of each series, for all months ahead."""
    tonnes = engine.view.tonnes[own.rows]
    back = np.isfinite(tonnes[:, ::-1]).argmax(axis=1)
    last = tonnes[np.arange(len(tonnes)), tonnes.shape[1] - 1 - back]
    return np.repeat(last[:, None], engine.view.horizon, axis=1)


def error_quantiles(known: PanelTrainingSet, name: str, horizon: int) -> Floats:
    """Return quantiles of an expert's past errors in spreads, zero at the median.

    Args:
        known: Past forecasts.
        name: An expert, or ``MIDDLE``.
        horizon: Months to forecast.

    Returns:
        Months x quantiles.
    """
    every = max(1, len(known) // MOST_CELLS)
    error = known.target[::every]
    if name != MIDDLE:
        error = error - known.experts[name][::every]
    if not len(error):
        return np.tile(PLAIN, (horizon, 1))
    order = np.argsort(error, kind="stable")
    ordered, months = error[order], known.horizon[::every][order]
    found = np.empty((horizon, len(QUANTILES)))
    for ahead in range(horizon):
        weight = horizon_weight(months, ahead + 1)
        found[ahead] = weighted_quantiles(ordered, weight, np.asarray(QUANTILES))
    middle = len(QUANTILES) // 2
    found[:, :middle] = np.minimum(found[:, :middle], 0.0)
    found[:, middle] = 0.0
    found[:, middle + 1 :] = np.maximum(found[:, middle + 1 :], 0.0)
    return found
