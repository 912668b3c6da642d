"""Forecasts of partner tables made again, by a table's own model or that of its group."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from flows.publishing.group_record import GroupRecord, changed
from flows.publishing.group_snapshot import open_group
from flows.publishing.reproduce_forecasts import MissingModelError
from flows.publishing.snapshot import NUMBERS
from flows.publishing.table_snapshot import OF_GROUP, TableSnapshot, forecast_of, open_table
from store.settings import Settings
from store.vocabulary import BY_PARTNER


def table_again(
    settings: Settings, rows: pd.DataFrame, made_with: Mapping[str, Any]
) -> pd.DataFrame:
    """Return published rows of a full partner table with their numbers made again.

    Args:
        settings: Where things are kept.
        rows: One publication (as ``store.facts.reading.read_forecasts``); not modified.
        made_with: The record of the publication; one without an ingest takes all figures.

    Raises:
        Gone: Its figures, its group or its choices are others now.
        DataError: It cannot be forecast now.
    """
    is_of_group = str(rows["model"].iloc[0]).startswith(OF_GROUP)
    make = _by_its_group if is_of_group else _by_itself
    made = make(settings, rows, made_with).set_index(["destination", "period"])[NUMBERS]
    keys = pd.MultiIndex.from_frame(rows[["destination", "period"]])
    return rows.assign(**{number: made.loc[keys, number].to_numpy() for number in NUMBERS})


def _by_itself(
    settings: Settings, rows: pd.DataFrame, made_with: Mapping[str, Any]
) -> pd.DataFrame:
    code, as_of = _code(rows), pd.Timestamp(rows["as_of"].iloc[0])
    stand = open_table(settings, as_of, code, until=made_with.get("ingest"))
    wanted, digest = str(rows["data_vintage"].iloc[0]), stand.table.digest
    same = digest == wanted
    _check(rows, stand, [] if same else [changed(f"the figures of {code}", wanted, digest)])
    return forecast_of(stand)


def _by_its_group(
    settings: Settings, rows: pd.DataFrame, made_with: Mapping[str, Any]
) -> pd.DataFrame:
    then, code = GroupRecord.read(made_with), _code(rows)
    if then is None:
        raise MissingModelError("who was in its group: it was published before that was recorded")
    as_of = pd.Timestamp(rows["as_of"].iloc[0])
    group = open_group(settings, as_of, then.name, then.members, until=made_with.get("ingest"))
    if code not in group.stands:
        raise MissingModelError(f"the table of {code}")
    stand = group.stands[code]
    assert stand.group is not None  # noqa: S101 - it was opened with its group
    _check(rows, stand, then.apart(stand.group))
    return stand.forecaster.forecast_member(group.group, code, status=stand.status)


def _check(rows: pd.DataFrame, stand: TableSnapshot, facts: list[str]) -> None:
    """Check that nothing that made a publication is gone.

    Raises:
        Gone: Some facts are, or today's choices are others.
    """
    name = str(rows["model"].iloc[0])
    if not name.startswith(stand.model_family):
        facts = [*facts, f"the choices of {name}; today's are {stand.model_family.rstrip('-')}"]
    if facts:
        raise MissingModelError(*facts)


def _code(rows: pd.DataFrame) -> str:
    return str(rows["commodity"].iloc[0]).removesuffix(BY_PARTNER)
