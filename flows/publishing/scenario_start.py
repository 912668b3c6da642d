"""Scenarios: the forecast of an as_of that they start from."""

import pandas as pd

from flows.context.console import echo
from flows.context.stores import store_of
from flows.context.workspace import open_workspace
from flows.publishing.publication_lookup import name_of
from flows.publishing.scenario_answers import published_scenario_snapshot
from flows.training.predict import made_at
from models.policy.paired_forecast import ScenarioSnapshot
from store.errors import DataError, StoreError
from store.facts.reading import latest_forecast
from store.settings import Settings


def scenario_snapshot(settings: Settings, as_of: pd.Timestamp) -> ScenarioSnapshot:
    """Forecast of an as_of, ready for scenarios.

    It is what was published as of that day, whatever was ingested since; without that, or its
    model, it is made as ``predict`` makes it.
    """
    rows = latest_forecast(store_of(settings), as_of=as_of)
    if not rows.empty and rows["as_of"].iloc[0].floor("D") == as_of.floor("D"):
        try:
            snapshot = published_scenario_snapshot(settings, rows)
        except (DataError, StoreError) as err:
            echo(f"scenario  {name_of(rows)} cannot answer, so the forecast is made anew: {err}")
        else:
            echo(f"scenario  from the forecast of {name_of(rows)}, data to {rows['cutoff'].max()}")
            return snapshot
    trained = made_at(open_workspace(settings, as_of))
    published, ordinary = trained.stages.published, trained.stages.coherent
    return ScenarioSnapshot(as_of, trained.origin, trained.analogs, published, ordinary)
