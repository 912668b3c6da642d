"""The champion's forecasts of the months a challenger was scored on, from wherever they are kept.

Its backtest in MLflow, else its recipe's published forecasts, else its stored model run again. All
are scored on the months as known now. Source: docs/adr/0040-gate.md.
"""

import io
from typing import Final

import pandas as pd

from flows.context.workspace import Workspace
from flows.training.shadow import version_tables
from models.evaluation.promotion import own_cells, paired_cells
from models.forecasting.fallback import FAULTS
from models.registry import registry, tracking
from models.registry.registry import Champion
from store.facts.reading import read_forecasts
from store.settings import Settings

CELLS: Final = "cells.csv"
"""File of a backtest's run in MLflow that holds what was forecast and what came."""


def champion_pairs(
    workspace: Workspace, own: pd.DataFrame, pair: tuple[Champion, Champion]
) -> tuple[pd.DataFrame, str]:
    """Return the cells that challenger and champion both forecast, and where the latter's are from.

    A model is never compared with itself, and a refit with nothing but the backtest of the fit
    before it: at the few months since, chance alone would tell two fits of a recipe apart.

    Args:
        workspace: Of the moment decided at.
        own: Cells of the challenger's backtest (``own_cells``).
        pair: The challenger and the champion.

    Returns:
        As ``paired_cells``; empty, and no source, where nothing of the champion is kept.
    """
    challenger, champion = pair
    if own.empty or challenger.model_version == champion.model_version:
        return pd.DataFrame(), ""
    is_refit = champion.recipe == challenger.recipe != ""
    for name, read in SOURCES.items():
        pairs = paired_cells(own, read(workspace, own, champion))
        if len(pairs):
            return pairs, name
        if is_refit:
            break
    return pd.DataFrame(), ""


def _backtest(workspace: Workspace, own: pd.DataFrame, champion: Champion) -> pd.DataFrame:  # noqa: ARG001 - of all sources
    """Return the cells of the champion's backtest, made when it was trained."""
    return own_cells(cells_of(workspace.settings, champion))


def cells_of(settings: Settings, model: Champion) -> pd.DataFrame:
    """Return the cells of a version's backtest as they were kept; empty where they are gone."""
    run = tracking.find_run(settings, {"flow": "backtest", "model_version": model.model_version})
    return pd.DataFrame() if run is None else read_cells(settings, run)


def read_cells(settings: Settings, run_id: str) -> pd.DataFrame:
    """Return the cells that a run kept; empty where it kept none."""
    text = tracking.read_text(settings, run_id, CELLS)
    if text is None:
        return pd.DataFrame()
    cells = pd.read_csv(io.StringIO(text), parse_dates=["period"])
    if "as_of" not in cells:
        return cells
    return cells.assign(as_of=pd.to_datetime(cells["as_of"], utc=True))


def _published(workspace: Workspace, own: pd.DataFrame, champion: Champion) -> pd.DataFrame:
    """Return what fits of the champion's recipe published, as forecasts of the same cutoffs.

    A publication and an origin of the backtest with one cutoff are some days apart; of several
    the last is taken.
    """
    fits = registry.of_recipe(workspace.settings, champion.recipe)
    names = {one.model_version for one in (*fits, champion)}
    rows = read_forecasts(workspace.engine)
    rows = rows.loc[rows["model"].isin(names) & (rows["as_of"] <= workspace.as_of)]
    cell = ["cutoff", "destination", "period"]
    last = rows.sort_values("as_of").drop_duplicates(cell, keep="last").drop(columns="as_of")
    origins = own[["as_of", "cutoff"]].sort_values("as_of").drop_duplicates("cutoff", keep="last")
    return last.assign(period=pd.to_datetime(last["period"])).merge(origins, on="cutoff")


def _rerun(workspace: Workspace, own: pd.DataFrame, champion: Champion) -> pd.DataFrame:
    """Return what the stored champion forecasts at the origins it was not trained on."""
    since = sorted(own.loc[own["as_of"] >= pd.Timestamp(champion.as_of), "as_of"].unique())
    try:
        tables = list(version_tables(workspace, champion, since))
    except FAULTS:
        return pd.DataFrame()
    if not tables:
        return pd.DataFrame()
    cells = pd.concat(tables, ignore_index=True)
    return cells.assign(period=pd.to_datetime(cells["period"]))


SOURCES: Final = {
    "its stored backtest": _backtest,
    "the published forecasts of its recipe": _published,
    "its stored model, run again at the origins since its training": _rerun,
}
"""Where a champion's forecasts may be kept, best first."""
