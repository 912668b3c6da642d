"""Calm and shock months of a panel, found from the data alone: no forecast is looked at.

Public: :func:`regime_of`, :func:`with_regime`. Labels sort scores; no model reads them.
"""

from typing import Final

import numpy as np
import pandas as pd

from store.arrays import Floats
from store.months import YEAR, month_numbers

CALM: Final = "calm"
SHOCK: Final = "shock"

SEASONS: Final = 3
"""Years whose same month tells what is usual; the median of three does not echo a shock."""

MEMORY: Final = 3
"""Years that say how large a departure, and how much turmoil, is ordinary."""

_LEAST: Final = 6
"""Departures that a series, and ``2 * LEAST`` months of turmoil that a panel, must have."""

_LARGEST: Final = 8.0
"""Cap of one series' departure in ordinary ones, so that no series alone makes a shock."""

_RATIO: Final = 1.25
SWINGS: Final = 1.75
"""A shock has more turmoil than both ``_RATIO`` times the median and ``SWINGS`` robust standard
deviations above it: the first holds for large panels, whose turmoil is steady, the second for
small ones, whose turmoil is noisy."""

ROBUST: Final = 1.4826
"""Standard deviation of a normal over its median absolute deviation."""


def regime_of(table: pd.DataFrame) -> "pd.Series[str]":
    """Return which months of a panel were shocks, by what was known up to each month.

    A month's share is its tonnes over the mean of the middle six of the twelve months before it;
    the usual share is the median of those of the same month one, two and three years before. A
    series departs by the distance of the two over their sum. The turmoil of a month is the mean
    over series, weighted by the first mean, of the departure over the series' mean departure in the
    36 months before (at most 8). A month is a shock if its turmoil exceeds both 1.25 times the
    median of the panel's turmoil in the 36 months before, and that median plus 1.75 robust standard
    deviations.

    Values are weighted against each other, so a series in larger units counts for more; a series
    without tonnes in nine of twelve months counts for nothing. Of monthly US imports the shocks are
    then 2018-12 to 2019-11 but one month (tariffs), 2020-03 to 06, 2023-03 and 06, and 2025-04 to
    08; of China's exports of graphite and gallium 2023-08 to 10 (gallium's licence), 2023-12 to
    2024-02 (graphite's) and 2024-07. A shock that lasts becomes ordinary within three years; a
    collapse of every series also marks months of the year after, whose level it still moves.

    Args:
        table: Tonnes, one row a series, one column a month (consecutive numbers), NaN where a
            series has no value; not modified.

    Returns:
        ``calm`` or ``shock`` of every column, in order. Months before there is enough to compare
        with (about three and a half years) are calm.
    """
    turmoil, memory = turmoil_of(table.to_numpy(dtype=float)), MEMORY * YEAR
    limit = np.array([_limit(turmoil[max(0, j - memory) : j]) for j in range(len(turmoil))])
    label = np.where(turmoil > limit, SHOCK, CALM)
    return pd.Series(label, index=table.columns, name="regime", dtype=str)


def with_regime(cells: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Return scored cells with the ``regime`` of the month that was forecast.

    Args:
        cells: With period (first day of the month forecast); not modified.
        table: As ``regime_of`` takes. Cells of months it does not hold are calm.
    """
    periods = pd.Series(month_numbers(cells["period"]), index=cells.index)
    return cells.assign(regime=periods.map(regime_of(table)).fillna(CALM))


def turmoil_of(tonnes: Floats) -> Floats:
    """Return how far each month of a panel departs from the usual, 1 being ordinary.

    Args:
        tonnes: Series x months, NaN where a series has no value.

    Returns:
        One number a month, NaN where no series has enough history.
    """
    level = _level(tonnes)
    share = tonnes / level
    departure = _distance(share, _usual(share))
    ordinary = _mean_before(departure, width=MEMORY * YEAR, least=_LEAST)
    size = np.minimum(departure / np.where(ordinary > 0, ordinary, np.nan), _LARGEST)
    weight = np.where(np.isfinite(size), level, 0.0)
    total = weight.sum(axis=0)
    sum_of = (np.where(np.isfinite(size), size, 0.0) * weight).sum(axis=0)
    return np.where(total > 0, sum_of / np.where(total > 0, total, 1.0), np.nan)


def _limit(before: Floats) -> float:
    known = before[np.isfinite(before)]
    if len(known) < 2 * _LEAST:
        return float("nan")
    median = float(np.median(known))
    swing = ROBUST * float(np.median(np.abs(known - median)))
    return max(_RATIO * median, median + SWINGS * swing)


def _level(tonnes: Floats) -> Floats:
    """Return the mean of the middle half of the year before each month, NaN where that is 0.

    A short shock does not move it. A missing month counts as a large one; NaN with more than three.
    """
    found, quarter = np.full(tonnes.shape, np.nan), YEAR // 4
    for place in range(YEAR, tonnes.shape[1]):
        ordered = np.sort(tonnes[:, place - YEAR : place], axis=1)  # NaN last
        found[:, place] = ordered[:, quarter : YEAR - quarter].mean(axis=1)
    return np.where(found > 0, found, np.nan)


def _mean_before(values: Floats, *, width: int, least: int) -> Floats:
    found = np.full(values.shape, np.nan)
    for place in range(1, values.shape[1]):
        window = values[:, max(0, place - width) : place]
        known = np.isfinite(window)
        count = known.sum(axis=1)
        total = np.where(known, window, 0.0).sum(axis=1)
        found[:, place] = np.where(count >= least, total / np.maximum(count, 1), np.nan)
    return found


def _distance(one: Floats, other: Floats) -> Floats:
    """Return the distance of two amounts over their sum, 0 if both are 0.

    Rounded, so that a constant series departs by nothing rather than by the last bit of a mean.
    """
    total = one + other
    return np.round(np.abs(one - other) / np.where(total > 0, total, 1.0), 9)


def _usual(share: Floats) -> Floats:
    """Return the median share of the same month in the years before, over those known."""
    past = np.full((SEASONS, *share.shape), np.nan)
    for ago in range(1, SEASONS + 1):
        past[ago - 1, :, YEAR * ago :] = share[:, : -YEAR * ago]
    ordered = np.sort(past, axis=0)  # NaN last
    count = np.isfinite(past).sum(axis=0)[None]
    low = np.take_along_axis(ordered, np.maximum(count - 1, 0) // 2, axis=0)
    high = np.take_along_axis(ordered, np.minimum(count // 2, SEASONS - 1), axis=0)
    return np.asarray((low[0] + high[0]) / 2.0)
