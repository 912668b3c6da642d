"""Coherent sums: trees of sums over the series of a panel, and non-negative forecasts that add up.

``coherent`` makes the quantiles and means of an origin add up; ``reconcile`` is for any tree of
sums, ``coherent_factors`` for a few series with a spread by month.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Final

import numpy as np
import pandas as pd
from scipy import linalg, sparse
from scipy.optimize import nnls
from threadpoolctl import threadpool_limits

from features.origin import Origin
from features.series import series_stats, zero_runs
from features.statistical.smoothing import errors_within
from models.quantile_model import NORMAL_80
from store.arrays import Flags, Floats, Ints
from store.errors import DataError, counted, first_few
from store.months import YEAR, month_label
from store.vocabulary import AGGREGATES, EU27, QUANTILE_COLUMNS, QUANTILES, WORLD

TOLERANCE: Final = 0.005
"""Largest gap between a sum and its parts due to rounding, as a share of the larger."""


@dataclass(frozen=True, slots=True)
class Tree:
    """Sums and the leaves that add up to them."""

    series: tuple[str, ...]
    """Names of the panel's series and of the sums that it lacks, sorted."""
    sums: Ints
    """Rows of ``series`` that are sums, parts before wholes."""
    leaves: Ints
    """Rows of ``series`` in a sum that are no sums themselves."""
    structure: sparse.csr_array
    """Sums x leaves, 1 where a leaf counts in a sum."""

    @property
    def sum_names(self) -> tuple[str, ...]:
        return tuple(self.series[row] for row in self.sums)

    @property
    def leaf_names(self) -> tuple[str, ...]:
        return tuple(self.series[row] for row in self.leaves)


def tree_of(parts: Mapping[str, Sequence[str]], series: Iterable[str]) -> Tree:
    """Tree of a mapping.

    Its rows do not depend on the order of either argument.

    Args:
        parts: Parts of each sum, without cycles; a leaf reached by several paths counts once.

    Examples:
        >>> tree_of({"all": ["USA", "DEU"]}, ["USA", "DEU"]).sum_names
        ('all',)
    """
    panel_series = set(series)
    named = {part for names in parts.values() for part in names}
    if unknown := sorted(named - panel_series - set(parts)):
        raise DataError(
            f"Parts of sums that the panel does not have: {first_few(unknown)}. Expected each to "
            "be a series of the panel or a sum. Correct the mapping."
        )
    names = tuple(sorted(panel_series | set(parts)))
    row = {name: place for place, name in enumerate(names)}
    below, sums = _below(parts)
    leaves = sorted(named - set(parts))
    column = {name: place for place, name in enumerate(leaves)}
    members = [np.array(sorted(column[leaf] for leaf in below[name])) for name in sums]
    return Tree(
        series=names,
        sums=np.array([row[name] for name in sums], dtype=np.int64),
        leaves=np.array([row[name] for name in leaves], dtype=np.int64),
        structure=_ones(members, len(leaves)),
    )


def add_sums(table: pd.DataFrame, tree: Tree) -> pd.DataFrame:
    """Panel completed with the sums that it lacks.

    Args:
        table: Tonnes, one row a series (index: its name), one column a month; not modified.

    Returns:
        One row for each of ``tree.series``, in that order. A month of an added sum is the sum of
        the leaves with values, NaN without any.

    Examples:
        >>> table = pd.DataFrame({24303: [100.0, 80.0]}, index=["DEU", "USA"])
        >>> add_sums(table, tree_of({"all": ["DEU", "USA"]}, table.index))[24303].to_dict()
        {'DEU': 100.0, 'USA': 80.0, 'all': 180.0}
    """
    places = [place for place, name in enumerate(tree.sum_names) if name not in table.index]
    total, known_count = _added_up(table, tree)
    total[known_count == 0] = np.nan
    names = pd.Index([tree.sum_names[place] for place in places], name=table.index.name)
    added = pd.DataFrame(total[places], index=names, columns=table.columns)
    extended = pd.concat([table, added]) if places else table
    return extended.loc[list(tree.series)]


