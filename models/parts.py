"""A panel that is never held whole: forecast, trained on and scored part by part.

The forecasts have the same bits as all at once. What series say of each other, the panel's season
and how its middle series moves, is gathered in two passes before the last; the engine is trained on
the series it would draw anyway, or one model on training rows of every part.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.engine.forecast import (
    MIDDLE,
    Engine,
    around,
    error_quantiles,
    train_engine,
    training_series,
)
from models.engine.quantile_model import FURTHEST_OUTCOME, head_parameters, recency
from models.engine.quantiles import Quantiles
from models.engine.series_stats import PanelStats, panel_momentum, series_stats
from models.engine.training_set import PanelView, training_set, validation_start
from models.engine.validation_window import before_validation
from models.evaluation.backtest import scale_rows
from models.evaluation.scores import cell_scores, totals
from models.forecasting.forecaster import MODEL, REFERENCE
from models.forecasting.panel_snapshot import months_of
from models.learning.quantile_heads import Heads, TrainingRows, binned, train_heads
from models.learning.spec import EngineSpec
from models.statistical.seasonality import (
    LEAST_YEARS,
    SeasonalProfiles,
    measured_profiles,
    panel_profile,
)
from store.arrays import Flags, Floats, Ints, join, take
from store.frequency import MONTHLY, Frequency

Names = NDArray[np.object_]


@dataclass(frozen=True, slots=True)
class PanelMonths:
    """The periods of a panel, months unless said otherwise, by number, both ends included."""

    first: int
    last: int
    frequency: Frequency = MONTHLY

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


def first_pass(block: Block, rows: Ints, year: int) -> PartSummary:
    """Return a part's own seasons, and those of its series that are trained on."""
    profiles = None
    if block.tonnes.shape[1] >= LEAST_YEARS * year:
        profiles = take(measured_profiles(never_alone(block.tonnes), year), slice(len(block.names)))
    return PartSummary(profiles, block.tonnes[rows])


def profile_of(summaries: Sequence[PartSummary], division: Division, year: int) -> Floats:
    """Return the panel's season; the sum is taken in the order of names, however it is divided."""
    parts = [one.profiles for one in summaries if one.profiles is not None]
    if not parts:
        return np.ones(year)
    return panel_profile(take(join(parts), division.ordered()))


def second_pass(block: Block, profile: Floats) -> Floats:
    """Return how each series of a part moves of late, in spreads."""
    stats = series_stats(never_alone(block.tonnes), profile, year=len(profile))
    return stats.momentum[: len(block.names)]


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
    view = PanelView(values, span.first, horizon, span.frequency.year)
    engine = train_engine(view, span.width - 1, spec.counted_in(span.frequency), trained=trained)
    return engine.on(replace(view, tonnes=values[:0]))


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
    own = engine.on(PanelView(tonnes, old.first, old.horizon, old.year, common={last: common}))
    for rows in own.chunks():
        some = rows[rows < count]
        lone = len(some) == 1
        central = own.forecast(np.repeat(some, 2) if lone else some)
        forecasts = {MODEL: central}
        forecasts |= {
            name: central.with_tonnes(around(own, central, name, bands[name])) for name in bands
        }
        yield {name: one.first() for name, one in forecasts.items()} if lone else forecasts


@dataclass(frozen=True, slots=True)
class PartCells(TrainingRows):
    """The rows of a part that trees are trained on."""

    before: Flags
    """Whether it was known when the validation window began."""


def part_cells(
    block: Block,
    panel_stats: dict[int, PanelStats],
    *,
    span: PanelMonths,
    horizon: int,
    spec: EngineSpec,
) -> PartCells:
    """Return the cells that the trees see of a part, as dense as where few series are trained on.

    Args:
        block: The part.
        panel_stats: By ``past_panel_stats``.
        span: Months of the panel.
        horizon: Months to forecast.
        spec: Choices of the engine: of ``most_series`` series ``pairs`` and ``rows`` are drawn.
    """
    last, spec = span.width - 1, spec.counted_in(span.frequency)
    share = len(block.names) / spec.most_series
    pairs = int(np.ceil(spec.pairs * share))
    view = PanelView(block.tonnes, span.first, horizon, span.frequency.year, common=panel_stats)
    known = training_set(view, last, replace(spec, pairs=pairs, pretrained=0))
    rows = int(np.ceil(spec.rows * share))
    if len(known) > rows:
        draw = np.random.default_rng(spec.seed)
        known = known.part(np.sort(draw.choice(len(known), rows, replace=False)))
    return PartCells(
        known.features,
        np.clip(known.target, -FURTHEST_OUTCOME, FURTHEST_OUTCOME),
        recency(known, last, spec),
        before_validation(known, validation_start(last, horizon, spec)),
    )


def trained_here(parts: Sequence[PartCells], spec: EngineSpec) -> Heads:
    """Return heads trained in this process on the cells of all parts."""
    cells = join(parts)
    table = binned(cells, max_bin=spec.bins)
    return train_heads(table, partial(head_parameters, spec, cells=len(cells)), rounds=spec.rounds)


BASELINES: Final = (MIDDLE, REFERENCE)
"""What a panel in parts is compared with: each more costs as much as the product's own scores."""

CUTS: Final = ("cutoff", "horizon", "model")


def part_totals(
    block: Block, forecasts: Mapping[str, Quantiles], known: PanelMonths
) -> pd.DataFrame:
    """Return the totals of the forecasts of some series of a part, by ``CUTS``.

    Args:
        block: The part, with all months.
        forecasts: By model, as ``models.parts.predict_pass``.
        known: The months up to the cutoff.
    """
    some = next(iter(forecasts.values()))
    names, tonnes = block.names[some.rows], block.tonnes[some.rows]
    later = slice(known.width, known.width + some.mean.shape[1])
    months = range(known.last + 1, known.last + 1 + tonnes[:, later].shape[1])
    truth = months_of(
        pd.DataFrame(tonnes[:, later], index=names, columns=list(months)), known.frequency
    )
    tables = [
        found.table(block.names, known.last, known.frequency).assign(model=model)
        for model, found in forecasts.items()
    ]
    scale = scale_rows(names, known.last, tonnes[:, : known.width], known.frequency)
    return totals(cell_scores(pd.concat(tables, ignore_index=True), truth, scale), CUTS)
