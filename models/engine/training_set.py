"""Training rows: features at past origins and the outcomes that are known by now."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import repeat
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.engine.series_stats import (
    LEAST_LEVEL,
    LEAST_SPREAD,
    MOVE_TO_SPREAD,
    SPREAD_YEARS,
    OriginFeatures,
    PanelStats,
    SeriesStats,
    measured,
    origin_features,
    panel_momentum,
    series_stats,
)
from models.learning.calibration import TrainingRows
from models.learning.spec import EngineSpec
from models.statistical.seasonality import (
    BLOCK,
    LEAST_YEARS,
    SeasonalProfiles,
    common_profile,
    evenly_weighted,
    of_place,
    panel_profile,
    profiles_from,
    ratios,
    steadied_profiles,
    weighted,
    year_weights,
)
from store.arrays import Flags, Floats, Ints, join, take
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


LEAST_SCALE: Final = 0.3
"""Scale of the errors of a series, in spreads, below which it gains no further weight."""

Extra = Callable[[int, Ints | slice], NDArray[np.float32]]
"""Further features of some series at an origin, a column of the table: series x months x extras."""


@dataclass(frozen=True, slots=True)
class PanelView:
    """A panel as the engine sees it: at each origin the columns up to it, nothing else."""

    tonnes: Floats
    """Series x months, NaN where missing."""
    first: int
    """Number of the first column's period."""
    horizon: int
    year: int = YEAR
    """Periods of a year."""
    extra: Extra | None = None
    common: Mapping[int, PanelStats] = field(default_factory=dict)
    """By origin, where these are some series of a panel; else all series tell it together."""
    _stats: dict[int, SeriesStats] = field(default_factory=dict, init=False, repr=False)

    def part(self, rows: Ints) -> "PanelView":
        """Return the view of some of the series."""
        extra = self.extra
        own = None if extra is None else lambda origin, some: extra(origin, rows[some])
        return PanelView(self.tonnes[rows], self.first, self.horizon, self.year, own)

    def stats(self, origin: int) -> SeriesStats:
        """Return the statistics of all series at an origin; made once."""
        if origin not in self._stats:
            common = self.common.get(origin)
            profile = None if common is None else common.profile
            self._stats[origin] = series_stats(
                self.tonnes[:, : origin + 1], profile, year=self.year
            )
        return self._stats[origin]

    def common_at(self, origin: int) -> PanelStats:
        """Return what all series say together at an origin."""
        if origin in self.common:
            return self.common[origin]
        known = self.tonnes[:, : origin + 1]
        return PanelStats(
            common_profile(known, self.year), panel_momentum(self.stats(origin).momentum)
        )

    def at(self, origin: int, rows: Ints | slice) -> OriginFeatures:
        """Return the features of some series at an origin.

        Args:
            origin: Column of the last month known.
        """
        whole = self.stats(origin)
        common = self.common.get(origin)
        momentum = panel_momentum(whole.momentum) if common is None else common.momentum
        return self.seen(origin, rows, take(whole, rows), momentum)

    def seen(
        self, origin: int, rows: Ints | slice, own: SeriesStats, momentum: float
    ) -> OriginFeatures:
        """Return features of some series at an origin, from their and the panel's statistics."""
        found = origin_features(
            np.ascontiguousarray(self.tonnes[rows, : origin + 1]),
            own,
            horizon=self.horizon,
            first=self.first,
            momentum=momentum,
        )
        extra = self.extra
        if extra is None:
            return found
        return replace(
            found, features=np.concatenate([found.features, extra(origin, rows)], axis=2)
        )

    def after(self, origin: int, rows: Ints | slice, last: int) -> Floats:
        """Return the months after an origin, as far as they are known at column ``last``."""
        known = self.tonnes[rows, origin + 1 : min(origin + self.horizon, last) + 1]
        found = np.full((len(known), self.horizon), np.nan)
        found[:, : known.shape[1]] = known
        return found


