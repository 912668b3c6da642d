"""The main job on groups of partner tables: one model a group, published by commodity, once."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final

import pandas as pd
from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from flows.alerts.alerts import alert_if_possible
from flows.clock import utc_now
from flows.context.console import say, track
from flows.context.workspace import single_writer, store_of
from flows.monitoring.run_marker import noted
from flows.publishing.group_snapshot import GroupSnapshot, open_group
from flows.publishing.run_table import (
    TableOutcome,
    held_already,
    hindsight,
    open_table_run,
    publish,
    published_already,
)
from flows.publishing.table_records import record
from flows.publishing.table_snapshot import TableSnapshot, finished
from models.evaluation.backtest import Backtest, backtest_group
from models.forecasting.commodity_groups import GroupForecaster
from sources.files.commodities import Commodity
from store.errors import DataError, StoreError
from store.facts.labels import keep_label
from store.publications.publishing import settle_runs
from store.settings import Settings

backtest_task = task(name="backtest-group", cache_policy=NO_CACHE)(backtest_group)
forecast_task = task(name="forecast-group", cache_policy=NO_CACHE)(GroupForecaster.forecast)

WORK: Final = "the run on many commodities"
"""Name of the run in alarms; of one commodity that failed the store tells."""

Told = TableOutcome | str
"""What a run left behind of a commodity, or why it left nothing."""


@flow(name="run-commodities", validate_parameters=False)
def run_many(
    settings: Settings, as_of: pd.Timestamp, commodities: Sequence[Commodity]
) -> dict[str, Told]:
    """Replay, forecast, publish and report commodities, a model a group; does nothing twice.

    Each commodity is published by itself, in one transaction. One that fails takes no other down.

    Args:
        settings: Where things are kept.
        as_of: The moment to forecast at (UTC).
        commodities: What to forecast.

    Returns:
        By commodity what became of it, in the order of the groups.
    """
    told: dict[str, Told] = {}
    engine = store_of(settings)
    with single_writer(settings), noted(settings, WORK):
        settle_runs(engine, at=utc_now())
        for name, members in _groups(commodities):
            told |= _run_group(open_group(settings, as_of, name, members))
        for one in commodities:
            outcome = told[one.code]
            if isinstance(outcome, TableOutcome):
                keep_label(engine, outcome.commodity, one.label, at=utc_now())
    alert_if_possible(settings, utc_now())
    return told


def _groups(commodities: Sequence[Commodity]) -> Iterator[tuple[str, list[Commodity]]]:
    for name, members in groupby(sorted(commodities, key=_group_of), key=_group_of):
        yield name, list(members)


def _group_of(commodity: Commodity) -> str:
    return commodity.group


def _run_group(group: GroupSnapshot) -> dict[str, Told]:
    """Return what became of each commodity of a group."""
    told: dict[str, Told] = dict(group.refused)
    standing = {
        code: published_already(stand) or held_already(stand)
        for code, stand in group.stands.items()
    }
    if all(standing.values()):
        return told | {code: one for code, one in standing.items() if one is not None}
    say(f"group     {group.name}: one model of {len(group.stands)} commodities")
    past, tables = group.past()
    try:
        forecaster = next(iter(group.stands.values())).forecaster
        seen = backtest_task(forecaster, past, group.group, track=track)
        status = {code: stand.status for code, stand in group.stands.items()}
        made = forecast_task(forecaster, group.group, status)
    except (DataError, StoreError) as err:
        _note_failure(group)
        return told | dict.fromkeys(group.stands, f"its group {group.name} failed. {err}")
    for code, stand in group.stands.items():
        one = standing[code]
        notes = (*stand.table.notes, *hindsight(tables[code]))
        told[code] = one or _publish_one(stand, made[code], seen[code], notes)
    return told


def _publish_one(
    stand: TableSnapshot, made: pd.DataFrame | DataError, seen: Backtest, notes: tuple[str, ...]
) -> Told:
    """Publish one commodity, or return why it was not."""
    try:
        with open_table_run(stand) as kept:
            if isinstance(made, DataError):
                raise made
            kept.mlflow_run_id = record(stand, seen)
            return publish(stand, finished(stand, made, seen), seen, notes)
    except (DataError, StoreError, OSError) as err:
        return str(err)


def _note_failure(group: GroupSnapshot) -> None:
    """Note of every commodity of a group that its run failed."""
    for stand in group.stands.values():
        with open_table_run(stand) as kept:
            kept.failed = True
