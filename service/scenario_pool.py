"""What-if: scenarios computed by one process beside the service, their results and documents.

Not here: how a scenario is computed (``models.policy.paired_forecast``).
"""

import asyncio
import logging
import math
import multiprocessing
import os
import signal
from collections import OrderedDict
from collections.abc import Callable, Collection
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import pandas as pd
from pebble import ProcessExpired, ProcessPool
from threadpoolctl import threadpool_limits

from publication.state import Publication, PublicationKey
from publication.tables import csv_text, json_text, records
from publication.words import in_reading_order
from store.errors import DataError, StoreError
from store.messages import Message, message
from store.schema.scenario import RESULT_COLUMNS, Scenario, ScenarioContext, ScenarioResult


class NoAnswerError(DataError):
    """The scenario cannot be computed now; the rest of the service works."""

    def __init__(self, message: str | Message, *, retry_s: int | None = None) -> None:
        super().__init__(message)
        self.headers = {} if retry_s is None else {"Retry-After": str(retry_s)}


_LOG: Final = logging.getLogger("magnetcast.service")

_NICE: Final = 10
"""Niceness of the process, below the one that serves pages."""

OPENING_S: Final = 600.0
"""Time the process has to load the model and the data of a publication."""

CACHED: Final = 256
"""Results cached; each is some 50 kB."""

USUAL_S: Final = 3.0
"""Seconds that a scenario takes, for the time to try again."""

Compute = Callable[[Scenario], ScenarioResult]
"""Computes a scenario."""

Opener = Callable[[pd.DataFrame], Compute]
"""Prepares the computation for a publication, from its rows; can be sent to another process."""


@dataclass(frozen=True, slots=True)
class ScenarioEngine:
    """What a service needs to compute scenarios."""

    opener: Opener
    read: Callable[[bytes, ScenarioContext], Scenario]
    """Scenario written as YAML or JSON; raises DataError for an invalid one."""
    examples: tuple[Scenario, ...]
    """Examples, not checked against a publication."""
    waiting: int
    """Scenarios that may wait."""
    seconds: float
    """Time that one scenario may take."""


class ScenarioPool:
    """Computes scenarios on publications, one at a time; equal ones once."""

    def __init__(self, engine: ScenarioEngine) -> None:
        self.engine = engine
        self._pool: Any = _new_pool()
        self._recent = OrderedDict[tuple[PublicationKey, str], Future[ScenarioResult]]()
        self._pending: set[Future[ScenarioResult]] = set()
        self._opened: PublicationKey | None = None

    @property
    def waiting(self) -> int:
        return len(self._pending)

    def stop(self) -> None:
        """End the process."""
        self._pool.stop()
        self._pool.join()

    async def answer(self, publication: Publication, scenario: Scenario) -> ScenarioResult:
        """Result of a scenario on a publication."""
        future = self.submit(publication, scenario)
        try:
            # Others may wait for the same result: a request that ends must not cancel it.
            return await asyncio.shield(asyncio.wrap_future(future))
        except NoAnswerError:
            raise
        except TimeoutError as err:
            self._opened = None
            raise NoAnswerError(
                message(
                    "The scenario took longer than %(seconds)s s and was stopped. Change less "
                    "at once, or raise MAGNETCAST_WHAT_IF_SECONDS.",
                    seconds=f"{self.engine.seconds:g}",
                )
            ) from err
        except Exception as err:
            self._opened = None
            if not isinstance(err, ProcessExpired):
                _LOG.exception("a scenario failed")
            raise NoAnswerError(
                message(
                    "The process that computed the scenario ended. Expected a result. Try again; a "
                    "new process replaces it."
                )
            ) from err

    def submit(self, publication: Publication, scenario: Scenario) -> "Future[ScenarioResult]":
        """Put a scenario into the pool and return the future of its result."""
        key = (publication.key, scenario.model_dump_json(exclude_unset=True))
        cached = self._recent.get(key)
        if cached is not None and not _has_failed(cached):
            return cached
        if self.waiting >= self.engine.waiting:
            wait = math.ceil(USUAL_S * (1 + self.waiting))
            raise NoAnswerError(
                message(
                    "%(count)s scenarios are already waiting. Expected at most %(most)s. Try again "
                    "in %(seconds)s s.",
                    count=self.waiting,
                    most=self.engine.waiting,
                    seconds=wait,
                ),
                retry_s=wait,
            )
        self.open(publication)
        future = self._schedule(publication, scenario, self.engine.seconds)
        self._pending.add(future)
        future.add_done_callback(self._pending.discard)
        self._recent[key] = future
        if len(self._recent) > CACHED:
            self._recent.popitem(last=False)
        return future

    def open(self, publication: Publication) -> None:
        """Load the model of a publication, which on a busy machine takes long, before scenarios."""
        if publication.key != self._opened:
            self._opened = publication.key
            self._schedule(publication, None, OPENING_S)

    def _schedule(
        self, publication: Publication, scenario: Scenario | None, seconds: float
    ) -> "Future[ScenarioResult]":
        if not self._pool.active:  # its process was killed while it had no scenario
            self._pool = _new_pool()
        compute = partial(_computed, self.engine.opener, publication.key, publication.latest)
        future: Future[ScenarioResult] = self._pool.schedule(
            compute, args=(scenario,), timeout=seconds
        )
        return future


def _has_failed(future: "Future[ScenarioResult]") -> bool:
    return future.done() and (future.cancelled() or future.exception() is not None)


def _new_pool() -> ProcessPool:
    spawn = multiprocessing.get_context("spawn")
    return ProcessPool(max_workers=1, initializer=_behind_pages, context=spawn)


def _behind_pages() -> None:
    """Begin the process: it steps behind the pages, and ends with the service."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(_NICE)


_opened: dict[PublicationKey, Compute] = {}
"""Of the process: the newest publication asked about."""


def _computed(
    opener: Opener, key: PublicationKey, rows: pd.DataFrame, scenario: Scenario | None
) -> ScenarioResult | None:
    """Open a publication within the process and return the result of a scenario, if any."""
    with threadpool_limits(limits=1):
        if key not in _opened:
            _opened.clear()
            try:
                _opened[key] = opener(rows)
            except (DataError, StoreError) as err:
                raise NoAnswerError(f"Scenarios cannot be computed now. {err}") from None
        return None if scenario is None else _opened[key](scenario)


def scenario_answer(
    result: ScenarioResult,
    as_of: pd.Timestamp,
    destinations: Collection[str] | None = None,
    *,
    as_csv: bool = False,
) -> str:
    """Result as JSON or its months as CSV, of some destinations, all if None."""
    order = in_reading_order(result.table["destination"])
    table = result.table.sort_values("destination", key=lambda c: c.map(order.index), kind="stable")
    months = records(
        table[table["destination"].isin(order if destinations is None else destinations)]
    )
    if as_csv:
        return csv_text(months, RESULT_COLUMNS)
    return json_text(
        {
            "description": "",
            **result.scenario.model_dump(mode="json", exclude_unset=True),
            "as_of": f"{as_of:%Y-%m-%dT%H:%M:%SZ}",
            "unit": "t",
            "notes": [str(note) for note in result.notes],
            "warnings": [text for text in result.table["warning"].unique() if text],
            "months": months,
        }
    )
