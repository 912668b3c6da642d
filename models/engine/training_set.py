"""Training rows: features at past origins and the outcomes that are known by now."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import repeat
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.engine.series_stats import (
    OriginFeatures,
    PanelStats,
    SeriesStats,
    origin_features,
    panel_momentum,
    series_stats,
)
from models.learning.calibration import TrainingRows
from models.learning.spec import EngineSpec
from models.statistical.seasonality import common_profile
from store.arrays import Flags, Floats, Ints, join, take

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
    level: Floats
    """Level of the series, in spreads: how calm it is."""
    base: Floats
    """In spreads; an outcome is never below 0, so no target is below minus this."""
    experts: dict[str, Floats]
    """Distance of each expert from the base, in spreads."""

    def part(self, cells: Ints | Flags) -> "PanelTrainingSet":
        """Return some of the cells."""
        return take(self, cells)


def validation_start(last: int, horizon: int, spec: EngineSpec) -> int:
    """Return the column of the first origin of the validation window."""
    return last - spec.validation_length(horizon)


def past_origins(last: int, horizon: int, spec: EngineSpec) -> list[int]:
    """Return columns of past origins before the column ``last``, newest first."""
    earliest = max(spec.least_history - 1, last - spec.span - horizon)
    return list(range(last - 1, earliest - 1, -spec.step))


def training_set(view: PanelView, last: int, spec: EngineSpec) -> PanelTrainingSet:
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
    """Return rows of series that can be trained on: forecast, scored and not constant."""
    able = np.flatnonzero(stats.current & (stats.scale > 0) & (stats.spread > 0))
    if len(able) <= count:
        return able
    return np.sort(draw.choice(able, count, replace=False))


def _of_origin(
    view: PanelView, origin: int, rows: Ints, last: int, spec: EngineSpec
) -> PanelTrainingSet:
    """Return the training rows of some series at an origin, as known at column ``last``.

    The pretrained network is asked at the origins of the validation window only, by which its
    weight is measured; before, its distance is NaN.
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
        level=cells(point.stats.level[:, None] / spread),
        base=cells(point.base / spread),
        experts={name: cells((one - point.base) / spread) for name, one in point.experts.items()},
    )
