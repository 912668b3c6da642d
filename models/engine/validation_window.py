"""The validation window: the last months, forecast by a model that was not trained on them.

Its errors set the weights of the candidates and the bands: the heads' own quantiles, made wider or
narrower until past bands would have covered. Conformal, by horizon and by how calm a series is;
after a break adaptive (Gibbs and Candes 2021, Adaptive conformal inference under distribution
shift).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from models.engine.quantile_model import CANDIDATES, QuantileModel, QuantilePrediction
from models.engine.training_set import PanelTrainingSet, validation_start
from models.learning.calibration import (
    TAILS,
    combination_weights,
    default_scores,
    horizon_weight,
    is_far,
    weighted_quantiles,
    with_default,
)
from models.learning.spec import EngineSpec
from models.statistical.pretrained import NAME as PRETRAINED
from store.arrays import Flags, Floats, Ints
from store.vocabulary import QUANTILES

_DEFAULT_SCORES: Final = default_scores(41) / TAILS.ppf(0.9)
"""Scores before any band was checked: heads of 10 and 90 percent that are right, heavy tails."""

GROUPS: Final = 3
"""Groups of volatility: calm, middling and wild series."""

LEAST_SIDE: Final = 0.05
"""Least distance of a head from the middle, in spreads."""

TAIL: Final = 0.1
"""What should be left beyond one end of the 80 percent band."""

LEAST_TAIL: Final = 0.01
MOST_TAIL: Final = 0.25
"""What the tail may be set to after a break."""

_MEDIAN: Final = 0.5


@dataclass(frozen=True, slots=True)
class CalibrationCells:
    """Forecasts of the validation window whose months are known; arrays are by cell."""

    score: Floats
    """Outcome less middle, in units of the head's distance on that side."""
    horizon: Ints
    group: Ints
    origin: Ints


@dataclass(frozen=True, slots=True)
class Bands:
    """Scores of the quantiles, by group of volatility, horizon and quantile."""

    edges: Floats
    """Levels, in spreads, between the groups."""
    scores: Floats
    tail: float
    """What is left beyond one end of the 80 percent band: 0.1 unless a break moved it."""

    def group_of(self, level: Floats) -> Ints:
        """Return the group of series of some levels, in spreads."""
        return groups_of(level, self.edges)

    def quantiles(self, middle: Floats, low: Floats, high: Floats, group: Ints) -> Floats:
        """Return distances from the base of each quantile, in spreads.

        Args:
            middle: Series x months.
        """
        scores = self.scores[group]
        down, up = sides(middle, low, high)
        side = np.where(scores < 0, down[:, :, None], up[:, :, None])
        return np.sort(middle[:, :, None] + side * scores, axis=2)


