"""Training rows: statistics of series at past origins and the outcomes known by now."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import repeat
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.learning.calibration import TrainingRows
from models.learning.spec import Spec
from models.statistical.experts import EXPERTS, IN_MEDIAN
from models.statistical.pretrained import NAME as PRETRAINED
from models.statistical.pretrained import medians
from models.statistical.seasonality import (
    BLOCK,
    LEAST_YEARS,
    carried,
    common_profile,
    measured_profiles,
    season_profiles,
    seasonal_scale,
    steadied_profiles,
)
from store.arrays import Flags, Floats, Ints, join, take
from store.months import YEAR

CEILING: Final = 50.0
"""Times its highest month that an expert may say of a series, at most. A fast trend goes astray
where a series explodes; on panels of trade no expert forecasts more than 36."""

_LAGS: Final = (1, 2, 3, 4)
"""Months back; half a year and a year are looked at too."""

_MEANS: Final = ((0.25, 0), (0.5, 0), (2, 0), (0.25, 1))
"""Years of a mean, and how many years before the origin it ends."""

_QUARTER: Final = YEAR // 4

SPREAD_YEARS: Final = 2
"""Years whose moves make the spread; those of a year ago count half."""

MOVE_TO_SPREAD: Final = 0.8
"""Spread as a share of the mean absolute move."""

LEAST_SPREAD: Final = 0.003
"""Spread of the calmest series, as a share of its level."""

UNSEEN_SPREAD: Final = 0.3
"""Spread of a series that was never seen to move or stay, as a share of its level."""

LEAST_LEVEL: Final = 0.1
"""Level of a series that has all but ended, as a share of its mean."""

LEAST_RATIO: Final = 1e-6
"""Added to ratios before logs are taken."""


@dataclass(frozen=True, slots=True)
class SeriesStats:
    """Size and temper of series at an origin; one number a series unless forecasts."""

    season: Floats
    """Series x months of the year, by place in the table's columns modulo 12."""
    level: Floats
    spread: Floats
    """Usual move from month to month; 0 where all are zero."""
    scale: Floats
    """Mean absolute difference to the year before: what errors are scored in; NaN unknown."""
    momentum: Floats
    """Last quarter to the year before, in spreads; NaN unknown."""
    known: Ints
    """Months with a value."""
    current: Flags
    """Whether there is one in the last year."""


@dataclass(frozen=True, slots=True)
class PanelStats:
    """What all series of a panel say together at one origin."""

    profile: Floats
    """Season, by month of the year."""
    momentum: float
    """What the middle series does, in spreads."""


@dataclass(frozen=True, slots=True)
class OriginFeatures:
    """Statistics of an origin; arrays are by series, then month to forecast."""

    base: Floats
    experts: dict[str, Floats]
    stats: SeriesStats
    features: NDArray[np.float32]
    """Series x months x ``NAMES``, then covariates."""

    def distance(self, name: str) -> Floats:
        """Return how far an expert is from the base, in spreads; 0 where there is no spread."""
        return _ratio(self.experts[name] - self.base, self.stats.spread[:, None])

    def with_pretrained(self, values: Floats | None) -> "OriginFeatures":
        """Return the same with the pretrained network among the experts; features stay.

        Args:
            values: Series x months up to the origin; series that are too short for the network get
                the base. None does not ask it: it is NaN.
        """
        if values is None:
            found = np.full_like(self.base, np.nan)
        else:
            found = medians(values, self.base.shape[1])
            found = np.clip(np.where(np.isfinite(found), found, self.base), 0.0, _ceiling(values))
        return replace(self, experts={**self.experts, PRETRAINED: found})


NAMES: Final = (
    "horizon", "month",
    *(f"{name}_distance" for name in EXPERTS),
    "experts_apart",
    *(f"lag_{lag}" for lag in _LAGS), "lag_half_year", "lag_year",
    *(f"mean_{years:g}_years_before_{ago}" for years, ago in _MEANS),
    "momentum", "panel_momentum",
    "spread_log", "scale_log", "spread_to_scale_log",
    "zero_share", "known_months", "season_here", "season_strength",
)  # fmt: skip
"""Features: distances from the base in spreads, logs of ratios, shares and counts."""


