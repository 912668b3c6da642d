"""Answers to scenarios as documents."""

from collections.abc import Collection

import pandas as pd

from service.http.responses import Answer, csv_answer, json_answer, records
from service.scenarios.scenario_schema import ANSWER_COLUMNS, ScenarioResult
from service.wording.names import in_reading_order


def rows_about(told: ScenarioResult, destinations: Collection[str] | None) -> pd.DataFrame:
    """Return the rows of some destinations, all if None, in reading order."""
    order = in_reading_order(told.table["destination"])
    place = told.table["destination"].map(order.index)
    table = told.table.loc[place.sort_values(kind="stable").index]
    if destinations is None:
        return table
    return table.loc[table["destination"].isin(list(destinations))]


def scenario_json(
    told: ScenarioResult, as_of: pd.Timestamp, destinations: Collection[str] | None = None
) -> Answer:
    """Return an answer as JSON."""
    return json_answer(
        {
            "name": told.name,
            "description": told.description,
            "as_of": f"{as_of:%Y-%m-%dT%H:%M:%SZ}",
            "unit": "t",
            "notes": list(told.notes),
            "warnings": list(told.warnings),
            "months": records(rows_about(told, destinations)),
        }
    )


def scenario_csv(
    told: ScenarioResult,
    as_of: pd.Timestamp,  # noqa: ARG001 - the form of an answer
    destinations: Collection[str] | None = None,
) -> Answer:
    """Return the months of an answer as CSV."""
    return csv_answer(records(rows_about(told, destinations)), ANSWER_COLUMNS)
