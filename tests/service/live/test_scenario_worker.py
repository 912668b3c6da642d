import os
import time
from typing import Final

import pandas as pd
import pytest

from service.scenarios.scenario_schema import Compute, Opener, ScenarioResult
from service.scenarios.scenario_worker import NICE, Outcome, Worker
from tests.service.serving import ENDING_S

pytestmark = pytest.mark.slow

ORDINARY: Final = os.nice(0)


def nicenesses(_rows: pd.DataFrame) -> Compute:
    """Open who answers with the niceness while it opened and now."""
    while_opening = os.nice(0)
    return lambda _text: ScenarioResult(f"{while_opening} {os.nice(0)}", "", pd.DataFrame(), (), ())


def after_a_pause(_rows: pd.DataFrame) -> Compute:
    """Open who waits as long as a scenario on a busy machine, and computes nothing."""

    def compute(_text: bytes) -> ScenarioResult:
        time.sleep(1)
        return ScenarioResult("late", "", pd.DataFrame(), (), ())

    return compute


def without_end(_rows: pd.DataFrame) -> Compute:
    """Open who computes and never answers."""

    def compute(_text: bytes) -> ScenarioResult:
        while True:
            pass

    return compute


def answer_of(opener: Opener, *, seconds: float) -> Outcome | None:
    worker = Worker(opener, pd.DataFrame(), seconds)
    assert worker.opened(ENDING_S, lambda: True) == ""
    result = worker.answer(b"", lambda: True)
    worker.kill()
    return result


def test_a_scenario_is_limited_in_processor_time_not_by_the_load_of_the_machine() -> None:
    late = answer_of(after_a_pause, seconds=0.5)

    assert isinstance(late, ScenarioResult)
    assert late.name == "late"
    assert answer_of(without_end, seconds=0.5) is None


def test_a_worker_steps_behind_the_pages_only_once_it_is_ready() -> None:
    result = answer_of(nicenesses, seconds=60)

    assert isinstance(result, ScenarioResult)
    assert result.name == f"{ORDINARY} {min(ORDINARY + NICE, 19)}"
