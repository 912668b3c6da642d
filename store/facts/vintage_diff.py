"""What changed between two ingests."""

from typing import Any, Final

import numpy as np
import pandas as pd
from sqlalchemy import ColumnElement, Connection, Engine, Row, Table, select

from store.errors import DataError, first_few
from store.facts.bulk import stored_like
from store.facts.event_diff import event_changes
from store.facts.new_rows import SAME
from store.facts.reading import fetch
from store.schema.tables import MOMENT, cell_of, observations, policy_events, vintages

COLUMNS: Final = (
    "commodity", "origin", "destination", "measure", "period", "before", "after", "change", "what",
    "source",
)  # fmt: skip


def diff_vintages(engine: Engine, first: int, second: int) -> pd.DataFrame:
    """Compare the newest version of each figure after two ingests.

    Two ingests of one source are compared on that source alone, others on all figures between.

    Args:
        engine: an opened store.
        first: id of the ingest to compare from.
        second: id of the ingest to compare to, usually the later one.

    Returns:
        One row per figure that differs: commodity, origin, destination, measure, period (a month or
        ``first..last``), before, after and change (in the measure's unit; missing where there was
        no figure), what (``new``, ``revised`` or, going backwards, ``gone``) and source. Ordered by
        these; empty when nothing changed. After them the fields of policy events that differ, with
        the event's id as origin, the field as measure, the day it was announced as period, and
        before and after as text.

    Raises:
        DataError: there is no such ingest.
    """
    low, high = sorted((first, second))
    with engine.begin() as connection:
        one, other = _vintage(connection, low), _vintage(connection, high)
        came = _came_between(observations, one, other)
        events = event_changes(connection, _came_between(policy_events, one, other), low, high)
        cells = fetch(connection, observations, wanted=[came], columns=cell_of(observations))
        wanted = [*cell_of(observations), MOMENT, "value", "vintage"]
        versions = stored_like(connection, observations, cells.drop_duplicates(), wanted=wanted)
    changed = _changes(_newest(versions, low), _newest(versions, high))
    listed = _listed(changed if first <= second else _backwards(changed))
    if events.empty:
        return listed
    if first > second:
        events = _swapped(events)
    return pd.concat([listed.astype(object), events], ignore_index=True)[list(COLUMNS)].fillna("")


def _vintage(connection: Connection, number: int) -> Row[Any]:
    row = connection.execute(select(vintages).where(vintages.c.id == number)).first()
    if row is None:
        known = connection.scalars(select(vintages.c.id).order_by(vintages.c.id.desc())).all()
        raise DataError(
            f"No vintage {number} in table vintages. Expected one of "
            f"{first_few(known) if known else 'those ingested, and there is none'}. "
            "See `magnetcast vintages`."
        )
    return row


def _came_between(table: Table, one: Row[Any], other: Row[Any]) -> ColumnElement[bool]:
    """Return the condition for rows ingested after one ingest and up to another."""
    between = vintages.c.id.between(one.id + 1, other.id)
    if one.source == other.source:
        between &= vintages.c.source == one.source
    return table.c.vintage.in_(select(vintages.c.id).where(between))


def _newest(versions: pd.DataFrame, vintage: int) -> pd.DataFrame:
    """Return, by cell, the newest version that was stored after an ingest."""
    # Rows stored before ingests were numbered have no vintage: they count as the first.
    there = versions.loc[versions["vintage"].fillna(0) <= vintage]
    newest = there.sort_values(MOMENT).drop_duplicates(cell_of(observations), keep="last")
    return newest.drop(columns=[MOMENT, "vintage"])


def _changes(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Return the cells whose figure is new or changed."""
    cell = list(cell_of(observations))
    both = after.merge(before, on=cell, how="left", suffixes=("_after", "_before"))
    both = both.rename(columns={"value_before": "before", "value_after": "after"})
    both["change"] = both["after"] - both["before"]
    both["what"] = np.where(both["before"].isna(), "new", "revised")
    size = both[["before", "after"]].abs().max(axis=1)
    return both.loc[both["before"].isna() | (both["change"].abs() > SAME * size)]


def _backwards(changed: pd.DataFrame) -> pd.DataFrame:
    swapped = _swapped(changed)
    return swapped.assign(change=-swapped["change"])


def _swapped(changed: pd.DataFrame) -> pd.DataFrame:
    swapped = changed.rename(columns={"before": "after", "after": "before"})
    return swapped.assign(what=swapped["what"].replace("new", "gone"))


def _listed(changed: pd.DataFrame) -> pd.DataFrame:
    first, last = (changed[name].dt.strftime("%Y-%m") for name in ("period_from", "period_to"))
    period = first.where(first == last, first + ".." + last)
    listed = changed.assign(period=period)[list(COLUMNS)]
    return listed.sort_values(
        ["commodity", "origin", "destination", "measure", "period", "source"], ignore_index=True
    )
