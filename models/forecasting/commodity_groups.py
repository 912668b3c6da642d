"""Forecast and replay partner tables of several commodities with one model for all of them.

Series of all tables stand in one panel; each table keeps its own sums.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.controls.cross_material import NAMES, CrossMaterial, GroupMember
from features.panel.partner_table import PartnerTable
from models.engine.baselines import expert_quantiles
from models.engine.forecast import Engine, Quantiles, engine_at
from models.engine.spec import EngineSpec
from models.evaluation.backtest import Backtest, Progress, forecast_file, scale_rows, untracked
from models.forecasting.any_panel import (
    YEAR,
    expert_said,
    forecast_rows,
    known_months,
    summed,
    whole,
)
from models.forecasting.partner_tables import COMPARED, scored_table, task_of
from models.forecasting.rolling import MODEL, ResidualHistory
from models.reconciliation.tree import Tree
from store.errors import DataError
from store.vocabulary import WORLD

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Group:
    """Partner tables at one moment that share a model."""

    tables: Mapping[str, PartnerTable]
    """By commodity."""
    materials: Mapping[str, tuple[str, ...]]
    """By commodity what controls on it are called after; one that is not in it has none."""
    events: pd.DataFrame | None = field(repr=False)
    """Controls with their materials, all versions known at the moment; None looks at none."""
    spec: EngineSpec
    as_of: pd.Timestamp

    def at(self, tables: Mapping[str, PartnerTable], as_of: pd.Timestamp) -> "Group":
        """Return the group at another moment, from its tables then; later versions stay unread."""
        events = self.events
        if events is not None:
            events = events.loc[events["available_at"] <= as_of]
        return replace(self, tables=tables, events=events, as_of=as_of)


@dataclass(frozen=True, slots=True)
class _Part:
    """One table's rows in the panel of all."""

    commodity: str
    table: pd.DataFrame
    """Its series and sums x months, up to the common cutoff."""
    tree: Tree
    first_row: int
    is_due: bool
    """Whether it ends at the common cutoff, so that it is forecast from there."""

    @property
    def rows(self) -> slice:
        """Return its rows in the panel."""
        return slice(self.first_row, self.first_row + len(self.table))


def forecast_group(group: Group, status: Mapping[str, str]) -> dict[str, pd.DataFrame | DataError]:
    """Return by commodity the coherent forecast of its table in the columns of a forecast file.

    Tables end where their sources do. For each last month there is a model, which sees of every
    table what lies up to it. A table that cannot be forecast is told with why.

    Args:
        group: What to forecast.
        status: What is published of each commodity.
    """
    return {
        commodity: said
        if isinstance(said, DataError)
        else forecast_file(said, status=status[commodity])
        for commodity, said in _said(group, ())
    }


def forecast_member(group: Group, commodity: str, *, status: str) -> pd.DataFrame:
    """Return the forecast of one table of a group, as ``forecast_group`` says it.

    Raises:
        DataError: It cannot be forecast.
    """
    made = forecast_group(group, dict.fromkeys(group.tables, status))[commodity]
    if isinstance(made, DataError):
        raise made
    return made


def replay_group(
    past: Sequence[Group], now: Group, *, track: Progress = untracked
) -> dict[str, Backtest]:
    """Return by commodity how forecasts from tables as they were known then turned out.

    Args:
        past: The group at past moments.
        now: The group now: what is known of those months.
        track: Shows progress.
    """
    said: dict[str, list[pd.DataFrame]] = {name: [] for name in now.tables}
    scales: dict[str, list[pd.DataFrame]] = {name: [] for name in now.tables}
    for group in track(past, "past tables"):
        for name, rows in _said(group, COMPARED):
            if isinstance(rows, DataError):
                continue
            table = task_of(group.tables[name], group.spec).table
            cutoff = group.tables[name].cutoff
            said[name].append(rows)
            scales[name].append(scale_rows(table.index, cutoff, table.to_numpy(dtype=float)))
    return {
        name: _scored(said[name], scales[name], table, now.spec)
        for name, table in now.tables.items()
    }


