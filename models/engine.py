"""The panel engine: errors of the base forecasts, learned from past origins, with calibrated bands.

Here: training rows of past origins, the forecast and its validation window, and a caller's own
features and base forecasts. Not here: features (``features``), boosters and bands
(``models.learning``), policies, files and the store.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.build import OriginFeatures, features_together
from features.origin import Origin, bare_origin
from features.series import (
    STOP_MONTHS,
    SeriesStats,
    mean_known,
    panel_momentum,
    ratio,
    series_stats,
    zero_runs,
)
from features.statistical.seasonality import BLOCK, common_profile
from models import quantile_model
from models.learning.boosters import (
    Boosters,
    OriginTargets,
    TrainingSet,
    drawn,
    fitted,
    training_set,
)
from models.learning.calibration import HALF_KEPT, PastErrors, metadata_of, weighted_quantiles
from models.learning.parameters import ModelParameters
from models.quantile_model import recentred
from store.arrays import Flags, Floats, Ints, take
from store.errors import DataError
from store.months import month_starts
from store.vocabulary import QUANTILES

Function = Callable[[pd.DataFrame, int], object]
"""Of the months known (months x series, NaN where missing) and the number of months ahead: months
ahead x series, or one number a series. Series come together or apart, so none may use another."""

Transform = Callable[[pd.DataFrame], pd.DataFrame]
"""Of months x series: the same shape, each month from those up to it."""

_WINDOWS: Final = re.compile("(Rolling|Expanding|ExponentiallyWeighted)(Mean|Std|Min|Max|Quantile)")
"""Lag transforms of mlforecast that have the same window and statistic in pandas."""


@dataclass(frozen=True, slots=True)
class CustomFeatures:
    """Functions by the name of their feature."""

    features: Mapping[str, Function] = field(default_factory=dict)
    """In a unit of their own."""
    levels: Mapping[str, Function] = field(default_factory=dict)
    """In the unit of the panel, such as base forecasts; trees see their distance from the base."""

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.features, *self.levels)

    def at(self, values: Floats, first: int, point: OriginFeatures) -> NDArray[np.float32]:
        """Features at an origin, series x months ahead x names.

        Args:
            values: Series x months up to the origin, the first of which has the number ``first``.
            point: The engine's own features.
        """
        series, horizon = point.base.shape
        index = month_starts(first + np.arange(values.shape[1]))
        months = pd.DataFrame(values.T, index=index)
        parts = []
        for name, function in {**self.features, **self.levels}.items():
            part = np.asarray(function(months, horizon), dtype=float)
            if part.shape not in {(horizon, series), (series,)}:
                raise DataError(
                    f"Feature {name!r} has shape {part.shape}. Expected months ahead x series, "
                    f"{(horizon, series)}, or {(series,)}. Correct its function."
                )
            part = np.broadcast_to(part, (horizon, series)).T
            is_level = name in self.levels
            distance = ratio(part - point.base, point.stats.spread[:, np.newaxis])
            parts.append(distance if is_level else part)
        return np.stack(parts, axis=2).astype(np.float32)


def lag_features(
    lags: Sequence[int], transforms: Mapping[int, Sequence[Transform]]
) -> dict[str, Function]:
    """Lags, and transforms of them, of the month to forecast; missing where not yet known."""
    named: dict[str, Function] = {f"lag{lag}": partial(_lagged, lag, None) for lag in lags}
    for lag, of_lag in transforms.items():
        for place, transform in enumerate(of_lag):
            named[f"transform{place}_lag{lag}"] = partial(_lagged, lag, _table_function(transform))
    return named


def date_features(
    features: Sequence[str | Callable[[pd.DatetimeIndex], Any]],
    dates_of: Callable[[pd.DatetimeIndex], pd.DatetimeIndex],
) -> dict[str, Function]:
    """Features of the dates to forecast by name: attributes of pandas' dates, and functions.

    Args:
        dates_of: Dates of the panel, of first days of months.
    """

    def dated(of_dates: str | Callable[[pd.DatetimeIndex], Any]) -> Function:
        def of_months(months: pd.DataFrame, horizon: int) -> Floats:
            dates = dates_of(pd.date_range(months.index[-1], periods=horizon + 1, freq="MS")[1:])
            values = of_dates(dates) if callable(of_dates) else getattr(dates, of_dates)
            return np.tile(np.asarray(values, dtype=float)[:, np.newaxis], months.shape[1])

        return of_months

    return {getattr(each, "__name__", str(each)): dated(each) for each in features}


def _table_function(transform: Any) -> Transform:  # noqa: ANN401 - may be mlforecast's
    """A function as it is; a lag transform of mlforecast by its name and parameters."""
    if callable(transform):
        return transform  # type: ignore[no-any-return]
    match = _WINDOWS.fullmatch(type(transform).__name__)
    sizes = transform.get_params() if match else {}
    further = {name for name in sizes if sizes[name] and sizes[name] != "mean"}
    if match is None or further - {"window_size", "min_samples", "p", "alpha"}:
        raise DataError(
            f"lag_transforms has {transform!r}. Expected functions of a table of months x series, "
            "or Rolling, Expanding and ExponentiallyWeighted transforms of each series by itself. "
            "Write a function."
        )
    window, statistic = match.groups()

    def transformed(months: pd.DataFrame) -> pd.DataFrame:
        if window == "Rolling":
            windows: Any = months.rolling(sizes["window_size"], sizes.get("min_samples"))
        else:
            is_ewm = window == "ExponentiallyWeighted"
            windows = (
                months.ewm(alpha=sizes["alpha"], adjust=False) if is_ewm else months.expanding()
            )
        level = [sizes["p"]] if statistic == "Quantile" else []
        values: pd.DataFrame = getattr(windows, statistic.lower())(*level)
        return values

    return transformed


def _lagged(lag: int, transform: Transform | None, months: pd.DataFrame, horizon: int) -> Floats:
    values = (months if transform is None else transform(months)).to_numpy(dtype=float)
    place = len(months) + np.arange(horizon) - lag
    is_known = (place >= 0) & (place < len(months))
    return np.where(is_known[:, np.newaxis], values[np.clip(place, 0, len(months) - 1)], np.nan)


RECENT_MONTHS: Final = 36
"""Months whose mean is that of skewed and intermittent series."""

LEAST_SCALE: Final = 0.3
"""Scale of the errors of a series, in spreads, below which its sample weight grows no more."""

Extra = Callable[[int, Ints | slice, OriginFeatures], NDArray[np.float32]]
"""Further features of some series at an origin, a column of the panel, beside its own: series x
months x extras."""


@dataclass(frozen=True, slots=True)
class PanelView:
    """A panel as the engine sees it: at each origin only the columns up to it."""

    tonnes: Floats
    """Series x months, NaN where missing."""
    first: int
    """Number of the first column's month."""
    horizon: int
    extra: Extra | None = None
    extra_names: tuple[str, ...] = ()
    common: tuple[Floats, float] | None = None
    """Season and momentum of the whole panel at the cutoff, if these are some of its series."""
    weights: Floats | None = None
    """Of each month in training, series x months; all 1 without."""
    _stats: dict[int, SeriesStats] = field(default_factory=dict, init=False, repr=False)

    @property
    def last(self) -> int:
        """Column of the cutoff."""
        return int(self.tonnes.shape[1]) - 1

    @classmethod
    def of(cls, origin: Origin) -> "PanelView":
        """View of a bare panel."""
        return cls(origin.tonnes, origin.first, len(origin.targets))

    @property
    def current(self) -> Ints:
        """Numbers of the series with a value in the last year, which are forecast."""
        return np.flatnonzero(self.stats(self.last).current)

    def part(self, rows: Ints) -> "PanelView":
        """View of some of the series."""
        extra = self.extra
        extra_part = (
            None if extra is None else lambda origin, some, at: extra(origin, rows[some], at)
        )
        weights = None if self.weights is None else self.weights[rows]
        return PanelView(
            self.tonnes[rows],
            self.first,
            self.horizon,
            extra_part,
            self.extra_names,
            weights=weights,
        )

    def stats(self, origin: int) -> SeriesStats:
        """Statistics of all series at an origin, cached."""
        if origin not in self._stats:
            profile = None if self.common is None else self.common[0]
            self._stats[origin] = series_stats(self.tonnes[:, : origin + 1], profile)
        return self._stats[origin]

    def at_cutoff(self) -> tuple[Floats, float]:
        """Season, by month of the year, and median momentum of the whole panel at the cutoff."""
        return self.common or (common_profile(self.tonnes), self._momentum(self.last))

    def _momentum(self, origin: int) -> float:
        return self.common[1] if self.common else panel_momentum(self.stats(origin).momentum)

    def at(self, origin: int, rows: Ints | slice) -> OriginFeatures:
        """Features of some series at an origin.

        Args:
            origin: Column of the last month known.
        """
        [point] = self.at_all([(origin, rows)])
        return point

    def _bare(self, origin: int, rows: Ints | slice) -> tuple[Origin, SeriesStats, float]:
        bare = bare_origin(self.tonnes[rows, : origin + 1], self.first, self.horizon)
        return bare, take(self.stats(origin), rows), self._momentum(origin)

    def at_all(self, places: Sequence[tuple[int, Ints | slice]]) -> Iterator[OriginFeatures]:
        """Yield the features of each origin and its series, computed together."""
        points = features_together([self._bare(origin, rows) for origin, rows in places])
        for (origin, rows), point in zip(places, points, strict=True):
            features, names = point.features.astype(np.float32), point.names
            if self.extra is not None:
                extra = self.extra(origin, rows, replace(point, features=features))  # noqa: S610 - not Django
                features = np.concatenate([features, extra], axis=2)
                names = (*names, *self.extra_names)
            yield replace(point, features=features, names=names)

    def prediction_rows(self, rows: Ints) -> tuple[OriginFeatures, pd.DataFrame]:
        """Features of some series at the cutoff, and the same as rows for ``predict_quantiles``."""
        point = self.at(self.last, rows)
        columns = point.features.reshape(-1, len(point.names))
        scales: dict[str, Any] = {
            quantile_model.LEVEL: point.base.reshape(-1),
            quantile_model.OFFSET: 0.0,
            quantile_model.BASE_TONNES: point.base.reshape(-1),
            quantile_model.SPREAD: np.repeat(point.stats.spread, self.horizon),
        }
        recent = mean_known(self.tonnes[rows, -RECENT_MONTHS:])
        scales[quantile_model.RECENT_MEAN] = np.repeat(recent, self.horizon)
        stopped = (quantile_model.STOPPED_MONTHS, quantile_model.STOPPED_FROM)
        for name, values in zip(stopped, zero_runs(self.tonnes[rows]), strict=True):
            scales[name] = np.repeat(values[:, -1], self.horizon)
        return point, pd.DataFrame(columns, columns=list(point.names)).assign(**scales)

    def after(
        self, origin: int, rows: Ints | slice, last: int, values: Floats | None = None
    ) -> Floats:
        """Outcomes after an origin, series x months ahead; NaN where unknown at column ``last``.

        Args:
            values: Another table of the same shape, such as ``weights``.
        """
        table = self.tonnes if values is None else values
        months = table[rows, origin + 1 : min(origin + self.horizon, last) + 1]
        outcomes = np.full((len(months), self.horizon), np.nan)
        outcomes[:, : months.shape[1]] = months
        return outcomes


