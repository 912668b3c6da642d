"""All of the planners' desk, read in one transaction, and a cheap mark of whether it changed."""

from dataclasses import dataclass
from typing import Any

import pandas as pd
from sqlalchemy import Engine, Select, func, select

from store import desk_tables as tables
from store.overrides import override_rows
from store.reading import fetch

DeskMark = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class DeskRows:
    """Rows of one state of the desk, those that ended too; nothing in here is modified."""

    mark: DeskMark
    needs: pd.DataFrame
    rules: pd.DataFrame
    alerts: pd.DataFrame
    overrides: pd.DataFrame
    """As ``store.overrides.override_rows``."""
    audit: pd.DataFrame


def read_desk(engine: Engine) -> DeskRows:
    """Read the desk, all of one state."""
    with engine.begin() as connection:
        marked = connection.execute(_mark_query()).one()
        return DeskRows(
            mark=tuple(marked),
            needs=fetch(connection, tables.needs),
            rules=fetch(connection, tables.alert_rules),
            alerts=fetch(connection, tables.alerts),
            overrides=override_rows(connection),
            audit=fetch(connection, tables.audit),
        )


def read_desk_mark(engine: Engine) -> DeskMark:
    """Return a mark that changes with every write to the desk, finding and delivery."""
    with engine.begin() as connection:
        return tuple(connection.execute(_mark_query()).one())


def _mark_query() -> Select[Any]:
    """Every write of a planner leaves an audit row; findings and their deliveries are counted."""
    parts = [
        select(func.coalesce(value, 0)).scalar_subquery()
        for value in (
            func.max(tables.audit.c.id),
            func.count(tables.alerts.c.rule_id),
            func.sum(tables.alerts.c.attempts),
        )
    ]
    return select(*parts)
