"""The panel engine as a forecaster of any panel: from a file, a partner table, one of a group."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.engine.baselines import LAST_VALUE, MIDDLE, expert_quantiles
from models.engine.forecast import Engine, engine_at
from models.engine.known_future import KnownFuture
from models.engine.quantiles import Quantiles
from models.engine.series_stats import CURRENT
from models.engine.spec import EngineSpec
from models.executor.executor import Progress, untracked
from models.forecasting.forecaster import MODEL, REFERENCE, UNANSWERED
from models.forecasting.panel_snapshot import PanelSnapshot
from models.reconciliation.reconcile import reconcile
from models.statistical.experts import EXPERTS

Floats = NDArray[np.float64]

YEAR: Final = 12
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

    def fit(self, snapshot: PanelSnapshot) -> "Iterator[FittedPanel]":
        """Yield the engine trained on a panel.

        Raises:
            DataError: A covariate is not known in a month to forecast.
        """
        values = snapshot.tonnes
        planned = None
        if snapshot.covariates is not None:
            planned = KnownFuture.at(
                snapshot.covariates,
                last=values.shape[1] - 1,
                horizon=snapshot.horizon,
                needed=np.asarray(np.isfinite(values[:, -CURRENT:]).any(axis=1)),
            )
        engine = engine_at(
            values,
            last=values.shape[1] - 1,
            horizon=snapshot.horizon,
            first_month=snapshot.first % YEAR,
            spec=self.spec,
            extra=planned,
            extra_names=() if planned is None else planned.names,
        )
        yield FittedPanel(snapshot, engine, self.baselines)


@dataclass(frozen=True, slots=True)
class FittedPanel:
    """A panel and the engine trained on it, perhaps together with other panels."""

    snapshot: PanelSnapshot
    engine: Engine = field(repr=False)
    baselines: Sequence[str]
    first_row: int = 0
    """Row of the panel's first series among those that the engine was trained on."""

    def predict(self, track: Progress = untracked) -> Iterator[pd.DataFrame]:
        """Yield the forecasts, some series at a time, all in one order.

        With a tree all come at once, because sums need every part; with controls too, because the
        series they hit are forecast together.

        Args:
            track: Shows progress.

        Yields:
            destination, cutoff, period, horizon, quantiles, mean.

        Raises:
            DataError: There is a tree or a control, and no series can be forecast.
        """
        if self.snapshot.tree is not None or self.snapshot.response is not None:
            yield self._table(self._final(self._raw()))
            return
        for rows in track(self._chunks(), "series"):
            yield self._table(self._local(self.engine.forecast(rows)))

    def compare(self) -> pd.DataFrame:
        """Return the forecasts of the product and of the baselines, with a column ``model``.

        Raises:
            DataError: No series can be forecast.
        """
        raw = self._raw()
        forecasts = {MODEL: self._final(raw)}
        if self.snapshot.response is not None:
            forecasts[UNANSWERED] = self._local(raw)
        for name in self.baselines:
            values = expert_quantiles(self.engine, raw, name)
            forecasts[name] = self._local(raw.with_tonnes(values))
        tables = [self._table(made).assign(model=model) for model, made in forecasts.items()]
        return pd.concat(tables, ignore_index=True)

    @property
    def _own(self) -> slice:
        """Return the panel's rows among those of the engine."""
        return slice(self.first_row, self.first_row + len(self.snapshot.table))

    def _chunks(self) -> list[NDArray[np.int64]]:
        own = self._own
        chunks = [rows[(rows >= own.start) & (rows < own.stop)] for rows in self.engine.chunks()]
        return [rows for rows in chunks if len(rows)]

    def _raw(self) -> Quantiles:
        """Return the engine's forecasts, rows as those of the engine."""
        return Quantiles.joined(self.engine.forecast(rows) for rows in self._chunks())

    def _local(self, found: Quantiles) -> Quantiles:
        return found.shifted(self.first_row)

    def _final(self, raw: Quantiles) -> Quantiles:
        """Return the product's forecasts: reconciled along a tree, or with the controls' effect."""
        made = self._local(raw)
        history = self.engine.view.tonnes[self._own]
        if self.snapshot.response is not None:
            return self.snapshot.response.answered(made, history, first=self.snapshot.first)
        if self.snapshot.tree is None:
            return made
        return self._reconciled(made, history)

    def _reconciled(self, made: Quantiles, history: Floats) -> Quantiles:
        """Return forecasts whose means add up along the tree, in the order of its series."""
        assert self.snapshot.tree is not None  # noqa: S101 - the caller asks first
        count, (months, levels) = len(history), made.tonnes.shape[1:]
        mean = np.full((count, months), np.nan)
        values = np.full((count, months, levels), np.nan)
        mean[made.rows], values[made.rows] = made.mean, made.tonnes
        season = self.engine.view.stats(self.engine.last).season[self._own]
        errors = EXPERTS[ERRORS_OF](history, season, 1).residual
        mean, values = reconcile(mean, values, errors, self.snapshot.tree)
        rows = np.flatnonzero(np.isfinite(mean).all(axis=1))
        return Quantiles(rows, values[rows], mean[rows], mean[rows], {})

    def _table(self, found: Quantiles) -> pd.DataFrame:
        return found.table(self.snapshot.names, self.snapshot.cutoff)
