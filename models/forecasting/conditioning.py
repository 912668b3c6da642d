"""Forecasts conditioned on figures of their own months.

A figure of a month after the cutoff (one destination's month, before the world's is out) changes
the forecasts of other destinations and months as far as their errors correlate. A figure that
equals its forecast changes none, and a stop at one destination alone says little of others.
Source: docs/adr/0001-evidence-panel.md.
"""

from typing import Final

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri

from features.origin import LaterFigures, Origin
from features.series import series_stats
from features.statistical.smoothing import errors_within
from models.forecasting.joint_paths import PATHS, ErrorCopula, sample_paths
from models.policy import drawing
from models.quantile_model import NORMAL_80
from models.reconciliation.reconcile import coherent_factors, reconcile
from models.reconciliation.tree import Tree
from store.arrays import Floats, Ints
from store.months import YEAR
from store.vocabulary import QUANTILE_COLUMNS, QUANTILES

RAREST: Final = 1e-4
"""Probability beyond which a surprise counts no further."""

ALONE: Final = 0.1
"""Share of figures that tell of their destination alone, such as a stop aimed at it..."""

ALONE_SPREAD: Final = 3.0
"""...and how many times wider than forecast errors such figures lie."""

NOISE: Final = 1e-3
"""Variance of a figure's score besides; keeps equal figures apart."""

GRID: Final[Floats] = np.linspace(0.005, 0.995, 100, dtype=np.float64)
"""Levels whose average stands for the mean."""


def coherent(table: pd.DataFrame, origin: Origin, tree: Tree | None = None) -> pd.DataFrame:
    """Quantiles and means, scaled so that the destinations' means add up to their sums'.

    Args:
        tree: Sums of any panel, whose means are reconciled by the covariance of its series' errors;
            without it the sums of the evidence panel, by the spread of each month's forecast.
    """
    if not origin.groups:
        return table if tree is None else reconciled(table, origin, tree)[1].set_axis(table.index)
    shape = (len(origin.series), len(origin.targets))
    mean = table["mean"].to_numpy().reshape(shape)
    spread = (table["p90"] - table["p10"]).to_numpy().reshape(shape) / NORMAL_80
    factor = coherent_factors(mean, spread, origin.groups).reshape(-1)
    return table[[*QUANTILE_COLUMNS, "mean"]].mul(factor, axis=0)


def reconciled(table: pd.DataFrame, origin: Origin, tree: Tree) -> tuple[Ints, pd.DataFrame]:
    """Rows of the forecast series, with sums of forecast parts, and their coherent forecast.

    Args:
        table: Of the series with a value in the last year.
    """
    current = np.flatnonzero(np.isfinite(origin.tonnes[:, -YEAR:]).any(axis=1))
    shape = (len(origin.series), len(origin.targets))
    mean, quantiles = np.full(shape, np.nan), np.full((*shape, len(QUANTILES)), np.nan)
    mean[current] = table["mean"].to_numpy().reshape(len(current), -1)
    quantiles[current] = (
        table[list(QUANTILE_COLUMNS)].to_numpy().reshape(len(current), shape[1], -1)
    )
    season = series_stats(origin.tonnes).season
    mean, quantiles = reconcile(mean, quantiles, errors_within(origin.tonnes, season), tree)
    rows = np.flatnonzero(np.isfinite(mean).all(axis=1))
    quantile_rows = quantiles[rows].reshape(-1, len(QUANTILES))
    forecast = pd.DataFrame(quantile_rows, columns=list(QUANTILE_COLUMNS))
    return rows, forecast.assign(mean=mean[rows].reshape(-1))