def contradictions(table: pd.DataFrame, tree: Tree) -> list[str]:
    """One message for each sum that differs from the sum of its leaves.

    A month with missing leaves counts only if the others already exceed the sum.

    Args:
        table: Tonnes, at least 0, one row a series (index: its name), one column a month as number;
            not modified.

    Returns:
        Name, number of periods, and the worst of them with both figures; widest gap first, empty if
        all agree within ``TOLERANCE``.
    """
    total, known_count = _added_up(table, tree)
    sizes = np.diff(tree.structure.indptr)
    messages = []
    for place, name in enumerate(tree.sum_names):
        if name not in table.index:
            continue
        published = table.loc[name].to_numpy(dtype=float)
        gap = _gap(published, total[place], is_full=known_count[place] == sizes[place])
        if (months := np.count_nonzero(gap > TOLERANCE)) > 0:
            worst = int(gap.argmax())
            period = month_label(int(table.columns[worst]))
            figures = f"{published[worst]:.6g}, its parts {total[place, worst]:.6g}"
            often = counted(int(months), "month")
            messages.append((-gap[worst], f"{name} in {often}, e.g. {period}: {figures}"))
    return [text for _, text in sorted(messages)]


def _below(parts: Mapping[str, Sequence[str]]) -> tuple[dict[str, set[str]], list[str]]:
    below: dict[str, set[str]] = {}
    height: dict[str, int] = {}
    for name in TopologicalSorter(parts).static_order():
        if name in parts:
            inner = [part for part in parts[name] if part in parts]
            height[name] = 1 + max((height[part] for part in inner), default=0)
            below[name] = set(parts[name]).difference(inner).union(*(below[i] for i in inner))
    return below, sorted(height, key=lambda name: (height[name], name))


def _ones(members: Sequence[Ints], width: int) -> sparse.csr_array:
    ends = np.cumsum([0, *(len(columns) for columns in members)])
    columns = np.concatenate(members) if members else np.empty(0, dtype=np.int64)
    ones = np.ones(len(columns))
    return sparse.csr_array((ones, columns, ends), shape=(len(members), width))


def _added_up(table: pd.DataFrame, tree: Tree) -> tuple[Floats, Floats]:
    """Sum of the leaves with values and their number, both sums x months."""
    leaves = table.loc[list(tree.leaf_names)].to_numpy(dtype=float)
    is_known = np.isfinite(leaves)
    return tree.structure @ np.where(is_known, leaves, 0.0), tree.structure @ is_known.astype(float)


def _gap(published: Floats, total: Floats, *, is_full: Flags) -> Floats:
    """Gap between a sum and its parts by month, as a share of the larger."""
    excess = total - published
    apart = np.where(is_full, np.abs(excess), np.maximum(excess, 0.0))
    larger = np.maximum(np.maximum(total, published), np.finfo(float).tiny)
    return np.nan_to_num(apart / larger)


MEANS_TOLERANCE: Final = 1e-6
"""Largest gap due to rounding, as a share of a sum."""


def broken_sums(table: pd.DataFrame) -> list[str]:
    """Messages on sums of the means that do not add up, and on EU27 below a member.

    Args:
        table: destination, period and mean, one row each; a world, and EU27 if it is given.
            Not modified.
    """
    mean = table.pivot_table(index="period", columns="destination", values="mean")
    messages = []
    if WORLD in mean:
        parts = mean[[name for name in mean if name not in AGGREGATES]].sum(axis=1)
        messages += _apart(WORLD, mean[WORLD], parts)
    if EU27 in mean:
        members = [name for name in AGGREGATES[EU27] if name in mean]
        if len(members) == len(AGGREGATES[EU27]):
            messages += _apart(EU27, mean[EU27], mean[members].sum(axis=1))
        slack = mean[EU27] * (1 + MEANS_TOLERANCE)
        messages += [
            f"{EU27} is below {name} in {period}"
            for name in members
            for period in mean.index[mean[name] > slack]
        ]
    return messages


def _apart(name: str, sums: "pd.Series[float]", parts: "pd.Series[float]") -> list[str]:
    off = ~np.isclose(sums, parts, rtol=MEANS_TOLERANCE, atol=MEANS_TOLERANCE)
    return [
        f"{name} has {sums[period]:,.1f} t in {period}, its members {parts[period]:,.1f} t"
        for period in sums.index[off]
    ]


FEWEST_ERRORS: Final = 4
"""Errors from which a series' own variance is read."""

LEAST_SPREAD, MOST_SPREAD = 1e-3, 4.0
"""Bounds of a standard deviation in levels of its series: no forecast is exact, and old spikes must
not dominate a series near zero."""

