"""The panel engine as a forecaster of any panel: from a file, or a partner table."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import pandas as pd

from features.panel.partner_table import PartnerTable
from models.engine.forecast import LAST_VALUE, MIDDLE, Engine, engine_at, expert_quantiles
from models.engine.quantiles import Quantiles
from models.executor import Progress, untracked
from models.forecasting.forecaster import MODEL, REFERENCE, forecast_file
from models.forecasting.panel_snapshot import KnownFuture, PanelSnapshot, shift_of
from models.learning.spec import EngineSpec
from models.reconciliation.reconcile import reconcile
from models.statistical.experts import EXPERTS
from models.statistical.pretrained import NAME as PRETRAINED
from store.arrays import Floats
from store.months import YEAR
from store.vocabulary import QUANTILES

ERRORS_OF: Final = "holt_winters"
"""Expert whose errors show how series err together, for the reconciliation."""

EVERY_EXPERT: Final = (MIDDLE, *EXPERTS)
"""Baselines of a panel from a file."""

PLAIN: Final = (REFERENCE, LAST_VALUE)
"""Baselines of partner tables."""


@dataclass(frozen=True, slots=True)
class PanelForecaster:
    """The recipe: one engine a panel."""

    spec: EngineSpec = field(default_factory=EngineSpec)
    baselines: Sequence[str] = EVERY_EXPERT
    """Experts that it is compared with, ``MIDDLE`` or ``LAST_VALUE``."""
    shifts_negative: bool = False
    """Whether series with values below zero are forecast above zero, by ``shift_of``, and the
    forecasts moved back; not together with a tree."""

    def fit(self, snapshot: PanelSnapshot) -> "FittedPanel":
        """Return the engine trained on a panel.

        Raises:
            DataError: A covariate is not known in a month to forecast.
        """
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
            values,
            last=values.shape[1] - 1,
            horizon=snapshot.horizon,
            first=snapshot.first,
            spec=self.spec,
            extra=planned,
            extra_names=() if planned is None else planned.names,
        )
        further = (PRETRAINED,) if self.spec.pretrained else ()
        return FittedPanel(snapshot, engine, (*self.baselines, *further), shift=shift)


@dataclass(frozen=True, slots=True)
class FittedPanel:
    """A panel and the engine trained on it."""

    snapshot: PanelSnapshot
    engine: Engine = field(repr=False)
    baselines: Sequence[str]
    shift: Floats | None = field(default=None, repr=False)
    """What was added to each series of the panel."""

    def predict(self, track: Progress = untracked) -> Iterator[pd.DataFrame]:
        """Yield the forecasts, some series at a time, all in one order.

        With a tree all come at once, because sums need every part.

        Args:
            track: Shows progress.

        Yields:
            destination, cutoff, period, horizon, quantiles, mean.

        Raises:
            DataError: There is a tree, and no series can be forecast.
        """
        if self.snapshot.tree is not None:
            yield self._table(self._final(self._raw()))
            return
        for rows in track(self.engine.chunks(), "series"):
            yield self._table(self.engine.forecast(rows))

    def compare(self) -> pd.DataFrame:
        """Return the forecasts of the product and of the baselines, with a column ``model``.

        Raises:
            DataError: No series can be forecast.
        """
        raw = self._raw()
        forecasts = {MODEL: self._final(raw)}
        for name in self.baselines:
            values = expert_quantiles(self.engine, raw, name)
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
        view, last = self.engine.view, self.engine.last
        common = {last: view.common_at(last)}
        engine = self.engine.on(replace(view, tonnes=values, common=common))
        return replace(
            self, snapshot=replace(self.snapshot, table=table), engine=engine, shift=shift
        )

    def nothing(self) -> pd.DataFrame:
        """Return the table of ``predict`` without rows."""
        horizon = self.engine.view.horizon
        none = np.empty((0, horizon))
        rows, tonnes = np.empty(0, dtype=np.int64), np.empty((0, horizon, len(QUANTILES)))
        return self._table(Quantiles(rows, tonnes, none, none, {}))

    def on_none(self) -> "FittedPanel":
        """Return the trained engine without series and training rows, small enough to send."""
        empty = self.on(self.snapshot.table.iloc[:0])
        known = self.engine.known.part(np.empty(0, dtype=np.int64))
        return replace(empty, engine=replace(empty.engine, known=known))

    def _raw(self) -> Quantiles:
        return Quantiles.joined(self.engine.forecasts())

    def _final(self, made: Quantiles) -> Quantiles:
        """Return the product's forecasts, reconciled along a tree."""
        if self.snapshot.tree is None:
            return made
        return self._reconciled(made, self.engine.view.tonnes)

    def _reconciled(self, made: Quantiles, history: Floats) -> Quantiles:
        """Return forecasts whose means add up along the tree, in the order of its series."""
        assert self.snapshot.tree is not None  # noqa: S101 - the caller asks first
        count, (months, levels) = len(history), made.tonnes.shape[1:]
        mean = np.full((count, months), np.nan)
        values = np.full((count, months, levels), np.nan)
        mean[made.rows], values[made.rows] = made.mean, made.tonnes
        season = self.engine.view.stats(self.engine.last).season
        errors = EXPERTS[ERRORS_OF](history, season, 1).residual
        mean, values = reconcile(mean, values, errors, self.snapshot.tree)
        rows = np.flatnonzero(np.isfinite(mean).all(axis=1))
        return Quantiles(rows, values[rows], mean[rows], mean[rows], {})

    def _table(self, found: Quantiles) -> pd.DataFrame:
        if self.shift is not None:
            found = found.lowered(self.shift)
        return found.table(self.snapshot.names, self.snapshot.cutoff)


def forecast_table(table: PartnerTable, spec: EngineSpec, *, status: str) -> pd.DataFrame:
    """Return the coherent forecast of a partner table in the columns of a forecast file.

    Raises:
        DataError: It cannot be forecast.
    """
    fitted = PanelForecaster(spec, PLAIN).fit(PanelSnapshot.of(table))
    return forecast_file(pd.concat(fitted.predict(), ignore_index=True), status=status)
