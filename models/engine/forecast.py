"""Forecast a panel from a cutoff: quantiles of every series, by the engine and its baselines."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from models.engine.quantile_model import (
    CANDIDATES,
    QuantileModel,
    QuantilePrediction,
    Quantiles,
    Trainer,
    mean_of,
)
from models.engine.training_set import (
    NAMES,
    Extra,
    OriginFeatures,
    PanelTrainingSet,
    PanelView,
    training_set,
    validation_start,
)
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
    count = len(CANDIDATES) + spec.pretrained
    return np.full((GROUPS, 2, count), 1.0 / count)


def _scores(prediction: QuantilePrediction, middle: Floats, window: PanelTrainingSet) -> Floats:
    """Return how far outcomes were from the middle, in units of the head on that side."""
    down, up = sides(middle, prediction.low, prediction.high)
    gap = window.target - np.maximum(middle, -window.base)
    return gap / np.where(gap < 0, down, up)


CHUNK: Final = 4096
"""Series forecast at a time; bounds the memory."""

PLAIN_SIDE: Final = 1.8
"""Spreads from the middle to 10 and 90 percent a month ahead with too little to train on."""

PLAIN_GROWTH: Final = 1.0 / 3.0
"""Power of the horizon that this grows with. Both cover 80 percent on young panels of trade."""


@dataclass(frozen=True, slots=True)
class Engine:
    """Ready to forecast the months after one cutoff."""

    view: PanelView
    last: int
    """Column of the cutoff."""
    quantile_model: QuantileModel | None
    validation: ValidationResult
    known: PanelTrainingSet
    """Training rows of past origins."""
    is_pretrained: bool = False
    """Whether the pretrained network forecasts too."""

    def on(self, view: PanelView) -> "Engine":
        """Return the same trained engine, ready to forecast other series."""
        return replace(self, view=view)

    def chunks(self) -> list[Ints]:
        """Return the series with a value in the last year, some at a time."""
        rows = np.flatnonzero(self.view.stats(self.last).current)
        return [rows[at : at + CHUNK] for at in range(0, len(rows), CHUNK)]

    def forecasts(self) -> Iterator[Quantiles]:
        """Yield the forecasts of all series with a value in the last year, a chunk at a time."""
        for rows in self.chunks():
            yield self.forecast(rows)

    def forecast(self, rows: Ints) -> Quantiles:
        """Return the forecasts of some series."""
        point = self.view.at(self.last, rows)
        if self.is_pretrained:
            point = point.with_pretrained(self.view.tonnes[rows, : self.last + 1])
        prediction = self._predicted(point)
        shape = point.base.shape
        level = _level(point)
        middle = self.validation.middle(prediction.candidates.reshape(*shape, -1), level)
        low, high = prediction.low.reshape(shape), prediction.high.reshape(shape)
        bands = self.validation.bands
        distance = bands.quantiles(middle, low, high, bands.group_of(level))
        return in_tonnes(rows, point, distance)

    def _predicted(self, point: OriginFeatures) -> QuantilePrediction:
        cells = point.features.reshape(-1, point.features.shape[2])
        further = point.distance(PRETRAINED).reshape(-1) if self.is_pretrained else None
        if self.quantile_model is not None:
            return self.quantile_model.predict(cells).beside(further)
        side = PLAIN_SIDE * cells[:, NAMES.index("horizon")].astype(np.float64) ** PLAIN_GROWTH
        unmoved = np.zeros((len(cells), len(CANDIDATES)))
        return QuantilePrediction(unmoved, -side, side).beside(further)


def engine_at(
    values: Floats,
    *,
    last: int,
    horizon: int,
    first: int,
    spec: EngineSpec,
    extra: Extra | None = None,
    extra_names: tuple[str, ...] = (),
) -> Engine:
    """Return the engine trained at a cutoff on nothing later than it.

    Args:
        values: Series x months, NaN where missing; columns after ``last`` are not read.
        last: Column of the last month known.
        first: Number of the first column's month.
    """
    view = PanelView(values[:, : last + 1], first, horizon, extra)
    rows = training_series(len(values), spec)
    return train_engine(view if rows is None else view.part(rows), last, spec, extra_names).on(view)


def training_series(count: int, spec: EngineSpec) -> Ints | None:
    """Return which of some series are trained on, ascending; None for all."""
    if count <= spec.most_series:
        return None
    draw = np.random.default_rng(spec.seed)
    return np.sort(draw.choice(count, spec.most_series, replace=False))


def train_engine(
    view: PanelView,
    last: int,
    spec: EngineSpec,
    extra_names: tuple[str, ...] = (),
) -> Engine:
    """Return the engine trained on some series at a cutoff, ready to forecast those.

    Args:
        last: Column of the cutoff.
    """
    known = training_set(view, last, spec)
    before = before_validation(known, validation_start(last, view.horizon, spec))
    trainer = Trainer(known, (*NAMES, *extra_names), last, spec)
    before_window, final = trainer.quantile_models([before, np.ones(len(known), dtype=bool)])
    validation = validate(before_window, known, horizon=view.horizon, last=last, spec=spec)
    return Engine(view, last, final, validation, known, is_pretrained=bool(spec.pretrained))


def in_tonnes(rows: Ints, point: OriginFeatures, distance: Floats) -> Quantiles:
    """Return the forecasts that distances from the base mean."""
    spread = point.stats.spread[:, None, None]
    values = np.maximum(point.base[:, :, None] + distance * spread, 0.0)
    return Quantiles(rows, values, mean_of(values), point.base, point.experts)


def _level(point: OriginFeatures) -> Floats:
    stats = point.stats
    return np.divide(
        stats.level, stats.spread, out=np.zeros_like(stats.level), where=stats.spread > 0
    )


MIDDLE: Final = "experts"
"""Name of the median of the experts that the engine starts from."""

LAST_VALUE: Final = "last_value"
"""Name of the last known month said of all months ahead."""

TIE_DIGITS: Final = 9
"""Digits by which errors, in spreads, are compared at most."""

MOST_CELLS: Final = 20_000
"""Past errors that a band is read from, at most."""

PLAIN_QUANTILES: Final = np.array([-1.8, -1.28, -0.6, 0.0, 0.6, 1.28, 1.8])
"""Distances of the quantiles in spreads where no past error is known."""


def expert_quantiles(engine: Engine, own: Quantiles, name: str) -> Floats:
    """Return series x months x quantiles in tonnes: an expert with the band of its past errors.

    ``LAST_VALUE`` has the band of the seasonal naive.
    """
    band_of = "seasonal_naive" if name == LAST_VALUE else name
    return around(engine, own, name, error_quantiles(engine.known, band_of, engine.view.horizon))


def around(engine: Engine, own: Quantiles, name: str, distance: Floats) -> Floats:
    """Return an expert's forecast with a given band; as ``expert_quantiles``.

    Args:
        distance: Of the quantiles from the expert's forecast, in spreads, months x quantiles.
    """
    spread = engine.view.stats(engine.last).spread[own.rows]
    centre = _last_value(engine, own) if name == LAST_VALUE else _predicted(own, name)
    values = centre[:, :, None] + distance * spread[:, None, None]
    return np.sort(np.maximum(values, 0.0), axis=2)


def _predicted(own: Quantiles, name: str) -> Floats:
    return own.middle if name == MIDDLE else own.experts[name]


def _last_value(engine: Engine, own: Quantiles) -> Floats:
    tonnes = engine.view.tonnes[own.rows]
    back = np.isfinite(tonnes[:, ::-1]).argmax(axis=1)
    last = tonnes[np.arange(len(tonnes)), tonnes.shape[1] - 1 - back]
    return np.repeat(last[:, None], engine.view.horizon, axis=1)


def error_quantiles(known: PanelTrainingSet, name: str, horizon: int) -> Floats:
    """Return months x quantiles of an expert's past errors in spreads, zero at the median."""
    error = known.target if name == MIDDLE else known.target - known.experts[name]
    scored = np.flatnonzero(np.isfinite(error))
    scored = scored[:: max(1, len(scored) // MOST_CELLS)]
    error = error[scored]
    if not len(error):
        return np.tile(PLAIN_QUANTILES, (horizon, 1))
    # Rounded, so that equal errors stay equal whatever a processor's last bit is.
    error = np.round(error, TIE_DIGITS)
    order = np.argsort(error, kind="stable")
    ordered, months = error[order], known.horizon[scored][order]
    found = np.empty((horizon, len(QUANTILES)))
    for ahead in range(horizon):
        weight = horizon_weight(months, ahead + 1)
        found[ahead] = weighted_quantiles(ordered, weight, np.asarray(QUANTILES))
    middle = len(QUANTILES) // 2
    found[:, :middle] = np.minimum(found[:, :middle], 0.0)
    found[:, middle] = 0.0
    found[:, middle + 1 :] = np.maximum(found[:, middle + 1 :], 0.0)
    return found