LEAST_SHRINKAGE: Final = 0.1
"""Keeps the covariance regular, as errors that nearly add up would make small gaps move means far.

Trade panels estimate 0.1 to 0.9."""

TINY, HUGE = 1e-100, 1e100
"""Bounds of a standard deviation in tonnes, against overflow of its square and inverse."""


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
    errors = errors_within(origin.tonnes, series_stats(origin.tonnes).season)
    errors[zero_runs(origin.tonnes)[0][:, -1] > 0] = 0.0  # a series that stopped makes up no gap
    mean, quantiles = reconcile(mean, quantiles, errors, tree)
    rows = np.flatnonzero(np.isfinite(mean).all(axis=1))
    quantile_rows = quantiles[rows].reshape(-1, len(QUANTILES))
    forecast = pd.DataFrame(quantile_rows, columns=list(QUANTILE_COLUMNS))
    return rows, forecast.assign(mean=mean[rows].reshape(-1))


@dataclass(frozen=True, slots=True)
class Covariance:
    """Covariance ``diag(specific) + loadings loadings'`` of the errors of a row of series."""

    specific: Floats
    """Variance of each series beside the factors, in tonnes squared, above zero."""
    loadings: Floats
    """Series x factors, in tonnes."""


def shrunk_covariance(residuals: Floats, level: Floats) -> Covariance:
    """Covariance of errors, correlations shrunk towards 0 (Schaefer, Strimmer 2005).

    Months that two series do not share count as uncorrelated, which keeps it positive definite.

    Args:
        residuals: Series x months of one-step errors, in tonnes; NaN if missing.
        level: Level of each series, in tonnes, at least 0. A series with too few errors gets a
            variance proportional to it, by the median of the others.
    """
    is_known_month = np.isfinite(residuals)
    residuals, is_known_month = (
        residuals[:, is_known_month.any(axis=0)],
        is_known_month[:, is_known_month.any(axis=0)],
    )
    count = is_known_month.sum(axis=1)
    error = np.where(is_known_month, residuals, 0.0)
    centre = error.sum(axis=1) / np.maximum(count, 1)
    error = np.where(is_known_month, error - centre[:, None], 0.0)
    has_variance = count >= FEWEST_ERRORS
    error[~has_variance] = 0.0
    norm = _norm(error)
    stdev = norm / np.sqrt(np.maximum(count - 1, 1))
    spread = _filled(stdev, has_variance, level)
    correlated = error / np.maximum(norm, TINY)[:, None]
    shrinkage = _shrinkage(correlated)
    share = np.sqrt(1.0 - shrinkage) * np.minimum(stdev / spread, 1.0)
    loadings = correlated * share[:, None]
    specific = 1.0 - (loadings**2).sum(axis=1)
    return Covariance(specific * spread**2, loadings * spread[:, None])


def _norm(error: Floats) -> Floats:
    """Euclidean norm of each row, without overflow."""
    largest = np.maximum(np.abs(error).max(axis=1, initial=0.0), TINY)
    norm: Floats = largest * np.sqrt(((error / largest[:, None]) ** 2).sum(axis=1))
    return norm


def _filled(spread: Floats, is_known: Flags, level: Floats) -> Floats:
    """Bounded standard deviations, imputed from the level if there are too few errors."""
    bounded = np.clip(spread, LEAST_SPREAD * level, MOST_SPREAD * level)
    usable = is_known & (spread > 0) & (level > 0)
    ratio = bounded[usable] * (bounded[usable] / level[usable])
    pace = float(np.median(ratio)) if usable.any() else float(level.max(initial=0.0))
    guess = np.sqrt(pace) * np.sqrt(level)
    guess = np.clip(guess, LEAST_SPREAD * level, MOST_SPREAD * level)
    return np.where(is_known, bounded, guess).clip(TINY, HUGE)


def _shrinkage(correlated: Floats) -> float:
    """Shrinkage intensity, 0 to 1, of the correlations of rows of norm 1 (or 0).

    Sums over pairs of series are computed from sums over months, without a matrix of pairs.
    """
    series, months = correlated.shape
    if series <= 1 or months < FEWEST_ERRORS:
        return 1.0
    squares = correlated**2
    fourth = months**2 * ((squares.sum(axis=0) ** 2).sum() - (squares**2).sum())
    diagonal = float((squares.sum(axis=1) ** 2).sum())
    explained = float(((correlated.T @ correlated) ** 2).sum()) - diagonal
    if explained <= np.finfo(float).eps * diagonal:
        return 1.0
    noise = (fourth - months * explained) / (months * (months - 1))
    return float(np.clip(noise / explained, LEAST_SHRINKAGE, 1.0))


