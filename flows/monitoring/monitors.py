"""Measures after each publication, and daily, whether what is published can still be trusted.

The readings are stored: `magnetcast status` and the service's metrics read them there.
"""

import math
from dataclasses import asdict

import pandas as pd

from flows.context.console import echo
from flows.context.prefect_runs import prefect_step
from flows.context.stores import store_of
from flows.training.backtest_records import read_cells
from models.monitoring import Reading, error_readings, published_cells
from models.registry.runs import find_runs
from store.facts.reading import read_forecasts
from store.messages import to_json
from store.publications.publication_rows import save_readings
from store.settings import Settings
from store.vocabulary import COMMODITY


@prefect_step("watch")
def watch(settings: Settings, moment: pd.Timestamp) -> list[Reading]:
    """Measure drift and coverage, store and return it; empty before a publication or a backtest."""
    engine, measured = store_of(settings), list[Reading]()
    forecasts = read_forecasts(engine)
    if forecasts.empty:
        return measured
    for run in find_runs(settings, {"flow": "backtest", "commodity": COMMODITY})[:1]:
        replayed = read_cells(settings, run.info.run_id)
        if len(replayed):
            by_period = forecasts.assign(period=pd.to_datetime(forecasts["period"]))
            measured = error_readings(published_cells(replayed, by_period.sort_values("as_of")))
    as_of = pd.Timestamp(forecasts["as_of"].max())
    save_readings(engine, [_row(reading) for reading in measured], at=moment, as_of=as_of)
    return measured


def watch_if_possible(settings: Settings, moment: pd.Timestamp) -> None:
    """As ``watch``, with messages; an error here fails no publication, which is stored already."""
    try:
        for reading in watch(settings, moment):
            if reading.fired:
                echo(f"watch     ALARM {reading.monitor}: {reading.words}")
    except Exception as err:  # noqa: BLE001 - `status` reports that nothing was measured
        echo(f"watch     not measured ({type(err).__name__}: {err})")


def _row(reading: Reading) -> dict[str, object]:
    row = {**asdict(reading), "words": to_json(reading.words)}
    return row | {n: None if math.isnan(row[n]) else row[n] for n in ("value", "bound")}
