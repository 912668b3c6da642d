import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from service.scenario_pool import Compute, NoAnswerError, Opener, ScenarioEngine, ScenarioPool
from store.errors import DataError
from store.schema.scenario import Scenario, ScenarioResult

PUBLISHED: Any = SimpleNamespace(key=(1, "a"), latest=pd.DataFrame())


def computed(scenario: Scenario) -> ScenarioResult:
    """Sleep, end or refuse as a name says, else answer with the process."""
    word = scenario.name
    if word == "refused":
        raise NoAnswerError("no scenario")
    if word == "ends":
        os._exit(3)
    if word.startswith("sleeps"):
        time.sleep(60)
    return ScenarioResult(scenario, pd.DataFrame({"process": [os.getpid()]}))


def unread(_: bytes, __: object) -> Scenario:
    """Refuse: no test of this file sends a body."""
    raise AssertionError


def opened(_: pd.DataFrame) -> Compute:
    """Open at once."""
    return computed


def closed(_: pd.DataFrame) -> Compute:
    """Fail to open."""
    raise DataError("The model is gone.")


@contextmanager
def pool(
    opener: Opener = opened, *, waiting: int = 8, seconds: float = 30.0
) -> Iterator[ScenarioPool]:
    found = ScenarioPool(ScenarioEngine(opener, unread, (), waiting, seconds))
    found.open(PUBLISHED)
    yield found
    found.stop()


def named(name: str) -> Scenario:
    return Scenario(name=name, events=[], tariffs=[])


def answer(of: ScenarioPool, name: str) -> int:
    """Return the process that answered."""
    return int(asyncio.run(of.answer(PUBLISHED, named(name))).table["process"].item())


@pytest.mark.slow
def test_a_process_that_takes_too_long_or_ends_is_replaced_before_the_next_scenario() -> None:
    with pool(seconds=2.0) as asked:
        first = answer(asked, "a")
        with pytest.raises(NoAnswerError, match="no scenario"):
            answer(asked, "refused")
        again = answer(asked, "b")
        with pytest.raises(NoAnswerError, match=r"longer than 2 s .* MAGNETCAST_WHAT_IF_SECONDS"):
            answer(asked, "sleeps")
        replaced = answer(asked, "c")
        with pytest.raises(NoAnswerError, match="that computed the scenario ended"):
            answer(asked, "ends")
        last = answer(asked, "d")

    assert first == again
    assert len({first, replaced, last}) == 3


@pytest.mark.slow
def test_equal_scenarios_are_computed_once_and_a_full_pool_says_when_to_try_again() -> None:
    with pool(waiting=2) as asked:
        one, same = (asked.submit(PUBLISHED, named("sleeps 1")) for _ in range(2))
        asked.submit(PUBLISHED, named("sleeps 2"))
        with pytest.raises(NoAnswerError, match="2 scenarios are already waiting") as full:
            asked.submit(PUBLISHED, named("sleeps 3"))

    assert one is same
    assert int(full.value.headers["Retry-After"]) > 5


@pytest.mark.slow
def test_a_publication_that_cannot_be_opened_is_no_fault_of_the_scenario() -> None:
    with pool(closed) as asked, pytest.raises(NoAnswerError, match="The model is gone"):
        answer(asked, "a")
