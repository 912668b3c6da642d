"""All planning rows, read in one transaction, and a cheap mark that changes when they do."""

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
"""Every write of a planner adds an audit row; findings and deliveries are counted."""


@dataclass(frozen=True, slots=True)
class PlanningRows:
    """All planning rows at one moment, ended ones included; not modified."""

    mark: Mark
    needs: pd.DataFrame
    rules: pd.DataFrame
    alerts: pd.DataFrame
    overrides: pd.DataFrame
    """As ``store.planning.overrides.override_rows``."""
    audit: pd.DataFrame


def read_planning(engine: Engine) -> PlanningRows:
    """Read all planning rows in one transaction."""
    with engine.begin() as connection:
        return PlanningRows(
            mark=mark_of(connection, _COUNTED),
            needs=fetch(connection, tables.needs),
            rules=fetch(connection, tables.alert_rules),
            alerts=fetch(connection, tables.alerts),
            overrides=override_rows(connection),
            audit=fetch(connection, tables.audit),
        )


def read_planning_mark(engine: Engine) -> Mark:
    """Return a mark that changes with every planning write, finding and delivery."""
    with engine.begin() as connection:
        return mark_of(connection, _COUNTED)
