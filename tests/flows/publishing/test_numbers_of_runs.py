"""What two runs of the main job left in the database, and how the site tells it."""

import json

import pandas as pd

from flows.context.stores import store_of
from store.vocabulary import QUANTILE_COLUMNS
from tests.flows.conftest import Published
from tests.golden.fingerprints import flat, hold


def test_numbers_in_the_database_after_two_runs_are_those_committed(second_run: Published) -> None:
    engine = store_of(second_run.settings)
    observations, forecasts, publications, readings, backtests = (
        pd.read_sql_table(name, engine)
        for name in ("observations", "forecasts", "publications", "readings", "backtests")
    )
    figures = ["commodity", "destination", "measure", "value", "half_width", "kind", "available_at"]
    forecast = ["destination", "period", "cutoff", "horizon", *QUANTILE_COLUMNS, "mean", "status"]
    documents = {
        "contributions": forecasts["contributions"],
        "drivers": forecasts["drivers"],
        "explanation": publications["explanation"],
        "scores": backtests["scores"],
        "cells": backtests["cells"],
    }

    hold(
        "runs",
        {
            "observations": observations[figures],
            "forecasts": forecasts[[*forecast, "reason", "publication"]],
            "publications": publications[["rows", "state"]],
            "readings": readings[["as_of", "monitor", "value", "bound", "size", "fired", "words"]],
            **{
                name: flat([json.loads(text) for text in texts.dropna()])
                for name, texts in documents.items()
            },
        },
    )
