"""Forecasts of a partner table between two publications, one input replaced after the other."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.panel.partner_table import PartnerTable
from flows.context.console import echo
from flows.context.stores import store_of
from flows.publishing.run_config import GroupRecord, RunConfig
from flows.publishing.table_snapshot import OF_GROUP, open_tables
from models.forecasting.changes import MedianForecast
from models.forecasting.panel_forecaster import CommodityGroup, GroupForecaster
from models.learning.spec import EngineSpec
from store.errors import DataError
from store.publications.integrity import recorded_digest
from store.settings import Settings

STEPS: Final = ("passing_time", "new_actuals", "revised_actuals", "policy", "model")
"""What the model of a table or group can tell apart, in the order it is replaced."""


@dataclass(frozen=True, slots=True)
class TableReplay:
    """Forecasts of one destination of a table; each step trains anew.

    Of a group, all tables are replaced together.
    """

    forecaster: GroupForecaster
    steps: tuple[CommodityGroup, ...]
    """What the forecast is made from with none, one, ... all of ``STEPS`` replaced."""
    commodity: str
    destination: str
    periods: Sequence[str]
    made: dict[object, NDArray[np.float64]] = field(default_factory=dict)
    """Medians so far, from like facts once."""

    @property
    def changed(self) -> frozenset[str]:
        """Return the inputs that may differ; what is equal is not recomputed."""
        return frozenset(STEPS)

    def value(self, replaced: frozenset[str]) -> MedianForecast:
        """Return the medians with these inputs of the later forecast, the others of the earlier."""
        facts = self.steps[len(replaced)]
        key = _key(facts)
        if key not in self.made:
            rows = self.forecaster.forecast_member(facts, self.commodity, status="compared")
            own = rows.loc[rows["destination"] == self.destination].set_index("period")["p50"]
            self.made[key] = own.reindex(list(self.periods)).to_numpy(dtype=float)
        return MedianForecast(self.made[key], np.zeros(len(self.periods)))


def table_replay(
    settings: Settings, old: pd.DataFrame, new: pd.DataFrame, config: RunConfig
) -> TableReplay:
    """Return the forecasts of a destination recomputed between two publications.

    The earlier forecast, it at the later moment, with the months known since, with the figures
    revised since, with the controls known since, and by the later model where that is of another
    group.

    Args:
        settings: Where things are kept.
        old: Rows of the earlier publication, of one destination; not modified.
        new: The same months of the later one; not modified.
        config: As what both were published.

    Raises:
        DataError: Who was in a group was not recorded, or there is no table now.
    """
    code = config.commodity
    then, now = (_configs_of(settings, rows, config) for rows in (old, new))
    first, last = (_facts_at(settings, rows, then) for rows in (old, new))
    echo(f"explain   news since {first.as_of:%Y-%m-%d}: {_news(first, last, code)}")
    final = last if now == then else _facts_at(settings, new, now)
    steps = (*between(first, last), final)
    forecaster = GroupForecaster(EngineSpec(threads=settings.threads))
    return TableReplay(
        forecaster, steps, code, str(new["destination"].iloc[0]), list(new["period"])
    )


def _configs_of(settings: Settings, rows: pd.DataFrame, config: RunConfig) -> list[RunConfig]:
    """Return what the model that made a publication was trained on.

    Raises:
        DataError: A group made it, and its members were not recorded.
    """
    name, as_of = str(rows["model"].iloc[0]), pd.Timestamp(rows["as_of"].iloc[0])
    if not name.startswith(OF_GROUP):
        return [config]
    kept = recorded_digest(store_of(settings), int(rows["publication"].iloc[0]))
    record = GroupRecord.read(json.loads(kept.made_with)) if kept and kept.made_with else None
    if record is None:
        raise DataError(
            f"The forecast of {config.published_as} as of {as_of:%Y-%m-%d} was made by {name}, the "
            "model of a group, and who was in the group is not recorded. Expected one published "
            "since that is. Take days of later runs, or of `magnetcast run --commodity "
            f"{config.commodity}`."
        )
    return record.configs


def _facts_at(
    settings: Settings, rows: pd.DataFrame, configs: Sequence[RunConfig]
) -> CommodityGroup:
    """Return what was known of tables at the moment of a publication."""
    as_of = pd.Timestamp(rows["as_of"].iloc[0])
    opened = open_tables(settings, as_of, configs)
    if not opened.snapshots:
        raise DataError(next(iter(opened.refused.values())))
    return opened.group


def between(first: CommodityGroup, last: CommodityGroup) -> tuple[CommodityGroup, ...]:
    """Return what lies between two moments of a group, one input replaced after the other.

    The earlier one, it at the later moment, with the months and partners known since, with the
    figures revised since, and the later one, which knows the controls announced since.
    """
    later = replace(first, as_of=last.as_of)
    waited = _each(first, last, lambda then, _: then)
    longer = _each(first, last, _longer)
    return (
        first,
        replace(later, tables=waited),
        replace(later, tables=longer),
        replace(later, tables=last.tables),
        last,
    )


def _each(
    first: CommodityGroup,
    last: CommodityGroup,
    made: Callable[[PartnerTable, PartnerTable], PartnerTable],
) -> dict[str, PartnerTable]:
    """Return tables made of those then and now, each at the later moment."""
    return {
        code: replace(made(then, last.tables[code]), as_of=last.as_of)
        for code, then in first.tables.items()
    }


def _longer(then: PartnerTable, now: PartnerTable) -> PartnerTable:
    """Return a table with the months and partners known since, nothing revised."""
    known = then.tonnes.reindex(index=now.tonnes.index, columns=now.tonnes.columns)
    return replace(now, tonnes=known.where(known.notna(), now.tonnes))


def _key(facts: CommodityGroup) -> tuple[object, ...]:
    """Return what decides a forecast, where one set of events holds all versions of the other."""
    tables = tuple((code, one.digest, one.horizon) for code, one in facts.tables.items())
    if facts.events is None:
        return tuple(facts.materials), tables
    return tuple(facts.materials.items()), tables, len(facts.events), facts.as_of


def _news(first: CommodityGroup, last: CommodityGroup, code: str) -> str:
    """Say what came in between."""
    then, now = first.tables[code], last.tables[code]
    news = f"months {now.cutoff - then.cutoff}, figures revised {_revised(then, now)}"
    others = {name: table for name, table in first.tables.items() if name != code}
    if not others:
        return news
    months = sum(last.tables[name].cutoff - table.cutoff for name, table in others.items())
    revised = sum(_revised(table, last.tables[name]) for name, table in others.items())
    news += f"; of the {len(others)} others in the group months {months}, revised {revised}"
    if first.events is None or last.events is None:
        return news
    return f"{news}; versions of controls {len(last.events) - len(first.events)}"


def _revised(first: PartnerTable, last: PartnerTable) -> int:
    leaves = last.tonnes.loc[list(last.destinations)]  # sums and the remainder follow from them
    known = first.tonnes.reindex_like(leaves)
    return int((known.notna() & leaves.notna() & (known != leaves)).to_numpy().sum())
