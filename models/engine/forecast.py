"""Forecast a panel from a cutoff: quantiles of every series, by the engine and its baselines."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, cast

import lightgbm as lgb
import numpy as np
import pandas as pd

from features.origin import Origin
from features.statistical.experts import BASELINES
from features.statistical.pretrained import NAME as PRETRAINED
from models.engine.training_set import (
    Extra,
    PanelView,
    training_set,
    validation_start,
)
from models.learning.calibration import PastErrors, calibrate, card_of, trees_weight
from models.learning.heads import Heads, TrainingSet, fitted
from models.learning.spec import Spec
from models.registry import served
from models.registry.served import mean_of_quantiles, moved_to
from store.arrays import Flags, Floats, Ints, join, take
from store.errors import DataError
from store.months import month_label, month_starts
from store.vocabulary import QUANTILE_COLUMNS, QUANTILES


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Forecasts of some series."""

    rows: Ints
    """Which series of the panel."""
    tonnes: Floats
    """Series x months x ``QUANTILES``, non-decreasing, at least 0."""
    mean: Floats
    """Series x months."""
    middle: Floats
    """Median of the experts, series x months."""
    experts: dict[str, Floats]
    """Each expert's forecast, series x months."""

    @staticmethod
    def joined(parts: "Iterable[Quantiles]") -> "Quantiles":
        """Return the forecasts of several chunks as one."""
        some = list(parts)
        if not some:
            raise DataError(
                "No series has a value in the year before the cutoff. Expected at least one. "
                "Take an earlier cutoff."
            )
        return join(some)

    def with_tonnes(self, tonnes: Floats) -> "Quantiles":
        """Return other quantiles of the same series, e.g. an expert's, and the means they imply."""
        return replace(self, tonnes=tonnes, mean=mean_of(tonnes))

    def lowered(self, amount: Floats) -> "Quantiles":
        """Return forecasts lower by an amount for each series of the panel."""
        own = amount[self.rows, None]
        return replace(self, tonnes=self.tonnes - own[:, :, None], mean=self.mean - own)

    def table(self, names: Sequence[str], cutoff: int) -> pd.DataFrame:
        """Return the forecasts as rows: destination, cutoff, period, horizon, quantiles, mean.

        Args:
            cutoff: Number of the last known month.
        """
        count, months = self.mean.shape
        own = np.array([names[row] for row in self.rows], dtype=object)
        ahead = np.arange(1, months + 1)
        frame = pd.DataFrame(
            {
                "destination": np.repeat(own, months),
                "cutoff": month_label(cutoff),
                "period": np.tile(month_starts(cutoff + ahead).to_numpy(), count),
                "horizon": np.tile(ahead, count),
            }
        )
        quantiles = pd.DataFrame(
            self.tonnes.reshape(count * months, len(QUANTILES)), columns=list(QUANTILE_COLUMNS)
        )
        return pd.concat([frame, quantiles], axis=1).assign(mean=self.mean.reshape(-1))


def mean_of(tonnes: Floats) -> Floats:
    """Return the means that quantiles imply; series x months x levels in, series x months out."""
    levels = np.asarray(QUANTILES)
    return mean_of_quantiles(tonnes.reshape(-1, len(levels)), levels).reshape(tonnes.shape[:2])


def before_validation(known: TrainingSet, start: int) -> Flags:
    """Tell which training rows were known when the validation window began."""
    return known.origin + known.horizon <= start


def past_errors(
    heads: Heads | None, known: TrainingSet, *, horizon: int, last: int, spec: Spec
) -> PastErrors:
    """Return the errors of the validation window, in spreads.

    Args:
        heads: Fitted to the cells of ``before_validation``.
        known: All training rows.
        last: Column of the last month known.
    """
    window = take(known, known.origin >= validation_start(last, horizon, spec))
    if heads is None or not len(window):
        return PastErrors.none()
    values = served.in_order(served.predicted(heads, window.features, 1))
    weight = trees_weight(window.horizon, spec)
    network = np.nan_to_num(window.experts.get(PRETRAINED, np.zeros(1)))
    low, middle, high = moved_to(values, weight, network / 2.0)
    return PastErrors(
        horizon=window.horizon.astype(float),
        age=(last - window.origin).astype(float),
        distance=window.target - np.maximum(middle, window.least),
        spread=(high - low) / 2.0,
    )


CHUNK: Final = 4096
"""Series forecast at a time; bounds the memory."""

PLAIN_SIDE: Final = 1.8
"""Spreads from the middle to 10 and 90 percent a month ahead with too little to train on: it covers
80 percent on young panels of trade."""