def sides(middle: Floats, low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """Return the distances of the heads from the middle on either side."""
    return np.maximum(middle - low, LEAST_SIDE), np.maximum(high - middle, LEAST_SIDE)


def edges_of(level: Floats) -> Floats:
    """Return the edges that part cells into groups of one size by level in spreads."""
    if not len(level):
        return np.zeros(GROUPS - 1)
    return np.quantile(-level, np.arange(1, GROUPS) / GROUPS)


def groups_of(level: Floats, edges: Floats) -> Ints:
    """Return the group of each level in spreads: 0 the calmest, by the edges of ``edges_of``."""
    return np.digitize(-level, edges)


def bands_of(
    checked: CalibrationCells, edges: Floats, *, horizon: int, last: int, spec: EngineSpec
) -> Bands:
    """Return the scores of each quantile that past bands ask for.

    Args:
        checked: The validation window; may be empty.
        last: Column of the last month known.
        spec: How soon the past is forgotten and how much the default counts.
    """
    tail = _adapted(checked, spec)
    levels = _widened(tail)
    recency = 0.5 ** ((last - checked.origin) / spec.band_half_life)
    growth = spec.band_growth / spec.validation_length(horizon) if len(checked.score) else 0.0
    scores = np.empty((GROUPS, horizon, len(QUANTILES)))
    for group in range(GROUPS):
        kin = recency * np.where(checked.group == group, 1.0, spec.other_groups)
        for ahead in range(horizon):
            weight = kin * horizon_weight(checked.horizon, ahead + 1)
            scores[group, ahead] = (1.0 + growth * (ahead + 1)) * _quantiles(
                checked.score, weight, levels, spec
            )
    return Bands(edges, scores, tail)


def _quantiles(score: Floats, weight: Floats, levels: Floats, spec: EngineSpec) -> Floats:
    """Return quantiles of observed and default scores, of one size on either side, 0 at the median.

    The heads know which side is the longer; in one window most series err to the side of the last
    shock, which tells little about the side of the next.
    """
    sizes = with_default(np.abs(score), weight, np.abs(_DEFAULT_SCORES), spec.band_prior)
    found = weighted_quantiles(*sizes, np.abs(2.0 * levels - 1.0))
    return np.sign(levels - _MEDIAN) * found


def _adapted(checked: CalibrationCells, spec: EngineSpec) -> float:
    """Return the tail that the misses of the window, origin by origin, lead to."""
    tail = TAIL
    missed = np.abs(checked.score) > _usual(checked)
    for origin in np.unique(checked.origin):
        share = float(missed[checked.origin == origin].mean()) / 2.0
        tail = float(np.clip(tail + spec.adaption * (TAIL - share), LEAST_TAIL, MOST_TAIL))
    return tail


def _usual(checked: CalibrationCells) -> float:
    """Return the score that four of five cells of the window stayed within."""
    return float(np.quantile(np.abs(checked.score), 1 - 2 * TAIL)) if len(checked.score) else 1.0


def _widened(tail: float) -> Floats:
    """Return the levels to read for each quantile so that ``tail`` is read for 10 percent."""
    levels = np.asarray(QUANTILES)
    outer = np.minimum(np.minimum(levels, 1.0 - levels) * (tail / TAIL), _MEDIAN)
    low = np.where(levels == _MEDIAN, _MEDIAN, outer)
    return np.where(levels <= _MEDIAN, low, 1.0 - low)


@dataclass(frozen=True, slots=True)
class ValidationResult:
    """Weights and bands from the validation window."""

    weights: Floats
    """Groups x (near, far) x candidates; each adds up to one."""
    bands: Bands

    def middle(self, candidates: Floats, level: Floats) -> Floats:
        """Return the weighted middle of series x months.

        Args:
            candidates: Series x months x candidates, distances from the base in spreads.
            level: Of each series, in spreads.
        """
        group = self.bands.group_of(level)
        far = is_far(np.arange(1, candidates.shape[1] + 1))
        middle: Floats = (candidates * self.weights[group][:, far]).sum(axis=2)
        return middle


def before_validation(known: PanelTrainingSet, start: int) -> Flags:
    """Tell which training rows were known when the validation window began."""
    return known.origin + known.horizon <= start


def validate(
    quantile_model: QuantileModel | None,
    known: PanelTrainingSet,
    *,
    horizon: int,
    last: int,
    spec: EngineSpec,
) -> ValidationResult:
    """Return weights and bands from the months before the column ``last``.

    Args:
        quantile_model: Fitted to the cells of ``before_validation``.
        known: All training rows.
        last: Column of the last month known.
    """
    edges = edges_of(known.level)
    window = known.part(known.origin >= validation_start(last, horizon, spec))
    if quantile_model is None or not len(window):
        empty = CalibrationCells(*(np.empty(0, dtype) for dtype in (float, int, int, int)))
        bands = bands_of(empty, edges, horizon=horizon, last=last, spec=spec)
        return ValidationResult(_equal(spec), bands)
    prediction = quantile_model.predict(window.features).beside(window.experts.get(PRETRAINED))
    group = groups_of(window.level, edges)
    weights = _weights(prediction, window, group, spec)
    middle = (prediction.candidates * weights[group, is_far(window.horizon)]).sum(axis=1)
    checked = CalibrationCells(
        _scores(prediction, middle, window), window.horizon, group, window.origin
    )
    return ValidationResult(
        weights, bands_of(checked, edges, horizon=horizon, last=last, spec=spec)
    )


def _weights(
    prediction: QuantilePrediction, window: PanelTrainingSet, group: Ints, spec: EngineSpec
) -> Floats:
    """Return weights by the errors of each group; equal ones for a group without enough."""
    floor = -window.base[:, None]
    error = np.abs(np.maximum(prediction.candidates, floor) - window.target[:, None])
    error *= window.weight[:, None]
    weights = _equal(spec)
    for each in range(GROUPS):
        own = group == each
        weights[each] = combination_weights(
            error[own], window.horizon[own], trust=spec.trust, prior=weights[each, 0]
        )
    return weights


def _equal(spec: EngineSpec) -> Floats:
    """Return equal weights of all candidates, groups x (near, far) x candidates."""
    count = len(CANDIDATES) + spec.pretrained
    return np.full((GROUPS, 2, count), 1.0 / count)


def _scores(prediction: QuantilePrediction, middle: Floats, window: PanelTrainingSet) -> Floats:
    """Return how far outcomes were from the middle, in units of the head on that side."""
    down, up = sides(middle, prediction.low, prediction.high)
    gap = window.target - np.maximum(middle, -window.base)
    return gap / np.where(gap < 0, down, up)
