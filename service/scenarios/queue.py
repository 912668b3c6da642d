"""Where scenarios queue: a bounded line before one worker process, answers kept a while."""

import asyncio
import hashlib
import heapq
import itertools
import logging
import math
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Final

import pandas as pd

from service.live.memo import Recent
from service.live.publication import NothingPublishedError, Publication, PublicationKey
from service.scenarios.scenario_schema import (
    NoAnswerError,
    ScenarioEngine,
    ScenarioRefusedError,
    ScenarioResult,
)
from service.scenarios.scenario_worker import Outcome, Worker, WorkerFailed, WorkerRefused

_LOG: Final = logging.getLogger("magnetcast.service")

OPENING_S: Final = 300.0
"""Time the worker has to load the model and stand where the forecast stands."""

AGAIN_S: Final = 30.0
"""Seconds after which a worker that could not open is tried again."""

IDLE_S: Final = 0.5
LOOK_S: Final = 1.0
"""How often who waits is looked after."""

KEPT: Final = 256
"""Answers kept; each is some 50 kB."""

USUAL_S: Final = 3.0
"""Seconds an answer takes, as long as none was measured."""

Name = tuple[PublicationKey, bytes]


@dataclass(order=True, slots=True)
class _QueuedScenario:
    """A question in the line; who waits before a page comes first, then who came first."""

    rank: tuple[int, int]
    name: Name = field(compare=False)
    rows: pd.DataFrame = field(compare=False)
    text: bytes = field(compare=False)
    future: "Future[Outcome]" = field(compare=False)
    callers: int = field(default=1, compare=False)
    """Who still wait."""


