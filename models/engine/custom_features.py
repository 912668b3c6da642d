"""Features and base forecasts of a caller's own, beside the engine's."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.build import OriginFeatures
from features.series import ratio
from store.arrays import Floats
from store.errors import DataError
from store.months import month_starts

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
    features: Sequence[str | Callable[[pd.DatetimeIndex], Any]], freq: str
) -> dict[str, Function]:
    """Features of the dates to forecast by name: attributes of pandas' dates, and functions."""

    def dated(of_dates: str | Callable[[pd.DatetimeIndex], Any]) -> Function:
        def of_months(months: pd.DataFrame, horizon: int) -> Floats:
            after = pd.date_range(months.index[-1], periods=horizon + 1, freq="MS")[1:]
            dates = after + pd.offsets.MonthEnd(0) if freq == "ME" else after
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
