"""What is asked of a forecast, what is answered, and why there is no answer."""

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
    """The answer to a scenario; nothing in here is modified."""

    name: str
    description: str
    table: pd.DataFrame
    """``ANSWER_COLUMNS``, one row a series and month; tonnes."""
    notes: tuple[str, ...]
    """What the answer rests on, in sentences."""
    warnings: tuple[str, ...]
    """Where it asks for more than the record can answer."""


Ask = Callable[[bytes], ScenarioResult]
"""Answers a scenario written as YAML or JSON; raises DataError for what is none."""

Opener = Callable[[pd.DataFrame], Ask]
"""Returns who answers about a publication, from its rows; can be sent to another process."""


@dataclass(frozen=True, slots=True)
class WorkedScenario:
    """A worked scenario, to begin with."""

    key: str
    name: str
    description: str
    text: str
    """YAML."""


@dataclass(frozen=True, slots=True)
class ScenarioEngine:
    """What a service needs to answer scenarios."""

    opener: Opener
    worked: tuple[WorkedScenario, ...]
    waiting: int
    """Questions that may wait."""
    seconds: float
    """Time for one answer."""


class ScenarioRefusedError(DataError):
    """A scenario that contradicts itself, the calendar or what is known."""


class NoAnswerError(DataError):
    """A scenario is not answered now; the rest of the service works."""

    def __init__(self, message: str, *, retry_s: int | None = None) -> None:
        """Take what is wrong and after how many seconds to try again."""
        super().__init__(message)
        self.headers = {} if retry_s is None else {"Retry-After": str(retry_s)}