@dataclass(frozen=True, slots=True)
class Engine:
    """Ready to forecast the months after one cutoff."""

    view: PanelView
    heads: Mapping[str, lgb.Booster] | None
    """None with too little to train on."""
    card: Mapping[str, object]
    """How head values become quantiles (see ``models.registry.served``)."""
    known: TrainingSet | None = None
    """Training rows of past origins; None where it is not trained here."""

    @property
    def is_pretrained(self) -> bool:
        """Whether the pretrained network forecasts too."""
        return bool(cast("dict[str, object]", self.card["parameters"])["pretrained"])

    def chunks(self) -> list[Ints]:
        """Return the series with a value in the last year, some at a time."""
        rows = self.view.current
        return [rows[at : at + CHUNK] for at in range(0, len(rows), CHUNK)]

    def forecasts(self) -> Iterator[Quantiles]:
        """Yield the forecasts of all series with a value in the last year, a chunk at a time."""
        for rows in self.chunks():
            yield self.forecast(rows)

    def forecast(self, rows: Ints) -> Quantiles:
        """Return the forecasts of some series."""
        point, asked = self.view.asked(rows, pretrained=self.is_pretrained)
        if self.heads is None:
            side = np.full(len(asked), PLAIN_SIDE)
            values = (-side, np.zeros(len(asked)), side)
        else:
            values = served.head_values(self.heads, self.card, asked)
        made = served.quantiles_of(served.combined(values, self.card, asked), self.card, asked)
        shape = point.base.shape
        tonnes = made[list(QUANTILE_COLUMNS)].to_numpy().reshape(*shape, -1)
        mean = made["mean"].to_numpy().reshape(shape)
        return Quantiles(rows, tonnes, mean, point.base, point.experts)


def engine_at(
    origin: Origin, spec: Spec, *, extra: Extra | None = None, extra_names: tuple[str, ...] = ()
) -> Engine:
    """Return the engine trained at an origin, ready to forecast all of its series."""
    view = PanelView(origin.tonnes, origin.first, len(origin.targets), extra, extra_names)
    rows, last = training_series(len(view.tonnes), spec), view.last
    known = training_set(view if rows is None else view.part(rows), last, spec)
    before = before_validation(known, validation_start(last, view.horizon, spec))
    before_window, final = fitted(known, [before, np.ones(len(known), dtype=bool)], last, spec)
    errors = past_errors(before_window, known, horizon=view.horizon, last=last, spec=spec)
    card = card_of(known.names, errors, spec, view.horizon)
    return Engine(view, final, card, known)


def training_series(count: int, spec: Spec) -> Ints | None:
    """Return which of some series are trained on, ascending; None for all."""
    if count <= spec.most_series:
        return None
    draw = np.random.default_rng(spec.seed)
    return np.sort(draw.choice(count, spec.most_series, replace=False))


MIDDLE: Final = "experts"
"""Name of the median of the experts that the engine starts from."""

LAST_VALUE: Final = "last_value"
"""Name of the last known month said of all months ahead."""

MOST_CELLS: Final = 20_000
"""Past errors that a band is read from, at most."""


def expert_quantiles(engine: Engine, own: Quantiles, name: str, spec: Spec) -> Floats:
    """Return series x months x quantiles in tonnes: an expert with the band of its past errors.

    ``LAST_VALUE`` has the band of the seasonal naive.
    """
    known = engine.known
    assert known is not None  # noqa: S101 - only what was trained here is compared
    band_of = "seasonal_naive" if name == LAST_VALUE else name
    error = known.target if name == MIDDLE else known.target - known.experts[band_of]
    scored = np.flatnonzero(np.isfinite(error))
    scored = scored[:: max(1, len(scored) // MOST_CELLS)]
    errors = PastErrors(
        horizon=known.horizon[scored].astype(float),
        age=(engine.view.last - known.origin[scored]).astype(float),
        distance=error[scored],
        spread=np.full(len(scored), PLAIN_SIDE),
    )
    _, scores = calibrate(errors, replace(spec, shift=0.0), engine.view.horizon)
    spread = PLAIN_SIDE * engine.view.stats(engine.view.last).spread[own.rows, None, None]
    if name == LAST_VALUE:
        centre = BASELINES[name](engine.view.tonnes[own.rows], engine.view.horizon)
    else:
        centre = own.middle if name == MIDDLE else own.experts[name]
    return np.sort(np.maximum(centre[:, :, None] + scores * spread, 0.0), axis=2)
