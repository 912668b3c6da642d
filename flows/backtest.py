"""Replay the past and record how good the forecasts were."""

import pandas as pd
from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from flows.console import say, track
from flows.provenance import git_commit
from flows.workspace import Workspace, open_workspace
from models import tracking
from models.backtest import Backtest, replay
from models.plots import score_plots
from models.rolling import MODEL
from models.scores import ALL, REFERENCE
from store.publishing import write_scores
from store.settings import Settings

replay_task = task(name="replay", cache_policy=NO_CACHE)(replay)


@flow(name="backtest", validate_parameters=False)
def backtest(settings: Settings, as_of: pd.Timestamp) -> Backtest:
    """Forecast from every past origin as it was then, score, and log scores and plots to MLflow."""
    workspace = open_workspace(settings, as_of)
    result = replay_task(workspace.history, as_of, spec=workspace.spec, track=track)
    if len(result.scores):
        record(workspace, result)
        say(f"backtest  {verdict(result)}")
    return result


def record(workspace: Workspace, result: Backtest) -> None:
    """Keep the scores in the store and in MLflow."""
    scores = result.scores.assign(as_of=workspace.as_of)
    own = scores["model"] == MODEL
    named = scores.assign(model=scores["model"].where(~own, workspace.model_version))
    write_scores(workspace.engine, named)
    tags = tags_of(workspace, "backtest")
    with tracking.open_run(workspace.settings, name="backtest", tags=tags) as run:
        names = scores["metric"].str.cat(scores["scope"], sep="_")
        run.metrics(dict(zip(names[own], scores["value"][own].astype(float), strict=True)))
        run.table(result.scores, "scores.csv")
        run.table(result.cells, "cells.csv")
        for name, figure in score_plots(result.cells).items():
            run.figure(figure, f"{name}.png")


def tags_of(workspace: Workspace, flow_name: str) -> dict[str, str]:
    """Return the tags that every MLflow run carries."""
    return {
        "flow": flow_name,
        "as_of": workspace.as_of.isoformat(),
        "data_vintage": workspace.fingerprint,
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
    covered = score_of(result, MODEL, "coverage80")
    if not (own >= 0 and naive > 0):
        return "no error to compare: every scored month, or every error of the naive, is zero"
    better = 1 - own / naive
    word = "better" if better >= 0 else "WORSE"
    return (
        f"error {own:.1%} of tonnes against {naive:.1%} of the seasonal naive "
        f"({abs(better):.0%} {word}), 80 % band held {covered:.0%} of months, horizons 1-6"
    )
