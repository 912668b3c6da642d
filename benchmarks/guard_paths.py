"""The hot paths that the guard of speed counts, each on a small seeded world, and the counting.

Callgrind listens to a sequence of instructions that do nothing on a real processor. Source: the
amd64 part of valgrind.h, the numbers of callgrind.h.
"""

import ctypes
import mmap
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

import numpy as np
import pandas as pd

from features.families.trade import compute
from features.panel.estimation import evidence_panel
from features.statistical.base_forecasts import BASE_FORECASTS, IN_MEDIAN
from features.statistical.seasonality import season_profiles
from models.engine import PanelView, trained
from publication.tables import FILE_COLUMNS, csv_text, flat_rows, forecast_document, json_text
from store.asof import OBSERVATION_KEY, known_at
from store.database import open_store
from store.facts.batch import Batch, FileRows
from store.facts.reading import latest_forecast, read_observations
from store.facts.writing import write_batch
from store.publications.publication_writing import publish_forecasts
from store.vocabulary import FORECAST_COLUMNS, QUANTILE_COLUMNS
from tests.data.builders import at, make_levels, make_origin
from tests.data.engine_builders import BRIEF, make_engine, make_values
from tests.data.partner_builders import make_partner_world

ZERO: Final = 0x43540001
DUMP: Final = 0x43540003
START: Final = 0x43540004
STOP: Final = 0x43540005

_CODE: Final = bytes.fromhex(
    "4889f8"  # mov rax, rdi: the request and its arguments
    "4889f2"  # mov rdx, rsi: the answer outside valgrind
    "48c1c703 48c1c70d 48c1c73d 48c1c733"  # rol rdi by 3, 13, 61, 51: nothing in sum
    "4887db"  # xchg rbx, rbx: here valgrind looks
    "4889d0"  # mov rax, rdx
    "c3"
)
_ROOM: Final = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
_ROOM.write(_CODE)
_ask: Final = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_void_p, ctypes.c_uint64)(
    ctypes.addressof(ctypes.c_char.from_buffer(_ROOM))
)


def start() -> None:
    _request(ZERO)
    _request(START)


def stop() -> None:
    _request(STOP)


def dump(name: str) -> None:
    text = ctypes.create_string_buffer(name.encode())
    _request(DUMP, ctypes.addressof(text))


def _request(number: int, argument: int = 0) -> None:
    result = (ctypes.c_uint64 * 6)(number, argument)
    _ask(ctypes.addressof(result), 0)


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
        return trained(PanelView(values[:16], 0, 3), small)

    small = replace(BRIEF, pairs=60, rows=200, num_iterations=2, num_leaves=3)
    season = season_profiles(values)
    yield "engine features", features
    yield "base forecasts", lambda: [BASE_FORECASTS[name](values, season, 6) for name in IN_MEDIAN]
    yield "train", train
    engine = make_engine(values)
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
            latest_forecast(store, commodity="850511"), "USA", {}, pd.DataFrame(), None
        )
        return json_text(document), csv_text(flat_rows(document), FILE_COLUMNS)

    yield "service answer", answer


def _forecasts() -> pd.DataFrame:
    """Return a year of forecasts of one destination in the columns of a forecast file."""
    periods = [f"{month}" for month in pd.period_range("2022-06", periods=12, freq="M")]
    frame = pd.DataFrame({"destination": "USA", "cutoff": "2022-05", "period": periods})
    numbers = {name: 100.0 + place for place, name in enumerate([*QUANTILE_COLUMNS, "mean"])}
    result = frame.assign(horizon=range(1, 13), **numbers, model="guard", status="champion")
    return result[list(FORECAST_COLUMNS)]
