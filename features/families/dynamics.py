"""Base forecasts, and features of them and of a series' volatility, which trees of panels take.

Distances are in spreads of the series (``SeriesStats.spread``).
"""

from typing import Final

import numpy as np

from features.origin import Feature, Origin
from features.series import SeriesStats, log_ratio, ratio
from features.statistical import base_forecasts as methods
from store.arrays import Floats
from store.months import YEAR
from store.vocabulary import Family

CEILING: Final = 50.0
"""Largest base forecast, as a multiple of the series' highest month: fast trends overshoot after a
surge. On panels of trade no base forecast exceeds 36."""


_WORDS: Final = {
    "seasonal_naive": "the same month a year ago",
    "ses": "exponential smoothing",
    "level": "the mean of the last year",
    "tsb": "smoothing of trade that comes and goes",
    "steady": "robust smoothing at a slow pace",
    "swift_unadjusted": "robust smoothing at a fast pace with a season learned from none",
}


def _entry(name: str, unit: str, meaning: str, explains: Family = "momentum") -> Feature:
    source, knowable = "months of the panel", "with the last month of the panel"
    return Feature(name, unit, meaning, source, knowable, explains)


FEATURES: Final = (
    *(
        _entry(
            f"{name}_distance",
            "spreads",
            f"{_WORDS.get(name, name.replace('_', ' '))} less the median of the base forecasts",
        )
        for name in methods.PANEL_FORECASTS
    ),
    _entry("base_forecasts_apart", "spreads", "standard deviation of the base forecasts"),
    _entry("base_forecast_level_log", "log ratio", "median base forecast, to the level"),
    _entry("spread_log", "log ratio", "spread of monthly changes, to the level"),
    _entry("scale_log", "log ratio", "mean difference to the year before, to the level"),
    _entry("spread_to_scale_log", "log ratio", "spread of monthly changes, to that difference"),
    _entry("zero_share", "share", "months of the last two years without trade"),
    _entry("known_months", "months", "months of the series that are known"),
    _entry("panel_momentum", "spreads", "last quarter of the middle series to the year before"),
    _entry("season_here", "share", "usual season of the target month", "season"),
    _entry("season_strength", "share", "standard deviation of the usual season", "season"),
)


def base_forecasts(
    values: Floats, season: Floats, horizon: int, *, is_panel: bool = False
) -> dict[str, Floats]:
    """Base forecasts by name, series x months ahead, in tonnes; 0 for empty series.

    Args:
        values: Series x months up to the origin, NaN where missing; not modified.
    """
    ceiling = forecast_ceiling(values)
    names = methods.PANEL_FORECASTS if is_panel else methods.IN_MEDIAN
    return {
        name: np.fmin(methods.BASE_FORECASTS[name](values, season, horizon), ceiling)
        for name in names
    }


def forecast_ceiling(values: Floats) -> Floats:
    """Largest base forecast allowed for each series, series x 1, in tonnes.

    Examples:
        >>> forecast_ceiling(np.array([[3.0, np.nan, 2.0]])).tolist()
        [[150.0]]
    """
    highest: Floats = np.where(np.isfinite(values), values, 0.0).max(axis=1)
    return CEILING * highest[:, None]


def median_forecast(forecasts: dict[str, Floats], *, is_panel: bool = False) -> Floats:
    """Median of the base forecasts in ``IN_MEDIAN``, of panels in ``PANEL_MEDIAN``.

    Examples:
        >>> tonnes = dict.fromkeys(methods.IN_MEDIAN, np.array([[10.0, 20.0]]))
        >>> median_forecast({**tonnes, methods.IN_MEDIAN[0]: np.array([[900.0, 0.0]])}).tolist()
        [[10.0, 20.0]]
    """
    names = methods.PANEL_MEDIAN if is_panel else methods.IN_MEDIAN
    return np.asarray(np.median(np.stack([forecasts[name] for name in names]), axis=0))


def compute(
    origin: Origin,
    stats: SeriesStats,
    forecasts: dict[str, Floats],
    median: Floats,
    momentum: Floats,
) -> dict[str, Floats]:
    """Features, each broadcastable to series x targets."""
    spread, offset = stats.spread[:, None], origin.offset[:, None]
    target_season = stats.season[:, (origin.targets - origin.first) % YEAR]
    return {
        **{
            f"{name}_distance": ratio(forecast - median, spread)
            for name, forecast in forecasts.items()
        },
        "base_forecasts_apart": ratio(np.std(list(forecasts.values()), axis=0), spread),
        "base_forecast_level_log": np.log((median + offset) / (origin.level[:, None] + offset)),
        "spread_log": log_ratio(stats.spread, stats.level),
        "scale_log": log_ratio(stats.scale, stats.level),
        "spread_to_scale_log": log_ratio(stats.spread, stats.scale),
        "zero_share": stats.zero_share[:, None],
        "known_months": stats.known_months[:, None].astype(np.float64),
        "panel_momentum": momentum,
        "season_here": target_season - 1.0,
        "season_strength": stats.season.std(axis=1)[:, None],
    }
