"""The forecasts behind the scores of a backtest, kept beside them to be drawn."""

import json
from datetime import datetime
from typing import Final

import pandas as pd
from sqlalchemy import Connection, exists, insert, select

from store.publications.explanations import DIGITS
from store.schema.publication_tables import backtests, scores

CELL_COLUMNS: Final = ("destination", "cutoff", "period", "p10", "p50", "p90", "tonnes")
"""Of a forecast made at a past origin and what came; months are ``YYYY-MM``."""


def add_cells(
    connection: Connection, cells: pd.DataFrame, *, commodity: str, as_of: datetime, backtest: int
) -> None:
    """Keep the forecasts of a backtest, unless they are there.

    Args:
        connection: Within the transaction of its scores.
        cells: ``CELL_COLUMNS``; not modified.
        commodity: The commodity scored.
        as_of: Moment of the backtest, aware.
        backtest: Its number among those of that moment.
    """
    key = {"commodity": commodity, "as_of": as_of, "backtest": backtest}
    same = [backtests.c[name] == value for name, value in key.items()]
    if not connection.scalar(select(exists().where(*same))):
        text = cells[list(CELL_COLUMNS)].to_json(
            orient="values", double_precision=DIGITS, force_ascii=False
        )
        connection.execute(insert(backtests).values(**key, cells=text))


def fetch_cells(connection: Connection, commodity: str) -> pd.DataFrame:
    """Return ``CELL_COLUMNS`` of the newest backtest; empty where only its scores were kept."""
    key = ("commodity", "as_of", "backtest")
    newest = (
        select(*(scores.c[name] for name in key))
        .where(scores.c.commodity == commodity)
        .order_by(scores.c.as_of.desc(), scores.c.backtest.desc())
        .limit(1)
        .subquery()
    )
    same = [backtests.c[name] == newest.c[name] for name in key]
    text = connection.scalar(select(backtests.c.cells).join(newest, onclause=same[0]).where(*same))
    return pd.DataFrame(json.loads(text or "[]"), columns=list(CELL_COLUMNS))
