"""Forecasts of challengers: kept in MLflow beside their model, never among the published."""

import io
from typing import Final

import pandas as pd

from features.months import month_label
from flows.context.console import echo
from flows.context.workspace import Workspace
from flows.training.backtest import tags_of
from flows.training.predict import shadow_table
from models.registry import registry, tracking
from store.facts.reading import read_forecasts
from store.vocabulary import PANEL_COLUMNS

FILE: Final = "shadow.csv"


def keep_shadow(workspace: Workspace, version: int) -> None:
    """Let a challenger forecast in the shadow and keep what it says in MLflow."""
    model = registry.at_version(workspace.settings, version)
    table = shadow_table(workspace, version)
    tags = {
        **tags_of(workspace, "shadow"),
        "model_version": model.model_version,
        "version": str(version),
        "recipe": model.recipe,
        "cutoff": _cutoff(workspace),
    }
    with tracking.open_run(workspace.settings, name="shadow", tags=tags) as run:
        run.table(table, FILE)
    echo(f"shadow    version {version} forecast {len(table)} rows; they are not published")


def shadow_release(workspace: Workspace, recipe: str) -> str:
    """Say which release a recipe was in shadow for, and how it did; empty if for none.

    Args:
        workspace: Where the decision stands.
        recipe: As ``models.registry.contract.recipe_of``.
    """
    runs = tracking.find_runs(workspace.settings, {"flow": "shadow", "recipe": recipe})
    now = _cutoff(workspace)
    for run in runs:
        moment = pd.Timestamp(run.tags["as_of"])
        text = tracking.read_text(workspace.settings, run.run_id, FILE)
        if text is None or moment > workspace.as_of or run.tags["cutoff"] >= now:
            continue
        shadow = pd.read_csv(io.StringIO(text))
        told = f"forecast of {moment:%Y-%m-%d}, released since: up to {now}"
        return told + _scored(workspace, shadow, moment)
    return ""


def _scored(workspace: Workspace, shadow: pd.DataFrame, moment: pd.Timestamp) -> str:
    """Say the errors of the shadow and of what was published for the same months."""
    panel = workspace.history.panel(workspace.as_of).frame[list(PANEL_COLUMNS)]
    known = panel.loc[panel["kind"] == "observed", ["destination", "period", "tonnes"]]
    known = known.assign(period=known["period"].dt.strftime("%Y-%m"))
    published = read_forecasts(workspace.engine, as_of=moment)
    both = [_error(rows, known) for rows in (shadow, published)]
    if any(pd.isna(error) for error in both):
        return ""
    return f", error {both[0]:.1%} of tonnes, published {both[1]:.1%}"


def _error(rows: pd.DataFrame, known: pd.DataFrame) -> float:
    cells = rows.merge(known, on=["destination", "period"])
    total = float(cells["tonnes"].sum())
    return (
        float((cells["p50"] - cells["tonnes"]).abs().sum()) / total if total > 0 else float("nan")
    )


def _cutoff(workspace: Workspace) -> str:
    return month_label(workspace.history.origin(workspace.as_of).cutoff)
