"""The arithmetic of a model: from the outputs of three boosters to a distribution in tonnes.

A model is three LightGBM boosters as text and its metadata as JSON; the rows bring the base
forecasts. Training, backtest and live prediction call :func:`predict_quantiles`; a stored model
runs its own copy of this file, which therefore imports no module of the project.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple, cast

import lightgbm as lgb
import numpy as np
import numpy.typing as npt
import pandas as pd

BOOSTERS: Final = ("p10", "p50", "p90")
"""Names of the boosters; each learned that quantile of the distance from the level."""

METADATA: Final = "metadata.json"

FILES: Final = (*(f"{name}.txt" for name in BOOSTERS), METADATA)
"""Files of a stored model."""

HORIZON: Final = "horizon"
LEVEL: Final = "level_tonnes"
OFFSET: Final = "offset_tonnes"
BASE_TONNES: Final = "experts_tonnes"
"""Column of the rows: the base forecasts together, in tonnes."""

ENSEMBLE_WEIGHT: Final = "ensemble_weight"
"""Key of the metadata: weight of the boosters' median by horizon, 0 to 1; the base forecasts have
the rest."""

BIAS_CORRECTION: Final = "bias_correction"
"""Key of the metadata: distance added to the median, by horizon."""

HISTORY_WEIGHT: Final = "history_weight"
"""Key of the metadata: share of ``HISTORY_STDERR`` that widens the bands; none without it."""

HISTORY_STDERR: Final = "recent_stderr_log"
"""Column of the rows: standard error of the log of the last months, 0 where they are published."""

UNIT: Final = "unit"
"""Key of the metadata: unit of distances from the level, where they are no logs."""

SIDES: Final = "sides"
"""Key of the metadata: log ratio of the spreads above and below the median of which half is kept;
without it one spread, half the distance of the outer quantiles, serves both sides."""

SPREAD: Final = "usual_move_tonnes"
"""Column of the rows: spread of a series, 0 where it never changed."""

SPREAD_LOG: Final = "spread_log"
"""Feature of panels: log of a series' usual monthly change, as a share of its level."""

CALM: Final = "calm"
"""Key of the metadata: power of that share by which bands narrow, and its log where they stay."""

CALMER: Final = {CALM: (0.05, -2.0)}
"""Calm series err more, volatile ones less, than past changes say (benchmarks/history.md)."""

RETURNS: Final = "returns"
"""Key of the metadata: forecasts of series that stopped, as shares of ``STOPPED_FROM``, by least
months of zeros, month ahead and quantile."""

STOPPED_MONTHS: Final = "stopped_months"
"""Column of the rows: months of zeros since a series stopped, 0 if it did not."""

STOPPED_FROM: Final = "stopped_from_tonnes"
"""Column of the rows: mean of the year before it stopped."""

SKEWED: Final = "skewed"
"""Key of the metadata: ratios of median to mean up to which the mean is that of the last years, and
from which it is that of the quantiles; between them it is a mixture."""

SKEWNESS: Final = {SKEWED: (0.6, 0.9)}
"""Between the skewed and intermittent series and the calm ones of benchmarks/history.md."""

RECENT_MEAN: Final = "mean_36m_tonnes"
"""Column of the rows: mean of the last three years."""

PUBLISHED_AS: Final = "commodity"
"""Key of the metadata: code under which its forecasts are published."""

LEARNED_UNTIL: Final = "learned_until"
"""Key of the metadata: when the newest figure behind it was published; no earlier moment is
forecast."""

NORMAL_80: Final = 2.563
"""Width of a normal's 80 percent band in standard deviations."""

NAMES: Final = ("destination", "period")
"""Columns of the rows that name a forecast; they may be left out."""

_SMALLEST_TONNES: Final = 1e-9
"""Keeps the logarithm of a series without trade finite."""

_Floats = npt.NDArray[np.float64]

Distances = tuple[_Floats, _Floats, _Floats]
"""Distances from the level, low, median and high, one number a row each: logs, or in the unit of
the metadata."""


class TrainedModel(NamedTuple):
    """Trained boosters and their calibration."""

    boosters: Mapping[str, lgb.Booster]
    metadata: Mapping[str, object]


def quantile_names(metadata: Mapping[str, object]) -> list[str]:
    """Names of the quantile columns, ``p05`` for 0.05, in the order of the metadata."""
    levels = cast("Iterable[float]", metadata["quantiles"])
    return [f"p{round(level * 100):02d}" for level in levels]


def feature_names(metadata: Mapping[str, object]) -> list[str]:
    """Names of the features of a model, in the order of its boosters."""
    return [str(name) for name in cast("Iterable[object]", metadata.get("features", ()))]


