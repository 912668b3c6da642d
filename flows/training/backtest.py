"""Replay the past and record how good the forecasts were."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from flows.context.console import echo, track
from flows.context.provenance import git_commit
from flows.context.workspace import Workspace, open_workspace
from flows.monitoring.spans import spanned
from flows.training.scoreboard import Scoreboard, log_scoreboard, scoreboard_of
from models.engine.spec import EngineSpec
from models.evaluation.backtest import Backtest, EvidenceBacktest, backtest_evidence
from models.evaluation.error_autocorrelation import LONGEST_LAG, carry_over
from models.evaluation.scores import ALL
from models.forecasting.forecaster import MODEL, REFERENCE
from models.registry import tracking
from store.errors import StoreError
from store.publications.publishing import write_scores
from store.settings import Settings
from store.vocabulary import ERROR_AUTOCORRELATION

backtest_task = task(name="rolling-origin-backtest", cache_policy=NO_CACHE)(backtest_evidence)


@flow(name="backtest", validate_parameters=False)
@spanned("backtest", lambda result: {"cells": len(result.cells)})
def backtest(settings: Settings, as_of: pd.Timestamp) -> EvidenceBacktest:
    """Forecast from every past origin as it was then, score, and log scores and plots to MLflow."""
    workspace = open_workspace(settings, as_of)
    result = backtest_task(workspace.history, as_of, spec=workspace.spec, track=track)
    if len(result.scores):
        try:
            record(workspace, result)
        except StoreError as err:
            echo(f"backtest  its record is incomplete: {err}")
        echo(f"backtest  {verdict(result)}")
    return result


def record(workspace: Workspace, result: Backtest) -> None:
    """Keep the scores in the store and in MLflow."""
    named = named_scores(result, as_of=workspace.as_of, model_version=workspace.model_version)
    write_scores(workspace.engine, named)
    tags = tags_of(workspace, "backtest")
    with tracking.open_run(workspace.settings, name="backtest", tags=tags) as run:
        run.metrics(own_metrics(result.scores))
        run.table(result.scores, "scores.csv")
        run.table(result.cells, "cells.csv")
        board = evidence_scoreboard(workspace, result)
        log_scoreboard(run, board, pictures=workspace.settings.pictures)


def named_scores(result: Backtest, *, as_of: pd.Timestamp, model_version: str) -> pd.DataFrame:
    """Return the scores of a backtest under its model's name, as the store keeps them.

    Args:
        result: The backtest, with scores.
        as_of: Its moment.
        model_version: Name of the product's model.
    """
    own = result.scores["model"] == MODEL
    named = result.scores["model"].where(~own, model_version)
    told = carried(result.cells, as_of=as_of, model_version=model_version)
    return pd.concat([result.scores.assign(as_of=as_of, model=named), told])


def carried(cells: pd.DataFrame, *, as_of: pd.Timestamp, model_version: str) -> pd.DataFrame:
    """Return as a score how much of a miss carries over to the next month, if that can be told.

    Args:
        cells: Those of a backtest; not modified.
        as_of: The moment of the backtest.
        model_version: Whose score it is.
    """
    share, pairs = carry_over(cells.loc[cells["model"] == MODEL])
    row = {
        "as_of": as_of,
        "model": model_version,
        "scope": ALL,
        "horizon_from": 1,
        "horizon_to": LONGEST_LAG,
        "metric": ERROR_AUTOCORRELATION,
        "value": share,
        "cells": pairs,
    }
    return pd.DataFrame([row] if share >= 0 else [], columns=list(row))


def record_panel(
    settings: Settings,
    result: Backtest,
    board: Scoreboard,
    *,
    horizon: int,
    spec: EngineSpec,
    path: Path,
    cutoffs: Sequence[str],
) -> None:
    """Keep the scores of a panel from a file in MLflow, without the panel or its forecasts."""
    tags = panel_tags(path, cutoffs, horizon=horizon, spec=spec)
    with tracking.open_run(settings, name=f"backtest {path.name}", tags=tags) as run:
        run.params(spec.choices)
        run.metrics(own_metrics(result.scores.loc[result.scores["scope"] == ALL]))
        log_scoreboard(run, board, pictures=settings.pictures)


def panel_tags(
    path: Path, cutoffs: Sequence[str], *, horizon: int, spec: EngineSpec
) -> dict[str, str]:
    """Return the tags that the MLflow run of a panel's backtest carries."""
    return {
        "flow": "backtest-panel",
        "panel": path.name,
        "cutoffs": ",".join(cutoffs),
        "horizon": str(horizon),
        "spec": spec.digest,
        "git_commit": git_commit(),
    }


def evidence_scoreboard(workspace: Workspace, result: Backtest) -> Scoreboard:
    """Return the scoreboard of the evidence panel, its shock months told from what is known now."""
    now = workspace.history.origin(workspace.as_of)
    months = now.first + np.arange(now.tonnes.shape[1])
    table = pd.DataFrame(now.tonnes, index=list(now.series), columns=months)
    return scoreboard_of(result, table, seed=workspace.spec.seed)


def own_metrics(scores: pd.DataFrame) -> dict[str, float]:
    """Return the scores of the product's model by metric and scope."""
    own = scores.loc[scores["model"] == MODEL]
    names = own["metric"].str.cat(own["scope"], sep="_")
    return dict(zip(names, own["value"].astype(float), strict=True))


def tags_of(workspace: Workspace, flow_name: str) -> dict[str, str]:
    """Return the tags that every MLflow run carries."""
    return {
        "flow": flow_name,
        "as_of": workspace.as_of.isoformat(),
        "data_vintage": workspace.data_vintage,
        "git_commit": git_commit(),
        "model_version": workspace.model_version,
    }


def score_of(result: Backtest, model: str, metric: str, scope: str = ALL) -> float:
    """Return one score of a backtest, NaN where there is none."""
    if result.scores.empty:
        return float("nan")
    table = result.scores.set_index(["model", "scope", "metric"])["value"]
    return float(table.get((model, scope, metric), float("nan")))


def verdict(result: Backtest) -> str:
    """Say in one line how the model did against the seasonal naive, where it loses too."""
    own, naive = (score_of(result, model, "wape") for model in (MODEL, REFERENCE))
    return compared(own, naive, score_of(result, MODEL, "coverage80"))


def compared(own: float, naive: float, covered: float) -> str:
    """Say the same given both errors and the share of months in the band, at horizons 1 to 6."""
    if not (own >= 0 and naive > 0):
        return "no error to compare: every scored month, or every error of the naive, is zero"
    better = 1 - own / naive
    word = "better" if better >= 0 else "WORSE"
    return (
        f"error {own:.1%} of tonnes against {naive:.1%} of the seasonal naive "
        f"({abs(better):.0%} {word}), 80 % band covered {covered:.0%} of months, horizons 1-6"
    )
