"""What changed between two ingests."""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import pandas as pd
from sqlalchemy import ColumnElement, Connection, Engine, Row, Table, select

from store.errors import DataError, first_few
from store.facts.new_rows import SAME, stored_like
from store.facts.reading import fetch
from store.schema.tables import (
    MOMENT,
    cell_of,
    observations,
    policy_events,
    version_columns,
    vintages,
)


def event_changes(
    connection: Connection, between: ColumnElement[bool], low: int, high: int
) -> pd.DataFrame:
    """Return the fields of events that differ between two ingests, one row each.

    Args:
        between: Condition for rows of ``policy_events`` that were added in between.

    Returns:
        Columns event_id, field (``event`` for a new one), announced_on, before, after (text),
        what (``new`` or ``revised``), destinations.
    """
    ids = fetch(connection, policy_events, wanted=[between], columns=["event_id"])["event_id"]
    columns = ["event_id", MOMENT, *version_columns(policy_events), "vintage"]
    wanted = [policy_events.c.event_id.in_(ids.unique().tolist())]
    versions = fetch(connection, policy_events, wanted=wanted, columns=columns)
    before, after = (_newest(versions, number) for number in (low, high))
    return pd.DataFrame(
        _rows(before, after),
        columns=["origin", "measure", "period", "before", "after", "what", "destination"],
    )


def _newest(versions: pd.DataFrame, vintage: int) -> pd.DataFrame:
    there = versions.loc[versions["vintage"].fillna(0) <= vintage].sort_values(MOMENT)
    return there.drop_duplicates("event_id", keep="last").set_index("event_id")


def _rows(before: pd.DataFrame, after: pd.DataFrame) -> Iterator[tuple[str, ...]]:
    for event_id, now in after.iterrows():
        period, places = f"{now['announced_on']:%Y-%m-%d}", str(now["destinations"])
        if event_id not in before.index:
            yield str(event_id), "event", period, "", str(now["summary"]), "new", places
            continue
        then = before.loc[str(event_id)]
        for name in version_columns(policy_events):
            old, new = _text(then[name]), _text(now[name])
            if old != new:
                yield str(event_id), name, period, old, new, "revised", places


def _text(value: object) -> str:
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d}"
    return "" if value is None or value is pd.NaT else str(value)


_COLUMNS: Final = (
    "commodity", "origin", "destination", "measure", "period", "before", "after", "change", "what",
    "source",
)  # fmt: skip


def diff_vintages(engine: Engine, first: int, second: int) -> pd.DataFrame:
    """Compare the newest version of each figure after two ingests, the earlier one first.

    Two ingests of one source are compared on that source alone, others on all figures between.

    Returns:
        One row per figure that differs: commodity, origin, destination, measure, period (a month or
        ``first..last``), before, after and change (in the measure's unit; missing where there was
        no figure), what (``new`` or ``revised``) and source. Ordered by these; empty when nothing
        changed. After them the fields of policy events that differ, with the event's id as origin,
        the field as measure, the day it was announced as period, and before and after as text.
    """
    low, high = sorted((first, second))
    with engine.begin() as connection:
        one, other = _vintage(connection, low), _vintage(connection, high)
        between = _came_between(observations, one, other)
        events = event_changes(connection, _came_between(policy_events, one, other), low, high)
        cells = fetch(connection, observations, wanted=[between], columns=cell_of(observations))
        wanted = [*cell_of(observations), MOMENT, "value", "vintage"]
        versions = stored_like(connection, observations, cells.drop_duplicates(), wanted=wanted)
    changed = _changes(_newest_vintage_diff(versions, low), _newest_vintage_diff(versions, high))
    listed = _listed(changed)
    if events.empty:
        return listed
    return pd.concat([listed.astype(object), events], ignore_index=True)[list(_COLUMNS)].fillna("")


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
    between = vintages.c.id.between(one.id + 1, other.id)
    if one.source == other.source:
        between &= vintages.c.source == one.source
    return table.c.vintage.in_(select(vintages.c.id).where(between))


def _newest_vintage_diff(versions: pd.DataFrame, vintage: int) -> pd.DataFrame:
    """Return, by cell, the newest version that was stored after an ingest."""
    # Rows stored before ingests were numbered have no vintage: they count as the first.
    there = versions.loc[versions["vintage"].fillna(0) <= vintage]
    newest = there.sort_values(MOMENT).drop_duplicates(cell_of(observations), keep="last")
    return newest.drop(columns=[MOMENT, "vintage"])


def _changes(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    cell = list(cell_of(observations))
    both = after.merge(before, on=cell, how="left", suffixes=("_after", "_before"))
    both = both.rename(columns={"value_before": "before", "value_after": "after"})
    both["change"] = both["after"] - both["before"]
    both["what"] = np.where(both["before"].isna(), "new", "revised")
    size = both[["before", "after"]].abs().max(axis=1)
    return both.loc[both["before"].isna() | (both["change"].abs() > SAME * size)]


def _listed(changed: pd.DataFrame) -> pd.DataFrame:
    first, last = (changed[name].dt.strftime("%Y-%m") for name in ("period_from", "period_to"))
    period = first.where(first == last, first + ".." + last)
    listed = changed.assign(period=period)[list(_COLUMNS)]
    return listed.sort_values(
        ["commodity", "origin", "destination", "measure", "period", "source"], ignore_index=True
    )