def series_stats(values: Floats, profile: Floats | None = None) -> SeriesStats:
    """Return size and temper of series; draws their season towards the panel's.

    Args:
        values: Series x months up to the origin, NaN where missing; not modified.
        profile: The panel's season, by ``seasonality.panel_profile``, where these are some of its
            series; None where they are all.
    """
    if profile is None or values.shape[1] < LEAST_YEARS * YEAR:
        season = season_profiles(values)
    else:
        season = steadied_profiles(measured_profiles(values), profile)
    places = range(0, max(len(values), 1), BLOCK)
    return join([_measured(values[at : at + BLOCK], season[at : at + BLOCK]) for at in places])


def panel_momentum(momentum: Floats) -> float:
    """Return what the middle series of a panel does, given what each does, in spreads."""
    known = momentum[np.isfinite(momentum)]
    return float(np.median(known)) if known.size else 0.0


def origin_features(
    values: Floats, own: SeriesStats, *, horizon: int, first: int, momentum: float
) -> OriginFeatures:
    """Return what is known of some series at an origin.

    Args:
        values: Series x months up to the origin, NaN where missing; not modified.
        first: Number of the first column's month.
    """
    ceiling = _ceiling(values)
    forecasts = {
        name: np.fmin(expert.ahead(values, own.season, horizon), ceiling)
        for name, expert in EXPERTS.items()
    }
    base = np.median(np.stack([forecasts[name] for name in IN_MEDIAN]), axis=0)
    values_of = _features(values, own, base, forecasts, first)
    values_of["panel_momentum"] = np.full((1, 1), momentum)
    features = np.empty((*base.shape, len(NAMES)), dtype=np.float32)
    for place, name in enumerate(NAMES):
        features[:, :, place] = values_of[name]
    return OriginFeatures(base, forecasts, own, features)


def _ceiling(values: Floats) -> Floats:
    """Return the most that an expert may say of each series, as a column."""
    highest: Floats = np.where(np.isfinite(values), values, 0.0).max(axis=1)
    return CEILING * highest[:, None]


def _measured(values: Floats, season: Floats) -> SeriesStats:
    known = np.isfinite(values)
    level = np.fmax(_mean(values[:, -YEAR:]), LEAST_LEVEL * _mean(values))
    level = np.where(np.isfinite(level), level, 0.0)
    flat = values / season[:, np.arange(values.shape[1]) % YEAR]
    usual = _usual_move(flat)
    spread = np.fmax(MOVE_TO_SPREAD * usual, LEAST_SPREAD * level)
    spread = np.where(np.isfinite(usual), spread, UNSEEN_SPREAD * level)
    momentum = np.full(len(values), np.nan)
    if values.shape[1] >= _QUARTER + YEAR:
        before = _mean(flat[:, -_QUARTER - YEAR : -_QUARTER])
        momentum = _ratio(_mean(flat[:, -_QUARTER:]) - before, spread)
    current = np.asarray(known[:, -YEAR:].any(axis=1))
    scale = seasonal_scale(values)
    return SeriesStats(season, level, spread, scale, momentum, known.sum(axis=1), current)


def _usual_move(flat: Floats) -> Floats:
    """Return the mean absolute move of late, over gaps where no two months meet, or NaN."""
    usual = _mean_of_late(np.abs(np.diff(flat[:, -SPREAD_YEARS * YEAR - 1 :], axis=1)))
    apart = np.isnan(usual)
    if apart.any():
        lone = flat[apart]
        steps = np.abs(np.diff(carried(lone.T).T, axis=1))
        usual[apart] = _mean_of_late(np.where(np.isfinite(lone[:, 1:]), steps, np.nan))
    return usual


def _mean_of_late(moves: Floats) -> Floats:
    late = moves[:, -SPREAD_YEARS * YEAR :]
    return _mean(late, 0.5 ** (np.arange(late.shape[1])[::-1] / YEAR))