def needed_columns(metadata: Mapping[str, object]) -> list[str]:
    """Columns that a row must have: features in order, scales and base forecasts."""
    return list(dict.fromkeys([*feature_names(metadata), *_scale_columns(metadata)]))


def check_columns(metadata: Mapping[str, object], rows: pd.DataFrame) -> None:
    """Refuse rows that lack a column; arguments as for :func:`predict_quantiles`."""
    if missing := sorted(set(needed_columns(metadata)) - set(rows.columns)):
        shown = ", ".join([*missing[:5], *(["..."] if len(missing) > 5 else [])])  # noqa: PLR2004
        raise ValueError(
            f"{len(missing)} columns are missing from the rows to predict: {shown}. Expected the "
            f"features in the model's metadata and {', '.join(_scale_columns(metadata))}. "
            "Build the rows with the features this model was trained on, or train a new model."
        )


def predict_quantiles(
    boosters: Mapping[str, lgb.Booster], metadata: Mapping[str, object], rows: pd.DataFrame
) -> pd.DataFrame:
    """Forecast distribution of each row in tonnes.

    Quantiles of a row neither cross nor fall below 0. A row's forecast does not depend on others.
    Horizons beyond those of the metadata take the values of the nearest one in it.

    Args:
        boosters: By the names in ``BOOSTERS``.
        metadata: Calibration from training: ``features``, ``floor_spread``, ``bias_correction``,
            ``threads``, ``score_quantiles``, ``quantiles``, ``ensemble_weight``, ``history_weight``
            (without, months count as published), ``unit`` (without, logs), ``sides``, ``calm``,
            ``skewed``.
        rows: One row per forecast, with the features (NaN allowed), ``horizon`` in months,
            ``level_tonnes``, ``offset_tonnes``, ``experts_tonnes`` and, as the metadata require,
            ``recent_stderr_log`` and ``usual_move_tonnes``; further columns are ignored; not
            modified.

    Returns:
        One row per input row, in its order and with its index: ``p05`` to ``p95`` and ``mean``.

    Raises:
        ValueError: A column is missing, or horizon, level, offset or the base forecast is not a
            finite number.
    """
    check_columns(metadata, rows)
    distances = booster_distances(boosters, metadata, rows)
    return quantiles_of(combined(distances, metadata, rows), metadata, rows)


def names_of(rows: pd.DataFrame) -> pd.DataFrame:
    """Columns that name a forecast, if there are any."""
    return rows[[name for name in NAMES if name in rows]]


def combined(distances: Distances, metadata: Mapping[str, object], rows: pd.DataFrame) -> Distances:
    """Distances of the boosters, centred on the weighted mean of boosters and base forecasts.

    Raises:
        ValueError: Horizon, level, offset or the base forecast is not a finite number.
    """
    return recentred(distances, ensemble_weight(metadata, rows), base_distance(metadata, rows))


def recentred(distances: Distances, weight: _Floats, base: _Floats) -> Distances:
    """Distances centred on the weighted mean of their median and that of the base forecasts."""
    low, median, high = distances
    # Two products, not one step: a median that falls never rises by rounding.
    centre = weight * median + (1.0 - weight) * base
    return low + (centre - median), centre, high + (centre - median)


def ensemble_weight(metadata: Mapping[str, object], rows: pd.DataFrame) -> _Floats:
    """Weight of the boosters' median in each row, 0 to 1; needs a finite horizon."""
    weights = _vector(metadata[ENSEMBLE_WEIGHT])
    return weights[_places(_finite(rows, HORIZON), len(weights))]


def base_distance(metadata: Mapping[str, object], rows: pd.DataFrame) -> _Floats:
    """Distance of the base forecasts' finite median from the level, in the model's unit."""
    base, level, offset = (_finite(rows, name) for name in (BASE_TONNES, LEVEL, OFFSET))
    if UNIT in metadata:
        scale = _finite(rows, SPREAD)
        return np.divide(base - level, scale, out=np.zeros(len(rows)), where=scale > 0)
    shifted_base, shifted_level = (
        np.maximum(tonnes + offset, _SMALLEST_TONNES) for tonnes in (base, level)
    )
    return np.asarray(np.log(shifted_base / shifted_level))


