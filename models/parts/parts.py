"""Forecast a panel that is never held whole: part by part, with the same bits as all at once.

What series say of each other, the panel's season and how its middle series moves, is gathered in
two passes before the last; the engine is trained on the series it would draw anyway.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.engine.baselines import around, error_quantiles
from models.engine.forecast import Engine, train_engine, training_series
from models.engine.quantiles import Quantiles
from models.engine.series_stats import PanelStats, panel_momentum, series_stats
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
    """Where the series of a panel are in its parts and in the order of their names."""

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

    def training_rows(self, spec: EngineSpec) -> list[Ints]:
        """Return by part the rows of the series that are trained on."""
        drawn = training_series(self.count, spec)
        if drawn is None:
            return [np.arange(len(some)) for some in self.places]
        return [np.flatnonzero(np.isin(some, drawn)) for some in self.places]

    def ordered(self, parts: Sequence[Ints] | None = None) -> Ints:
        """Return the order that sorts the rows of the parts, one after the other, by name.

        Args:
            parts: By part, the rows it is about; None for all.
        """
        places = self.places
        if parts is not None:
            places = tuple(some[own] for some, own in zip(self.places, parts, strict=True))
        return np.argsort(np.concatenate(places), kind="stable")


@dataclass(frozen=True, slots=True)
class PartSummary:
    """What a part contributes in the first pass."""

    profiles: SeasonalProfiles | None
    """None in a panel too short for a season."""
    series: Floats
    """Series to train on x months."""


def never_alone(values: Floats) -> Floats:
    """Return series x months, a single one twice: numpy adds up a lone column in another order."""
    return np.repeat(values, 2, axis=0) if len(values) == 1 else values


def first_pass(block: Block, rows: Ints) -> PartSummary:
    """Return a part's own seasons, and those of its series that are trained on."""
    profiles = None
    if block.tonnes.shape[1] >= LEAST_MONTHS:
        profiles = measured_profiles(never_alone(block.tonnes)).part(np.arange(len(block.names)))
    return PartSummary(profiles, block.tonnes[rows])


def profile_of(summaries: Sequence[PartSummary], division: Division) -> Floats:
    """Return the panel's season; the sum is taken in the order of names, however it is divided."""
    parts = [one.profiles for one in summaries if one.profiles is not None]
    if not parts:
        return NO_SEASON
    return panel_profile(join(parts).part(division.ordered()))


def second_pass(block: Block, profile: Floats) -> Floats:
    """Return how each series of a part moves of late, in spreads."""
    return series_stats(never_alone(block.tonnes), profile).momentum[: len(block.names)]


def panel_stats_of(momenta: Sequence[Floats], profile: Floats) -> PanelStats:
    """Return the statistics of all series of a panel."""
    return PanelStats(profile, panel_momentum(np.concatenate(momenta)))


def series_to_train(
    summaries: Sequence[PartSummary], rows: Sequence[Ints], division: Division
) -> Floats:
    """Return the series to train on x months, in the order of their names."""
    values: Floats = np.concatenate([one.series for one in summaries])[division.ordered(rows)]
    return values


def trained_engine(
    summaries: Sequence[PartSummary],
    rows: Sequence[Ints],
    division: Division,
    *,
    span: PanelMonths,
    horizon: int,
    spec: EngineSpec,
    trained: Sequence[Heads] | None = None,
) -> Engine:
    """Return the engine trained at the last month; it has no series to forecast.

    Args:
        summaries: By part, in the first pass.
        rows: By part, the rows that are trained on.
        division: Of the panel.
        span: Its months.
        horizon: Months to forecast.
        spec: Choices of the engine.
        trained: Heads that were trained on rows of all series (see ``training``).
    """
    values = series_to_train(summaries, rows, division)
    view = PanelView(values, span.first % YEAR, horizon)
    engine = train_engine(view, span.width - 1, spec, trained=trained)
    return engine.on(PanelView(values[:0], span.first % YEAR, horizon))


def bands_of(engine: Engine, names: Sequence[str]) -> dict[str, Floats]:
    """Return how far experts err, by name, as ``error_quantiles``: all that rivals are made of."""
    return {name: error_quantiles(engine.known, name, engine.view.horizon) for name in names}


def without_training_rows(engine: Engine) -> Engine:
    """Return the engine without what only training needs, small enough to send to workers."""
    return replace(engine, known=engine.known.part(np.empty(0, dtype=np.int64)))


def predict_pass(
    block: Block, engine: Engine, common: PanelStats, *, bands: Mapping[str, Floats]
) -> Iterator[dict[str, Quantiles]]:
    """Yield by name the forecasts of the product and its baselines, some series at a time.

    Args:
        block: The part, up to the cutoff.
        engine: By ``trained_engine``.
        common: Of the whole panel.
        bands: By baseline, as ``bands_of``.
    """
    count, last = len(block.names), block.tonnes.shape[1] - 1
    tonnes = never_alone(block.tonnes)
    old = engine.view
    own = engine.on(PanelView(tonnes, old.first_month, old.horizon, common={last: common}))
    for rows in own.chunks():
        some = rows[rows < count]
        lone = len(some) == 1
        said = own.forecast(np.repeat(some, 2) if lone else some)
        forecasts = {MODEL: said}
        forecasts |= {
            name: said.with_tonnes(around(own, said, name, bands[name])) for name in bands
        }
        yield {name: one.first() for name, one in forecasts.items()} if lone else forecasts
