"""A bounded queue of scenarios for one worker process, with a cache of recent results."""

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

from service.errors import NoAnswerError, NothingPublishedError
from service.live.publication import Publication, PublicationKey, Recent
from service.scenarios.scenario_schema import ScenarioEngine, ScenarioResult
from service.scenarios.scenario_worker import Outcome, Worker

_LOG: Final = logging.getLogger("magnetcast.service")

OPENING_S: Final = 300.0
"""Time the worker has to load the model and the data of the forecast."""

RETRY_S: Final = 30
"""Seconds after which a worker that could not start is tried again."""

IDLE_S: Final = 0.5
LOOK_S: Final = 1.0
"""How often a waiting request is checked for its client."""

CACHED: Final = 256
"""Outcomes cached; each is some 50 kB."""

USUAL_S: Final = 3.0
"""Seconds a scenario takes, until one was measured."""

ScenarioKey = tuple[PublicationKey, bytes]


@dataclass(order=True, slots=True)
class _QueuedScenario:
    """A scenario in the queue; requests of pages come first, then in order of arrival."""

    rank: tuple[int, int]
    key: ScenarioKey = field(compare=False)
    rows: pd.DataFrame = field(compare=False)
    text: bytes = field(compare=False)
    future: "Future[Outcome]" = field(compare=False)
    callers: int = field(default=1, compare=False)
    """Requests that still wait for it."""