def quantiles_of(
    distances: Distances, metadata: Mapping[str, object], rows: pd.DataFrame
) -> pd.DataFrame:
    """Distribution in tonnes at some distances from the level, as :func:`predict_quantiles`.

    Metadata and rows are as there, rows without features. A horizon, level or offset that is not a
    finite number raises ``ValueError``.
    """
    names = quantile_names(metadata)
    level, offset = (_finite(rows, column) for column in (LEVEL, OFFSET))
    quantiles, start = _quantile_distances(distances, metadata, rows), level + offset
    if UNIT in metadata:
        shifted = start[:, np.newaxis] + quantiles * _finite(rows, SPREAD)[:, np.newaxis]
    else:
        shifted = start[:, np.newaxis] * np.exp(quantiles)
    tonnes = np.maximum(shifted - offset[:, np.newaxis], 0.0)
    if RETURNS in metadata:
        tonnes = _with_returns(tonnes, metadata, rows)
    forecast = pd.DataFrame(tonnes, columns=names, index=rows.index)
    forecast["mean"] = mean_of_quantiles(tonnes, _vector(metadata["quantiles"]))
    if SKEWED in metadata:
        forecast["mean"] = _mean_of_skewed(forecast, metadata, rows)
    return forecast


def _mean_of_skewed(
    forecast: pd.DataFrame, metadata: Mapping[str, object], rows: pd.DataFrame
) -> _Floats:
    """Means that add up over series: of skewed and intermittent ones that of the last years.

    Seven quantiles say too little of where such a mean lies, far out in a tail. A series that
    stopped keeps the mean of its returns. None lies below its lowest quantile.
    """
    low, high = _vector(metadata[SKEWED])
    mean, recent = forecast["mean"].to_numpy(), _finite(rows, RECENT_MEAN)
    ratio = np.divide(forecast["p50"], mean, out=np.ones(len(rows)), where=mean > 0)
    calm = np.clip((ratio - low) / (high - low), 0.0, 1.0)
    calm = np.where(rows[STOPPED_MONTHS] > 0, 1.0, calm)
    lowest = forecast[quantile_names(metadata)[0]].to_numpy()
    return np.asarray(np.maximum(calm * mean + (1.0 - calm) * recent, lowest))


def _with_returns(tonnes: _Floats, metadata: Mapping[str, object], rows: pd.DataFrame) -> _Floats:
    """Quantiles whose rows of stopped series stay at zero, but for returns."""
    by_length = cast("Mapping[str, object]", metadata[RETURNS])
    shares, months = _vector([*by_length.values()]), rows[STOPPED_MONTHS].to_numpy()
    length = np.searchsorted([int(least) for least in by_length], months, side="right")
    share = shares[np.maximum(length - 1, 0), _places(_finite(rows, HORIZON), shares.shape[1])]
    from_tonnes = rows[STOPPED_FROM].to_numpy(dtype=np.float64)
    return np.where(length[:, None] > 0, share * from_tonnes[:, None], tonnes)


def mean_of_quantiles(values: _Floats, levels: _Floats) -> _Floats:
    """Mean of each distribution that quantiles imply, in their unit.

    The quantile function is taken as linear between the levels and flat beyond the outer two, and
    integrated exactly.

    Args:
        values: Distributions x levels, non-decreasing along a row.
        levels: Probabilities, increasing, within 0 and 1.
    """
    edges = np.concatenate(([0.0], (levels[1:] + levels[:-1]) / 2.0, [1.0]))
    mean = np.zeros(len(values))
    # Column by column: a matrix product may round a row differently in a larger batch.
    for column, weight in enumerate(np.diff(edges)):
        mean += weight * values[:, column]
    return mean


def _vector(values: object) -> _Floats:
    return np.asarray(values, dtype=np.float64)


def _finite(rows: pd.DataFrame, column: str) -> _Floats:
    values = rows[column].to_numpy(dtype=np.float64)
    if bad := int((~np.isfinite(values)).sum()):
        raise ValueError(
            f"{bad} of {len(values)} rows to predict have no finite {column}. "
            "Expected a number in each row: only features may be missing. "
            "Leave out destinations without a recent level."
        )
    return values


def booster_distances(
    boosters: Mapping[str, lgb.Booster], metadata: Mapping[str, object], rows: pd.DataFrame
) -> Distances:
    """Outputs of the boosters for each row."""
    matrix = np.ascontiguousarray(rows[feature_names(metadata)].to_numpy(dtype=np.float64))
    distances = predicted(boosters, matrix, cast("int", metadata["threads"]))
    if UNIT in metadata:
        distances = in_order(distances)
    if CALM in metadata:
        distances = widened(distances, rows[SPREAD_LOG].to_numpy(dtype=np.float64), metadata)
    return distances


