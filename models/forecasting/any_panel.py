"""Forecast and replay any panel with the engine: tables in, tables of forecasts out."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.months import month_label, month_starts
from models.engine.baselines import MIDDLE, expert_quantiles
from models.engine.forecast import Engine, Quantiles, engine_at
from models.engine.known_future import KnownFuture
from models.engine.series_stats import CURRENT
from models.engine.spec import EngineSpec
from models.evaluation.backtest import Backtest, Progress, scale_rows, scored, untracked
from models.executor.executor import Spread, in_turn
from models.forecasting.rolling import MODEL, UNANSWERED
from models.policy.panel_response import PanelResponse
from models.reconciliation.reconcile import reconcile
from models.reconciliation.tree import Tree
from models.registry.served import mean_of_quantiles
from models.statistical.experts import EXPERTS
from sources.files.covariates import Covariates
from store.errors import DataError
from store.vocabulary import QUANTILE_COLUMNS, QUANTILES

Floats = NDArray[np.float64]

YEAR: Final = 12
ERRORS_OF: Final = "holt_winters"
"""Expert whose errors tell how series err together, for the reconciliation."""


@dataclass(frozen=True, slots=True)
class PanelTask:
    """What to forecast and how."""

    table: pd.DataFrame
    """Tonnes, series x consecutive month numbers, NaN where missing; with a tree, its series."""
    horizon: int
    spec: EngineSpec = field(default_factory=EngineSpec)
    covariates: Covariates | None = None
    tree: Tree | None = None
    response: PanelResponse | None = None
    """Controls on some of the series; not together with a tree."""

    @property
    def names(self) -> NDArray[np.object_]:
        """Return the names of the series."""
        return self.table.index.to_numpy(dtype=object)

    def column(self, cutoff: int) -> int:
        """Return the column of a cutoff.

        Raises:
            DataError: It lies outside the table.
        """
        first = int(self.table.columns[0])
        check_cutoff(cutoff, first=first, final=int(self.table.columns[-1]))
        return cutoff - first

    def engine(self, cutoff: int) -> Engine:
        """Return the engine trained at a cutoff.

        Raises:
            DataError: The cutoff lies outside the table, or a covariate is not known.
        """
        last = self.column(cutoff)
        values = self.table.to_numpy(dtype=float)
        planned = None
        if self.covariates is not None:
            needed = np.isfinite(values[:, max(last + 1 - CURRENT, 0) : last + 1]).any(axis=1)
            planned = KnownFuture.at(
                self.covariates, last=last, horizon=self.horizon, needed=needed
            )
        return engine_at(
            values,
            last=last,
            horizon=self.horizon,
            first_month=int(self.table.columns[0]) % YEAR,
            spec=self.spec,
            extra=planned,
            extra_names=() if planned is None else planned.names,
        )


def check_cutoff(cutoff: int, *, first: int, final: int) -> None:
    """Check that a cutoff lies within the months of a panel, all as month numbers.

    Raises:
        DataError: It does not.
    """
    if not first <= cutoff <= final:
        raise DataError(
            f"Cutoff {month_label(cutoff)} lies outside the panel, which runs from "
            f"{month_label(first)} to {month_label(final)}. "
            "Expected a month within it. Take another --cutoffs."
        )


def backtest_panel(
    task: PanelTask, cutoffs: Sequence[int], *, spread: Spread = in_turn
) -> Backtest:
    """Return the backtest of a panel: at each cutoff from what lies up to it, scored on the rest.

    Args:
        task: What to forecast.
        cutoffs: Last known months, as month numbers.
        spread: Who does the cutoffs.

    Raises:
        DataError: A cutoff lies outside the panel, or a covariate is not known.
    """
    for cutoff in cutoffs:
        task.column(cutoff)
    tables = spread(partial(said_at, task), sorted(cutoffs), "cutoffs")
    forecasts = pd.concat(tables, ignore_index=True)
    return scored(forecasts, known_months(task.table), _scales(task.table, cutoffs))


def said_at(
    task: PanelTask, cutoff: int, others: Sequence[str] = (MIDDLE, *EXPERTS)
) -> pd.DataFrame:
    """Return what the product and others say at a cutoff, with their model.

    Args:
        task: What to forecast.
        cutoff: Last known month, as a month number.
        others: Experts, their ``MIDDLE`` or ``LAST_VALUE`` (``models.engine.baselines``).

    Raises:
        DataError: The cutoff lies outside the panel, or a covariate is not known.
    """
    spoken = _spoken(task, task.engine(cutoff), others)
    tables = [forecast_rows(task.names, said, cutoff).assign(model=model) for model, said in spoken]
    return pd.concat(tables, ignore_index=True)


def predict_panel(task: PanelTask, *, track: Progress = untracked) -> Iterator[pd.DataFrame]:
    """Yield the forecasts of the months after a panel, some series at a time, all in one order.

    With a tree all come at once, because sums need every part; with controls too, because those
    they hit are answered together.

    Raises:
        DataError: A covariate is not known.
    """
    cutoff = int(task.table.columns[-1])
    engine = task.engine(cutoff)
    if task.tree is not None:
        yield forecast_rows(task.names, _summed(task, engine, whole(engine.forecasts())), cutoff)
        return
    if task.response is not None:
        yield forecast_rows(task.names, _answered(task, engine, whole(engine.forecasts())), cutoff)
        return
    for rows in track(engine.chunks(), "series"):
        yield forecast_rows(task.names, engine.forecast(rows), cutoff)


def _spoken(
    task: PanelTask, engine: Engine, others: Sequence[str]
) -> Iterator[tuple[str, Quantiles]]:
    """Yield what the product and each of the others say, by name."""
    own = whole(engine.forecasts())
    if task.response is not None:
        yield MODEL, _answered(task, engine, own)
        yield UNANSWERED, own
    else:
        yield MODEL, own if task.tree is None else _summed(task, engine, own)
    for name in others:
        yield name, expert_said(own, expert_quantiles(engine, own, name))


def expert_said(own: Quantiles, values: Floats) -> Quantiles:
    """Return what an expert says of some series, given its ``expert_quantiles``."""
    levels = np.asarray(QUANTILES)
    flat = values.reshape(-1, len(levels))
    mean = mean_of_quantiles(flat, levels).reshape(values.shape[:2])
    return Quantiles(own.rows, values, mean, own.middle, own.experts)


def _answered(task: PanelTask, engine: Engine, own: Quantiles) -> Quantiles:
    """Return forecasts with what controls leave of them."""
    assert task.response is not None  # noqa: S101 - callers ask first
    return task.response.answered(own, engine.view.tonnes, first=int(task.table.columns[0]))


def whole(parts: Iterable[Quantiles]) -> Quantiles:
    """Return the forecasts of all chunks as one.

    Raises:
        DataError: There is none.
    """
    some = list(parts)
    if not some:
        raise DataError(
            "No series has a value in the year before the cutoff. Expected at least one. "
            "Take an earlier cutoff."
        )
    experts = {
        name: np.concatenate([part.experts[name] for part in some]) for name in some[0].experts
    }
    rows, tonnes, mean, middle = (
        np.concatenate([getattr(part, name) for part in some])
        for name in ("rows", "tonnes", "mean", "middle")
    )
    return Quantiles(rows, tonnes, mean, middle, experts)


def _summed(task: PanelTask, engine: Engine, own: Quantiles) -> Quantiles:
    assert task.tree is not None  # noqa: S101 - callers ask first
    return summed(own, engine.view.tonnes, engine.view.gauge(engine.last).season, task.tree)


def summed(own: Quantiles, history: Floats, season: Floats, tree: Tree) -> Quantiles:
    """Return forecasts whose means add up along a tree, in the order of the tree's series.

    Args:
        own: Forecasts of some of the tree's series.
        history: Tonnes of all of them up to the cutoff, series x months.
        season: Their seasons, series x 12.
        tree: What adds up to what.
    """
    count, (months, levels) = len(history), own.tonnes.shape[1:]
    mean = np.full((count, months), np.nan)
    values = np.full((count, months, levels), np.nan)
    mean[own.rows], values[own.rows] = own.mean, own.tonnes
    errors = EXPERTS[ERRORS_OF](history, season, 1).residual
    mean, values = reconcile(mean, values, errors, tree)
    rows = np.flatnonzero(np.isfinite(mean).all(axis=1))
    return Quantiles(rows, values[rows], mean[rows], mean[rows], {})


def forecast_rows(names: NDArray[np.object_], found: Quantiles, cutoff: int) -> pd.DataFrame:
    """Return forecasts as rows: destination, cutoff, period, horizon, quantiles, mean.

    Args:
        names: Of all series that ``found`` tells rows of.
        found: Forecasts of some.
        cutoff: Last known month, as a month number.
    """
    count, months = found.mean.shape
    ahead = np.arange(1, months + 1)
    frame = pd.DataFrame(
        {
            "destination": np.repeat(names[found.rows], months),
            "cutoff": month_label(cutoff),
            "period": np.tile(month_starts(cutoff + ahead).to_numpy(), count),
            "horizon": np.tile(ahead, count),
        }
    )
    quantiles = pd.DataFrame(
        found.tonnes.reshape(count * months, -1), columns=list(QUANTILE_COLUMNS)
    )
    return pd.concat([frame, quantiles], axis=1).assign(mean=found.mean.reshape(-1))


def known_months(table: pd.DataFrame) -> pd.DataFrame:
    """Return destination, period, tonnes of every cell of a table; tonnes NaN where missing."""
    known = table.rename_axis("destination").melt(
        var_name="number", value_name="tonnes", ignore_index=False
    )
    months = month_starts(known["number"].to_numpy(dtype=np.int64))
    return known.assign(period=months).reset_index()[["destination", "period", "tonnes"]]


def _scales(table: pd.DataFrame, cutoffs: Sequence[int]) -> pd.DataFrame:
    """Return destination, cutoff, scale: what errors are scored in."""
    tonnes = table.to_numpy(dtype=float)
    first = int(table.columns[0])
    parts = [scale_rows(table.index, cutoff, tonnes[:, : cutoff - first + 1]) for cutoff in cutoffs]
    return pd.concat(parts, ignore_index=True)
