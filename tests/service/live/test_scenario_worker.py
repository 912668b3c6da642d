import os
from typing import Final

import pandas as pd
import pytest

from service.scenarios.scenario_schema import Compute, ScenarioResult
from service.scenarios.scenario_worker import NICE, Worker
from tests.service.serving import ENDING_S

pytestmark = pytest.mark.slow

ORDINARY: Final = os.nice(0)


def nicenesses(_rows: pd.DataFrame) -> Compute:
    """Open who answers with the niceness while it opened and now."""
    while_opening = os.nice(0)
    return lambda _text: ScenarioResult(f"{while_opening} {os.nice(0)}", "", pd.DataFrame(), (), ())


def test_a_worker_steps_behind_the_pages_only_once_it_is_ready() -> None:
    worker = Worker(nicenesses, pd.DataFrame())

    assert worker.opened(ENDING_S, lambda: True) == ""
    result = worker.answer(b"", ENDING_S, lambda: True)
    worker.kill()

    assert isinstance(result, ScenarioResult)
    assert result.name == f"{ORDINARY} {min(ORDINARY + NICE, 19)}"