class ScenarioQueue:
    """Computes scenarios on publications, one at a time.

    Only its thread talks to the worker. Equal scenarios are computed once.
    """

    def __init__(self, what_if: ScenarioEngine) -> None:
        """Take the engine and its limits; ``start`` opens the queue."""
        self.what_if = what_if
        self._line: list[_QueuedScenario] = []
        self._pending: dict[ScenarioKey, _QueuedScenario] = {}
        self._cache = Recent(CACHED)
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
        """Return how many scenarios wait or are being computed."""
        return len(self._pending)

    @property
    def worker_pid(self) -> int | None:
        """Return the id of the process that is ready, None where there is none."""
        worker = self._worker
        return worker.pid if worker is not None else None

    def start(self, newest: Callable[[], Publication]) -> None:
        """Open the queue and prepare the worker for the newest publication."""
        self._newest, self._is_open = newest, True
        self._thread = threading.Thread(target=self._serve, name="what-if", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Close the queue; requests that still wait get an error."""
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
        """Return the result of a scenario on a publication.

        Args:
            publication: The forecast that the scenario changes.
            text: YAML or JSON.
            first: Whether a page waits for it: pages come before programs.
            is_gone: Tells whether the client left; a scenario without clients is not computed.

        Raises:
            ScenarioRefusedError: It is not a scenario, or contradicts itself or what is known.
            NoAnswerError: Too many wait, or it cannot be computed.
        """
        waiting = asyncio.wrap_future(self.submit(publication, text, first=first))
        while not waiting.done():
            # Others may wait for the same result: a timeout here must not cancel it.
            await asyncio.wait({waiting}, timeout=LOOK_S)
            if not waiting.done() and await is_gone():
                self._leave(publication, text)
                raise NoAnswerError("The client closed the request. Send it again.")
        outcome = waiting.result()
        if not isinstance(outcome, ScenarioResult):
            # The outcome is shared and cached: it must not collect tracebacks.
            raise outcome.with_traceback(None)
        return outcome

    def submit(
        self, publication: Publication, text: bytes, *, first: bool = False
    ) -> "Future[Outcome]":
        """Put a scenario into the queue and return the future of its outcome.

        Raises:
            NoAnswerError: The queue is full.
        """
        key = _key(publication, text)
        with self._changed:
            if (kept := self._cache.get(key)) is not None:
                done: Future[Outcome] = Future()
                done.set_result(kept)
                return done
            if (same := self._pending.get(key)) is not None:
                same.callers += 1
                return same.future
            if not self._is_open or len(self._pending) >= self.what_if.waiting:
                raise self._busy()
            rank = (0 if first else 1, next(self._count))
            queued = _QueuedScenario(rank, key, publication.latest, text, Future())
            heapq.heappush(self._line, queued)
            self._pending[key] = queued
            self._changed.notify_all()
            return queued.future

    def _leave(self, publication: Publication, text: bytes) -> None:
        """Drop one request for a scenario, and with the last one the scenario."""
        with self._changed:
            queued = self._pending.get(_key(publication, text))
            if queued is None:
                return
            queued.callers -= 1
            if not queued.callers and queued in self._line:
                self._line.remove(queued)
                heapq.heapify(self._line)
                del self._pending[queued.key]

    def _busy(self) -> NoAnswerError:
        wait = math.ceil(self._usual_s * (1 + len(self._pending)))
        return NoAnswerError(
            f"{len(self._pending)} scenarios are already waiting. Expected at most "
            f"{self.what_if.waiting}. Try again in {wait} s.",
            retry_s=wait,
        )

    def _serve(self) -> None:
        """Compute until closed; a failure becomes the outcome of its scenario."""
        while (queued := self._next()) is not None or self._is_open:
            try:
                if queued is None:
                    self._prepare()
                else:
                    self._settle(queued, self._outcome(queued))
            except Exception:  # noqa: BLE001 - the thread must survive any failure
                _LOG.exception("what-if failed")
                if queued is not None:
                    failed = NoAnswerError("The service failed; the error is in its log.")
                    self._settle(queued, failed)
        self._close_worker()

    def _next(self) -> _QueuedScenario | None:
        """Return the next scenario, None where none came for a moment."""
        with self._changed:
            if not self._line and self._is_open:
                self._changed.wait(IDLE_S)
            return heapq.heappop(self._line) if self._line else None

    def _settle(self, queued: _QueuedScenario, outcome: Outcome) -> None:
        """Deliver an outcome, and cache it unless the service failed."""
        with self._changed:
            del self._pending[queued.key]
            if not isinstance(outcome, NoAnswerError):
                self._cache.keep(queued.key, outcome)
        queued.future.set_result(outcome)

    def _outcome(self, queued: _QueuedScenario) -> Outcome:
        """Return the outcome of the worker; one that ends or takes too long is replaced."""
        if not self._is_open:
            return NoAnswerError("The service is shutting down. Try again when it is back.")
        worker = self._worker_for(queued.key[0], queued.rows)
        if isinstance(worker, NoAnswerError):
            return worker
        begun = time.monotonic()
        try:
            outcome = worker.answer(queued.text, self._go_on)
        except (EOFError, OSError):
            self._close_worker()
            return NoAnswerError(
                "The process that computed the scenario ended. Expected a result. Try again; "
                "a new process replaces it."
            )
        if outcome is None:
            self._close_worker()
            return NoAnswerError(
                f"The scenario took longer than {self.what_if.seconds:g} s of processor time "
                "and was stopped. Expected less work. Change less at once, or raise "
                "MAGNETCAST_WHAT_IF_SECONDS."
            )
        self._usual_s += (time.monotonic() - begun - self._usual_s) / 4
        return outcome

    def _prepare(self) -> None:
        """Prepare the worker for the newest publication."""
        if self._newest is None:
            return
        try:
            newest = self._newest()
        except NothingPublishedError:
            return
        self._worker_for(newest.key, newest.latest)

    def _worker_for(self, key: PublicationKey, rows: pd.DataFrame) -> Worker | NoAnswerError:
        """Return the worker of a publication, started if it is not the current one."""
        if self._worker is not None and self._worker_of == key and self._worker.is_alive:
            return self._worker
        if self._trouble is not None:
            failed_key, message, when = self._trouble
            if failed_key == key and time.monotonic() - when < RETRY_S:
                return NoAnswerError(message, retry_s=RETRY_S)
        self._close_worker()
        worker = Worker(self.what_if.opener, rows, self.what_if.seconds)
        if trouble := worker.opened(OPENING_S, self._go_on):
            worker.kill()
            message = f"Scenarios cannot be computed now. {trouble}"
            self._trouble = (key, message, time.monotonic())
            return NoAnswerError(message, retry_s=RETRY_S)
        self._worker, self._worker_of, self._trouble = worker, key, None
        return worker

    def _close_worker(self) -> None:
        if self._worker is not None:
            self._worker.kill()
            self._worker = None

    def _go_on(self) -> bool:
        return self._is_open


def _key(publication: Publication, text: bytes) -> ScenarioKey:
    return publication.key, hashlib.sha256(text).digest()
