"""The process that computes scenarios, and the handle on it."""

import logging
import multiprocessing
import os
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Final

import pandas as pd
from threadpoolctl import threadpool_limits

from service.errors import NoAnswerError, ScenarioRefusedError
from service.scenarios.scenario_schema import Compute, Opener, ScenarioResult
from store.errors import DataError, StoreError

_LOG: Final = logging.getLogger("magnetcast.service")

NICE: Final = 10
"""Niceness of a worker that is ready, below the process that serves pages."""

PATIENCE: Final = 10
"""How many times its processor time a scenario may take by the clock, on a busy machine."""

POLL_S: Final = 0.2
"""How often a wait checks whether to go on."""

Outcome = ScenarioResult | ScenarioRefusedError | NoAnswerError
"""A result, what is wrong with the scenario, or why the service could not compute it."""


def work(pipe: Connection, opener: Opener, rows: pd.DataFrame, seconds: float) -> None:
    """Compute scenarios until the pipe closes; the main function of the process.

    The first message is empty once the worker is ready, else the reason why it cannot be. The
    kernel ends the process when a scenario has taken its seconds of processor time.
    """
    # Ctrl-C ends the service, which ends this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with threadpool_limits(limits=1):
        try:
            compute = opener(rows)
        except (DataError, StoreError) as err:
            pipe.send(str(err))
            return
        # Not before: on a busy machine a nice process takes too long to open, and all wait for it.
        os.nice(NICE)
        pipe.send("")
        while True:
            try:
                text = pipe.recv()
            except EOFError:
                return
            signal.setitimer(signal.ITIMER_PROF, seconds)
            outcome = outcome_of(compute, text)
            signal.setitimer(signal.ITIMER_PROF, 0)
            pipe.send(outcome)


def outcome_of(compute: Compute, text: bytes) -> Outcome:
    """Return the result of a scenario, or why there is none."""
    try:
        return compute(text)
    except DataError as err:
        return ScenarioRefusedError(str(err))
    except Exception:  # noqa: BLE001 - the process must survive any scenario
        _LOG.exception("a scenario failed")
        return NoAnswerError(
            "The scenario could not be computed; the error is in the log of the service."
        )


class Worker:
    """One worker process; discarded once it fails to answer in time."""

    def __init__(self, opener: Opener, rows: pd.DataFrame, seconds: float) -> None:
        """Start the process; each scenario gets some seconds of processor time."""
        self._seconds = seconds
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=work, args=(theirs, opener, rows, seconds), name="what-if", daemon=True
        )
        self._process.start()
        theirs.close()

    @property
    def pid(self) -> int:
        """Return the id of the process."""
        return int(self._process.pid or 0)

    @property
    def is_alive(self) -> bool:
        """Tell whether the process is alive."""
        return self._process.is_alive()

    def opened(self, seconds: float, go_on: Callable[[], bool]) -> str:
        """Wait until it is ready and return the reason if it is not, else an empty text.

        Args:
            seconds: How long to wait at most.
            go_on: Tells whether to go on waiting.
        """
        try:
            if self._wait(seconds, go_on):
                return str(self._pipe.recv())
        except (EOFError, OSError):
            return "The process that computes scenarios ended while it started; see the log."
        return f"The process that computes scenarios was not ready within {seconds:g} s."

    def answer(self, text: bytes, go_on: Callable[[], bool]) -> Outcome | None:
        """Return the outcome of a scenario, None where it took too long.

        Raises:
            EOFError, OSError: The process ended.
        """
        try:
            self._pipe.send(text)
            if not self._wait(PATIENCE * self._seconds, go_on):
                return None
            outcome: Outcome = self._pipe.recv()
        except (EOFError, OSError):
            self._process.join()
            if self._process.exitcode == -signal.SIGPROF:
                return None
            raise
        return outcome

    def kill(self) -> None:
        """End the process whatever it does."""
        self._process.kill()
        self._process.join()
        self._pipe.close()

    def _wait(self, seconds: float, go_on: Callable[[], bool]) -> bool:
        """Wait for a message and tell whether one came."""
        left = seconds
        while left > 0 and go_on():
            if self._pipe.poll(min(POLL_S, left)):
                return True
            left -= POLL_S
        return False
