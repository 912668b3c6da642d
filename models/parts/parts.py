"""Forecast a panel that is never held whole: part by part, with the same bits as all at once.

What series say of each other, the panel's season and how its middle series moves, is gathered in
two passes before the last; what the engine learns comes from the series it would draw anyway.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.engine.baselines import around, error_quantiles
from models.engine.forecast import Engine, taught, taught_rows
from models.engine.quantiles import Quantiles
from models.engine.series_stats import PanelStats, gauge, panel_momentum
from models.engine.spec import EngineSpec
from models.engine.training_set import PanelView
from models.forecasting.forecaster import MODEL
from models.learning.arrays import join
from models.learning.quantile_heads import Heads
from models.statistical.seasonality import (
    LEAST_MONTHS,
    YEAR,
    SeasonalProfiles,
    measured_profiles,
    panel_profile,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Names = NDArray[np.object_]

NO_SEASON: Final = np.ones(YEAR)


@dataclass(frozen=True, slots=True)
class PanelMonths:
    """The months of a panel, as month numbers, both ends included."""

    first: int
    last: int

    @property
    def width(self) -> int:
        """Return the number of months."""
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True)
class Block:
    """The series of one part of a panel."""

    names: Names
    tonnes: Floats
    """Series x months of the panel's span, NaN where missing."""


@dataclass(frozen=True, slots=True)
class Division:
    """Where the series of a panel lie in its parts and in the order of their names."""

    places: tuple[Ints, ...]
    """By part: place of each of its series among all names in order."""

    @classmethod
    def of(cls, names: Sequence[Names]) -> "Division":
        """Return the division of a panel whose parts have these names."""
        together = np.concatenate(names)
        place = np.empty(len(together), dtype=np.int64)
        place[np.argsort(together, kind="stable")] = np.arange(len(together))
        return cls(tuple(np.split(place, np.cumsum([len(some) for some in names])[:-1])))

    @property
    def count(self) -> int:
        """Return the number of series."""
        return sum(len(some) for some in self.places)

    def teachers(self, spec: EngineSpec) -> list[Ints]:
        """Return by part the rows of the series that lessons are drawn from."""
        drawn = taught_rows(self.count, spec)
        if drawn is None:
            return [np.arange(len(some)) for some in self.places]
        return [np.flatnonzero(np.isin(some, drawn)) for some in self.places]

    def ordered(self, parts: Sequence[Ints] | None = None) -> Ints:
        """Return the order that brings what the parts say one after the other to that of names.

        Args:
            parts: By part, the rows that say something; None for all.
        """
        told = self.places
        if parts is not None:
            told = tuple(some[own] for some, own in zip(self.places, parts, strict=True))
        return np.argsort(np.concatenate(told), kind="stable")


@dataclass(frozen=True, slots=True)
class PartSummary:
    """What a part says in the first pass."""

    profiles: SeasonalProfiles | None
    """None in a panel too short for a season."""
    lessons: Floats
    """Series that teach x months."""


def never_alone(values: Floats) -> Floats:
    """Return series x months, a single one twice: numpy adds up a lone column in another order."""
    return np.repeat(values, 2, axis=0) if len(values) == 1 else values


def first_pass(block: Block, teachers: Ints) -> PartSummary:
    """Return the seasons that a part shows on its own, and the series of it that teach."""
    profiles = None
    if block.tonnes.shape[1] >= LEAST_MONTHS:
        profiles = measured_profiles(never_alone(block.tonnes)).part(np.arange(len(block.names)))
    return PartSummary(profiles, block.tonnes[teachers])


def profile_of(told: Sequence[PartSummary], division: Division) -> Floats:
    """Return the panel's season; the sum is taken in the order of names, however it is divided."""
    parts = [one.profiles for one in told if one.profiles is not None]
    if not parts:
        return NO_SEASON
    return panel_profile(join(parts).part(division.ordered()))


def second_pass(block: Block, profile: Floats) -> Floats:
    """Return how each series of a part moves of late, in spreads."""
    return gauge(never_alone(block.tonnes), profile).momentum[: len(block.names)]


def common_of(momenta: Sequence[Floats], profile: Floats) -> PanelStats:
    """Return what all series of a panel say together."""
    return PanelStats(profile, panel_momentum(np.concatenate(momenta)))


def teaching(told: Sequence[PartSummary], teachers: Sequence[Ints], division: Division) -> Floats:
    """Return the series that teach x months, in the order of their names."""
    values: Floats = np.concatenate([one.lessons for one in told])[division.ordered(teachers)]
    return values


def learned(
    told: Sequence[PartSummary],
    teachers: Sequence[Ints],
    division: Division,
    *,
    span: PanelMonths,
    horizon: int,
    spec: EngineSpec,
    trained: Sequence[Heads] | None = None,
) -> Engine:
    """Return the engine that a panel teaches at the last month; it has no series to forecast.

    Args:
        told: By part, in the first pass.
        teachers: By part, the rows that teach.
        division: Of the panel.
        span: Its months.
        horizon: Months to forecast.
        spec: Choices of the engine.
        trained: Heads that were trained on lessons of all series (see ``part_training``).
    """
    values = teaching(told, teachers, division)
    view = PanelView(values, span.first % YEAR, horizon)
    engine = taught(view, span.width - 1, spec, trained=trained)
    return engine.on(PanelView(values[:0], span.first % YEAR, horizon))


def bands_of(engine: Engine, names: Sequence[str]) -> dict[str, Floats]:
    """Return how far experts err, by name, as ``error_quantiles``: all that rivals are made of."""
    return {name: error_quantiles(engine.known, name, engine.view.horizon) for name in names}


def without_lessons(engine: Engine) -> Engine:
    """Return the engine without what only training needs, small enough to send to workers."""
    return replace(engine, known=engine.known.part(np.empty(0, dtype=np.int64)))


def spoken_pass(
    block: Block, engine: Engine, common: PanelStats, *, bands: Mapping[str, Floats]
) -> Iterator[dict[str, Quantiles]]:
    """Yield by name what the product and its rivals say of a part, some series at a time.

    Args:
        block: The part, up to the cutoff.
        engine: By ``learned``.
        common: Of the whole panel.
        bands: By rival, as ``bands_of``.
    """
    count, last = len(block.names), block.tonnes.shape[1] - 1
    tonnes = never_alone(block.tonnes)
    old = engine.view
    own = engine.on(PanelView(tonnes, old.first_month, old.horizon, common={last: common}))
    for rows in own.chunks():
        some = rows[rows < count]
        lone = len(some) == 1
        said = own.forecast(np.repeat(some, 2) if lone else some)
        spoken = {MODEL: said}
        spoken |= {name: said.with_tonnes(around(own, said, name, bands[name])) for name in bands}
        yield {name: one.first() for name, one in spoken.items()} if lone else spoken
