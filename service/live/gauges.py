"""Forecasts, runs and monitors as Prometheus gauges, read from published tables only."""

from collections.abc import Callable, Iterator

import pandas as pd
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from service.live.publication import NothingPublishedError, Publication


class StoreMetrics(Collector):
    """Collects gauges of the newest publication on every scrape."""

    def __init__(
        self, publication: Callable[[], Publication], clock: Callable[[], pd.Timestamp]
    ) -> None:
        """Take the newest publication and the clock."""
        self._publication = publication
        self._clock = clock

    def describe(self) -> Iterator[Metric]:
        """Announce no metrics: before the first publication there are none."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Yield the gauges; nothing before the first publication."""
        try:
            found = self._publication()
        except NothingPublishedError:
            return
        now = self._clock()
        published = found.published
        yield _gauge("forecast_age_seconds", "Age of the newest forecast.", _age(now, found.as_of))
        waiting = published.quarantine["released_at"].isna().sum()
        yield _gauge("quarantine_waiting", "Rejected files that await review.", float(waiting))
        yield from _of_runs(published.runs)
        if len(published.readings):
            measured = pd.Timestamp(published.readings["measured_at"].max())
            help_text = "Time since the monitors last ran."
            yield _gauge("measured_age_seconds", help_text, _age(now, measured))
            yield from _of_monitors(published.readings)


def _of_runs(runs: pd.DataFrame) -> Iterator[Metric]:
    """Yield the duration of each flow's last finished run and whether its last run failed."""
    took = GaugeMetricFamily(
        "magnetcast_run_seconds", "Duration of the last finished run.", labels=["flow"]
    )
    failed = GaugeMetricFamily(
        "magnetcast_run_failed", "1 where the last run that ended failed.", labels=["flow"]
    )
    ended = runs.loc[runs["finished_at"].notna()].sort_values("finished_at")
    for flow, rows in ended.groupby("flow"):
        done = rows.loc[rows["status"] == "finished"]
        if len(done):
            last = done.iloc[-1]
            seconds = (last["finished_at"] - last["started_at"]).total_seconds()
            took.add_metric([str(flow)], seconds)
        failed.add_metric([str(flow)], float(rows["status"].iloc[-1] == "failed"))
    yield took
    yield failed


def _of_monitors(readings: pd.DataFrame) -> Iterator[Metric]:
    """Yield the readings of the monitors, their bounds and the active alarms."""
    labels = ["monitor", "subject"]
    value = GaugeMetricFamily("magnetcast_reading", "What a monitor measured.", labels=labels)
    bound = GaugeMetricFamily("magnetcast_reading_bound", "Its bound.", labels=labels)
    for row in readings.itertuples(index=False):
        names = [str(row.monitor), str(row.subject)]
        value.add_metric(names, float(str(row.value)))
        bound.add_metric(names, float(str(row.bound)))
    alarm = GaugeMetricFamily(
        "magnetcast_alarm", "1 while an alarm of docs/operations.md is active.", labels=["alarm"]
    )
    for monitor, fired in readings.groupby("monitor")["fired"].any().items():
        alarm.add_metric([str(monitor)], float(fired))
    yield value
    yield bound
    yield alarm


def _gauge(name: str, help_text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"magnetcast_{name}", help_text, value=value)


def _age(now: pd.Timestamp, then: pd.Timestamp) -> float:
    return float((now - then).total_seconds())
