"""Training rows: statistics of series at past origins and the outcomes known by now."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.build import OriginFeatures, features_of
from features.families.dynamics import forecast_ceiling
from features.origin import Origin, bare_origin
from features.series import PanelStats, SeriesStats, panel_momentum, series_stats
from features.statistical.pretrained import NAME as PRETRAINED
from features.statistical.pretrained import medians
from features.statistical.seasonality import common_profile
from models import quantile_model
from models.learning.heads import TrainingSet
from models.learning.parameters import ModelParameters
from store.arrays import Floats, Ints, join, take


def with_pretrained(found: OriginFeatures, values: Floats | None) -> OriginFeatures:
    """Return features with the pretrained network among the experts; the columns stay.

    Args:
        values: Series x months up to the origin; series that are too short for the network get the
            base. None does not ask it: it is NaN.
    """
    if values is None:
        said = np.full_like(found.base, np.nan)
    else:
        said = medians(values, found.base.shape[1])
        said = np.clip(np.where(np.isfinite(said), said, found.base), 0.0, forecast_ceiling(values))
    return replace(found, base_forecasts={**found.base_forecasts, PRETRAINED: said})


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
    extra_names: tuple[str, ...] = ()
    common: Mapping[int, PanelStats] = field(default_factory=dict)
    """By origin, where these are some series of a panel; else all series tell it together."""
    _stats: dict[int, SeriesStats] = field(default_factory=dict, init=False, repr=False)

    @property
    def last(self) -> int:
        """Column of the cutoff."""
        return int(self.tonnes.shape[1]) - 1

    @classmethod
    def of(cls, origin: Origin) -> "PanelView":
        """Return the view of a bare panel."""
        return cls(origin.tonnes, origin.first, len(origin.targets))

    @property
    def current(self) -> Ints:
        """The series with a value in the last year: those that are forecast."""
        return np.flatnonzero(self.stats(self.last).current)

    def part(self, rows: Ints) -> "PanelView":
        """Return the view of some of the series."""
        extra = self.extra
        own = None if extra is None else lambda origin, some: extra(origin, rows[some])
        return PanelView(self.tonnes[rows], self.first, self.horizon, own, self.extra_names)

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
        return PanelStats(common_profile(self.tonnes[:, : origin + 1]), self._momentum(origin))

    def _momentum(self, origin: int) -> float:
        common = self.common.get(origin)
        return panel_momentum(self.stats(origin).momentum) if common is None else common.momentum

    def at(self, origin: int, rows: Ints | slice) -> OriginFeatures:
        """Return the features of some series at an origin.

        Args:
            origin: Column of the last month known.
        """
        values = np.ascontiguousarray(self.tonnes[rows, : origin + 1])
        stats = take(self.stats(origin), rows)
        bare = bare_origin(values, self.first, self.horizon)
        found = features_of(bare, stats, self._momentum(origin))
        found = replace(found, features=found.features.astype(np.float32))
        if self.extra is None:
            return found
        further = self.extra(origin, rows)  # noqa: S610 - not Django
        return replace(
            found,
            features=np.concatenate([found.features, further], axis=2),
            names=(*found.names, *self.extra_names),
        )

    def asked(self, rows: Ints, *, pretrained: bool) -> tuple[OriginFeatures, pd.DataFrame]:
        """Return the features of some series, and the same as rows that a served model takes.

        Args:
            pretrained: Whether the pretrained network is heard beside the experts.
        """
        point = self.at(self.last, rows)
        experts = point.base
        if pretrained:
            point = with_pretrained(point, self.tonnes[rows])
            experts = (experts + point.base_forecasts[PRETRAINED]) / 2.0
        columns = point.features.reshape(-1, len(point.names))
        scales: dict[str, Any] = {
            quantile_model.LEVEL: point.base.reshape(-1),
            quantile_model.OFFSET: 0.0,
            quantile_model.EXPERTS_TONNES: experts.reshape(-1),
            quantile_model.MOVE: np.repeat(point.stats.spread, self.horizon),
        }
        return point, pd.DataFrame(columns, columns=list(point.names)).assign(**scales)

    def after(self, origin: int, rows: Ints | slice, last: int) -> Floats:
        """Return the months after an origin, as far as they are known at column ``last``."""
        known = self.tonnes[rows, origin + 1 : min(origin + self.horizon, last) + 1]
        found = np.full((len(known), self.horizon), np.nan)
        found[:, : known.shape[1]] = known
        return found


def validation_start(last: int, horizon: int, parameters: ModelParameters) -> int:
    """Return the column of the first origin of the validation window."""
    return last - parameters.validation_length(horizon)


def past_origins(last: int, horizon: int, parameters: ModelParameters) -> list[int]:
    """Return columns of past origins before the column ``last``, newest first."""
    earliest = max(parameters.least_history - 1, last - parameters.span - horizon)
    return list(range(last - 1, earliest - 1, -parameters.step))


def training_set(view: PanelView, last: int, parameters: ModelParameters) -> TrainingSet:
    """Return the training rows known at the column ``last``; may be empty.

    At most ``parameters.pairs`` pairs of series and origin are looked at, as many at each origin,
    drawn without regard to size.
    """
    origins = past_origins(last, view.horizon, parameters)
    if not origins:
        return _of_origin(view, last, np.empty(0, dtype=np.int64), last, parameters)
    draw = np.random.default_rng(parameters.seed)
    each = -(-parameters.pairs // len(origins))
    rows = [_drawn(view.stats(origin), each, draw) for origin in origins]
    pairs = zip(origins, rows, strict=True)
    return join([_of_origin(view, origin, some, last, parameters) for origin, some in pairs])


def _drawn(stats: SeriesStats, count: int, draw: np.random.Generator) -> Ints:
    able = np.flatnonzero(stats.current & (stats.scale > 0) & (stats.spread > 0))
    if len(able) <= count:
        return able
    return np.sort(draw.choice(able, count, replace=False))


def _of_origin(
    view: PanelView, origin: int, rows: Ints, last: int, parameters: ModelParameters
) -> TrainingSet:
    """Return the training rows of some series at an origin, as known at column ``last``.

    The pretrained network is asked at the origins of the validation window only, whose errors set
    the bands; before, its distance is NaN.
    """
    outcome = view.after(origin, rows, last)
    known = np.isfinite(outcome)
    point = view.at(origin, rows)
    if parameters.pretrained:
        is_asked = origin >= validation_start(last, view.horizon, parameters)
        point = with_pretrained(point, view.tonnes[rows, : origin + 1] if is_asked else None)
    spread = point.stats.spread[:, None]
    worth = spread / np.maximum(point.stats.scale[:, None], LEAST_SCALE * spread)

    def cells(values: Floats) -> Floats:
        return np.broadcast_to(values, outcome.shape)[known]

    return TrainingSet(
        names=point.names,
        features=point.features[known],
        target=cells((outcome - point.base) / spread),
        weight=cells(worth),
        origin=np.full(int(known.sum()), origin),
        horizon=1 + np.nonzero(known)[1],
        least=cells(-point.base / spread),
        base_forecasts={
            name: cells((one - point.base) / spread) for name, one in point.base_forecasts.items()
        },
    )
