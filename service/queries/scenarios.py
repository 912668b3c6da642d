"""Results of scenarios as documents."""

from collections.abc import Collection

import pandas as pd

from service.http.responses import Answer, csv_answer, json_answer, records
from service.scenarios.scenario_schema import ANSWER_COLUMNS, ScenarioResult
from service.wording.names import in_reading_order


def rows_about(result: ScenarioResult, destinations: Collection[str] | None) -> pd.DataFrame:
    """Return the rows of some destinations, all if None, in reading order."""
    order = in_reading_order(result.table["destination"])
    place = result.table["destination"].map(order.index)
    table = result.table.loc[place.sort_values(kind="stable").index]
    if destinations is None:
        return table
    return table.loc[table["destination"].isin(list(destinations))]


def scenario_json(
    result: ScenarioResult, as_of: pd.Timestamp, destinations: Collection[str] | None = None
) -> Answer:
    """Return a result as JSON."""
    return json_answer(
        {
            "name": result.name,
            "description": result.description,
            "as_of": f"{as_of:%Y-%m-%dT%H:%M:%SZ}",
            "unit": "t",
            "notes": list(result.notes),
            "warnings": list(result.warnings),
            "months": records(rows_about(result, destinations)),
        }
    )


def scenario_csv(
    result: ScenarioResult,
    as_of: pd.Timestamp,  # noqa: ARG001 - same signature as JSON
    destinations: Collection[str] | None = None,
) -> Answer:
    """Return the months of a result as CSV."""
    return csv_answer(records(rows_about(result, destinations)), ANSWER_COLUMNS)
