"""Plain forecasts of all series at once: experts to combine, and baselines a model must beat."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import Final

import numpy as np

from features.origin import Origin
from models.statistical.robust import steady, swift
from models.statistical.seasonality import BLOCK, carried, moving_sums
from models.statistical.smoothing import (
    Months,
    best_of,
    columns_of,
    damped_trend,
    holt_winters,
    ses,
)
from models.statistical.theta import theta
from store.arrays import Flags, Floats

DEMAND_RATES: Final = (0.1, 0.2, 0.3)
"""Smoothing parameters tried for the size of a demand and for its chance alike."""


def tsb(
    months: Months,
    horizon: int,
    *,
    size_rates: tuple[float, ...] = DEMAND_RATES,
    chance_rates: tuple[float, ...] = DEMAND_RATES,
) -> Floats:
    """Return the chance of a demand times its size, each smoothed on its own.

    Source: Teunter, Syntetos and Babai (2011), Intermittent demand: linking forecasting to
    inventory obsolescence.

    Args:
        months: Values; above 0 is a demand.
        horizon: Months ahead; all get the same.
        size_rates: Smoothing parameters to try for the size, which moves with each demand.
        chance_rates: And for the chance, which moves with each known month.
    """
    grid = columns_of(list(product(size_rates, chance_rates)))
    best = best_of(grid, _demand(months, grid))
    fitted = months.blank(horizon)
    _demand(months, best, fitted)
    return fitted


def _demand(months: Months, grid: Floats, fitted: Floats | None = None) -> Floats:
    """Walk along the months and return the errors, points x series."""
    size_rate, chance_rate = grid
    demand = (months.values > 0).astype(np.float64)
    columns = np.arange(demand.shape[1])
    size = np.tile(months.values[demand.argmax(axis=0), columns], (len(size_rate), 1))
    chance = np.tile(demand[months.first, columns], (len(size_rate), 1))
    loss, error, move = (np.zeros_like(size) for _ in range(3))
    for at, row in enumerate(months.values):
        np.multiply(size, chance, out=move)
        if fitted is not None:
            fitted[at] = move[0]
        np.subtract(row, move, out=error)
        error *= months.known[at]
        loss += np.abs(error, out=error)
        np.subtract(row, size, out=move)
        move *= size_rate
        size += np.multiply(move, demand[at], out=move)
        np.subtract(demand[at], chance, out=move)
        move *= chance_rate
        chance += np.multiply(move, months.known[at], out=move)
    if fitted is not None:
        fitted[len(months.values) :] = size[0] * chance[0]
    return loss


DRIFT_YEARS: Final = 2

Method = Callable[[Months, int], Floats]
"""Forecasts from months without their season, then of as many after them: months x series."""

SeasonalMethod = Callable[[Months, Floats, int], Floats]
"""The same of months as they are, given what each period of the year is a multiple of."""


@dataclass(frozen=True, slots=True)
class ExpertForecast:
    """Forecasts of one expert."""

    forecast: Floats
    """Series x horizon, at least 0; NaN for series without any value."""
    residual: Floats
    """Series x months: value less what was said one month ahead, with parameters chosen on the
    whole history. NaN where the value is unknown or a series' first."""


@dataclass(frozen=True, slots=True)
class Expert:
    """One way to forecast; call it with the series."""

    method: SeasonalMethod

    def __call__(self, values: Floats, season: Floats, horizon: int) -> ExpertForecast:
        """Return the forecast of the months after ``values`` and the errors within them.

        No series has a say in another's forecast. Works through a thousand series at a time, so
        that memory beyond the result does not grow with their number.

        Args:
            values: Series x months, NaN where missing; not modified.
            season: Series x year, what each period of it is a multiple of, as ``season_profiles``
                returns; ones for a forecast without season.
            horizon: Months ahead, at least 1.
        """
        forecast = np.empty((len(values), horizon))
        residual = np.empty(values.shape)
        for part, months, fitted in self._parts(values, season, horizon, ahead_only=False):
            forecast[part] = fitted[len(months.values) :].T
            later = months.known & (months.age > 0)
            one_ahead = fitted[: len(months.values)]
            residual[part] = np.where(later, months.values - one_ahead, np.nan).T
        return ExpertForecast(forecast, residual)

    def ahead(self, values: Floats, season: Floats, horizon: int) -> Floats:
        """Return the forecast alone; arguments as when called."""
        forecast = np.empty((len(values), horizon))
        for part, months, fitted in self._parts(values, season, horizon, ahead_only=True):
            forecast[part] = fitted[len(months.values) :].T
        return forecast

    def _parts(
        self, values: Floats, season: Floats, horizon: int, *, ahead_only: bool
    ) -> Iterator[tuple[slice, Months, Floats]]:
        """Yield some series at a time, with what is said of them: at least 0, NaN without value."""
        for at in range(0, len(values), BLOCK):
            part = slice(at, at + BLOCK)
            months = Months.of(values[part], year=season.shape[1], ahead_only=ahead_only)
            fitted = self.method(months, np.ascontiguousarray(season[part].T), horizon)
            np.maximum(fitted, 0.0, out=fitted)
            fitted[:, ~months.known.any(axis=0)] = np.nan
            yield part, months, fitted


