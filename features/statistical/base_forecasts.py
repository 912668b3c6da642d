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
    STEADY,
    SWIFT,
    Months,
    best_of,
    columns_of,
    damped_trend,
    line_of,
    line_terms,
    seasonal,
    ses,
)
from store.arrays import Flags, Floats
from store.months import YEAR

ALPHAS: Final = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.99)

LARGEST_SHARE: Final = 0.98
"""Most of its line that is added to a level: a theta of 50."""

SETTLING_MONTHS: Final = 3
"""First months whose errors do not count, as no line has settled."""

SETTLED_MONTHS: Final = 12
"""Known months that a series needs to leave those out; else only the very first."""

LINE_MONTHS: Final = 6
"""Known months that a series needs for any of its line to be added."""

SLOPE_MONTHS: Final = 2
"""Known months that a line needs to slope."""


def theta(months: Months, horizon: int) -> Floats:
    """Return the dynamic optimised theta method: a level, and a share of the line so far.

    The line through a series is drawn anew with each month, beyond the last one through the
    forecasts. Alpha comes from a grid, the share of the line in closed form.

    Source: Fiorucci et al. (2016), Models for optimising the theta method.
    """
    terms, base = line_terms(months, months.weight), months.first_value
    intercept, slope = line_of([term.cumsum(axis=0) for term in terms], least=SLOPE_MONTHS)
    alpha, share, level, fade, reach = _followed(months, intercept + base, slope)
    terms = [term.sum(axis=0) for term in terms]
    found = np.empty((horizon, len(base)))
    for ahead in range(horizon):
        start, rise = line_of(terms, least=SLOPE_MONTHS)
        found[ahead] = level + share * (fade * (start + base) + reach * rise)
        level = level + alpha * (found[ahead] - level)
        fade, reach = fade * (1.0 - alpha), reach * (1.0 - alpha) + 1.0
        number, value = months.age[-1] + ahead + 2.0, found[ahead] - base
        added = (1.0, number, value, number * number, number * value)
        terms = [term + more for term, more in zip(terms, added, strict=True)]
    return found


def _followed(months: Months, intercept: Floats, slope: Floats) -> list[Floats]:
    """Walk along the months; return alpha, share of the line, level, fade and reach by series.

    The line adds ``fade`` of its intercept, (1 - alpha) to the power of the months passed, and
    ``reach`` of its slope, those powers so far added up.

    Args:
        intercept: Of the lines as known after each month, months x series.
    """
    [alphas] = columns_of([(alpha,) for alpha in ALPHAS])
    level = np.tile(months.first_value, (len(alphas), 1))
    fade, reach = np.ones_like(level), np.ones_like(level)
    errors, both, lines, error, line, move = (np.zeros_like(level) for _ in range(6))
    is_long = months.known.sum(axis=0) >= SETTLED_MONTHS
    counted = months.known & (months.age >= np.where(is_long, SETTLING_MONTHS, 1))
    walk = zip(months.values, months.weight, months.beginning(), counted, strict=True)
    for at, (row, weight, new, counts) in enumerate(walk):
        if new.size:
            fade[:, new] = reach[:, new] = 1.0
        if at > 0:
            np.multiply(fade, intercept[at - 1], out=line)
            line += np.multiply(reach, slope[at - 1], out=move)
        np.subtract(row, level, out=error)
        error *= weight
        level += np.multiply(error, alphas, out=move)
        fade *= 1.0 - alphas
        reach *= 1.0 - alphas
        reach += 1.0
        error *= counts
        line *= counts
        errors += np.multiply(error, error, out=move)
        both += np.multiply(error, line, out=move)
        lines += np.multiply(line, line, out=move)
    has_line = (lines > 0) & (months.known.sum(axis=0) >= LINE_MONTHS)
    share = np.divide(both, lines, out=np.zeros_like(both), where=has_line)
    share = share.clip(0.0, LARGEST_SHARE)
    loss = errors - 2.0 * share * both + share**2 * lines
    return best_of(loss, alphas, share, level, fade, reach)


DEMAND_RATES: Final = (0.1, 0.2, 0.3)
"""Smoothing parameters tried for the size of a demand and for its chance alike."""

DEMAND_GRID: Final = tuple(product(DEMAND_RATES, DEMAND_RATES))


