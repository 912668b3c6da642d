"""Measures after each publication, and daily, how often published bands cover the outcome.

The reading is stored: `magnetcast status` and the service's metrics read it there.
"""

import math
from dataclasses import asdict

import pandas as pd

from flows.context.console import echo
from flows.context.prefect_runs import prefect_step
from flows.context.stores import store_of
from flows.training.backtest_records import read_cells
from models.monitoring import Reading, coverage_reading
from models.registry.runs import find_runs
from store.facts.reading import read_forecasts
from store.messages import to_json
from store.publications.publication_rows import COVERAGE_DRIFT, save_reading
from store.settings import Settings
from store.vocabulary import COMMODITY


@prefect_step("watch")
def watch(settings: Settings, moment: pd.Timestamp) -> Reading | None:
    """Measure coverage, store and return it; None before a publication or a backtest."""
    engine = store_of(settings)
    forecasts = read_forecasts(engine)
    if forecasts.empty:
        return None
    backtests = find_runs(settings, {"flow": "backtest", "commodity": COMMODITY})[:1]
    if not backtests or (replayed := read_cells(settings, backtests[0].info.run_id)).empty:
        return None
    by_period = forecasts.assign(period=pd.to_datetime(forecasts["period"]))
    reading = coverage_reading(replayed, by_period.sort_values("as_of"))
    save_reading(engine, _row(reading), at=moment, as_of=forecasts["as_of"].max())
    return reading


def watch_if_possible(settings: Settings, moment: pd.Timestamp) -> None:
    """As ``watch``, with messages; an error here fails no publication, which is stored already."""
    try:
        reading = watch(settings, moment)
        if reading is not None and reading.fired:
            echo(f"watch     ALARM {COVERAGE_DRIFT}: {reading.words}")
    except Exception as err:  # noqa: BLE001 - `status` reports that nothing was measured
        echo(f"watch     not measured ({type(err).__name__}: {err})")


def _row(reading: Reading) -> dict[str, object]:
    row = {**asdict(reading), "monitor": COVERAGE_DRIFT, "words": to_json(reading.words)}
    return row | {n: None if math.isnan(row[n]) else row[n] for n in ("value", "bound")}