def conditioned(table: pd.DataFrame, origin: Origin) -> pd.DataFrame:
    """Forecast conditioned on the figures of months after the cutoff; unchanged without any.

    Normal scores of a cell correlate with those of a figure as they do along joint paths; given the
    figures they are normal again, with another mean and less spread.

    Args:
        table: Quantiles and mean of every series and target in tonnes, with any further columns.
    """
    later = origin.later
    if later is None:
        return table
    shape = (len(origin.series), len(origin.targets), len(QUANTILES))
    plain = table[list(QUANTILE_COLUMNS)].to_numpy(dtype=float).reshape(shape)
    published_cells = (later.row, later.column)
    at = np.clip(drawing.ranks_within(plain[published_cells], later.tonnes), RAREST, 1.0 - RAREST)
    middle, spread = _given(ndtri(at), plain, origin, later)

    def drawn(levels: Floats) -> Floats:
        scores = middle + spread * ndtri(levels)[:, None, None]
        return drawing.drawn(plain, np.asarray(ndtr(scores), dtype=np.float64))

    quantiles = np.moveaxis(drawn(np.asarray(QUANTILES, dtype=np.float64)), 0, -1)
    before = drawing.drawn(plain, np.tile(GRID[:, None, None], (1, *shape[:2])))
    growth = drawn(GRID).mean(axis=0) / np.maximum(before.mean(axis=0), drawing.LEAST)
    mean = table["mean"].to_numpy(dtype=float).reshape(shape[:2]) * growth
    error = np.exp(later.stderr[:, None] * ndtri(QUANTILES))
    quantiles[published_cells], mean[published_cells] = later.tonnes[:, None] * error, later.tonnes
    columns = dict(zip(QUANTILE_COLUMNS, quantiles.reshape(-1, len(QUANTILES)).T, strict=True))
    return table.assign(**columns, mean=mean.reshape(-1))


def _correlation(plain: Floats, origin: Origin, cells: Ints) -> Floats:
    """Correlation of the logs of all cells with some along joint paths, all x some."""
    leaves = np.flatnonzero(~origin.is_sum)
    draws = np.empty((PATHS, *plain.shape[:2]))
    draws[:, leaves] = sample_paths(plain[leaves], ErrorCopula())
    draws = drawing.summed(draws, origin.groups)
    logs = np.log(np.maximum(draws, drawing.LEAST)).reshape(PATHS, -1)
    logs -= logs.mean(axis=0)
    spread = np.linalg.norm(logs, axis=0)
    return (logs.T @ logs[:, cells]) / np.outer(spread, spread[cells])


def _given(
    score: Floats, plain: Floats, origin: Origin, later: LaterFigures
) -> tuple[Floats, Floats]:
    """Mean and standard deviation of all scores given the figures' scores, series x targets."""
    shape = (len(origin.series), len(origin.targets))
    cells = np.ravel_multi_index((later.row, later.column), shape)
    correlation = _correlation(plain, origin, cells)
    shared = np.ones(shape[0])
    shared[later.row] = _shared(score, correlation[cells], later.row)
    loading = np.repeat(shared, shape[1])
    same = np.repeat(np.arange(shape[0]), shape[1])[:, None] == later.row
    theirs = correlation * np.where(same, 1.0, loading[:, None] * loading[cells])
    gain = np.linalg.solve(theirs[cells] + NOISE * np.eye(len(cells)), theirs.T).T
    remaining_variance = 1.0 - np.einsum("ij,ij->i", gain, theirs)
    return (gain @ score).reshape(shape), np.sqrt(np.clip(remaining_variance, 0.0, 1.0)).reshape(
        shape
    )


def _shared(score: Floats, correlation: Floats, series: Ints) -> Floats:
    """Probability that the surprise in each figure is shared by all destinations.

    The largest surprise of a destination counts, given the figures of the others: a fall that they
    share is not a stop of this destination alone.
    """
    probability = np.empty(len(score))
    for is_member in (series == row for row in np.unique(series)):
        place = int(np.abs(np.where(is_member, score, 0.0)).argmax())
        covariance = correlation[np.ix_(~is_member, ~is_member)] + NOISE * np.eye(
            int((~is_member).sum())
        )
        gain = np.linalg.solve(covariance, correlation[~is_member, place])
        remaining_variance = 1.0 - gain @ correlation[~is_member, place]
        surprise = (score[place] - gain @ score[~is_member]) ** 2 / remaining_variance
        usual = (1.0 - ALONE) * np.exp(-surprise / 2.0)
        alone = ALONE / ALONE_SPREAD * np.exp(-surprise / 2.0 / ALONE_SPREAD**2)
        probability[is_member] = usual / (usual + alone)
    return probability