def tsb(
    months: Months, horizon: int, *, grid: tuple[tuple[float, float], ...] = DEMAND_GRID
) -> Floats:
    """Return the chance of a demand times its size, each smoothed on its own.

    Source: Teunter, Syntetos and Babai (2011), Intermittent demand: linking forecasting to
    inventory obsolescence.

    Args:
        months: Values; above 0 is a demand.
        horizon: Months ahead; all get the same.
        grid: Smoothing parameters to try: of the size, which moves with each demand, and of the
            chance, which moves with each known month.
    """
    size_rate, chance_rate = columns_of(list(grid))
    demand = (months.values > 0).astype(np.float64)
    columns = np.arange(demand.shape[1])
    size = np.tile(months.values[demand.argmax(axis=0), columns], (len(grid), 1))
    chance = np.tile(demand[months.first, columns], (len(grid), 1))
    loss, error, move = (np.zeros_like(size) for _ in range(3))
    for row, is_demand, known in zip(months.values, demand, months.known, strict=True):
        np.subtract(row, np.multiply(size, chance, out=move), out=error)
        error *= known
        loss += np.abs(error, out=error)
        np.subtract(row, size, out=move)
        move *= size_rate
        size += np.multiply(move, is_demand, out=move)
        np.subtract(is_demand, chance, out=move)
        move *= chance_rate
        chance += np.multiply(move, known, out=move)
    size, chance = best_of(loss, size, chance)
    return np.tile(size * chance, (horizon, 1))


DRIFT_YEARS: Final = 2

Method = Callable[[Months, int], Floats]
"""Forecasts of as many months after those given, which have no season: months x series."""

SeasonalMethod = Callable[[Months, Floats, int], Floats]
"""The same of months as they are, given what each month of the year is a multiple of."""


@dataclass(frozen=True, slots=True)
class BaseForecast:
    """A statistical method; call it with the series."""

    method: SeasonalMethod

    def __call__(self, values: Floats, season: Floats, horizon: int) -> Floats:
        """Return the forecast of the months after ``values``.

        No series affects another's forecast. Works through a thousand series at a time, so
        that memory beyond the result does not grow with their number.

        Args:
            values: Series x months, NaN where missing; not modified.
            season: Series x months of the year, what each is a multiple of, as ``season_profiles``
                returns; ones for a forecast without season.
            horizon: Months ahead, at least 1.

        Returns:
            Series x horizon, at least 0; NaN for series without any value.
        """
        found = np.empty((len(values), horizon))
        for at in range(0, len(values), BLOCK):
            part = slice(at, at + BLOCK)
            months = Months.of(values[part])
            ahead = self.method(months, np.ascontiguousarray(season[part].T), horizon)
            found[part] = np.where(months.known.any(axis=0), np.maximum(ahead, 0.0), np.nan).T
        return found


def _last(months: Months, horizon: int) -> Floats:
    return np.repeat(carried(months.gapped)[-1:], horizon, axis=0)


def _same_month(months: Months, horizon: int) -> Floats:
    place = len(months.values) + np.arange(horizon) % YEAR - YEAR
    same = carried(months.gapped, step=YEAR)[np.maximum(place, 0)]
    is_same = (place >= 0)[:, None] & np.isfinite(same)
    return np.where(is_same, same, _last(months, horizon))


def _moved_on(months: Months, horizon: int) -> Floats:
    steps = np.diff(months.gapped, axis=0)
    slope, _ = _mean_of_last(np.nan_to_num(steps), np.isfinite(steps), DRIFT_YEARS * YEAR)
    return _last(months, horizon) + slope * np.arange(1, horizon + 1)[:, None]


def _year_mean(months: Months, horizon: int) -> Floats:
    mean, count = _mean_of_last(months.values, months.known, YEAR)
    return np.where(count > 0, mean, _last(months, horizon))


def _mean_of_last(values: Floats, known: Flags, width: int) -> tuple[Floats, Floats]:
    """Return mean and count of the known of the last ``width`` rows, by column."""
    tables = (values, known.astype(np.float64))
    total, count = (
        moving_sums(np.pad(one, ((width, 0), (0, 0)))[-width:], width)[0] for one in tables
    )
    return total / np.maximum(count, 1.0), count


def _baseline(method: Method) -> Callable[[Floats, int], Floats]:
    return lambda values, horizon: np.maximum(method(Months.of(values), horizon).T, 0.0)


BASELINES: Final = {
    "seasonal_naive": _baseline(_same_month),
    "last_value": _baseline(_last),
    "drift": _baseline(_moved_on),
}
"""By name; of series x months each returns series x months ahead."""


def _plain(method: Method) -> BaseForecast:
    return BaseForecast(lambda months, _, horizon: method(months, horizon))


def _adjusted(method: Method) -> BaseForecast:
    def seasonally_adjusted(months: Months, season: Floats, horizon: int) -> Floats:
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
}
"""By name; ``seasonality.season_profiles`` gives the season they take."""

IN_MEDIAN: Final = ("seasonal_naive", "theta", "damped_trend", "holt_winters", "steady", "swift")
"""Base forecasts in the median that the magnets' model uses and the engine's trees start from."""