_NEGATIVE: Final = 1e-9
"""A leaf below minus this share of its standard deviation counts as negative."""


def coherent_leaves(
    sums: Floats, leaves: Floats, *, structure: sparse.csr_array, covariance: Covariance
) -> Floats:
    """Non-negative leaves of the coherent means nearest to the forecast ones.

    Args:
        sums: Means of the sums, sums x months, in tonnes, at least 0.
        leaves: Means of the leaves, leaves x months, in tonnes, at least 0.
        structure: Sums x leaves, 1 where a leaf counts in a sum.
    """
    unit = np.sqrt(covariance.specific + (covariance.loadings**2).sum(axis=1))
    loadings = covariance.loadings / unit[:, None]
    correlation = np.diag(covariance.specific / unit**2) + loadings @ loadings.T
    root = linalg.cholesky(correlation, lower=True)
    leaf_unit = unit[len(sums) :]
    design = np.concatenate([structure.toarray(), np.eye(len(leaves))]) * leaf_unit / unit[:, None]
    means = np.concatenate([sums, leaves]) / unit[:, None]
    design, means = (
        linalg.solve_triangular(root, matrix, lower=True) for matrix in (design, means)
    )
    scaled = linalg.lstsq(design, means)[0]
    for month in np.flatnonzero((scaled < -_NEGATIVE).any(axis=0)):
        scaled[:, month] = nnls(design, means[:, month], maxiter=10 * len(leaves))[0]
    return np.asarray(np.maximum(scaled, 0.0) * leaf_unit[:, None])


MOST_LEAVES: Final = 1000
"""Most leaves for which means are reconciled, as it needs the full covariance."""

WIDEST: Final = 2.0
"""Largest factor on a band, as the mean of a series near zero may rise by any factor."""


def reconcile(
    mean: Floats, quantiles: Floats, residuals: Floats, tree: Tree
) -> tuple[Floats, Floats]:
    """Coherent means, and each series' quantiles moved with its mean.

    Quantiles do not add up: a sum's p95 is below the sum of its parts' p95. Each series keeps the
    shape of its distribution.

    Args:
        mean: Series x months ahead, in tonnes; series are the rows of ``tree.series``. A row with
            NaN is not forecast: such a leaf counts as zero.
        quantiles: Series x months ahead x levels, ascending, in tonnes, at least 0.
        residuals: Series x past months of one-step errors of the same forecasts, in tonnes, months
            aligned; NaN if missing.

    Returns:
        Means and quantiles in the shapes given; see ``coherent_means`` and ``moved_quantiles``.
    """
    coherent = coherent_means(mean, residuals, tree)
    return coherent, moved_quantiles(quantiles, mean, coherent, tree)


def coherent_means(mean: Floats, residuals: Floats, tree: Tree) -> Floats:
    """Non-negative coherent means nearest to the forecast ones (MinT-shrink).

    Distances use the shrunk covariance of the one-step errors, assumed proportional further ahead.
    Forecasts below zero count as zero. Series outside the tree are unchanged, as is a sum without
    forecast leaves; a sum without a forecast is the sum of its leaves. Beyond ``MOST_LEAVES``
    leaves are unchanged and sums are added up from them.

    Returns:
        Series x months ahead; sums equal the sum of their leaves up to rounding.
    """
    _check_shapes(mean, residuals, tree)
    is_forecast = _is_forecast(mean)
    leaves = np.flatnonzero(is_forecast[tree.leaves])
    structure = sparse.csr_array(tree.structure[:, leaves])
    reached = np.diff(structure.indptr) > 0
    bottom = np.maximum(mean[tree.leaves[leaves]], 0.0)
    if len(leaves) <= MOST_LEAVES:
        free = np.flatnonzero(reached & is_forecast[tree.sums])
        rows = np.concatenate([tree.sums[free], tree.leaves[leaves]])
        bounded = np.maximum(mean[rows], 0.0)
        with threadpool_limits(limits=1, user_api="blas"):  # same bits on any number of cores
            bottom = coherent_leaves(
                bounded[: len(free)],
                bottom,
                structure=sparse.csr_array(structure[free]),
                covariance=shrunk_covariance(residuals[rows], bounded.mean(axis=1)),
            )
    coherent = mean.copy()
    coherent[tree.leaves[leaves]] = bottom
    coherent[tree.sums[reached]] = (structure @ bottom)[reached]
    return coherent


