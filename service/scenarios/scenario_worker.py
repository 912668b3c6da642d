"""The process that answers scenarios, and the handle on it."""

import logging
import multiprocessing
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Final

import pandas as pd
from threadpoolctl import threadpool_limits

from service.scenarios.scenario_schema import Ask, Opener, ScenarioResult
from store.errors import DataError, StoreError

_LOG: Final = logging.getLogger("magnetcast.service")

NICE: Final = 10
"""By how much the worker stands back behind the process that serves pages."""

GLANCE_S: Final = 0.2
"""How often who waits looks whether it shall still wait."""


@dataclass(frozen=True, slots=True)
class WorkerReady:
    """The worker is ready, or why it cannot be."""

    trouble: str = ""


@dataclass(frozen=True, slots=True)
class WorkerRefused:
    """What is wrong with a scenario."""

    message: str


@dataclass(frozen=True, slots=True)
class WorkerFailed:
    """No answer, for a reason that lies in the service."""

    message: str


Outcome = ScenarioResult | WorkerRefused | WorkerFailed


def work(pipe: Connection, opener: Opener, rows: pd.DataFrame) -> None:
    """Answer scenarios until nobody is at the other end; the main function of the process."""
    # Ctrl-C ends the service, which ends this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(NICE)
    try:
        with threadpool_limits(limits=1):
            ask = opener(rows)
    except (DataError, StoreError) as err:
        pipe.send(WorkerReady(str(err)))
        return
    pipe.send(WorkerReady())
    with threadpool_limits(limits=1):
        while True:
            try:
                text = pipe.recv()
            except EOFError:
                return
            pipe.send(outcome_of(ask, text))


def outcome_of(ask: Ask, text: bytes) -> Outcome:
    """Return the answer to a scenario, or why there is none."""
    try:
        return ask(text)
    except DataError as err:
        return WorkerRefused(str(err))
    except Exception:  # noqa: BLE001 - the process must outlive any scenario
        _LOG.exception("a scenario failed")
        return WorkerFailed(
            "The scenario could not be computed; the error is in the log of the service."
        )


class Worker:
    """One process that answers; of no use once it failed to answer in time."""

    def __init__(self, opener: Opener, rows: pd.DataFrame) -> None:
        """Start it; it takes seconds until it answers."""
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=work, args=(theirs, opener, rows), name="what-if", daemon=True
        )
        self._process.start()
        theirs.close()

    @property
    def pid(self) -> int:
        """Return the id of the process."""
        return int(self._process.pid or 0)

    @property
    def is_alive(self) -> bool:
        """Tell whether it lives."""
        return self._process.is_alive()

    def opened(self, seconds: float, shall: Callable[[], bool]) -> WorkerReady:
        """Wait until it can answer; ``shall`` tells whether to go on waiting."""
        try:
            if self._waited(seconds, shall):
                found: WorkerReady = self._pipe.recv()
                return found
        except (EOFError, OSError):
            return WorkerReady(
                "The process that answers scenarios ended while it started; see the log."
            )
        return WorkerReady(
            f"The process that answers scenarios was not ready within {seconds:g} s."
        )

    def answer(self, text: bytes, seconds: float, shall: Callable[[], bool]) -> Outcome | None:
        """Return the answer, None where it took too long.

        Raises:
            EOFError, OSError: The process ended.
        """
        self._pipe.send(text)
        if not self._waited(seconds, shall):
            return None
        found: Outcome = self._pipe.recv()
        return found

    def kill(self) -> None:
        """End it, whatever it does."""
        self._process.kill()
        self._process.join()
        self._pipe.close()

    def _waited(self, seconds: float, shall: Callable[[], bool]) -> bool:
        """Wait for a message; tells whether one came."""
        left = seconds
        while left > 0 and shall():
            if self._pipe.poll(min(GLANCE_S, left)):
                return True
            left -= GLANCE_S
        return False
