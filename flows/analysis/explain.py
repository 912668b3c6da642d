"""Why published medians are what they are, checked against the model that made them."""

import json
from typing import Final

import numpy as np
import pandas as pd

from flows.context.console import echo
from flows.context.workspace import Workspace, open_workspace
from flows.context.stores import store_of
from flows.publishing.published_forecasts import ExplainRequest, chosen, model_of
from flows.training.predict import predict
from models.explain.decomposition import explained
from store.facts.reading import latest_forecast
from store.settings import Settings
from store.vocabulary import CONTRIBUTIONS, NOT_REPRODUCED

SAME: Final = 1e-6
"""Difference up to which a number counts as reproduced: relative, and in tonnes."""

COLUMNS: Final = (
    "destination", "period", "as_of", "model", "p50", *CONTRIBUTIONS, NOT_REPRODUCED,
)  # fmt: skip


def why(settings: Settings, asked: ExplainRequest) -> pd.DataFrame:
    """Return why published medians are what they are.

    Where nothing was published by then, the forecast is computed as ``predict`` does. A published
    number is computed anew with the model that made it. Where that gives another number, the parts
    stored on publication are returned; without these the difference is ``not_reproduced``.

    Args:
        settings: Where things are kept.
        asked: What is to be explained.

    Returns:
        One row per month, ``COLUMNS``: p50 and the parts that add up to it, in tonnes.

    Raises:
        DataError: The destination or month was not forecast.
    """
    published = latest_forecast(store_of(settings), as_of=asked.as_of)
    if published.empty:
        day = f"{asked.as_of:%Y-%m-%d}"
        echo(f"explain   nothing was published by {day}: forecasting as of that day")
        made = predict(settings, asked.as_of).table.assign(as_of=asked.as_of)
        rows = chosen(made, asked)
        return _table(rows, _stored(rows))
    rows = chosen(published, asked)
    anew = _computed(settings, rows)
    if _is_same(anew, rows):
        return _table(rows, anew)
    far = (anew["p50"] - rows["p50"]).abs().max()
    if far > 0:  # not so without the model, which model_of reports
        echo(
            f"explain   the forecast of {rows['as_of'].iloc[0]:%Y-%m-%d} computed anew is up to "
            f"{far:,.1f} t off: rows known by then came in later, or the program changed"
        )
    if rows["contributions"].isna().any():
        return _table(rows, anew)
    echo("explain   the parts are those stored on publication")
    return _table(rows, _stored(rows))


def _computed(settings: Settings, rows: pd.DataFrame) -> pd.DataFrame:
    """Return published rows computed anew; without their model only the level, p50 missing."""
    workspace = open_workspace(settings, rows["as_of"].iloc[0])
    model = model_of(settings, rows)
    if model is None:
        return _level_only(workspace, rows)
    table = explained(model.heads, model.card, workspace.history, workspace.as_of)
    return rows[["destination", "period"]].merge(table, how="left")


def _level_only(workspace: Workspace, rows: pd.DataFrame) -> pd.DataFrame:
    origin = workspace.history.origin(workspace.as_of)
    level = dict(zip(origin.series, origin.level.tolist(), strict=True))
    parts = dict.fromkeys(CONTRIBUTIONS, 0.0)
    known = rows[["destination"]].assign(p50=np.nan, **parts)
    return known.assign(level=rows["destination"].map(level))


def _is_same(anew: pd.DataFrame, rows: pd.DataFrame) -> bool:
    return bool(np.allclose(anew["p50"], rows["p50"], rtol=SAME, atol=SAME))


def _stored(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the parts that are stored beside forecast rows."""
    parts = [json.loads(text) for text in rows["contributions"]]
    return pd.DataFrame(parts, index=rows.index, columns=list(CONTRIBUTIONS))


def _table(rows: pd.DataFrame, parts: pd.DataFrame) -> pd.DataFrame:
    """Return forecast rows with their parts; what these leave out is ``not_reproduced``."""
    known = parts[list(CONTRIBUTIONS)]
    table = pd.concat([rows[["destination", "period", "as_of", "model", "p50"]], known], axis=1)
    return table.assign(**{NOT_REPRODUCED: rows["p50"] - known.sum(axis=1)})[list(COLUMNS)]
