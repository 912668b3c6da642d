"""Forecasts conditioned on figures of their own months.

A figure of a month after the cutoff (one destination's month, before the world's is out) is that
month's forecast and moves the other months of its destination as far as errors carry from month to
month; a figure that equals its forecast moves none. Other destinations keep theirs, and sums move
by what their parts do. Source: docs/adr/0001-evidence-panel.md.
"""

from typing import Final

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri

from features.origin import Origin
from models.forecasting.joint_paths import USUAL_CARRY
from models.policy import drawing
from store.arrays import Floats, Ints
from store.vocabulary import QUANTILE_COLUMNS, QUANTILES

RAREST: Final = 1e-4
"""Probability beyond which a surprise counts no further."""

GRID: Final[Floats] = np.linspace(0.005, 0.995, 100, dtype=np.float64)
"""Levels whose average stands for the mean."""


def conditioned(table: pd.DataFrame, origin: Origin) -> pd.DataFrame:
    """Forecast conditioned on the figures of months after the cutoff; unchanged without any.

    Given its figures, the normal scores of a destination's months are normal again, with another
    mean and less spread.

    Args:
        table: Quantiles and mean of every series and target in tonnes, with any further columns.
    """
    later = origin.later
    if later is None:
        return table
    shape = (len(origin.series), len(origin.targets), len(QUANTILES))
    quantiles = table[list(QUANTILE_COLUMNS)].to_numpy(dtype=float).reshape(shape).copy()
    before = table["mean"].to_numpy(dtype=float).reshape(shape[:2])
    mean, error = before.copy(), np.exp(later.stderr[:, None] * ndtri(QUANTILES))
    for row in np.unique(later.row):
        plain, is_figure = quantiles[[row]], later.row == row
        columns, tonnes = later.column[is_figure], later.tonnes[is_figure]
        middle, spread = _given(plain[0], columns, tonnes)
        levels = np.concatenate([QUANTILES, GRID])[:, None, None]
        draws = drawing.drawn(plain, ndtr(middle + spread * ndtri(levels)))[:, 0]
        usual = drawing.drawn(plain, np.tile(GRID[:, None, None], (1, 1, shape[1])))[:, 0]
        quantiles[row] = draws[: len(QUANTILES)].T
        growth = draws[len(QUANTILES) :].mean(axis=0) / np.maximum(
            usual.mean(axis=0), drawing.LEAST
        )
        mean[row] *= growth
        quantiles[row, columns], mean[row, columns] = tonnes[:, None] * error[is_figure], tonnes
    for row in np.flatnonzero(origin.is_sum & ~np.isin(np.arange(shape[0]), later.row)):
        change = (mean - before)[origin.groups[row]].sum(axis=0)
        growth = np.maximum(1.0 + change / np.maximum(before[row], drawing.LEAST), 0.0)
        quantiles[row] *= growth[:, None]
        mean[row] *= growth
    columns = dict(zip(QUANTILE_COLUMNS, quantiles.reshape(-1, len(QUANTILES)).T, strict=True))
    return table.assign(**columns, mean=mean.reshape(-1))


def _given(plain: Floats, columns: Ints, tonnes: Floats) -> tuple[Floats, Floats]:
    """Mean and standard deviation of the normal scores of a destination's months given figures.

    Args:
        plain: Targets x ``QUANTILES`` in tonnes.
        columns: Targets that have a figure.
    """
    at = np.clip(drawing.ranks_within(plain[columns], tonnes), RAREST, 1.0 - RAREST)
    months = np.arange(len(plain))
    carried = USUAL_CARRY ** np.abs(months[:, None] - columns)
    gain = np.linalg.solve(carried[columns], carried.T).T
    variance = 1.0 - np.einsum("ij,ij->i", gain, carried)
    return gain @ ndtri(at), np.sqrt(np.clip(variance, 0.0, 1.0))