def _features(
    values: Floats, own: SeriesStats, base: Floats, forecasts: dict[str, Floats], first: int
) -> dict[str, Floats]:
    """Return the features but the panel's, each broadcastable to series x months."""
    months, horizon = values.shape[1], base.shape[1]
    ahead = months + np.arange(horizon)
    here = own.season[:, ahead % YEAR]
    flat = values / own.season[:, np.arange(months) % YEAR]
    flat_base = (base / here).mean(axis=1)
    spread = own.spread[:, None]
    found = {
        "horizon": np.arange(1.0, horizon + 1)[None, :],
        "month": ((first + ahead) % YEAR)[None, :].astype(np.float64),
        "experts_apart": _ratio(np.std(list(forecasts.values()), axis=0), spread),
        "season_here": here - 1.0,
        "season_strength": own.season.std(axis=1)[:, None],
        "momentum": own.momentum[:, None],
        "known_months": own.known[:, None].astype(np.float64),
        "zero_share": _mean((values[:, -SPREAD_YEARS * YEAR :] <= 0).astype(np.float64))[:, None],
        "spread_log": _log_ratio(own.spread, own.level),
        "scale_log": _log_ratio(own.scale, own.level),
        "spread_to_scale_log": _log_ratio(own.spread, own.scale),
    }
    found |= {f"{name}_distance": _ratio(one - base, spread) for name, one in forecasts.items()}
    lags = {f"lag_{lag}": lag for lag in _LAGS} | {"lag_half_year": YEAR // 2, "lag_year": YEAR}
    for name, lag in lags.items():
        value = flat[:, -lag] if lag <= months else np.full(len(flat), np.nan)
        found[name] = _ratio(value - flat_base, own.spread)[:, None]
    for years, ago in _MEANS:
        end = max(months - ago * YEAR, 0)
        window = flat[:, max(end - int(years * YEAR), 0) : end]
        found[f"mean_{years:g}_years_before_{ago}"] = _ratio(_mean(window) - flat_base, own.spread)[
            :, None
        ]
    return found


def _mean(window: Floats, weight: Floats | None = None) -> Floats:
    counts = np.isfinite(window) * (1.0 if weight is None else weight)
    total = (np.nan_to_num(window) * counts).sum(axis=1)
    count = counts.sum(axis=1)
    mean: Floats = np.divide(total, count, out=np.full(len(window), np.nan), where=count > 0)
    return mean


def _ratio(value: Floats, unit: Floats) -> Floats:
    value, unit = np.broadcast_arrays(value, unit)
    return np.divide(value, unit, out=np.zeros(value.shape), where=unit > 0)


def _log_ratio(value: Floats, unit: Floats) -> Floats:
    share = np.divide(value, unit, out=np.full(len(value), np.nan), where=unit > 0)
    logs: Floats = np.log(share + LEAST_RATIO)[:, None]
    return logs


LEAST_SCALE: Final = 0.3
"""Scale of the errors of a series, in spreads, below which it gains no further weight."""

Extra = Callable[[int, Ints | slice], NDArray[np.float32]]
"""Further features of some series at an origin, a column of the table: series x months x extras."""


@dataclass(frozen=True, slots=True)
class PanelView:
    """A panel as the engine sees it: at each origin the columns up to it, nothing else."""

    tonnes: Floats
    """Series x months, NaN where missing."""
    first: int
    """Number of the first column's month."""
    horizon: int
    extra: Extra | None = None
    common: Mapping[int, PanelStats] = field(default_factory=dict)
    """By origin, where these are some series of a panel; else all series tell it together."""
    _stats: dict[int, SeriesStats] = field(default_factory=dict, init=False, repr=False)

    def part(self, rows: Ints) -> "PanelView":
        """Return the view of some of the series."""
        extra = self.extra
        own = None if extra is None else lambda origin, some: extra(origin, rows[some])
        return PanelView(self.tonnes[rows], self.first, self.horizon, own)

    def stats(self, origin: int) -> SeriesStats:
        """Return the statistics of all series at an origin; made once."""
        if origin not in self._stats:
            common = self.common.get(origin)
            profile = None if common is None else common.profile
            self._stats[origin] = series_stats(self.tonnes[:, : origin + 1], profile)
        return self._stats[origin]

    def common_at(self, origin: int) -> PanelStats:
        """Return what all series say together at an origin."""
        if origin in self.common:
            return self.common[origin]
        momentum = panel_momentum(self.stats(origin).momentum)
        return PanelStats(common_profile(self.tonnes[:, : origin + 1]), momentum)

    def at(self, origin: int, rows: Ints | slice) -> OriginFeatures:
        """Return the features of some series at an origin.

        Args:
            origin: Column of the last month known.
        """
        whole, common = self.stats(origin), self.common.get(origin)
        found = origin_features(
            np.ascontiguousarray(self.tonnes[rows, : origin + 1]),
            take(whole, rows),
            horizon=self.horizon,
            first=self.first,
            momentum=panel_momentum(whole.momentum) if common is None else common.momentum,
        )
        if self.extra is None:
            return found
        further = self.extra(origin, rows)  # noqa: S610 - not Django
        return replace(found, features=np.concatenate([found.features, further], axis=2))

    def after(self, origin: int, rows: Ints | slice, last: int) -> Floats:
        """Return the months after an origin, as far as they are known at column ``last``."""
        known = self.tonnes[rows, origin + 1 : min(origin + self.horizon, last) + 1]
        found = np.full((len(known), self.horizon), np.nan)
        found[:, : known.shape[1]] = known
        return found


@dataclass(frozen=True, slots=True)
class PanelTrainingSet(TrainingRows):
    """Cells of past forecasts that are known now; arrays are by cell.

    The target is the outcome less the base, in units of the series' scale; the weight, what an
    error in that unit is worth in scaled errors.
    """

    origin: Ints
    """Column of the origin."""
    horizon: Ints
    base: Floats
    """In spreads; an outcome is never below 0, so no target is below minus this."""
    experts: dict[str, Floats]
    """Distance of each expert from the base, in spreads."""

    def part(self, cells: Ints | Flags) -> "PanelTrainingSet":
        """Return some of the cells."""
        return take(self, cells)


def validation_start(last: int, horizon: int, spec: Spec) -> int:
    """Return the column of the first origin of the validation window."""
    return last - spec.validation_length(horizon)


def past_origins(last: int, horizon: int, spec: Spec) -> list[int]:
    """Return columns of past origins before the column ``last``, newest first."""
    earliest = max(spec.least_history - 1, last - spec.span - horizon)
    return list(range(last - 1, earliest - 1, -spec.step))


def training_set(view: PanelView, last: int, spec: Spec) -> PanelTrainingSet:
    """Return the training rows known at the column ``last``; may be empty.

    At most ``spec.pairs`` pairs of series and origin are looked at, as many at each origin, drawn
    without regard to size.
    """
    origins = past_origins(last, view.horizon, spec)
    if not origins:
        return _of_origin(view, last, np.empty(0, dtype=np.int64), last, spec)
    draw = np.random.default_rng(spec.seed)
    each = -(-spec.pairs // len(origins))
    rows = [_drawn(view.stats(origin), each, draw) for origin in origins]
    with ThreadPoolExecutor(spec.threads) as pool:
        return join(
            list(pool.map(_of_origin, repeat(view), origins, rows, repeat(last), repeat(spec)))
        )


def _drawn(stats: SeriesStats, count: int, draw: np.random.Generator) -> Ints:
    able = np.flatnonzero(stats.current & (stats.scale > 0) & (stats.spread > 0))
    if len(able) <= count:
        return able
    return np.sort(draw.choice(able, count, replace=False))


def _of_origin(view: PanelView, origin: int, rows: Ints, last: int, spec: Spec) -> PanelTrainingSet:
    """Return the training rows of some series at an origin, as known at column ``last``.

    The pretrained network is asked at the origins of the validation window only, whose errors set
    the bands; before, its distance is NaN.
    """
    outcome = view.after(origin, rows, last)
    known = np.isfinite(outcome)
    point = view.at(origin, rows)
    if spec.pretrained:
        is_asked = origin >= validation_start(last, view.horizon, spec)
        point = point.with_pretrained(view.tonnes[rows, : origin + 1] if is_asked else None)
    spread = point.stats.spread[:, None]
    worth = spread / np.maximum(point.stats.scale[:, None], LEAST_SCALE * spread)

    def cells(values: Floats) -> Floats:
        return np.broadcast_to(values, outcome.shape)[known]

    return PanelTrainingSet(
        features=point.features[known],
        target=cells((outcome - point.base) / spread),
        weight=cells(worth),
        origin=np.full(int(known.sum()), origin),
        horizon=1 + np.nonzero(known)[1],
        base=cells(point.base / spread),
        experts={name: cells((one - point.base) / spread) for name, one in point.experts.items()},
    )
