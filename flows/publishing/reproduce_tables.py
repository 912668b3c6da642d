"""Forecasts of partner tables recomputed, by a table's own model or that of its group."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from flows.publishing.group_record import GroupRecord, changed
from flows.publishing.reproduce_forecasts import MissingModelError
from flows.publishing.run_config import config_of
from flows.publishing.scenario_snapshot import NUMBERS
from flows.publishing.table_snapshot import OF_GROUP, TableSnapshot, open_tables
from store.errors import DataError
from store.settings import Settings


def reproduce_table(
    settings: Settings, rows: pd.DataFrame, made_with: Mapping[str, Any]
) -> pd.DataFrame:
    """Return published rows of a full partner table with their numbers recomputed.

    Args:
        settings: Where things are kept.
        rows: One publication (as ``store.reading.read_forecasts``); not modified.
        made_with: The record of the publication; one without an ingest takes all figures.

    Raises:
        MissingModelError: Its figures, its group or its choices are others now.
        DataError: It cannot be forecast now.
    """
    snapshot = _snapshot_of(settings, rows, made_with)
    code, status = snapshot.config.commodity, snapshot.status
    made = snapshot.forecaster.forecast_member(snapshot.group, code, status=status)
    keys = pd.MultiIndex.from_frame(rows[["destination", "period"]])
    numbers = made.set_index(["destination", "period"])[NUMBERS].loc[keys]
    return rows.assign(**{name: numbers[name].to_numpy() for name in NUMBERS})


def _snapshot_of(
    settings: Settings, rows: pd.DataFrame, made_with: Mapping[str, Any]
) -> TableSnapshot:
    """Return what was known of a table when it was published.

    Raises:
        MissingModelError: Something that made the publication is gone.
        DataError: There is no table now.
    """
    name, as_of = str(rows["model"].iloc[0]), pd.Timestamp(rows["as_of"].iloc[0])
    config = config_of(str(rows["commodity"].iloc[0]))
    then = GroupRecord.read(made_with) if name.startswith(OF_GROUP) else None
    if then is None and name.startswith(OF_GROUP):
        raise MissingModelError("who was in its group: it was published before that was recorded")
    configs = [config] if then is None else then.configs
    opened = open_tables(settings, as_of, configs, until=made_with.get("ingest"))
    snapshot = opened.snapshots.get(config.commodity)
    if snapshot is None and then is None:
        raise DataError(opened.refused[config.commodity])
    if snapshot is None:
        raise MissingModelError(f"the table of {config.commodity}")
    gone = _facts_apart(rows, snapshot, then)
    made_by = snapshot.of_family(name)
    if made_by is None:
        today = snapshot.model_family.rstrip("-")
        gone.append(f"the choices of {name}; today's are {today}")
    if made_by is None or gone:
        raise MissingModelError(*gone)
    return made_by


def _facts_apart(
    rows: pd.DataFrame, snapshot: TableSnapshot, then: GroupRecord | None
) -> list[str]:
    """Say what its forecast rested on and is different now."""
    if then is not None and snapshot.record is not None:
        return then.apart(snapshot.record)
    wanted, digest = str(rows["data_vintage"].iloc[0]), snapshot.table.digest
    what = f"the figures of {snapshot.config.commodity}"
    return [] if digest == wanted else [changed(what, wanted, digest)]