class ScenarioQueue:
    """Answers scenarios about publications, one at a time.

    Only its thread talks to the worker. Equal questions are asked once.
    """

    def __init__(self, what_if: ScenarioEngine) -> None:
        """Take who answers and the limits; ``start`` opens."""
        self.what_if = what_if
        self._line: list[_QueuedScenario] = []
        self._asked: dict[Name, _QueuedScenario] = {}
        self._kept = Recent(KEPT)
        self._count = itertools.count()
        self._changed = threading.Condition()
        self._newest: Callable[[], Publication] | None = None
        self._thread: threading.Thread | None = None
        self._is_open = False
        self._worker: Worker | None = None
        self._worker_of: PublicationKey | None = None
        self._trouble: tuple[PublicationKey, str, float] | None = None
        self._usual_s = USUAL_S

    @property
    def waiting(self) -> int:
        """Return how many questions wait or are being answered."""
        return len(self._asked)

    @property
    def worker_pid(self) -> int | None:
        """Return the id of the process that is ready to answer, None where there is none."""
        worker = self._worker
        return worker.pid if worker is not None else None

    def start(self, newest: Callable[[], Publication]) -> None:
        """Open; the worker is made ready for the newest publication before anybody asks."""
        self._newest, self._is_open = newest, True
        self._thread = threading.Thread(target=self._serve, name="what-if", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Close; who still waits is told."""
        with self._changed:
            self._is_open = False
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    async def answer(
        self,
        publication: Publication,
        text: bytes,
        *,
        first: bool = False,
        is_gone: Callable[[], Awaitable[bool]],
    ) -> ScenarioResult:
        """Return the answer to a scenario about a publication.

        Args:
            publication: What is asked about.
            text: YAML or JSON.
            first: Whether somebody waits before a page: those come before programs.
            is_gone: Tells whether who asked went away; what nobody waits for is not computed.

        Raises:
            RefusedError: It is no scenario, or contradicts itself or what is known.
            NoAnswerError: Too many wait, or it cannot be computed.
        """
        asked = self.ask(publication, text, first=first)
        waiting = asyncio.wrap_future(asked)
        while not waiting.done():
            # Others may wait for the same answer: waiting must not be what ends it.
            await asyncio.wait({waiting}, timeout=LOOK_S)
            if not waiting.done() and await is_gone():
                self._leave(publication, text)
                raise NoAnswerError("Nobody waits for the answer any more. Ask again.")
        outcome = waiting.result()
        if isinstance(outcome, WorkerRefused):
            raise ScenarioRefusedError(outcome.message)
        if isinstance(outcome, WorkerFailed):
            raise NoAnswerError(outcome.message)
        return outcome

    def ask(
        self, publication: Publication, text: bytes, *, first: bool = False
    ) -> "Future[Outcome]":
        """Put a question in the line and return where its answer will be.

        Raises:
            NoAnswerError: The line is full.
        """
        name = _name(publication, text)
        with self._changed:
            if (kept := self._kept.get(name)) is not None:
                done: Future[Outcome] = Future()
                done.set_result(kept)
                return done
            if (same := self._asked.get(name)) is not None:
                same.callers += 1
                return same.future
            if not self._is_open or len(self._asked) >= self.what_if.waiting:
                raise self._busy()
            rank = (0 if first else 1, next(self._count))
            asked = _QueuedScenario(rank, name, publication.latest, text, Future())
            heapq.heappush(self._line, asked)
            self._asked[name] = asked
            self._changed.notify_all()
            return asked.future

    def _leave(self, publication: Publication, text: bytes) -> None:
        """Take one who waited for a question away, and with the last the question."""
        with self._changed:
            asked = self._asked.get(_name(publication, text))
            if asked is None:
                return
            asked.callers -= 1
            if not asked.callers and asked in self._line:
                self._line.remove(asked)
                heapq.heapify(self._line)
                del self._asked[asked.name]

    def _busy(self) -> NoAnswerError:
        wait = math.ceil(self._usual_s * (1 + len(self._asked)))
        return NoAnswerError(
            f"{len(self._asked)} scenarios wait already. Expected at most "
            f"{self.what_if.waiting}. Try again in {wait} s.",
            retry_s=wait,
        )

    def _serve(self) -> None:
        """Answer until closed; whatever fails is told to who asked."""
        while (asked := self._next()) is not None or self._is_open:
            try:
                if asked is None:
                    self._prepare()
                else:
                    self._settle(asked, self._outcome(asked))
            except Exception:  # noqa: BLE001 - the thread must outlive any trouble
                _LOG.exception("what-if failed")
                if asked is not None:
                    self._settle(
                        asked, WorkerFailed("The service failed; the error is in its log.")
                    )
        self._close_worker()

    def _next(self) -> _QueuedScenario | None:
        """Return the next question, None where none came for a moment."""
        with self._changed:
            if not self._line and self._is_open:
                self._changed.wait(IDLE_S)
            return heapq.heappop(self._line) if self._line else None

    def _settle(self, asked: _QueuedScenario, outcome: Outcome) -> None:
        """Hand an outcome to all who wait for it; what would come out again is kept."""
        with self._changed:
            del self._asked[asked.name]
            if not isinstance(outcome, WorkerFailed):
                self._kept.keep(asked.name, outcome)
        asked.future.set_result(outcome)

    def _outcome(self, asked: _QueuedScenario) -> Outcome:
        """Return what the worker says; one that ends or takes too long is replaced."""
        if not self._is_open:
            return WorkerFailed("The service ends. Expected it to run. Try again when it is back.")
        worker = self._worker_for(asked.name[0], asked.rows)
        if isinstance(worker, WorkerFailed):
            return worker
        begun = time.monotonic()
        try:
            outcome = worker.answer(asked.text, self.what_if.seconds, self._shall)
        except (EOFError, OSError):
            self._close_worker()
            return WorkerFailed(
                "The process that computed the scenario ended. Expected an answer. Try again; "
                "another process takes its place."
            )
        if outcome is None:
            self._close_worker()
            return WorkerFailed(
                f"The scenario took longer than {self.what_if.seconds:g} s and was given up. "
                "Expected less work. Ask for less at once, or raise MAGNETCAST_WHAT_IF_SECONDS."
            )
        self._usual_s += (time.monotonic() - begun - self._usual_s) / 4
        return outcome

    def _prepare(self) -> None:
        """Make the worker ready for the newest publication."""
        if self._newest is None:
            return
        try:
            newest = self._newest()
        except NothingPublishedError:
            return
        self._worker_for(newest.key, newest.latest)

    def _worker_for(self, key: PublicationKey, rows: pd.DataFrame) -> Worker | WorkerFailed:
        """Return the worker of a publication, opened if it is not the one at hand."""
        if self._worker is not None and self._worker_of == key and self._worker.is_alive:
            return self._worker
        if self._trouble is not None:
            whose, said, when = self._trouble
            if whose == key and time.monotonic() - when < AGAIN_S:
                return WorkerFailed(said)
        self._close_worker()
        worker = Worker(self.what_if.opener, rows)
        trouble = worker.opened(OPENING_S, self._shall).trouble
        if trouble:
            worker.kill()
            told = f"Scenarios cannot be answered now. {trouble}"
            self._trouble = (key, told, time.monotonic())
            return WorkerFailed(told)
        self._worker, self._worker_of, self._trouble = worker, key, None
        return worker

    def _close_worker(self) -> None:
        if self._worker is not None:
            self._worker.kill()
            self._worker = None

    def _shall(self) -> bool:
        return self._is_open


def _name(publication: Publication, text: bytes) -> Name:
    return publication.key, hashlib.sha256(text).digest()
