"""A registered version by itself: what it forecasts, unpublished, and how that turned out."""

import io
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import Final

import pandas as pd

from features.months import month_label
from flows.context.console import echo
from flows.context.workspace import Workspace
from flows.training.backtest import tags_of
from flows.training.predict import made_on
from models.forecasting.evidence_forecaster import TrainedModel
from models.forecasting.fallback import (
    FAULTS,
    NUMBERS,
    FallbackStep,
    faults_of,
    modelled,
    reason_of,
)
from models.forecasting.model_frame import rows_of
from models.registry import model_store, registry, tracking
from models.registry.registry import Champion
from store.errors import DataError, first_few
from store.facts.reading import read_forecasts
from store.vocabulary import PANEL_COLUMNS

FILE: Final = "shadow.csv"


def version_tables(
    workspace: Workspace, model: Champion, moments: Iterable[pd.Timestamp]
) -> Iterator[pd.DataFrame]:
    """Yield what a registered version alone forecasts at moments up to the workspace's.

    Raises:
        StoreError: It cannot be loaded.
        DataError: It cannot forecast some destination.
    """
    trained = _loaded(workspace, model)
    for moment in moments:
        then = replace(workspace, as_of=moment)
        origin = then.history.origin(moment)
        asked = partial(modelled, trained, rows_of(origin))
        alone = FallbackStep(f"version {model.version}", model.model_version, asked)
        made = made_on(then, [alone], origin)
        labels = made.rows[["destination", "horizon"]].assign(
            as_of=moment,
            cutoff=month_label(origin.cutoff),
            period=made.rows["period"].dt.strftime("%Y-%m"),
        )
        yield pd.concat([labels, made.stages.published], axis=1)


def trouble_of(workspace: Workspace, model: Champion) -> str:
    """Return why a registered version cannot forecast at the workspace's moment, empty if it can.

    Prints which destinations it would leave to the rest of the fallback chain.
    """
    origin = workspace.history.origin(workspace.as_of)
    try:
        predicted = modelled(_loaded(workspace, model), rows_of(origin)).table[NUMBERS].to_numpy()
    except FAULTS as err:
        return reason_of(err)
    faults = faults_of(predicted.reshape(len(origin.series), len(origin.targets), -1), origin)
    wrong = [f"{name} ({why})" for name, why in zip(origin.series, faults, strict=True) if why]
    if len(wrong) == len(faults):
        return f"it forecasts no destination: {first_few(wrong)}"
    if wrong:
        echo(f"promote   version {model.version} leaves others to forecast {first_few(wrong)}")
    return ""


def check_forecasts(workspace: Workspace, model: Champion) -> None:
    """Refuse a version that could not forecast if it were champion.

    Raises:
        DataError: It cannot; with the reason and the remedy.
    """
    if trouble := trouble_of(workspace, model):
        commit = model.git_commit or "not recorded"
        raise DataError(
            f"Version {model.version} ({model.model_version}) cannot forecast as of "
            f"{workspace.as_of:%Y-%m-%d}: {trouble.rstrip('.')}. Expected a model that today's "
            f"code and files still run. Check out the code that trained it (commit {commit}), "
            "restore its files from a backup, or make another version champion: `magnetcast "
            'promote VERSION --accept "why"`. Nothing was changed.'
        )


def _loaded(workspace: Workspace, model: Champion) -> TrainedModel:
    loaded = model_store.load(workspace.settings, model.version)
    return TrainedModel(loaded.heads, loaded.card)


def keep_shadow(workspace: Workspace, version: int) -> None:
    """Let a challenger forecast in the shadow and keep its forecast in MLflow."""
    model = registry.at_version(workspace.settings, version)
    [table] = version_tables(workspace, model, [workspace.as_of])
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
        workspace: As of the decision.
        recipe: As ``models.registry.stored.recipe_of``.
    """
    runs = tracking.find_runs(workspace.settings, {"flow": "shadow", "recipe": recipe})
    now = _cutoff(workspace)
    for run in runs:
        moment = pd.Timestamp(run.tags["as_of"])
        text = tracking.read_text(workspace.settings, run.run_id, FILE)
        if text is None or moment > workspace.as_of or run.tags["cutoff"] >= now:
            continue
        shadow = pd.read_csv(io.StringIO(text))
        line = f"forecast of {moment:%Y-%m-%d}, released since: up to {now}"
        return line + _scored(workspace, shadow, moment)
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