@dataclass(frozen=True, slots=True)
class PanelTrainingSet(TrainingRows):
    """Cells of past forecasts that are known now; arrays are by cell.

    The target is the outcome less the base, in units of the series' scale; the weight, what an
    error in that unit is worth in scaled errors.
    """

    origin: Ints
    """Column of the origin."""
    horizon: Ints
    level: Floats
    """Level of the series, in spreads: how calm it is."""
    base: Floats
    """In spreads; an outcome is never below 0, so no target is below minus this."""
    experts: dict[str, Floats]
    """Distance of each expert from the base, in spreads."""

    def part(self, cells: Ints | Flags) -> "PanelTrainingSet":
        """Return some of the cells."""
        return take(self, cells)


def validation_start(last: int, horizon: int, spec: EngineSpec) -> int:
    """Return the column of the first origin of the validation window."""
    return last - spec.validation_length(horizon)


def past_origins(last: int, horizon: int, spec: EngineSpec) -> list[int]:
    """Return columns of past origins before the column ``last``, newest first."""
    earliest = max(spec.least_history - 1, last - spec.span - horizon)
    return list(range(last - 1, earliest - 1, -spec.step))


def training_set(view: PanelView, last: int, spec: EngineSpec) -> PanelTrainingSet:
    """Return the training rows known at the column ``last``; may be empty.

    At most ``spec.pairs`` pairs of series and origin are looked at, as many at each origin, drawn
    without regard to size.
    """
    origins = past_origins(last, view.horizon, spec)
    pasts = PastOrigins(view.tonnes, origins[0] if origins else last, view.year)
    if not origins:
        return _of_origin(
            view, _TrainingSeries.of(pasts.at(last), last, np.empty(0, dtype=np.int64)), last, spec
        )
    draw = np.random.default_rng(spec.seed)
    each = -(-spec.pairs // len(origins))
    chosen = [
        _TrainingSeries.of(past, origin, _drawn(past, each, draw))
        for origin in origins
        for past in [pasts.at(origin, view.common.get(origin))]
    ]
    with ThreadPoolExecutor(spec.threads) as pool:
        parts = list(pool.map(_of_origin, repeat(view), chosen, repeat(last), repeat(spec)))
    return join(parts)


@dataclass(frozen=True, slots=True)
class _TrainingSeries:
    """Series to train on at one origin."""

    origin: int
    rows: Ints
    own: SeriesStats
    momentum: float
    """Of the panel."""

    @classmethod
    def of(cls, past: PastOrigin, origin: int, rows: Ints) -> "_TrainingSeries":
        return cls(origin, rows, past.stats(rows), past.common.momentum)


def _drawn(past: PastOrigin, count: int, draw: np.random.Generator) -> Ints:
    """Return rows of series that can be trained on."""
    able = np.flatnonzero(past.able)
    if len(able) <= count:
        return able
    return np.sort(draw.choice(able, count, replace=False))


def _of_origin(
    view: PanelView, seen: _TrainingSeries, last: int, spec: EngineSpec
) -> PanelTrainingSet:
    """Return the training rows of some series at an origin, as known at column ``last``.

    The pretrained network is asked at the origins of the validation window only, by which its
    weight is measured; before, its distance is NaN.
    """
    origin, rows = seen.origin, seen.rows
    outcome = view.after(origin, rows, last)
    known = np.isfinite(outcome)
    point = view.seen(origin, rows, seen.own, seen.momentum)
    if spec.pretrained:
        is_asked = origin >= validation_start(last, view.horizon, spec)
        point = point.with_pretrained(view.tonnes[rows, : origin + 1] if is_asked else None)
    spread = point.stats.spread[:, None]
    worth = spread / np.maximum(point.stats.scale[:, None], LEAST_SCALE * spread)

    def cells(values: Floats) -> Floats:
        return np.broadcast_to(values, outcome.shape)[known]

    return PanelTrainingSet(
        features=point.features[known],
        target=cells((outcome - point.base) / spread),
        weight=cells(worth),
        origin=np.full(int(known.sum()), origin),
        horizon=1 + np.nonzero(known)[1],
        level=cells(point.stats.level[:, None] / spread),
        base=cells(point.base / spread),
        experts={name: cells((one - point.base) / spread) for name, one in point.experts.items()},
    )
