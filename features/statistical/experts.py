"""Plain forecasts of all series at once: experts to combine, and baselines a model must beat."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import Final

import numpy as np

from features.statistical.seasonality import BLOCK, carried, moving_sums
from features.statistical.smoothing import (
    LOG_OFFSET,
    START_MONTHS,
    Months,
    best_of,
    columns_of,
    damped_trend,
    holt_winters,
    line_of,
    line_terms,
    mean_where,
    ses,
)
from store.arrays import Flags, Floats, Ints
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


class _Walk:
    """A walk along the months: the level, and the line as it stood before each month.

    The line adds ``fade`` of its intercept, (1 - alpha) to the power of the months passed, and
    ``reach`` of its slope, those powers so far added up.
    """

    def __init__(self, months: Months, alpha: Floats) -> None:
        """State before the first month, at points x 1 or 1 x series of alpha."""
        self._months = months
        self._alpha = alpha
        self._level = np.tile(months.first_value, (len(alpha), 1))
        self._fade = np.ones_like(self._level)
        self._reach = np.ones_like(self._level)
        self._room = np.empty_like(self._level)

    def steps(self, intercept: Floats, slope: Floats) -> Iterator[tuple[Floats, Floats]]:
        """Yield for each month the level's error (0 in gaps) and the whole line, points x series.

        Both are overwritten by the next step.

        Args:
            intercept: Of the lines as known after each month, months x series.
        """
        months = self._months
        error, line = np.empty_like(self._level), np.zeros_like(self._level)
        walk = zip(months.values, months.weight, months.beginning(), strict=True)
        for at, (row, weight, new) in enumerate(walk):
            if new.size:
                self._fade[:, new] = self._reach[:, new] = 1.0
            if at > 0:
                self._draw(intercept[at - 1], slope[at - 1], line)
            np.subtract(row, self._level, out=error)
            error *= weight
            self._level += np.multiply(error, self._alpha, out=self._room)
            self._pass_month()
            yield error, line

    def beyond(self, terms: list[Floats], share: Floats, horizon: int) -> Iterator[Floats]:
        """Yield the forecast of each month after the last, one number a series.

        Each is taken for true in the next one.

        Args:
            terms: Of the line, added up over all months.
        """
        base = self._months.first_value
        line = np.empty_like(self._level)
        for age in self._months.age[-1] + np.arange(1, horizon + 1)[:, None]:
            intercept, slope = line_of(terms, least=SLOPE_MONTHS)
            self._draw(intercept + base, slope, line)
            forecast = (self._level + share * line)[0]
            yield forecast
            self._level += self._alpha * (forecast - self._level)
            self._pass_month()
            number, value = age + 1.0, forecast - base
            added = (1.0, number, value, number * number, number * value)
            terms = [term + more for term, more in zip(terms, added, strict=True)]

    def _draw(self, intercept: Floats, slope: Floats, line: Floats) -> None:
        np.multiply(self._fade, intercept, out=line)
        line += np.multiply(self._reach, slope, out=self._room)

    def _pass_month(self) -> None:
        self._fade *= 1.0 - self._alpha
        self._reach *= 1.0 - self._alpha
        self._reach += 1.0


def theta(months: Months, horizon: int) -> Floats:
    """Return the dynamic optimised theta method: a level, and a share of the line so far.

    The line through a series is drawn anew with each month, beyond the last one through the
    forecasts. Alpha comes from a grid, the share of the line in closed form.

    Source: Fiorucci et al. (2016), Models for optimising the theta method.
    """
    terms = line_terms(months, months.weight)
    intercept, slope = line_of([term.cumsum(axis=0) for term in terms], least=SLOPE_MONTHS)
    intercept += months.first_value
    alpha, share = _best(months, intercept, slope)
    fitted = months.blank(horizon)
    walk = _Walk(months, alpha)
    for at, (error, line) in enumerate(walk.steps(intercept, slope)):
        fitted[at] = (months.values[at] - error + share * line)[0]
    for at, forecast in enumerate(
        walk.beyond([term.sum(axis=0) for term in terms], share, horizon)
    ):
        fitted[len(months.values) + at] = forecast
    return fitted


def _best(months: Months, intercept: Floats, slope: Floats) -> Floats:
    [alphas] = columns_of([(alpha,) for alpha in ALPHAS])
    shape = (len(ALPHAS), months.values.shape[1])
    errors, both, lines, room = (np.zeros(shape) for _ in range(4))
    steps = _Walk(months, alphas).steps(intercept, slope)
    for (error, line), counts in zip(steps, _counted(months), strict=True):
        np.multiply(error, counts, out=error)
        np.multiply(line, counts, out=line)
        errors += np.multiply(error, error, out=room)
        both += np.multiply(error, line, out=room)
        lines += np.multiply(line, line, out=room)
    has_line = (lines > 0) & (months.known.sum(axis=0) >= LINE_MONTHS)
    share = np.divide(both, lines, out=np.zeros(shape), where=has_line).clip(0.0, LARGEST_SHARE)
    points = np.stack([np.broadcast_to(alphas, shape), share])
    return best_of(points, errors - 2.0 * share * both + share**2 * lines)


def _counted(months: Months) -> Flags:
    is_long = months.known.sum(axis=0) >= SETTLED_MONTHS
    return months.known & (months.age >= np.where(is_long, SETTLING_MONTHS, 1))


REACH: Final = 1.75
"""Usual errors that an error counts for at most."""

USUAL_START: Final = 0.3
"""Usual error before any is seen, log units."""

USUAL_RATE: Final = 0.1
"""How fast the usual error follows the errors."""

FOCUS: Final = 0.35
"""How strongly small errors attract weight: the power of the likelihood that mixes the points."""

_LEAST_LOSS: Final = 1e-9
"""Mean squared error below which a smaller one attracts no further weight."""

LARGEST_LOG: Final = 60.0
"""Ratio to its mean beyond which no series is extrapolated, log units."""


@dataclass(frozen=True, slots=True)
class SmoothingWeights:
    """How fast a smoothing moves."""

    alphas: tuple[float, ...]
    """Rates of the level."""
    shares: tuple[float, ...]
    """Rates of the trend, as shares of alpha."""
    phi: float
    """What remains of the trend a month later."""
    turns: tuple[float, ...] = (0.0, 0.05, 0.15)
    """Rates of the season, as shares of what alpha leaves."""

    @property
    def grid(self) -> Floats:
        points = product(self.alphas, self.shares, self.turns)
        return columns_of([(a, a * b, (1.0 - a) * g) for a, b, g in points])


STEADY: Final = SmoothingWeights((0.05, 0.15, 0.3), (0.0, 0.1), 0.9)
"""For series whose moves mostly pass."""

SWIFT: Final = SmoothingWeights((0.1, 0.25, 0.5, 0.75), (0.05, 0.2), 0.95)
"""For series whose moves mostly last."""


@dataclass(slots=True)
class _State:
    level: Floats
    trend: Floats
    turning: Floats
    """Months of the year x points x series."""
    usual: Floats
    loss: Floats


def steady(months: Months, season: Floats, horizon: int) -> Floats:
    """Return robust smoothing at a slow pace; arguments as ``robust``."""
    return robust(months, season, horizon, STEADY)


def swift(months: Months, season: Floats, horizon: int) -> Floats:
    """Return robust smoothing at a fast pace with a trend; arguments as ``robust``."""
    return robust(months, season, horizon, SWIFT)


def robust(months: Months, season: Floats, horizon: int, pace: SmoothingWeights) -> Floats:
    """Return what is said of the known months, each one month ahead, then of those after them.

    Args:
        months: Values with their season in them; below 0 counts as 0.
        season: Months of the year x series: what each is a multiple of to start with.
    """
    size = mean_where(np.maximum(months.values, 0.0), months.known)
    shares = np.maximum(months.values, 0.0) / np.where(size > 0, size, 1.0)
    logs = Months(np.log(shares + LOG_OFFSET), months.known)
    last = _walk(logs, np.log(season), pace)
    weight = _weights(last.loss, months.known.sum(axis=0))
    fitted = months.blank(horizon)
    if months.ahead_only:
        fitted[:-horizon] = np.nan
    else:
        _walk(logs, np.log(season), pace, (weight, fitted))
    ahead = np.arange(1, horizon + 1)
    turned = np.einsum("gn,mgn->mn", weight, last.turning)[
        (len(logs.values) + ahead - 1) % len(season)
    ]
    reach = np.cumsum(pace.phi**ahead)[:, None]
    fitted[-horizon:] = (weight * last.level).sum(axis=0) + turned
    fitted[-horizon:] += reach * (weight * last.trend).sum(axis=0)
    return (np.exp(np.minimum(fitted, LARGEST_LOG)) - LOG_OFFSET) * size


def _weights(loss: Floats, count: Ints) -> Floats:
    """Return the weight of each point, points x series; they add up to one."""
    some = np.maximum(count, 1)
    fit = -FOCUS * some * np.log(loss / some + _LEAST_LOSS)
    share = np.exp(fit - fit.max(axis=0))
    weight: Floats = share / share.sum(axis=0)
    return weight


def _walk(
    logs: Months, season: Floats, pace: SmoothingWeights, notes: tuple[Floats, Floats] | None = None
) -> _State:
    """Walk along the months at each point; note what the points say together if asked."""
    alpha, beta, gamma = pace.grid
    state = _start(logs, season, len(alpha))
    error, move, bound = (np.empty_like(state.level) for _ in range(3))
    for at, (row, weight) in enumerate(zip(logs.values, logs.weight, strict=True)):
        own = state.turning[at % len(season)]
        state.trend *= pace.phi
        state.level += state.trend
        np.add(state.level, own, out=move)
        if notes is not None:
            notes[1][at] = (notes[0] * move).sum(axis=0)
        np.subtract(row, move, out=error)
        error *= weight
        state.loss += np.multiply(error, error, out=move)
        np.multiply(state.usual, REACH, out=bound)
        np.abs(error, out=move)
        np.minimum(move, 2.0 * bound, out=move)
        move -= state.usual
        state.usual += np.multiply(move, USUAL_RATE * weight, out=move)
        np.minimum(error, bound, out=error)
        np.maximum(error, np.negative(bound, out=bound), out=error)
        state.level += np.multiply(error, alpha, out=move)
        state.trend += np.multiply(error, beta, out=move)
        own += np.multiply(error, gamma, out=move)
    return state


def _start(logs: Months, season: Floats, points: int) -> _State:
    early = logs.known & (logs.age < START_MONTHS)
    place = np.arange(len(logs.values)) % len(season)
    level = np.tile(mean_where(logs.values - season[place], early), (points, 1))
    zero = np.zeros_like(level)
    turning = np.repeat(season[:, None, :], points, axis=1)
    return _State(level, zero, turning, np.full_like(level, USUAL_START), zero.copy())


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
"""The same of months as they are, given what each month of the year is a multiple of."""


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
            season: Series x months of the year, what each is a multiple of, as ``season_profiles``
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
            months = Months.of(values[part], ahead_only=ahead_only)
            fitted = self.method(months, np.ascontiguousarray(season[part].T), horizon)
            np.maximum(fitted, 0.0, out=fitted)
            fitted[:, ~months.known.any(axis=0)] = np.nan
            yield part, months, fitted


def _ahead(method: Method, values: Floats, horizon: int) -> Floats:
    return np.maximum(method(Months.of(values), horizon)[values.shape[1] :].T, 0.0)


def _last(months: Months, horizon: int) -> Floats:
    last = carried(months.gapped)
    unknown = np.full((1, last.shape[1]), np.nan)
    return np.concatenate([unknown, last, np.repeat(last[-1:], horizon - 1, axis=0)])


def _same_month(months: Months, horizon: int) -> Floats:
    height = len(months.values)
    ahead = np.arange(horizon) % YEAR
    place = np.concatenate([np.arange(height), height + ahead]) - YEAR
    same = carried(months.gapped, step=YEAR)[np.maximum(place, 0)]
    is_same = (place >= 0)[:, None] & np.isfinite(same)
    return np.where(is_same, same, _last(months, horizon))


def _moved_on(months: Months, horizon: int) -> Floats:
    steps = np.diff(months.gapped, axis=0)
    slope = _mean_before(np.nan_to_num(steps), np.isfinite(steps), DRIFT_YEARS * YEAR)[0]
    height = len(months.values)
    fitted = _last(months, horizon)
    fitted[1:height] += slope[:-1]
    fitted[height:] += slope[-1] * np.arange(1, horizon + 1)[:, None]
    return fitted


def _year_mean(months: Months, horizon: int) -> Floats:
    mean, count = _mean_before(months.values, months.known, YEAR)
    place = np.minimum(np.arange(len(months.values) + horizon), len(months.values))
    return np.where(count > 0, mean, _last(months, 1))[place]


def _mean_before(values: Floats, known: Flags, width: int) -> tuple[Floats, Floats]:
    """Return mean and count of the known of ``width`` rows before each row, and after the last."""
    above = ((width, 0), (0, 0))
    total = moving_sums(np.pad(values, above), width)
    count = moving_sums(np.pad(known.astype(np.float64), above), width)
    return total / np.maximum(count, 1.0), count


BASELINES: Final[dict[str, Callable[[Floats, int], Floats]]] = {
    "seasonal_naive": partial(_ahead, _same_month),
    "last_value": partial(_ahead, _last),
    "drift": partial(_ahead, _moved_on),
}
"""By name; of series x months each returns series x months ahead."""


def _plain(method: Method) -> Expert:
    return Expert(lambda months, _, horizon: method(months, horizon))


def _adjusted(method: Method) -> Expert:
    def seasonally_adjusted(months: Months, season: Floats, horizon: int) -> Floats:
        height = len(months.values)
        factor = season[np.arange(height + horizon) % YEAR]
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
"""By name; ``seasonality.season_profiles`` gives the season they take."""

IN_MEDIAN: Final = ("seasonal_naive", "theta", "damped_trend", "holt_winters", "steady", "swift")
"""Experts whose median the magnets' model hears, and from which the engine's trees start."""
