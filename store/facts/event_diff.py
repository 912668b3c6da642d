"""What changed of policy events between two ingests: also their wording and their sources."""

from collections.abc import Iterator

import pandas as pd
from sqlalchemy import ColumnElement, Connection

from store.facts.reading import fetch
from store.schema.tables import MOMENT, policy_events, version_columns


def event_changes(
    connection: Connection, came: ColumnElement[bool], low: int, high: int
) -> pd.DataFrame:
    """Return the fields of events that differ between two ingests, one row each.

    Args:
        connection: Within a transaction.
        came: Condition for rows of ``policy_events`` that came in between.
        low: The earlier ingest.
        high: The later one.

    Returns:
        Columns event_id, field (``event`` for a new one), announced_on, before, after (text),
        what (``new`` or ``revised``), destinations.
    """
    ids = fetch(connection, policy_events, wanted=[came], columns=["event_id"])["event_id"]
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