def _ahead(method: Method, origin: Origin) -> Floats:
    """Return a method's forecast of the targets, series x targets, at least 0."""
    fitted = method(Months.of(origin.tonnes), len(origin.targets))[origin.tonnes.shape[1] :].T
    return np.maximum(fitted, 0.0)


def _last(months: Months, horizon: int) -> Floats:
    """Say the last known value."""
    last = carried(months.gapped)
    unknown = np.full((1, last.shape[1]), np.nan)
    return np.concatenate([unknown, last, np.repeat(last[-1:], horizon - 1, axis=0)])


def _same_month(months: Months, horizon: int) -> Floats:
    """Say the newest known same month of an earlier year, else the last known value."""
    height, year = len(months.values), months.year
    ahead = np.arange(horizon) % year
    place = np.concatenate([np.arange(height), height + ahead]) - year
    same = carried(months.gapped, step=year)[np.maximum(place, 0)]
    is_same = (place >= 0)[:, None] & np.isfinite(same)
    return np.where(is_same, same, _last(months, horizon))


def _moved_on(months: Months, horizon: int) -> Floats:
    """Say the last known value, moved on by the mean step of the two years before."""
    steps = np.diff(months.gapped, axis=0)
    slope = _mean_before(np.nan_to_num(steps), np.isfinite(steps), DRIFT_YEARS * months.year)[0]
    height = len(months.values)
    fitted = _last(months, horizon)
    fitted[1:height] += slope[:-1]
    fitted[height:] += slope[-1] * np.arange(1, horizon + 1)[:, None]
    return fitted


def _year_mean(months: Months, horizon: int) -> Floats:
    """Say the mean of the year before over the months known, else the last known value."""
    mean, count = _mean_before(months.values, months.known, months.year)
    place = np.minimum(np.arange(len(months.values) + horizon), len(months.values))
    return np.where(count > 0, mean, _last(months, 1))[place]


def _mean_before(values: Floats, known: Flags, width: int) -> tuple[Floats, Floats]:
    """Return mean and count of the known of ``width`` rows before each row, and after the last.

    Args:
        values: Months x series, 0 where unknown.
        known: Where they are known.
        width: Rows before the one in question.
    """
    above = ((width, 0), (0, 0))
    total = moving_sums(np.pad(values, above), width)
    count = moving_sums(np.pad(known.astype(np.float64), above), width)
    return total / np.maximum(count, 1.0), count


BASELINES: Final[dict[str, Callable[[Origin], Floats]]] = {
    "seasonal_naive": partial(_ahead, _same_month),
    "last_value": partial(_ahead, _last),
    "drift": partial(_ahead, _moved_on),
}
"""By name; of an origin each returns series x targets, in tonnes."""


def _plain(method: Method) -> Expert:
    """Return an expert whose method sees values as they are."""
    return Expert(lambda months, _, horizon: method(months, horizon))


def _adjusted(method: Method) -> Expert:
    """Return an expert whose method sees values without their season."""

    def seasonally_adjusted(months: Months, season: Floats, horizon: int) -> Floats:
        height = len(months.values)
        factor = season[np.arange(height + horizon) % months.year]
        flat = replace(months, values=months.values / factor[:height])
        return method(flat, horizon) * factor

    return Expert(seasonally_adjusted)


EXPERTS: Final[dict[str, Expert]] = {
    "seasonal_naive": _plain(_same_month),
    "drift": _adjusted(_moved_on),
    "ses": _adjusted(ses),
    "theta": _adjusted(theta),
    "damped_trend": _adjusted(damped_trend),
    "holt_winters": Expert(holt_winters),
    "level": _adjusted(_year_mean),
    "tsb": _adjusted(tsb),
    "steady": Expert(steady),
    "swift": Expert(swift),
}
"""By name; ``season.season_profiles`` gives the season they take."""
