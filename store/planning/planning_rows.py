"""All of the planners' desk, read in one transaction, and a cheap mark of whether it changed."""

from dataclasses import dataclass
from typing import Final

import pandas as pd
from sqlalchemy import Engine, func

from store.facts.reading import fetch
from store.planning.overrides import override_rows
from store.schema import planning_tables as tables
from store.schema.change_marks import Mark, mark_of

_COUNTED: Final = (
    func.max(tables.audit.c.id),
    func.count(tables.alerts.c.rule_id),
    func.sum(tables.alerts.c.attempts),
)
"""Every write of a planner leaves an audit row; findings and their deliveries are counted."""


@dataclass(frozen=True, slots=True)
class PlanningRows:
    """Rows of one state of the desk, those that ended too; nothing in here is modified."""

    mark: Mark
    needs: pd.DataFrame
    rules: pd.DataFrame
    alerts: pd.DataFrame
    overrides: pd.DataFrame
    """As ``store.planning.overrides.override_rows``."""
    audit: pd.DataFrame


def read_desk(engine: Engine) -> PlanningRows:
    """Read the desk, all of one state."""
    with engine.begin() as connection:
        return PlanningRows(
            mark=mark_of(connection, _COUNTED),
            needs=fetch(connection, tables.needs),
            rules=fetch(connection, tables.alert_rules),
            alerts=fetch(connection, tables.alerts),
            overrides=override_rows(connection),
            audit=fetch(connection, tables.audit),
        )


def read_desk_mark(engine: Engine) -> Mark:
    """Return a mark that changes with every write to the desk, finding and delivery."""
    with engine.begin() as connection:
        return mark_of(connection, _COUNTED)
