"""The theta method of many series at once; arrays and loops are as in ``smoothing``."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from models.statistical.smoothing import Months, best_of, columns_of, line_of, line_terms
from store.arrays import Flags, Floats

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
            slope: As the intercept.
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
            share: How much of the line counts.
            horizon: Months ahead.
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
    """Return alpha and share of the line with the least squared errors, 2 x 1 x series."""
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
    """Return which months' errors choose the parameters."""
    is_long = months.known.sum(axis=0) >= SETTLED_MONTHS
    return months.known & (months.age >= np.where(is_long, SETTLING_MONTHS, 1))