def validation_start(last: int, horizon: int, parameters: ModelParameters) -> int:
    """Column of the first origin of the validation window."""
    return last - max(parameters.validation_months, horizon)


def past_origins(last: int, horizon: int, parameters: ModelParameters) -> list[int]:
    """Columns of past origins before the column ``last``, newest first."""
    earliest = max(parameters.least_history - 1, last - parameters.span - horizon)
    return list(range(last - 1, earliest - 1, -parameters.step))


def panel_targets(
    view: PanelView, last: int, parameters: ModelParameters
) -> Iterator[OriginTargets]:
    """Past origins with outcomes known at the column ``last``, in scales from the base forecasts.

    At most ``parameters.pairs`` pairs of series and origin are drawn, as many at each origin,
    whatever the size of the series.
    """
    origins = past_origins(last, view.horizon, parameters)
    draw = np.random.default_rng(parameters.seed)
    each = -(-parameters.pairs // max(len(origins), 1))
    places: list[tuple[int, Ints]] = []
    for origin in origins or [last]:  # of the last no outcome is known
        stats = view.stats(origin)
        eligible = np.flatnonzero(stats.current & (stats.scale > 0) & (stats.spread > 0))
        places.append((origin, drawn(eligible, each, draw)))
    at_once = max(BLOCK // max(min(each, len(view.tonnes)), 1), 1)
    for start in range(0, len(places), at_once):
        batch = places[start : start + at_once]
        for (origin, rows), point in zip(batch, view.at_all(batch), strict=True):
            yield _of_origin(view, origin, rows, point, last)


def _of_origin(
    view: PanelView, origin: int, rows: Ints, point: OriginFeatures, last: int
) -> OriginTargets:
    """Some series at an origin, with outcomes known at column ``last``."""
    spread = point.stats.spread[:, None]
    weight = spread / np.maximum(point.stats.scale[:, None], LEAST_SCALE * spread)
    if view.weights is not None:
        weight = weight * view.after(origin, rows, last, view.weights)
    return OriginTargets(
        features=point,
        origin=origin,
        horizons=np.arange(1, view.horizon + 1),
        target=(view.after(origin, rows, last) - point.base) / spread,
        weight=weight,
        lower_bound=-point.base / spread,
        base_forecasts={
            name: (forecast - point.base) / spread
            for name, forecast in point.base_forecasts.items()
        },
    )


def before_validation(rows: TrainingSet, start: int) -> Flags:
    """Mask of the training rows whose outcome was known when the validation window began."""
    return rows.origin + rows.horizon <= start


def past_errors(
    boosters: Boosters | None,
    rows: TrainingSet,
    *,
    horizon: int,
    last: int,
    parameters: ModelParameters,
) -> PastErrors:
    """Errors of the validation window.

    Args:
        boosters: Fitted to the cells of ``before_validation``.
        rows: All training rows.
        last: Column of the last month known.
    """
    window = take(rows, rows.origin >= validation_start(last, horizon, parameters))
    if boosters is None or not len(window):
        return PastErrors.none()
    distances = quantile_model.in_order(quantile_model.predicted(boosters, window.features, 1))
    logs = window.features[:, window.names.index(quantile_model.SPREAD_LOG)].astype(np.float64)
    distances = quantile_model.widened(distances, logs, quantile_model.CALMER)
    centred = recentred(distances, np.array([parameters.ensemble_weight]), np.zeros(1))
    distance = window.target - np.maximum(centred[1], window.lower_bound)
    below, above = quantile_model.sides(centred, parameters.floor_spread, HALF_KEPT)
    return PastErrors(
        horizon=window.horizon.astype(float),
        age=(last - window.origin).astype(float),
        distance=distance,
        spread=np.where(distance < 0, below, above),
    )


def trained(
    view: PanelView, parameters: ModelParameters
) -> tuple[Boosters | None, dict[str, object], TrainingSet]:
    """Boosters that learn from a panel, their metadata, and the training rows.

    With too little to train on there are no boosters, and the bands are the default's.
    """
    rows, last = training_rows(view, parameters), view.last
    before = before_validation(rows, validation_start(last, view.horizon, parameters))
    parts, steadier = [before, np.ones(len(rows), dtype=bool)], _steadier(parameters, len(rows))
    before_window, final = fitted(rows, parts, last, steadier)
    errors = past_errors(
        before_window, rows, horizon=view.horizon, last=last, parameters=parameters
    )
    metadata = metadata_of(rows.names, errors, parameters, view.horizon)
    return final, metadata | {quantile_model.RETURNS: returns(view.tonnes, view.horizon)}, rows


SMALL_PANEL: Final = 4_000
"""Training rows below which trees take smaller steps."""

SMALL_STEPS: Final = 5
"""How many trees take the place of one. Forecasts of six series of 72 months lie 2.3% apart over
six seeds with them, 5.1% without, for half as much time again (benchmarks/history.md)."""


def _steadier(parameters: ModelParameters, cells: int) -> ModelParameters:
    """Parameters that average over draws of rows and features, as several seeds would.

    More trees with smaller steps learn as much, and depend less on the draw of each.
    """
    if cells >= SMALL_PANEL:
        return parameters
    return replace(
        parameters,
        num_iterations=SMALL_STEPS * parameters.num_iterations,
        learning_rate=parameters.learning_rate / SMALL_STEPS,
    )


RUN_LENGTHS: Final = (STOP_MONTHS, 2 * STOP_MONTHS, 4 * STOP_MONTHS)
"""Months of zeros after which returns are counted, each run once."""

USUAL_RUNS: Final = 5.0
"""Runs of zeros that the usual share of returns counts as, beside those of the panel."""

USUAL_SIZES: Final = (0.2, 0.4, 0.6, 0.8, 1.0)
"""Usual sizes of what returns, as shares of the year before; each counts as one return."""


def returns(values: Floats, horizon: int) -> dict[str, list[list[float]]]:
    """Forecasts of stopped series, as shares of the year before they stopped.

    A series that had no trade for n months usually has some in one of n + 2, by the rule of
    succession; with this counts how often, and with how much, the panel's series came back.

    Args:
        values: Series x months, NaN where missing.

    Returns:
        By least months of zeros: months ahead x ``QUANTILES``.
    """
    runs, levels = zero_runs(values)
    tables = {}
    for length in RUN_LENGTHS:
        months = (_shares(values, levels, runs == length, ahead) for ahead in range(1, horizon + 1))
        tables[str(length)] = [_of_returns(shares, length) for shares in months]
    return tables


def _shares(values: Floats, levels: Floats, is_such: Flags, ahead: int) -> Floats:
    """What stopped series had some months later, as shares of the year before they stopped."""
    later, some = values[:, ahead:], is_such[:, : max(values.shape[1] - ahead, 0)]
    rows, columns = np.nonzero(some & np.isfinite(later))
    return np.asarray(later[rows, columns] / levels[rows, columns])


def _of_returns(shares: Floats, length: int) -> list[float]:
    """Quantiles of a mixture of zero and of sales that return."""
    sizes, usual = shares[shares > 0], USUAL_RUNS / (length + 2)
    chance = (len(sizes) + usual) / (len(shares) + USUAL_RUNS)
    above = (np.array(QUANTILES) - 1 + chance) / chance
    sizes = np.concatenate([sizes, USUAL_SIZES])
    size = weighted_quantiles(sizes, np.ones(len(sizes)), np.clip(above, 0, 1))
    quantiles: list[float] = np.where(above > 0, size, 0.0).tolist()
    return quantiles


def training_rows(view: PanelView, parameters: ModelParameters) -> TrainingSet:
    """Training rows of the past origins of a panel."""
    series = training_series(len(view.tonnes), parameters)
    trained_view = view if series is None else view.part(series)
    return training_set(panel_targets(trained_view, view.last, parameters))


def training_series(count: int, parameters: ModelParameters) -> Ints | None:
    """Numbers of the series that are trained on, ascending; None for all."""
    if count <= parameters.most_series:
        return None
    draw = np.random.default_rng(parameters.seed)
    return np.sort(draw.choice(count, parameters.most_series, replace=False))
