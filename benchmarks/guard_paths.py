"""The hot paths that the guard of speed counts, each on a small seeded world."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from features.families.trade import compute
from features.panel.evidence import evidence_panel
from models.engine.forecast import engine_at
from models.engine.training_set import PanelView
from models.statistical.experts import EXPERTS
from models.statistical.seasonality import season_profiles
from service.http.responses import csv_answer, json_answer
from service.live.documents import OVERRIDE_COLUMNS, flat_rows, forecast_document
from store.asof import OBSERVATION_KEY, known_at
from store.database import open_store
from store.facts.batch import Batch, FileRows
from store.facts.reading import latest_forecast, read_observations
from store.facts.writing import write_batch
from store.publications.publishing import publish_forecasts
from store.vocabulary import FORECAST_COLUMNS, QUANTILE_COLUMNS
from tests.data.builders import at, make_levels, make_origin
from tests.data.engine_builders import BRIEF, make_values
from tests.data.partner_builders import make_partner_world

Path = Callable[[], object]


def paths() -> Iterator[tuple[str, Path]]:
    """Yield name and work of each path; what it needs is made before."""
    levels, moment = make_levels(last="2018-12"), at("2019-01-26")
    yield "evidence panel", lambda: evidence_panel(levels, as_of=moment)
    origin = make_origin()
    yield "trade features", lambda: compute(origin)
    yield from _engine_paths()
    yield from _store_paths()


def _engine_paths() -> Iterator[tuple[str, Path]]:
    values = make_values(series=120)
    last = values.shape[1] - 1

    def features() -> object:
        return PanelView(values, 0, 6).at(last, slice(None))

    def train() -> object:
        return engine_at(values[:16], last=last, horizon=3, first=0, spec=small)

    small = replace(BRIEF, pairs=60, rows=200, rounds=2, leaves=3)
    season = season_profiles(values)
    yield "engine features", features
    yield "experts", lambda: [one(values, season, 6) for one in EXPERTS.values()]
    yield "train", train
    engine = engine_at(values, last=last, horizon=6, first=0, spec=BRIEF)
    rows = np.arange(len(values))
    yield "predict", lambda: engine.forecast(rows)


def _store_paths() -> Iterator[tuple[str, Path]]:
    store = open_store("sqlite://")
    rows = make_partner_world(partners=20, months=36).rows()
    write_batch(store, Batch((FileRows("comtrade", "guard", "0" * 64, {"observations": rows}),)))
    moment = at("2022-06-26")

    def read() -> object:
        known = read_observations(store, as_of=moment, commodity="850511")
        return known_at(known, key=OBSERVATION_KEY, as_of=moment)

    yield "store as-of read", read
    publish_forecasts(store, _forecasts(), as_of=moment, data_vintage="guard", commodity="850511")

    def answer() -> object:
        document = forecast_document(
            latest_forecast(store, commodity="850511"), "USA", {}, pd.DataFrame()
        )
        columns = ["as_of", *FORECAST_COLUMNS, *OVERRIDE_COLUMNS]
        return json_answer(document), csv_answer(flat_rows(document), columns)

    yield "service answer", answer


def _forecasts() -> pd.DataFrame:
    """Return a year of forecasts of one destination in the columns of a forecast file."""
    periods = [f"{month}" for month in pd.period_range("2022-06", periods=12, freq="M")]
    frame = pd.DataFrame({"destination": "USA", "cutoff": "2022-05", "period": periods})
    numbers = {name: 100.0 + place for place, name in enumerate([*QUANTILE_COLUMNS, "mean"])}
    result = frame.assign(horizon=range(1, 13), **numbers, model="guard", status="champion")
    return result[list(FORECAST_COLUMNS)]