def _scored(
    said: Sequence[pd.DataFrame],
    scales: Sequence[pd.DataFrame],
    table: PartnerTable,
    spec: EngineSpec,
) -> Backtest:
    if not said:
        return Backtest(pd.DataFrame(), pd.DataFrame(), pd.DataFrame(), ResidualHistory())
    truth = known_months(task_of(table, spec).table)
    return scored_table(pd.concat(said, ignore_index=True), truth, pd.concat(scales))


def _said(group: Group, others: Sequence[str]) -> Iterator[tuple[str, pd.DataFrame | DataError]]:
    """Yield commodity and rows of what the product and others say, one common cutoff at a time."""
    for cutoff in sorted({table.cutoff for table in group.tables.values()}):
        parts = _parts(group, cutoff)
        engine = _engine(group, parts, cutoff)
        for part in parts:
            if not part.is_due:
                continue
            try:
                yield part.commodity, _rows_of_part(engine, part, others, cutoff)
            except DataError as err:
                yield part.commodity, err


def _parts(group: Group, cutoff: int) -> list[_Part]:
    """Return all tables as they are up to a month, over the same months."""
    first = min(int(table.tonnes.columns[0]) for table in group.tables.values())
    months = range(first, cutoff + 1)
    parts: list[_Part] = []
    for commodity in sorted(group.tables):
        table = group.tables[commodity]
        task = task_of(table, group.spec)
        assert task.tree is not None  # noqa: S101 - tables have one
        start = parts[-1].rows.stop if parts else 0
        known = task.table.reindex(columns=months)
        parts.append(_Part(commodity, known, task.tree, start, table.cutoff == cutoff))
    return parts


def _engine(group: Group, parts: Sequence[_Part], cutoff: int) -> Engine:
    """Return the engine of all tables at a common cutoff."""
    tonnes = np.concatenate([part.table.to_numpy(dtype=float) for part in parts])
    first = int(parts[0].table.columns[0])
    horizon = next(group.tables[part.commodity].horizon for part in parts if part.is_due)
    extra = _cross_material(group, parts, first=first, horizon=horizon)
    return engine_at(
        tonnes,
        last=cutoff - first,
        horizon=horizon,
        first_month=first % YEAR,
        spec=group.spec,
        extra=extra,
        extra_names=() if extra is None else NAMES,
    )


def _cross_material(
    group: Group, parts: Sequence[_Part], *, first: int, horizon: int
) -> CrossMaterial | None:
    if group.events is None:
        return None
    sizes = [len(part.table) for part in parts]
    worlds = [part.table.loc[WORLD].to_numpy(dtype=float) for part in parts]
    return CrossMaterial(
        goods=tuple(GroupMember(p.commodity, group.materials.get(p.commodity, ())) for p in parts),
        commodity_of=np.repeat(np.arange(len(parts)), sizes),
        place_of=tuple(str(name) for part in parts for name in part.table.index),
        totals=np.stack(worlds),
        first=first,
        last=parts[0].table.shape[1] - 1,
        horizon=horizon,
        as_of=group.as_of,
        events=group.events,
    )


def _rows_of_part(engine: Engine, part: _Part, others: Sequence[str], cutoff: int) -> pd.DataFrame:
    """Return what is said of one table, the product's means added up along its tree."""
    own = whole(engine.forecast(rows) for rows in _chunks(engine, part))
    names = part.table.index.to_numpy(dtype=object)
    said = [
        (name, _local(expert_said(own, expert_quantiles(engine, own, name)), part))
        for name in others
    ]
    season = engine.view.gauge(engine.last).season[part.rows]
    product = summed(_local(own, part), engine.view.tonnes[part.rows], season, part.tree)
    tables = [
        forecast_rows(names, found, cutoff).assign(model=model)
        for model, found in [(MODEL, product), *said]
    ]
    return pd.concat(tables, ignore_index=True)


def _chunks(engine: Engine, part: _Part) -> Iterator[NDArray[np.int64]]:
    for rows in engine.chunks():
        own = rows[(rows >= part.rows.start) & (rows < part.rows.stop)]
        if len(own):
            yield own


def _local(found: Quantiles, part: _Part) -> Quantiles:
    return replace(found, rows=found.rows - part.first_row)
