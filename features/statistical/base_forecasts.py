"""Statistical forecasts of all series at once: some to combine, some as baselines to beat."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import Final

import numpy as np

from features.statistical.seasonality import BLOCK, carried, moving_sums
from features.statistical.smoothing import (
    HOLT_WINTERS,
    LARGEST_LOG,
    LEAST_LOSS,
    LOG_OFFSET,
    STEADY,
    SWIFT,
    SeriesBlock,
    best_of,
    columns_of,
    damped_trend,
    line_of,
    line_terms,
    logs_of,
    seasonal,
    ses,
)
from store.arrays import Flags, Floats
from store.months import YEAR

ALPHAS: Final = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.99)

LARGEST_SHARE: Final = 0.98
"""Largest share of the line that is added to the level: a theta of 50."""

SETTLING_MONTHS: Final = 3
"""First months whose errors are ignored, as the line is still unstable."""

SETTLED_MONTHS: Final = 12
"""Months with a value from which ``SETTLING_MONTHS`` are ignored; else only the first is."""

LINE_MONTHS: Final = 6
"""Months with a value that a series needs for any of its line to be added."""

SLOPE_MONTHS: Final = 2
"""Months with a value that a line needs to have a slope."""


def theta(months: SeriesBlock, horizon: int) -> Floats:
    """Forecasts of the dynamic optimised theta method, horizon x series.

    Each is a level plus a share, 1 - 1/theta, of the trend of a line that is refitted each month
    and treats forecasts as values. Alpha comes from a grid, the share from least squares.

    Source: Fiorucci et al. (2016), Models for optimising the theta method.
    """
    terms, base = line_terms(months, months.weight), months.first_value
    intercept, slope = line_of([term.cumsum(axis=0) for term in terms], least=SLOPE_MONTHS)
    alpha, share, level, intercept_factor, slope_factor = _fitted(months, intercept + base, slope)
    terms = [term.sum(axis=0) for term in terms]
    forecast = np.empty((horizon, len(base)))
    for ahead in range(horizon):
        line_intercept, line_slope = line_of(terms, least=SLOPE_MONTHS)
        trend = intercept_factor * (line_intercept + base) + slope_factor * line_slope
        forecast[ahead] = level + share * trend
        level = level + alpha * (forecast[ahead] - level)
        intercept_factor = intercept_factor * (1.0 - alpha)
        slope_factor = slope_factor * (1.0 - alpha) + 1.0
        number, value = months.age[-1] + ahead + 2.0, forecast[ahead] - base
        new_terms = (1.0, number, value, number * number, number * value)
        terms = [term + new_term for term, new_term in zip(terms, new_terms, strict=True)]
    return forecast


def _fitted(months: SeriesBlock, intercept: Floats, slope: Floats) -> list[Floats]:
    """Alpha, share of the line, level and factors of each series after the last month.

    ``intercept_factor`` is (1 - alpha) to the power of the months passed, ``slope_factor`` the sum
    of these powers so far; they multiply the line's intercept and slope in the forecast.

    Args:
        intercept: Of the lines fitted up to each month, months x series.
    """
    [alphas] = columns_of([(alpha,) for alpha in ALPHAS])
    level = np.tile(months.first_value, (len(alphas), 1))
    intercept_factor, slope_factor = np.ones_like(level), np.ones_like(level)
    error_squares, error_line, line_squares, error, line, product = (
        np.zeros_like(level) for _ in range(6)
    )
    is_long = months.is_known.sum(axis=0) >= SETTLED_MONTHS
    is_scored = months.is_known & (months.age >= np.where(is_long, SETTLING_MONTHS, 1))
    walk = zip(months.values, months.weight, months.beginning(), is_scored, strict=True)
    for month, (row, weight, started, scored) in enumerate(walk):
        if started.size:
            intercept_factor[:, started] = slope_factor[:, started] = 1.0
        if month > 0:
            np.multiply(intercept_factor, intercept[month - 1], out=line)
            line += np.multiply(slope_factor, slope[month - 1], out=product)
        np.subtract(row, level, out=error)
        error *= weight
        level += np.multiply(error, alphas, out=product)
        intercept_factor *= 1.0 - alphas
        slope_factor *= 1.0 - alphas
        slope_factor += 1.0
        error *= scored
        line *= scored
        error_squares += np.multiply(error, error, out=product)
        error_line += np.multiply(error, line, out=product)
        line_squares += np.multiply(line, line, out=product)
    has_line = (line_squares > 0) & (months.is_known.sum(axis=0) >= LINE_MONTHS)
    share = np.divide(error_line, line_squares, out=np.zeros_like(error_line), where=has_line)
    share = share.clip(0.0, LARGEST_SHARE)
    loss = error_squares - 2.0 * share * error_line + share**2 * line_squares
    return best_of(loss, alphas, share, level, intercept_factor, slope_factor)


DEMAND_RATES: Final = (0.1, 0.2, 0.3)
"""Smoothing parameters tried for both the size and the probability of a demand."""

DEMAND_GRID: Final = tuple(product(DEMAND_RATES, DEMAND_RATES))


def tsb(
    months: SeriesBlock, horizon: int, *, grid: tuple[tuple[float, float], ...] = DEMAND_GRID
) -> Floats:
    """Forecasts of the TSB method: probability of a demand times its size, each smoothed.

    Source: Teunter, Syntetos and Babai (2011), Intermittent demand: linking forecasting to
    inventory obsolescence.

    Args:
        months: Values; above 0 is a demand.
        horizon: Months ahead, all with the same forecast.
        grid: Smoothing parameters to try: of the size, updated by each demand, and of the
            probability, updated by each month with a value.
    """
    size_rate, chance_rate = columns_of(list(grid))
    demand = (months.values > 0).astype(np.float64)
    columns = np.arange(demand.shape[1])
    size = np.tile(months.values[demand.argmax(axis=0), columns], (len(grid), 1))
    chance = np.tile(demand[months.first, columns], (len(grid), 1))
    loss, error, change = (np.zeros_like(size) for _ in range(3))
    for row, is_demand, is_known in zip(months.values, demand, months.is_known, strict=True):
        np.subtract(row, np.multiply(size, chance, out=change), out=error)
        error *= is_known
        loss += np.abs(error, out=error)
        np.subtract(row, size, out=change)
        change *= size_rate
        size += np.multiply(change, is_demand, out=change)
        np.subtract(is_demand, chance, out=change)
        change *= chance_rate
        chance += np.multiply(change, is_known, out=change)
    size, chance = best_of(loss, size, chance)
    return np.tile(size * chance, (horizon, 1))


RIDGE: Final = 30.0
"""Months of evidence against any change, towards which an autoregression is shrunk."""


def autoregression(months: SeriesBlock, horizon: int) -> Floats:
    """Forecasts of a ridge regression of logs on the year before, horizon x series."""
    logs, size = logs_of(months)
    absent = max(YEAR - len(logs.values), 0)
    filled = np.pad(carried(logs.gapped).T, ((0, 0), (absent, 0)), constant_values=np.nan)
    years = np.lib.stride_tricks.sliding_window_view(filled, YEAR, axis=1)
    is_used = np.isfinite(years[:, :-1]).all(axis=2) & months.is_known.T[:, YEAR:]
    change = np.where(is_used, filled[:, YEAR:] - filled[:, YEAR - 1 : -1], 0.0)
    variance = (change**2).sum(axis=1) / np.maximum(is_used.sum(axis=1), 1) + LEAST_LOSS
    unit, penalty = np.sqrt(variance), RIDGE * variance[:, None, None] * np.eye(YEAR + 1)
    terms = np.where(is_used[:, :, None], _terms(years[:, :-1], unit[:, None]), 0.0)
    squares = terms.transpose(0, 2, 1) @ terms + penalty
    share = np.linalg.solve(squares, terms.transpose(0, 2, 1) @ change[:, :, None])[:, :, 0]
    share[:, 1] = np.minimum(share[:, 1], 0.0)  # a level above the mean raises no change
    year, forecast = np.nan_to_num(years[:, -1]), np.empty((horizon, len(filled)))
    for ahead in range(horizon):
        value = year[:, -1] + (_terms(year, unit) * share).sum(axis=1)
        forecast[ahead] = np.clip(value, -LARGEST_LOG, LARGEST_LOG)
        year = np.column_stack([year[:, 1:], forecast[ahead]])
    return np.asarray((np.exp(forecast) - LOG_OFFSET) * size)


def _terms(years: Floats, unit: Floats) -> Floats:
    """Terms of the autoregression: a constant, the last month, the eleven before it less it."""
    last, constant = years[..., -1:], np.broadcast_to(unit[..., None], (*years.shape[:-1], 1))
    return np.concatenate([constant, last, years[..., :-1] - last], axis=-1)


def unadjusted(months: SeriesBlock, season: Floats, horizon: int) -> Floats:
    """Forecasts of smoothing at a swift pace that is given no season, horizon x series."""
    return seasonal(months, np.ones_like(season), horizon, pace=replace(SWIFT, turns=(0.15,)))


DRIFT_YEARS: Final = 2

Method = Callable[[SeriesBlock, int], Floats]
"""Forecasts of deseasonalised months, horizon x series."""

SeasonalMethod = Callable[[SeriesBlock, Floats, int], Floats]
"""Forecasts of months with their season, given the seasonal factors (months of the year x series),
horizon x series."""


@dataclass(frozen=True, slots=True)
class BaseForecast:
    """A statistical method; call it with the series."""

    method: SeasonalMethod

    def __call__(self, values: Floats, season: Floats, horizon: int) -> Floats:
        """Forecast of the months after ``values``.

        No series affects another's forecast. Works through a thousand series at a time, so
        that memory beyond the result does not grow with their number.

        Args:
            values: Series x months, NaN where missing; not modified.
            season: Seasonal factors, series x months of the year, as ``season_profiles`` returns;
                ones for a forecast without season.
            horizon: Months ahead, at least 1.

        Returns:
            Series x horizon, at least 0; NaN for series without any value.
        """
        forecast = np.empty((len(values), horizon))
        for start in range(0, len(values), BLOCK):
            part = slice(start, start + BLOCK)
            months = SeriesBlock.of(values[part])
            ahead = self.method(months, np.ascontiguousarray(season[part].T), horizon)
            forecast[part] = np.where(months.is_known.any(axis=0), np.maximum(ahead, 0.0), np.nan).T
        return forecast


def _last(months: SeriesBlock, horizon: int) -> Floats:
    return np.repeat(carried(months.gapped)[-1:], horizon, axis=0)


def _same_month(months: SeriesBlock, horizon: int) -> Floats:
    place = len(months.values) + np.arange(horizon) % YEAR - YEAR
    same = carried(months.gapped, step=YEAR)[np.maximum(place, 0)]
    is_same = (place >= 0)[:, None] & np.isfinite(same)
    return np.where(is_same, same, _last(months, horizon))


def _moved_on(months: SeriesBlock, horizon: int) -> Floats:
    steps = np.diff(months.gapped, axis=0)
    slope, _ = _mean_of_last(np.nan_to_num(steps), np.isfinite(steps), DRIFT_YEARS * YEAR)
    return _last(months, horizon) + slope * np.arange(1, horizon + 1)[:, None]


def _year_mean(months: SeriesBlock, horizon: int) -> Floats:
    mean, count = _mean_of_last(months.values, months.is_known, YEAR)
    return np.where(count > 0, mean, _last(months, horizon))


def _mean_of_last(values: Floats, is_known: Flags, width: int) -> tuple[Floats, Floats]:
    """Mean and count of the values of the last ``width`` rows, by column."""
    tables = (values, is_known.astype(np.float64))
    total, count = (
        moving_sums(np.pad(table, ((width, 0), (0, 0)))[-width:], width)[0] for table in tables
    )
    return total / np.maximum(count, 1.0), count


def _baseline(method: Method) -> Callable[[Floats, int], Floats]:
    return lambda values, horizon: np.maximum(method(SeriesBlock.of(values), horizon).T, 0.0)


BASELINES: Final = {
    "seasonal_naive": _baseline(_same_month),
    "last_value": _baseline(_last),
    "drift": _baseline(_moved_on),
}
"""By name: functions from series x months to series x months ahead."""


def _plain(method: Method) -> BaseForecast:
    return BaseForecast(lambda months, _, horizon: method(months, horizon))


def _adjusted(method: Method) -> BaseForecast:
    def seasonally_adjusted(months: SeriesBlock, season: Floats, horizon: int) -> Floats:
        height = len(months.values)
        factor = season[np.arange(height + horizon) % YEAR]
        flat = replace(months, values=months.values / factor[:height])
        return method(flat, horizon) * factor[height:]

    return BaseForecast(seasonally_adjusted)


BASE_FORECASTS: Final[dict[str, BaseForecast]] = {
    "seasonal_naive": _plain(_same_month),
    "drift": _adjusted(_moved_on),
    "ses": _adjusted(ses),
    "theta": _adjusted(theta),
    "damped_trend": _adjusted(damped_trend),
    "holt_winters": BaseForecast(partial(seasonal, pace=HOLT_WINTERS)),
    "level": _adjusted(_year_mean),
    "tsb": _adjusted(tsb),
    "steady": BaseForecast(partial(seasonal, pace=STEADY)),
    "swift": BaseForecast(partial(seasonal, pace=SWIFT)),
    "swift_unadjusted": BaseForecast(unadjusted),
    "autoregression": _plain(autoregression),
}
"""All by name; seasonal factors come from ``seasonality.season_profiles``."""

PANEL_FORECASTS: Final = {
    name: BASE_FORECASTS[name] for name in BASE_FORECASTS if name not in {"holt_winters", "swift"}
}
"""Those of panels."""

IN_MEDIAN: Final = ("seasonal_naive", "theta", "damped_trend", "holt_winters", "steady", "swift")
"""Base forecasts in the median that the magnets' model uses."""

PANEL_MEDIAN: Final = (*IN_MEDIAN[:3], "steady", "swift_unadjusted", "autoregression")
"""Those in the median that the trees of panels start from."""
