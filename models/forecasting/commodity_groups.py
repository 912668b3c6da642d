"""One model for the partner tables of several commodities.

Series of all tables stand in one panel; each table keeps its own sums.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from features.controls.cross_material import NAMES, CrossMaterial, GroupMember
from features.panel.partner_table import PartnerTable
from models.engine.forecast import Engine, engine_at
from models.engine.spec import EngineSpec
from models.forecasting.forecaster import forecast_file
from models.forecasting.panel_forecaster import PLAIN, YEAR, FittedPanel
from models.forecasting.panel_snapshot import PanelSnapshot
from store.errors import DataError
from store.vocabulary import WORLD


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
            first_month=first % YEAR,
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
