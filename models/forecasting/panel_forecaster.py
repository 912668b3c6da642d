"""The panel engine as a forecaster of any panel: from a file, a partner table, a group of them.

In a group the series of all tables form one panel; each table keeps its own sums.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import pandas as pd

from features.controls.cross_material import NAMES, CrossMaterial, GroupMember
from features.panel.partner_table import PartnerTable
from models.engine.forecast import LAST_VALUE, MIDDLE, Engine, engine_at, expert_quantiles
from models.engine.quantiles import Quantiles
from models.executor import Progress, untracked
from models.forecasting.forecaster import MODEL, REFERENCE, UNANSWERED, forecast_file
from models.forecasting.panel_snapshot import KnownFuture, PanelSnapshot, shift_of
from models.learning.spec import EngineSpec
from models.reconciliation.reconcile import reconcile
from models.statistical.experts import EXPERTS
from models.statistical.pretrained import NAME as PRETRAINED
from store.arrays import Floats, Ints
from store.errors import DataError
from store.vocabulary import WORLD

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
    forecasts moved back; not together with a tree or controls, whose answers are shares."""

    def fit(self, snapshot: PanelSnapshot) -> "Iterator[FittedPanel]":
        """Yield the engine trained on a panel.

        Raises:
            DataError: A covariate is not known in a month to forecast.
        """
        values, shift = snapshot.tonnes, None
        if self.shifts_negative:
            shift = shift_of(values)
            values = values + shift[:, None]
        planned, frequency = None, snapshot.frequency
        if snapshot.covariates is not None:
            planned = KnownFuture.at(
                snapshot.covariates,
                last=values.shape[1] - 1,
                horizon=snapshot.horizon,
                needed=np.asarray(np.isfinite(values[:, -frequency.year :]).any(axis=1)),
            )
        engine = engine_at(
            values,
            last=values.shape[1] - 1,
            horizon=snapshot.horizon,
            first=snapshot.first,
            spec=self.spec.counted_in(frequency),
            year=frequency.year,
            extra=planned,
            extra_names=() if planned is None else planned.names,
        )
        further = (PRETRAINED,) if self.spec.pretrained else ()
        yield FittedPanel(snapshot, engine, (*self.baselines, *further), shift=shift)


@dataclass(frozen=True, slots=True)
class FittedPanel:
    """A panel and the engine trained on it, perhaps together with other panels."""

    snapshot: PanelSnapshot
    engine: Engine = field(repr=False)
    baselines: Sequence[str]
    first_row: int = 0
    """Row of the panel's first series among those that the engine was trained on."""
    shift: Floats | None = field(default=None, repr=False)
    """What was added to each series of the panel."""

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

    def _chunks(self) -> list[Ints]:
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
        history, known = self.engine.view.tonnes[self._own], self.snapshot
        if known.response is not None:
            first, frequency = known.first, known.frequency
            return known.response.answered(made, history, first=first, frequency=frequency)
        return made if known.tree is None else self._reconciled(made, history)

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
        if self.shift is not None:
            found = found.lowered(self.shift)
        return found.table(self.snapshot.names, self.snapshot.cutoff, self.snapshot.frequency)