def moved_quantiles(quantiles: Floats, before: Floats, after: Floats, tree: Tree) -> Floats:
    """Quantiles of each series after its mean moved, ascending and non-negative.

    They are scaled with the mean, by ``WIDEST`` at most, then shifted by the rest of its rise, so
    that the distribution keeps its mean. Reconciliation does not narrow bands, which are calibrated
    without it. A sum without a forecast gets the sum of its leaves' quantiles, as if their errors
    were perfectly correlated.

    Args:
        quantiles: Series x months ahead x levels, ascending, in tonnes, at least 0.
        before: Means that belong to them, series x months ahead.
    """
    bounded = np.maximum(before, 0.0)
    ratio = np.where(bounded > 0, WIDEST, 1.0)
    np.divide(after, bounded, out=ratio, where=bounded > after / WIDEST)
    lift = np.maximum(after - ratio * bounded, 0.0)
    moved: Floats = quantiles * ratio[:, :, None] + lift[:, :, None]
    added_sums = np.flatnonzero(_is_forecast(after[tree.sums]) & ~_is_forecast(before[tree.sums]))
    parts = np.nan_to_num(moved[tree.leaves])
    summed = tree.structure[added_sums] @ parts.reshape(len(parts), math.prod(parts.shape[1:]))
    moved[tree.sums[added_sums]] = summed.reshape(len(added_sums), *parts.shape[1:])
    return moved


def _is_forecast(mean: Floats) -> Flags:
    bounded: Flags = np.logical_and.reduce(np.isfinite(mean), axis=1)
    return bounded


def _check_shapes(mean: Floats, residuals: Floats, tree: Tree) -> None:
    if not len(mean) == len(residuals) == len(tree.series):
        raise DataError(
            f"Means of {len(mean)} and errors of {len(residuals)} series do not fit a tree of "
            f"{len(tree.series)}. Expected one row for each of its series. Give them in its order."
        )


def coherent_factors(mean: Floats, spread: Floats, groups: Sequence[Ints]) -> Floats:
    """Factors on each series' quantiles that make the means add up.

    The coherent means are the non-negative ones nearest to the forecast ones in units of their
    uncertainty, so that precise sums correct uncertain parts and the other way round. Errors of
    destinations correlate, so the variance of each is its spread times that of their plain sum;
    with independence their sum would seem more precise than the world.

    Args:
        mean: Series x months, in tonnes, at least 0.
        spread: Standard deviation of each mean, in tonnes.
        groups: For each series the rows that add up to it; a destination holds only itself.

    Returns:
        Factors, series x months; ones without sums.

    Examples:
        >>> groups = [np.array([0]), np.array([1]), np.array([0, 1])]
        >>> mean, spread = np.array([[60.0], [30.0], [100.0]]), np.array([[6.0], [3.0], [3.0]])
        >>> (mean * coherent_factors(mean, spread, groups)).round(1).tolist()
        [[66.0], [33.0], [99.0]]
    """
    series, months = mean.shape
    bottom = [row for row in range(series) if len(groups[row]) == 1]
    if len(bottom) == series:
        return np.ones_like(mean)
    summing = np.zeros((series, len(bottom)))
    for row, members in enumerate(groups):
        summing[row, [bottom.index(int(m)) for m in members]] = 1.0
    coherent = np.empty_like(mean)
    stdev = np.maximum(spread, 1e-6 + 1e-3 * mean)
    total_stdev = np.where(
        np.isin(np.arange(series), bottom)[:, None], stdev[bottom].sum(axis=0), stdev
    )
    for month in range(months):
        unit = 1.0 / np.sqrt(stdev[:, month] * total_stdev[:, month])
        parts, _ = nnls(summing * unit[:, None], mean[:, month] * unit)
        coherent[:, month] = summing @ parts
    return coherent / np.maximum(mean, 1e-9)
