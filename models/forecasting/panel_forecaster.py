"""The panel engine as a forecaster of any panel: from a file, or a partner table."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.series import mean_known
from features.statistical.experts import EXPERTS
from features.statistical.pretrained import NAME as PRETRAINED
from features.statistical.smoothing import errors_within
from models.engine.forecast import (
    LAST_VALUE,
    MIDDLE,
    Engine,
    Quantiles,
    engine_at,
    expert_quantiles,
)
from models.forecasting.forecaster import MODEL, REFERENCE
from models.forecasting.snapshot import Snapshot
from models.learning.heads import too_few
from models.learning.spec import PANEL_SPEC, Spec
from models.reconciliation.reconcile import reconcile
from models.registry.served import TrainedModel
from sources.files.covariates import Covariates
from store.arrays import Flags, Floats, Ints
from store.months import YEAR
from store.progress import Progress, untracked
from store.vocabulary import QUANTILES

VIEWS: Final = ("there", "less_year", "less_now", "later_less_there")
"""Of each covariate: its value in the target month, less the mean of the last year, less the last
known value, and the mean of the planned months after the target less that month's."""


@dataclass(frozen=True, slots=True)
class KnownFuture:
    """Covariates as the engine takes them; call it with an origin."""

    covariates: Covariates
    horizon: int
    units: Floats
    """Usual change of each covariate over a year, in its own unit."""

    @classmethod
    def at(cls, covariates: Covariates, *, last: int, horizon: int, needed: Flags) -> "KnownFuture":
        """Return the features for a cutoff.

        Args:
            last: Column of the cutoff in the panel's table.
            horizon: Months to forecast.
        """
        known = covariates.at(covariates.first + last, horizon, needed=needed)
        change = np.abs(known[:, :, YEAR:] - known[:, :, :-YEAR]).reshape(len(known), -1)
        count = np.isfinite(change).sum(axis=1)
        usual = np.nan_to_num(change).sum(axis=1) / np.maximum(count, 1)
        return cls(covariates, horizon, np.where(usual > 0, usual, 1.0))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"{name}_{view}" for name in self.covariates.names for view in VIEWS)

    def __call__(self, origin: int, rows: Ints | slice) -> NDArray[np.float32]:
        """Return series x months x names at an origin, in usual changes; NaN where not known then.

        Args:
            origin: Column of the last month known.
        """
        view = self.covariates.view(self.covariates.first + origin, self.horizon)[:, rows]
        pairs = zip(view, self.units, strict=True)
        parts = [_views(one / unit, self.horizon) for one, unit in pairs]
        return np.concatenate(parts, axis=2).astype(np.float32)


def _views(values: Floats, horizon: int) -> Floats:
    """Return series x months x ``VIEWS`` of one covariate up to the last month to forecast."""
    there = values[:, -horizon:]
    past = values[:, :-horizon]
    mean = mean_known(past[:, -YEAR:])
    left = np.arange(horizon)[::-1]
    after = np.cumsum(there[:, ::-1], axis=1)[:, ::-1] - there
    later = np.where(left > 0, after / np.maximum(left, 1) - there, 0.0)
    return np.stack([there, there - mean[:, None], there - past[:, -1:], later], axis=2)


def shift_of(values: Floats) -> Floats:
    """Return what to add to each series so that the engine, which knows shares, can forecast it.

    A series that falls below zero is lifted until its lowest value is as far above zero as its
    highest is above its lowest; others stay as they are.

    Args:
        values: Series x months, NaN where missing.
    """
    lowest, highest = np.fmin.reduce(values, axis=1), np.fmax.reduce(values, axis=1)
    return np.asarray(np.where(lowest < 0, highest - 2 * lowest, 0.0))


EVERY_EXPERT: Final = (MIDDLE, *EXPERTS)
"""Baselines of a panel from a file."""

PLAIN: Final = (REFERENCE, LAST_VALUE)
"""Baselines of partner tables."""


