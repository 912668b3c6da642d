"""The arithmetic of a model: from the outputs of three boosters to a distribution in tonnes.

A model is three LightGBM boosters as text and one card as JSON; the rows bring what the statistical
experts say. Training, backtest and live prediction call :func:`predict_quantiles`; a stored model
runs its own copy of this file, which therefore imports no module of the project.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple, cast

import lightgbm as lgb
import numpy as np
import numpy.typing as npt
import pandas as pd

HEADS: Final = ("p10", "p50", "p90")
"""Names of the boosters; each learned that quantile of the distance from the level."""

CARD: Final = "card.json"

FILES: Final = (*(f"{name}.txt" for name in HEADS), CARD)
"""What a stored model is."""

HORIZON: Final = "horizon"
LEVEL: Final = "level_tonnes"
OFFSET: Final = "offset_tonnes"
EXPERTS_TONNES: Final = "experts_tonnes"
"""Column of the rows: the middle of the statistical experts."""

TREES_WEIGHT: Final = "trees_weight"
"""Entry of the card: what the trees' middle counts by horizon, 0 to 1; the experts' is the rest."""

HISTORY_WEIGHT: Final = "history_weight"
"""Entry of the card: what share of ``HISTORY_STDERR`` enters the bands; none without it."""

HISTORY_STDERR: Final = "recent_stderr_log"
"""Column of the rows: standard error of the log of the last months, 0 where they are published."""

UNIT: Final = "unit"
"""Entry of the card: what heads count distances from the level in, where these are no logs."""

MOVE: Final = "usual_move_tonnes"
"""Column of the rows: the usual move of a series from month to month, 0 where it never moved."""

GOODS: Final = "commodity"
"""Entry of the card: what its forecasts are published as."""

LEARNED_UNTIL: Final = "learned_until"
"""Entry of the card: when the newest figure behind it was published; no earlier moment is asked."""

NORMAL_80: Final = 2.563
"""Width of a normal's 80 percent band in standard deviations."""

NAMES: Final = ("destination", "period")
"""Columns of the rows that tell what is forecast; they may be left out."""

_SMALLEST_TONNES: Final = 1e-9
"""Keeps the logarithm of a series without trade finite."""

_Floats = npt.NDArray[np.float64]

HeadValues = tuple[_Floats, _Floats, _Floats]
"""Distances from the level, low, middle and high, one number a row each: logs, or in the card's
unit."""


class TrainedModel(NamedTuple):
    """Trained heads and their calibration."""

    heads: Mapping[str, lgb.Booster]
    card: Mapping[str, object]


def quantile_names(card: Mapping[str, object]) -> list[str]:
    """Return the names of the quantile columns, ``p05`` for 0.05, in the order of the card."""
    return [f"p{round(level * 100):02d}" for level in cast("Iterable[float]", card["quantiles"])]


def needed_columns(card: Mapping[str, object]) -> list[str]:
    """Return the columns that a row must have: features in order, what scales them, experts."""
    features = [str(name) for name in cast("Iterable[object]", card["features"])]
    return list(dict.fromkeys([*features, *_further(card)]))


def check_columns(card: Mapping[str, object], rows: pd.DataFrame) -> None:
    """Refuse rows that lack a column; arguments as for :func:`predict_quantiles`."""
    if missing := sorted(set(needed_columns(card)) - set(rows.columns)):
        shown = ", ".join([*missing[:5], *(["..."] if len(missing) > 5 else [])])  # noqa: PLR2004
        raise ValueError(
            f"{len(missing)} columns are missing from the rows to predict: {shown}. "
            f"Expected the features on the model's card and {', '.join(_further(card))}. "
            "Build the rows with the features this model was trained on, or train a new model."
        )


def predict_quantiles(
    heads: Mapping[str, lgb.Booster], card: Mapping[str, object], rows: pd.DataFrame
) -> pd.DataFrame:
    """Return the forecast distribution of each row in tonnes.

    Quantiles of a row neither cross nor fall below 0. A row's forecast does not depend on others.
    Horizons beyond those of the card are treated as the nearest one on it.

    Args:
        heads: Boosters by the names in ``HEADS``.
        card: What training measured: ``features``, ``floor_spread``, ``shift``, ``threads``,
            ``score_quantiles``, ``quantiles``, ``trees_weight``,
            ``history_weight`` (without, months count as published), ``unit`` (without, logs).
        rows: One row per forecast, with the features (NaN allowed), ``horizon`` in months,
            ``level_tonnes``, ``offset_tonnes``, ``experts_tonnes`` and, as the card asks,
            ``recent_stderr_log`` and ``usual_move_tonnes``; further columns are ignored; not
            modified.

    Returns:
        One row per input row, in its order and with its index: ``p05`` to ``p95`` and ``mean``.

    Raises:
        ValueError: A column is missing, or horizon, level, offset or what the experts say is not a
            finite number.
    """
    check_columns(card, rows)
    return quantiles_of(combined(head_values(heads, card, rows), card, rows), card, rows)


