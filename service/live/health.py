"""Health of the installation as `magnetcast status` reports it, and the metrics of monitors."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Final

import pandas as pd
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.concurrency import run_in_threadpool

from models.monitoring import HealthReport
from service.live.publication import Publication
from service.request_errors import NothingPublishedError

CACHED_FOR: Final = pd.Timedelta(minutes=1)
"""A check loads the champion and all figures, which takes seconds."""


Examine = Callable[[pd.Timestamp], HealthReport]
"""Checks everything; never raises for what it finds."""


class HealthCache:
    """Checks on request, at most once a minute.

    Requests during a check wait in the event loop; only the check itself takes a thread.
    """

    def __init__(self, examine: Examine, clock: Callable[[], pd.Timestamp]) -> None:
        self._examine = examine
        self._clock = clock
        self._guard = asyncio.Lock()
        self._report: HealthReport | None = None

    async def newest(self) -> HealthReport:
        """Report no older than a minute."""
        async with self._guard:
            moment, report = self._clock(), self._report
            if report is None or not pd.Timedelta(0) <= moment - report.at < CACHED_FOR:
                report = self._report = await run_in_threadpool(self._examine, moment)
            return report


class StoreMetrics(Collector):
    """Collects metrics of the newest publication on every scrape."""

    def __init__(
        self, publication: Callable[[], Publication], clock: Callable[[], pd.Timestamp]
    ) -> None:
        self._publication = publication
        self._clock = clock

    def describe(self) -> Iterator[Metric]:
        """Announce no metrics: before the first publication there are none."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics; nothing before the first publication."""
        try:
            publication = self._publication()
        except NothingPublishedError:
            return
        moment = self._clock()
        published = publication.published
        age = _age(moment, publication.as_of)
        yield _gauge("forecast_age_seconds", "Age of the newest forecast.", age)
        waiting = published.quarantine["released_at"].isna().sum()
        yield _gauge("quarantine_waiting", "Rejected files that await review.", float(waiting))
        if len(published.readings):
            measured = pd.Timestamp(published.readings["measured_at"].max())
            help_text = "Time since the monitors last ran."
            yield _gauge("measured_age_seconds", help_text, _age(moment, measured))
            yield _of_monitors(published.readings)


def _of_monitors(readings: pd.DataFrame) -> Metric:
    alarm = GaugeMetricFamily(
        "magnetcast_alarm", "1 while an alarm of docs/operations.md is active.", labels=["alarm"]
    )
    for monitor, fired in readings.groupby("monitor")["fired"].any().items():
        alarm.add_metric([str(monitor)], float(fired))
    return alarm


def _gauge(name: str, help_text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"magnetcast_{name}", help_text, value=value)


def _age(moment: pd.Timestamp, since: pd.Timestamp) -> float:
    return float((moment - since).total_seconds())
