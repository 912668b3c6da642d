"""Scenarios as the service handles them: the engine, its results and their documents."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final

import pandas as pd

from service.http.responses import Answer, csv_answer, json_answer, records
from service.wording import in_reading_order
from store.vocabulary import QUANTILE_COLUMNS

SIDES: Final = ("base", "scenario")

ANSWER_COLUMNS: Final = (
    "destination", "period",
    *(f"{side}_{name}" for side in SIDES for name in (*QUANTILE_COLUMNS, "mean")),
    "difference_p10", "difference_p50", "difference_p90", "warning",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ScenarioResult:
    """The result of a scenario; nothing in here is modified."""

    name: str
    description: str
    table: pd.DataFrame
    """``ANSWER_COLUMNS``, one row a series and month; tonnes."""
    notes: tuple[str, ...]
    """What the result is based on, in sentences."""
    warnings: tuple[str, ...]
    """Where the scenario goes beyond the historical record."""


Compute = Callable[[bytes], ScenarioResult]
"""Computes a scenario written as YAML or JSON; raises DataError for an invalid one."""

Opener = Callable[[pd.DataFrame], Compute]
"""Prepares the computation for a publication, from its rows; can be sent to another process."""


@dataclass(frozen=True, slots=True)
class WorkedScenario:
    """An example scenario."""

    key: str
    name: str
    description: str
    text: str
    """YAML."""


@dataclass(frozen=True, slots=True)
class ScenarioEngine:
    """What a service needs to compute scenarios."""

    opener: Opener
    worked: tuple[WorkedScenario, ...]
    waiting: int
    """Scenarios that may wait."""
    seconds: float
    """Processor time that one scenario may take."""


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


def comparison_csv(results: Sequence[ScenarioResult]) -> Answer:
    """Return the months of several results as CSV, the scenario's name first."""
    rows = [
        {"scenario": result.name, **row}
        for result in results
        for row in records(rows_about(result, None))
    ]
    return csv_answer(rows, ("scenario", *ANSWER_COLUMNS))