def names_of(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the columns that tell what is forecast, as far as there are any."""
    return rows[[name for name in NAMES if name in rows]]


def combined(values: HeadValues, card: Mapping[str, object], rows: pd.DataFrame) -> HeadValues:
    """Return what the trees say, moved so that its middle is that of trees and experts together.

    Raises:
        ValueError: Horizon, level, offset or what the experts say is not a finite number.
    """
    return moved_to(values, trees_weight(card, rows), experts_ratio(card, rows))


def moved_to(values: HeadValues, weight: _Floats, experts: _Floats) -> HeadValues:
    """Return heads moved so that their middle is that of trees and experts together."""
    low, middle, high = values
    # Two products, not one step: a middle that falls never rises by rounding.
    together = weight * middle + (1.0 - weight) * experts
    return low + (together - middle), together, high + (together - middle)


def trees_weight(card: Mapping[str, object], rows: pd.DataFrame) -> _Floats:
    """Return what the trees' middle counts in each row, 0 to 1; needs a finite horizon."""
    weights = _vector(card[TREES_WEIGHT])
    return weights[_places(_finite(rows, HORIZON), len(weights))]


def experts_ratio(card: Mapping[str, object], rows: pd.DataFrame) -> _Floats:
    """Return how far the experts' finite middle is from the level, as the heads count it."""
    experts, level, offset = (_finite(rows, name) for name in (EXPERTS_TONNES, LEVEL, OFFSET))
    if UNIT in card:
        move = _finite(rows, MOVE)
        return np.divide(experts - level, move, out=np.zeros(len(rows)), where=move > 0)
    answer, usual = (np.maximum(tonnes + offset, _SMALLEST_TONNES) for tonnes in (experts, level))
    return np.asarray(np.log(answer / usual))


def quantiles_of(
    values: HeadValues, card: Mapping[str, object], rows: pd.DataFrame
) -> pd.DataFrame:
    """Return the distribution in tonnes that head values mean, as :func:`predict_quantiles`.

    Card and rows are as there, rows without features. A horizon, level or offset that is not a
    finite number raises ``ValueError``.
    """
    names = quantile_names(card)
    level, offset = (_finite(rows, column) for column in (LEVEL, OFFSET))
    distances, start = _distances(values, card, rows), (level + offset)[:, np.newaxis]
    if UNIT in card:
        reached = start + distances * _finite(rows, MOVE)[:, np.newaxis]
    else:
        reached = start * np.exp(distances)
    tonnes = np.maximum(reached - offset[:, np.newaxis], 0.0)
    forecast = pd.DataFrame(tonnes, columns=names, index=rows.index)
    forecast["mean"] = mean_of_quantiles(tonnes, _vector(card["quantiles"]))
    return forecast


def mean_of_quantiles(values: _Floats, levels: _Floats) -> _Floats:
    """Return the mean of each distribution that quantiles imply, in their unit.

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


def head_values(
    heads: Mapping[str, lgb.Booster], card: Mapping[str, object], rows: pd.DataFrame
) -> HeadValues:
    """Return what the low, middle and high head say about each row."""
    features = [str(name) for name in cast("Iterable[object]", card["features"])]
    matrix = np.ascontiguousarray(rows[features].to_numpy(dtype=np.float64))
    values = predicted(heads, matrix, cast("int", card["threads"]))
    return in_order(values) if UNIT in card else values


def predicted(
    heads: Mapping[str, lgb.Booster], matrix: npt.NDArray[Any], threads: int
) -> HeadValues:
    """Return what the low, middle and high head say about rows x features."""
    if not len(matrix):  # LightGBM refuses a matrix without rows
        return np.empty(0), np.empty(0), np.empty(0)
    low, middle, high = (
        np.asarray(heads[name].predict(matrix, num_threads=threads), dtype=np.float64)
        for name in HEADS
    )
    return low, middle, high


def in_order(values: HeadValues) -> HeadValues:
    """Return head values whose low is at most, and whose high at least the middle."""
    low, middle, high = values
    return np.minimum(low, middle), middle, np.maximum(high, middle)


def _further(card: Mapping[str, object]) -> list[str]:
    scaled = {HISTORY_WEIGHT: HISTORY_STDERR, UNIT: MOVE}
    own = (name for entry, name in scaled.items() if entry in card)
    return [HORIZON, LEVEL, OFFSET, EXPERTS_TONNES, *own]


def _places(horizon: _Floats, count: int) -> npt.NDArray[np.intp]:
    return np.clip(horizon, 1, count).astype(np.intp) - 1


def _distances(values: HeadValues, card: Mapping[str, object], rows: pd.DataFrame) -> _Floats:
    """Return the quantiles as the heads count, one row per forecast, non-decreasing along a row."""
    centre, apart = spread_of(values, card, _finite(rows, HORIZON))
    if HISTORY_WEIGHT in card:
        apart = apart * _widening(apart, card, rows)[:, np.newaxis]
    return np.sort(centre[:, np.newaxis] + apart, axis=1)


def spread_of(
    values: HeadValues, card: Mapping[str, object], horizon: _Floats
) -> tuple[_Floats, _Floats]:
    """Return the middle of each row and how far its quantiles lie from it, rows x quantiles."""
    (low, middle, high), shift = values, _vector(card["shift"])
    by_name = cast("Mapping[str, object]", card["score_quantiles"])
    scores = np.column_stack([_vector(by_name[name]) for name in quantile_names(card)])
    place = _places(horizon, len(shift))
    spread = np.maximum((high - low) / 2.0, cast("float", card["floor_spread"]))
    return middle + shift[place], spread[:, np.newaxis] * scores[place]


def _widening(apart: _Floats, card: Mapping[str, object], rows: pd.DataFrame) -> _Floats:
    """Return what bands grow by as past months' standard errors enter in squares, one a row."""
    stderr = np.nan_to_num(rows[HISTORY_STDERR].to_numpy(dtype=np.float64))
    own = np.maximum((apart[:, -2] - apart[:, 1]) / NORMAL_80, cast("float", card["floor_spread"]))
    return np.asarray(np.hypot(1.0, cast("float", card[HISTORY_WEIGHT]) * stderr / own))


def parsed(texts: Mapping[str, str]) -> TrainedModel:
    """Return the model whose texts of ``FILES`` are given by name."""
    heads = {name: lgb.Booster(model_str=texts[f"{name}.txt"]) for name in HEADS}
    return TrainedModel(heads, json.loads(texts[CARD]))
