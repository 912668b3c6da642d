"""A panel at its past origins: seasons, common moves, and which series can be trained on.

Each origin sees the months up to it only, but how a month compares with the year around it does not
change once half a year has passed: such ratios are taken once. Bit for bit the same as
``series_stats`` at each origin.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from models.engine.series_stats import (
    LEAST_LEVEL,
    LEAST_SPREAD,
    MOVE_TO_SPREAD,
    SPREAD_YEARS,
    PanelStats,
    SeriesStats,
    measured,
    panel_momentum,
)
from models.statistical.seasonality import (
    BLOCK,
    LEAST_YEARS,
    SeasonalProfiles,
    evenly_weighted,
    of_place,
    panel_profile,
    profiles_from,
    ratios,
    steadied_profiles,
    weighted,
    year_weights,
)
from store.arrays import Flags, Floats, Ints, take
from store.months import YEAR

DOUBT: Final = 1.001
"""How many times its bound, which is rounded, a level must be to need no closer look."""


LANES: Final = 8
"""Running sums that numpy adds a row up in."""


@dataclass(frozen=True, slots=True)
class PastOrigin:
    """All series of a panel at one origin."""

    tonnes: Floats
    """Series x months up to the origin."""
    season: Floats
    """Series x year."""
    common: PanelStats
    able: Flags
    """Which can be trained on: forecast, scored and not constant."""

    def stats(self, rows: Ints) -> SeriesStats:
        """Return the statistics of some of the series."""
        return take(_stats_of(self.tonnes, self.season, rows), np.arange(len(rows)))


class PastOrigins:
    """A panel whose origins are asked one after the other."""

    def __init__(self, tonnes: Floats, last: int, year: int = YEAR) -> None:
        """Take series x periods, ``year`` a year; no origin is later than the column ``last``."""
        self._year = year
        # What spread and momentum are read from: moves, and so one period more.
        self._seen = SPREAD_YEARS * year + 1
        self._tonnes = tonnes[:, : last + 1]
        self._months = np.ascontiguousarray(self._tonnes.T)
        known = np.isfinite(self._months)
        self._sums = np.cumsum(np.where(known, self._months, 0.0), axis=0)
        self._counts = np.cumsum(known, axis=0)
        self._scored = np.logical_or.accumulate(
            np.abs(self._months[year:] - self._months[:-year]) > 0, axis=0
        )
        self._seasons: _Seasons | None = None
        if last + 1 >= LEAST_YEARS * year:
            self._seasons = _Seasons(self._tonnes, year)

    def at(self, origin: int, common: PanelStats | None = None) -> PastOrigin:
        """Return the panel at an origin.

        Args:
            origin: Column of the last month known.
            common: Of the panel of which these are some series; None where they are all.
        """
        values = self._tonnes[:, : origin + 1]
        profile = None if common is None else common.profile
        season, profile = self._season(origin, profile)
        spread, momentum = self._moved(origin, season)
        if common is None:
            common = PanelStats(profile, panel_momentum(momentum))
        current = self._known(origin, self._year) > 0
        scored = (
            self._scored[origin - self._year] if origin >= self._year else np.zeros_like(current)
        )
        return PastOrigin(values, season, common, current & scored & (spread > 0))

    def _season(self, origin: int, profile: Floats | None) -> tuple[Floats, Floats]:
        """Return the season of each series, and the panel's."""
        if self._seasons is None or origin + 1 < LEAST_YEARS * self._year:
            return np.ones((self._year, len(self._tonnes))).T, np.ones(self._year)
        raw = self._seasons.at(origin)
        profile = panel_profile(raw) if profile is None else profile
        return steadied_profiles(raw, profile), profile

    def _known(self, origin: int, width: int) -> Ints:
        """Return how many of the last months at an origin are known."""
        known: Ints = self._counts[origin]
        return known if origin < width else known - self._counts[origin - width]

    def _moved(self, origin: int, season: Floats) -> tuple[Floats, Floats]:
        """Return spread and momentum of each series."""
        spread, momentum = (np.full(len(self._tonnes), np.nan) for _ in range(2))
        is_plain = np.zeros(len(self._tonnes), dtype=bool)
        if origin + 1 >= self._seen:
            level = _row_sums(self._months[origin + 1 - self._year : origin + 1]) / self._year
            mean = self._sums[origin] / np.maximum(self._counts[origin], 1)
            is_whole = self._known(origin, self._seen) == self._seen
            is_plain = (level > DOUBT * LEAST_LEVEL * mean) & is_whole
            spread, momentum = self._plainly_moved(origin, season, level)
        odd = np.flatnonzero(~is_plain)
        own = _stats_of(self._tonnes[:, : origin + 1], season, odd)
        spread[odd], momentum[odd] = own.spread, own.momentum
        return spread, momentum

    def _plainly_moved(self, origin: int, season: Floats, level: Floats) -> tuple[Floats, Floats]:
        """Return spread and momentum of series without gaps of late and with some level."""
        year, quarter = self._year, self._year // 4
        place = np.arange(origin + 1 - self._seen, origin + 1)
        flat = self._months[place] / season.T[place % year]
        late = 0.5 ** (np.arange(SPREAD_YEARS * year)[::-1] / year)
        moves = np.diff(flat, axis=0)
        np.abs(moves, out=moves)
        moves *= late[:, None]
        usual = _row_sums(moves) / late.sum()
        spread = np.fmax(MOVE_TO_SPREAD * usual, LEAST_SPREAD * level)
        before = flat[-quarter - year : -quarter]
        rise = _row_sums(flat[-quarter:]) / quarter - _row_sums(before) / len(before)
        return spread, np.divide(rise, spread, out=np.zeros_like(rise), where=spread > 0)