@dataclass(frozen=True, slots=True)
class PanelForecaster:
    """The recipe: one engine a panel."""

    spec: Spec = field(default=PANEL_SPEC)
    baselines: Sequence[str] = EVERY_EXPERT
    """Experts that it is compared with, ``MIDDLE`` or ``LAST_VALUE``."""
    shifts_negative: bool = False
    """Whether series with values below zero are forecast above zero, by ``shift_of``, and the
    forecasts moved back; not together with a tree."""

    def fit(self, snapshot: Snapshot) -> "FittedPanel":
        """Return the engine trained on a panel."""
        values, shift = snapshot.tonnes, None
        if self.shifts_negative:
            shift = shift_of(values)
            values = values + shift[:, None]
        planned = None
        if snapshot.covariates is not None:
            planned = KnownFuture.at(
                snapshot.covariates,
                last=values.shape[1] - 1,
                horizon=snapshot.horizon,
                needed=np.asarray(np.isfinite(values[:, -YEAR:]).any(axis=1)),
            )
        engine = engine_at(
            replace(snapshot.origin, tonnes=values),
            self.spec,
            extra=planned,
            extra_names=() if planned is None else planned.names,
        )
        further = (PRETRAINED,) if self.spec.pretrained else ()
        return FittedPanel(snapshot, engine, self.spec, (*self.baselines, *further), shift=shift)

    def train(self, snapshot: Snapshot) -> TrainedModel:
        """Return the model trained on a panel."""
        engine = self.fit(snapshot).engine
        if engine.heads is None:
            raise too_few(snapshot.cutoff)
        return TrainedModel(engine.heads, engine.card)


@dataclass(frozen=True, slots=True)
class FittedPanel:
    """A panel and the engine trained on it."""

    snapshot: Snapshot
    engine: Engine = field(repr=False)
    spec: Spec
    baselines: Sequence[str]
    shift: Floats | None = field(default=None, repr=False)
    """What was added to each series of the panel."""

    def predict(self, track: Progress = untracked) -> Iterator[pd.DataFrame]:
        """Yield the forecasts, some series at a time, all in one order.

        With a tree all come at once, because sums need every part.

        Yields:
            destination, cutoff, period, horizon, quantiles, mean.
        """
        if self.snapshot.tree is not None:
            yield self._table(self._final(self._raw()))
            return
        for rows in track(self.engine.chunks(), "series"):
            yield self._table(self.engine.forecast(rows))

    def compare(self) -> pd.DataFrame:
        """Return the forecasts of the product and of the baselines, with a column ``model``."""
        raw = self._raw()
        forecasts = {MODEL: self._final(raw)}
        for name in self.baselines:
            values = expert_quantiles(self.engine, raw, name, self.spec)
            forecasts[name] = raw.with_tonnes(values)
        tables = [self._table(made).assign(model=model) for model, made in forecasts.items()]
        return pd.concat(tables, ignore_index=True)

    def on(self, table: pd.DataFrame) -> "FittedPanel":
        """Return the trained engine on other series of the panel that it was trained on a part of.

        Args:
            table: Series x months; months outside those of the training are left out.
        """
        table = table.reindex(columns=self.snapshot.table.columns)
        values, shift = table.to_numpy(dtype=float), None
        if self.shift is not None:
            shift = shift_of(values)
            values = values + shift[:, None]
        view = self.engine.view
        common = {view.last: view.common_at(view.last)}
        engine = replace(self.engine, view=replace(view, tonnes=values, common=common))
        snapshot = Snapshot.of_panel(table, self.snapshot.horizon)
        return replace(self, snapshot=snapshot, engine=engine, shift=shift)

    def nothing(self) -> pd.DataFrame:
        """Return the table of ``predict`` without rows."""
        horizon = self.engine.view.horizon
        none = np.empty((0, horizon))
        rows, tonnes = np.empty(0, dtype=np.int64), np.empty((0, horizon, len(QUANTILES)))
        return self._table(Quantiles(rows, tonnes, none, none, {}))

    def on_none(self) -> "FittedPanel":
        """Return the trained engine without series and training rows, small enough to send."""
        empty = self.on(self.snapshot.table.iloc[:0])
        return replace(empty, engine=replace(empty.engine, known=None))

    def _raw(self) -> Quantiles:
        return Quantiles.joined(self.engine.forecasts())

    def _final(self, made: Quantiles) -> Quantiles:
        """Return the product's forecasts; with a tree means add up, in the order of its series."""
        history, tree = self.snapshot.tonnes, self.snapshot.tree
        if tree is None:
            return made
        count, (months, levels) = len(history), made.tonnes.shape[1:]
        mean = np.full((count, months), np.nan)
        values = np.full((count, months, levels), np.nan)
        mean[made.rows], values[made.rows] = made.mean, made.tonnes
        season = self.engine.view.stats(self.engine.view.last).season
        errors = errors_within(history, season)
        mean, values = reconcile(mean, values, errors, tree)
        rows = np.flatnonzero(np.isfinite(mean).all(axis=1))
        return Quantiles(rows, values[rows], mean[rows], mean[rows], {})

    def _table(self, found: Quantiles) -> pd.DataFrame:
        if self.shift is not None:
            found = found.lowered(self.shift)
        return found.table(self.snapshot.series, self.snapshot.cutoff)
