"""Backtests: their scores, and the forecasts at past origins that they rest on."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import pandas as pd
from sqlalchemy import Connection, Engine, select

from store.database import insert_row, reading, writing
from store.facts.reading import read_table
from store.publications.explanations import DIGITS
from store.schema.database_tables import backtests
from store.schema.frames import MOMENT_DTYPE
from store.vocabulary import COMMODITY

_SCORES: Final = ("model", "scope", "horizon_from", "horizon_to", "metric", "value", "cells")

CELL_COLUMNS: Final = ("destination", "cutoff", "period", "p10", "p50", "p90", "tonnes")
"""Of a forecast made at a past origin and its actual; months are ``YYYY-MM``."""


def write_scores(
    engine: Engine,
    frame: pd.DataFrame,
    *,
    as_of: datetime,
    data_vintage: str = "",
    commodity: str = COMMODITY,
    cells: pd.DataFrame | None = None,
) -> bool:
    """Save the scores of a backtest and tell whether it is new.

    A moment may have several backtests; one that only repeats the newest of its moment, to nine
    digits and of the same data, is not written.

    Args:
        frame: ``model, scope, horizon_from, horizon_to, metric, value, cells``; not modified.
        cells: the forecasts scored (``CELL_COLUMNS``), stored to be drawn.
    """
    drawable = pd.DataFrame(columns=list(CELL_COLUMNS)) if cells is None else cells
    scores = frame[list(_SCORES)].sort_values(list(_SCORES)).to_numpy(dtype=object)
    row = {
        "commodity": commodity,
        "as_of": as_of,
        "data_vintage": data_vintage,
        "scores": json.dumps(scores.tolist()),
        "cells": drawable[list(CELL_COLUMNS)].to_json(orient="values", double_precision=DIGITS),
    }
    of = backtests.c
    newest = select(backtests).where(of.commodity == commodity, of.as_of == as_of)
    with writing(engine) as connection:
        stored = connection.execute(newest.order_by(of.id.desc()).limit(1)).first()
        is_new = stored is None or _compared(stored._asdict()) != _compared(row)
        if is_new:
            insert_row(connection, backtests, row)
    return is_new


def _compared(row: Mapping[str, Any]) -> tuple[object, ...]:
    """Content by which two backtests of one moment are compared: values to nine digits."""
    scores = [(*key, f"{value:.9g}", cells) for *key, value, cells in json.loads(row["scores"])]
    return row["data_vintage"], row["cells"], scores


def read_scores(engine: Engine, *, commodity: str = COMMODITY) -> pd.DataFrame:
    """Read the newest backtest of each moment of a commodity; as ``read_backtests``."""
    return read_backtests(engine, commodity)[0]


def read_backtests(where: Engine | Connection, commodity: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the newest backtest of each moment.

    Returns:
        Scores with ``as_of``, ``commodity`` and ``data_vintage``, by moment; ``CELL_COLUMNS`` of
        the newest moment, none where only its scores were stored.
    """
    of = backtests.c
    columns = ["id", "as_of", "data_vintage", "scores"]
    with reading(where) as connection:
        stored = read_table(
            connection, backtests, wanted=[of.commodity == commodity], columns=columns
        )
        newest = stored.drop_duplicates("as_of", keep="last").sort_values("as_of")
        last = select(of.cells).where(of.id.in_(newest["id"].tail(1).tolist()))
        cells = json.loads(connection.scalar(last) or "[]")
    rows = [
        (commodity, backtest["as_of"], backtest["data_vintage"], *score)
        for backtest in newest.to_dict("records")
        for score in json.loads(backtest["scores"])
    ]
    scores = pd.DataFrame(rows, columns=["commodity", "as_of", "data_vintage", *_SCORES])
    typed = scores.astype({"as_of": MOMENT_DTYPE, "value": "float64"})
    return typed, pd.DataFrame(cells, columns=list(CELL_COLUMNS))