class _Seasons:
    """The ratios of a panel, and the profiles they add up to at an origin.

    From one origin to the next a period of the year is weighted anew only where a ratio of it comes
    or goes.
    """

    def __init__(self, tonnes: Floats, year: int) -> None:
        self._year = year
        places = range(0, len(tonnes), BLOCK)
        ratio = zip(*(ratios(tonnes[at : at + BLOCK].T, year) for at in places), strict=True)
        self._ratio, self._usable = (np.concatenate(own, axis=1) for own in ratio)
        whole = self._usable.all(axis=0) & (len(tonnes) > 1)
        self._plain = np.flatnonzero(whole)
        self._odd = _never_alone(np.flatnonzero(~whole), len(tonnes))
        shape = (year, len(tonnes))
        self._mean, self._scatter, self._count = np.ones(shape), np.zeros(shape), np.zeros(shape)
        self._years = [0] * year

    def at(self, origin: int) -> SeasonalProfiles:
        """Return the profiles of all series at an origin."""
        length = origin + 1 - self._year
        for place in range(self._year):
            own = of_place(place, self._year)
            ratio, usable = self._ratio[:length][own], self._usable[:length][own]
            if len(ratio) != self._years[place]:
                self._years[place] = len(ratio)
                self._weigh(place, ratio, usable)
        return profiles_from(self._mean, self._scatter, self._count)

    def _weigh(self, place: int, ratio: Floats, usable: Flags) -> None:
        """Take in the ratios of one period of the year, years x series, and which of them count."""
        weight = year_weights(len(ratio))
        plain, odd = self._plain, self._odd
        counts = usable[:, odd] * weight[:, None]
        for rows, found in (
            (plain, evenly_weighted(ratio[:, plain], weight)),
            (odd, weighted(ratio[:, odd], counts)),
        ):
            self._mean[place, rows], self._scatter[place, rows], self._count[place, rows] = found


def _stats_of(tonnes: Floats, season: Floats, rows: Ints) -> SeriesStats:
    """Return the statistics of some series, their seasons laid out as those of all are."""
    return measured(tonnes[rows], season.T[:, rows].T)


def _never_alone(rows: Ints, count: int) -> Ints:
    """Return rows, a single one of many twice: numpy adds up a lone column in another order."""
    return np.repeat(rows, 2) if len(rows) == 1 and count > 1 else rows


def _row_sums(months: Floats) -> Floats:
    """Return the sums of months x series, added up in numpy's order for rows of series x months.

    Eight running sums, then those two by two, then what is left over.
    """
    even = len(months) - len(months) % LANES
    if even == 0:
        return np.asarray(months.sum(axis=0))
    total = months[:even].reshape(-1, LANES, months.shape[1]).sum(axis=0)
    while len(total) > 1:
        total = total[0::2] + total[1::2]
    return np.asarray(np.concatenate([total, months[even:]]).sum(axis=0))
