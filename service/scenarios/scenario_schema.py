"""Scenarios as the service handles them: the engine, its results and its errors."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import pandas as pd

from store.errors import DataError
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
    """Time limit of one scenario."""


class ScenarioRefusedError(DataError):
    """The scenario contradicts itself, the calendar or what is known."""


class NoAnswerError(DataError):
    """The scenario cannot be computed now; the rest of the service works."""

    def __init__(self, message: str, *, retry_s: int | None = None) -> None:
        """Take the reason and after how many seconds to try again."""
        super().__init__(message)
        self.headers = {} if retry_s is None else {"Retry-After": str(retry_s)}