def predicted(
    boosters: Mapping[str, lgb.Booster], matrix: npt.NDArray[Any], threads: int
) -> Distances:
    """Outputs of the boosters for a matrix of rows x features."""
    if not len(matrix):  # LightGBM refuses a matrix without rows
        return np.empty(0), np.empty(0), np.empty(0)
    low, median, high = (
        np.asarray(boosters[name].predict(matrix, num_threads=threads), dtype=np.float64)
        for name in BOOSTERS
    )
    return low, median, high


def in_order(distances: Distances) -> Distances:
    """Distances whose low is at most, and whose high at least the median."""
    low, median, high = distances
    return np.minimum(low, median), median, np.maximum(high, median)


def widened(distances: Distances, spread_log: _Floats, metadata: Mapping[str, Any]) -> Distances:
    """Distances whose low and high lie further from the median, the calmer their series is."""
    (low, median, high), (power, usual) = distances, metadata[CALM]
    wider = np.exp(power * (usual - np.nan_to_num(spread_log)))
    return median - wider * (median - low), median, median + wider * (high - median)


def _scale_columns(metadata: Mapping[str, object]) -> list[str]:
    optional = {
        HISTORY_WEIGHT: [HISTORY_STDERR],
        UNIT: [SPREAD],
        RETURNS: [STOPPED_MONTHS, STOPPED_FROM],
        SKEWED: [RECENT_MEAN, STOPPED_MONTHS],
    }
    needed = [column for key, some in optional.items() if key in metadata for column in some]
    return [HORIZON, LEVEL, OFFSET, BASE_TONNES, *needed]


def _places(horizon: _Floats, count: int) -> npt.NDArray[np.intp]:
    return np.clip(horizon, 1, count).astype(np.intp) - 1


def _quantile_distances(
    distances: Distances, metadata: Mapping[str, object], rows: pd.DataFrame
) -> _Floats:
    """Distances of the quantiles from the level, rows x quantiles, non-decreasing along a row."""
    centre, apart = spread_of(distances, metadata, _finite(rows, HORIZON))
    if HISTORY_WEIGHT in metadata:
        apart = apart * _widening(apart, metadata, rows)[:, np.newaxis]
    return np.sort(centre[:, np.newaxis] + apart, axis=1)


def spread_of(
    distances: Distances, metadata: Mapping[str, object], horizon: _Floats
) -> tuple[_Floats, _Floats]:
    """Median of each row, and distances of its quantiles from it, rows x quantiles."""
    (low, median, high), bias_correction = distances, _vector(metadata[BIAS_CORRECTION])
    by_name = cast("Mapping[str, object]", metadata["score_quantiles"])
    scores = np.column_stack([_vector(by_name[name]) for name in quantile_names(metadata)])
    place, floor = _places(horizon, len(bias_correction)), cast("float", metadata["floor_spread"])
    below = above = np.maximum((high - low) / 2.0, floor)
    if SIDES in metadata:
        below, above = sides(distances, floor, cast("float", metadata[SIDES]))
    spread = np.where(scores[place] < 0, below[:, np.newaxis], above[:, np.newaxis])
    return median + bias_correction[place], spread * scores[place]


def sides(distances: Distances, floor: float, half_kept: float) -> tuple[_Floats, _Floats]:
    """Spreads below and above the median, whose log ratio is shrunk: the more, the smaller it is.

    Sides that differ little do so by the last shocks, sides that differ much by the series.
    """
    low, median, high = distances
    below, above = np.maximum(median - low, floor), np.maximum(high - median, floor)
    ratio = np.log(above / below)
    share = 1.0 / (1.0 + np.exp(-(ratio**3) / (ratio**2 + half_kept**2)))
    return (below + above) * (1.0 - share), (below + above) * share


def _widening(apart: _Floats, metadata: Mapping[str, object], rows: pd.DataFrame) -> _Floats:
    """Factor by which the standard errors of past months widen the bands, one a row.

    Both enter in squares.
    """
    stderr = np.nan_to_num(rows[HISTORY_STDERR].to_numpy(dtype=np.float64))
    floor = cast("float", metadata["floor_spread"])
    deviation = np.maximum((apart[:, -2] - apart[:, 1]) / NORMAL_80, floor)
    weight = cast("float", metadata[HISTORY_WEIGHT])
    return np.asarray(np.hypot(1.0, weight * stderr / deviation))


def parsed(texts: Mapping[str, str]) -> TrainedModel:
    """Model of the texts of ``FILES``, by name."""
    boosters = {name: lgb.Booster(model_str=texts[f"{name}.txt"]) for name in BOOSTERS}
    return TrainedModel(boosters, json.loads(texts[METADATA]))