@dataclass(frozen=True, slots=True)
class CommodityGroup:
    """Partner tables at one moment that share a model; a lone table is a group of one."""

    tables: Mapping[str, PartnerTable]
    """By commodity."""
    as_of: pd.Timestamp
    materials: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By commodity the materials that controls on it name; one that is not in it has none."""
    events: pd.DataFrame | None = field(default=None, repr=False)
    """Controls with their materials, all versions known at the moment; None looks at none."""

    @classmethod
    def alone(cls, table: PartnerTable) -> "CommodityGroup":
        """Return the group of one table, which looks at no controls."""
        return cls({table.commodity: table}, table.as_of)

    def at(self, tables: Mapping[str, PartnerTable], as_of: pd.Timestamp) -> "CommodityGroup":
        """Return the group at another moment, from its tables then; later versions stay unread."""
        events = self.events
        if events is not None:
            events = events.loc[events["available_at"] <= as_of]
        return replace(self, tables=tables, events=events, as_of=as_of)

    def months(self) -> dict[str, pd.DataFrame]:
        """Return by commodity destination, period, tonnes of every cell, sums among them."""
        return {name: PanelSnapshot.of(table).months for name, table in self.tables.items()}


@dataclass(frozen=True, slots=True)
class GroupForecaster:
    """The recipe: one engine for all tables of a group that end in the same month.

    Tables end where their sources do. For each last month there is an engine, which sees of every
    table what lies up to it.
    """

    spec: EngineSpec = field(default_factory=EngineSpec)
    baselines: Sequence[str] = PLAIN

    def fit(self, snapshot: CommodityGroup) -> Iterator[FittedPanel]:
        """Yield each table with its engine, by last month, then by commodity."""
        for cutoff in sorted({table.cutoff for table in snapshot.tables.values()}):
            panels = _panels(snapshot, cutoff)
            engine = self._engine(snapshot, panels)
            first_row = 0
            for panel in panels:
                if snapshot.tables[panel.name].cutoff == cutoff:
                    yield FittedPanel(panel, engine, self.baselines, first_row)
                first_row += len(panel.table)

    def forecast(
        self, group: CommodityGroup, status: Mapping[str, str]
    ) -> dict[str, pd.DataFrame | DataError]:
        """Return by commodity its coherent forecast in the columns of a forecast file.

        A table that cannot be forecast has the error instead.

        Args:
            group: What to forecast.
            status: What is published of each commodity.
        """
        made: dict[str, pd.DataFrame | DataError] = {}
        for fitted in self.fit(group):
            name = fitted.snapshot.name
            try:
                rows = pd.concat(fitted.predict(), ignore_index=True)
                made[name] = forecast_file(rows, status=status[name])
            except DataError as err:
                made[name] = err
        return made

    def forecast_member(self, group: CommodityGroup, name: str, *, status: str) -> pd.DataFrame:
        """Return the forecast of one table of a group, as ``forecast`` returns it.

        Raises:
            DataError: It cannot be forecast.
        """
        made = self.forecast(group, dict.fromkeys(group.tables, status))[name]
        if isinstance(made, DataError):
            raise made
        return made

    def _engine(self, group: CommodityGroup, panels: Sequence[PanelSnapshot]) -> Engine:
        """Return the engine of all tables at their common last month."""
        tonnes = np.concatenate([panel.tonnes for panel in panels])
        first, last = panels[0].first, tonnes.shape[1] - 1
        horizon = next(
            panel.horizon for panel in panels if group.tables[panel.name].cutoff == panel.cutoff
        )
        extra = None if group.events is None else _cross_material(group, panels, horizon)
        return engine_at(
            tonnes,
            last=last,
            horizon=horizon,
            first=first,
            spec=self.spec,
            extra=extra,
            extra_names=() if extra is None else NAMES,
        )


def _panels(group: CommodityGroup, cutoff: int) -> list[PanelSnapshot]:
    """Return all tables up to a month, over the same months, in order of commodity."""
    first = min(int(table.tonnes.columns[0]) for table in group.tables.values())
    months = range(first, cutoff + 1)
    panels = [PanelSnapshot.of(group.tables[name]) for name in sorted(group.tables)]
    return [replace(one, table=one.table.reindex(columns=months)) for one in panels]


def _cross_material(
    group: CommodityGroup, panels: Sequence[PanelSnapshot], horizon: int
) -> CrossMaterial:
    """Return the features of controls on the materials of all tables."""
    assert group.events is not None  # noqa: S101 - the caller asks first
    return CrossMaterial(
        members=tuple(GroupMember(one.name, group.materials.get(one.name, ())) for one in panels),
        commodity_of=np.repeat(np.arange(len(panels)), [len(one.table) for one in panels]),
        place_of=tuple(name for one in panels for name in one.series),
        totals=np.stack([one.table.loc[WORLD].to_numpy(dtype=float) for one in panels]),
        first=panels[0].first,
        last=panels[0].table.shape[1] - 1,
        horizon=horizon,
        as_of=group.as_of,
        events=group.events,
    )
