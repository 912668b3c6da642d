"""Measurements of the monitors: rows are only added, the newest measurement is shown."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

import pandas as pd
from sqlalchemy import ColumnElement, Engine, func, insert, select

from store.database import writing
from store.facts.reading import read_table
from store.schema.tables import readings

SHOWN: Final = (
    "measured_at", "as_of", "monitor", "subject", "value", "bound", "size", "fired", "words",
)  # fmt: skip


def save_readings(
    engine: Engine, rows: Iterable[Mapping[str, object]], *, at: datetime, as_of: datetime
) -> None:
    """Save one measurement.

    Args:
        engine: An opened store.
        rows: monitor, subject, value, bound (None where there is none), size, fired, words.
        at: When it was measured, aware.
        as_of: As_of of the forecast in force then, aware.
    """
    values = [{**row, "measured_at": at, "as_of": as_of} for row in rows]
    if values:
        with writing(engine) as connection:
            connection.execute(insert(readings), values)


def newest_readings() -> ColumnElement[bool]:
    """Return the condition for rows of the newest measurement."""
    newest = select(func.max(readings.c.measured_at)).scalar_subquery()
    return readings.c.measured_at == newest


def latest_readings(engine: Engine) -> pd.DataFrame:
    """Read the newest measurement: ``SHOWN``, one row per subject; empty before the first."""
    return read_table(engine, readings, wanted=[newest_readings()], columns=SHOWN)
