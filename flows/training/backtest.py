"""Replay the past, and record how good the forecasts were: scores, tables and plots."""

from typing import Final

import numpy as np
import pandas as pd

from flows.context.console import LOG, echo
from flows.context.jobs import describe_job, recorded_job
from flows.context.prefect_artifacts import leave_table
from flows.context.prefect_runs import job_flow, kept_step
from flows.context.provenance import git_commit
from flows.context.recipes import magnets_recipe
from flows.context.workspace import Workspace, open_workspace
from flows.monitoring.spans import spanned
from flows.training.known_steps import show_known
from flows.training.scoreboard import Scoreboard, log_scoreboard, scoreboard_of
from models.evaluation.backtest import Backtest, EvidenceBacktest, backtest_evidence
from models.evaluation.coverage import SUM_COVERAGE, coverage_scores
from models.evaluation.scores import LONGEST_LAG, carry_over
from models.evaluation.sums import error_copula, sum_cells, together
from models.forecasting.forecaster import MODEL, REFERENCE
from models.learning.spec import ModelSpec
from models.registry import tracking
from models.registry.datasets import panel_dataset
from models.registry.tracked_run import InputData
from store.errors import StoreError
from store.frequency import MONTHLY, Frequency
from store.publications.backtests import CELL_COLUMNS
from store.publications.publishing import write_scores
from store.settings import Settings
from store.vocabulary import ALL, COMMODITY, ERROR_AUTOCORRELATION, ERROR_CORRELATION


@job_flow("backtest", run_name="backtest {as_of:%Y-%m-%d}")
@spanned("backtest", lambda result: {"cells": len(result.cells)})
def backtest(
    settings: Settings, as_of: pd.Timestamp, spec: ModelSpec | None = None
) -> EvidenceBacktest:
    """Forecast from every past origin as it was then, score, and log scores and plots to MLflow.

    Args:
        settings: Where things are kept.
        as_of: The moment whose levels are the truth (UTC).
        spec: Choices of the model; the champion's recipe if left out.
    """
    recipe = spec or magnets_recipe(settings, as_of).spec
    workspace = open_workspace(settings, as_of, spec=recipe)
    with recorded_job(settings, "backtest", as_of):
        describe_job(workspace, "backtest")
        show_known(workspace)
        result = kept_step(
            "rolling-origin-backtest",
            workspace.history.cache,
            lambda: _backtested(workspace),
        )
        if len(result.scores):
            try:
                record(workspace, result)
            except StoreError as err:
                echo(f"backtest  its record is incomplete: {err}")
            leave_table("backtest-scores", overall(result.scores), verdict(result))
            echo(f"backtest  {verdict(result)}")
    return result


def _backtested(workspace: Workspace) -> EvidenceBacktest:
    history, as_of, spec = workspace.history, workspace.as_of, workspace.spec
    result = backtest_evidence(history, as_of, spec=spec, executor=workspace.executor)
    LOG.info("backtest  %s cells of %s past origins", len(result.cells), len(history.past(as_of)))
    return result


def record(workspace: Workspace, result: Backtest) -> None:
    """Keep the scores in MLflow, and those of the recipe in force in the store, for pages."""
    settings, as_of = workspace.settings, workspace.as_of
    if workspace.spec == magnets_recipe(settings, as_of).spec:
        named = named_scores(result, as_of=as_of, model_version=workspace.model_version)
        cells = kept_cells(result)
        write_scores(workspace.engine, named, data_vintage=workspace.data_vintage, cells=cells)
    tags = tags_of(workspace, "backtest")
    with tracking.open_run(workspace.settings, name="backtest", tags=tags) as run:
        run.summary(workspace.spec.choices, own_metrics(result.scores), dataset_of(workspace))
        run.table(result.scores, "scores.csv")
        run.table(result.cells, "cells.csv")
        board = evidence_scoreboard(workspace, result)
        log_scoreboard(run, board, pictures=workspace.settings.pictures)


def overall(scores: pd.DataFrame) -> pd.DataFrame:
    """Return scores over all destinations at horizons 1 to 6, a row a model."""
    whole = scores.loc[scores["scope"] == ALL]
    return whole.pivot_table("value", "model", "metric").reset_index()


def named_scores(result: Backtest, *, as_of: pd.Timestamp, model_version: str) -> pd.DataFrame:
    """Return the scores of a backtest under its model's name, as the store keeps them.

    Args:
        result: The backtest, with scores.
        as_of: Its moment.
        model_version: Name of the product's model.
    """
    kept = kept_scores(result)
    named = kept["model"].where(kept["model"] != MODEL, model_version)
    return kept.assign(as_of=as_of, model=named)


def kept_scores(result: Backtest) -> pd.DataFrame:
    """Return the scores of a backtest, how often its bands held, and how errors go together."""
    own = result.cells.loc[result.cells["model"] == MODEL] if len(result.cells) else result.cells
    if own.empty:
        return result.scores
    sums = sum_cells(result.cells, error_copula(own).carry)
    parts = [
        result.scores,
        coverage_scores(result.cells),
        coverage_scores(sums, SUM_COVERAGE),
        carried(own),
    ]
    return pd.concat([part for part in parts if len(part)], ignore_index=True)


MOST_DRAWN: Final = 12
"""Destinations, largest first, whose forecasts are kept: as many as a page draws."""


def kept_cells(result: Backtest) -> pd.DataFrame:
    """Return the model's own forecasts of known months, as the store keeps them to be drawn."""
    own = result.cells.loc[result.cells["model"] == MODEL]
    largest = own.groupby("destination")["tonnes"].sum().nlargest(MOST_DRAWN).index
    own = own.loc[own["destination"].isin(largest)]
    months = {name: pd.to_datetime(own[name]).dt.strftime("%Y-%m") for name in ("cutoff", "period")}
    return own.assign(**months)[list(CELL_COLUMNS)]


def carried(cells: pd.DataFrame) -> pd.DataFrame:
    """Return as scores how errors of months and of destinations go together, where known.

    Args:
        cells: Those of the product's model in a backtest; not modified.
    """
    reach = {"model": MODEL, "scope": ALL, "horizon_from": 1, "horizon_to": LONGEST_LAG}
    found = {ERROR_AUTOCORRELATION: carry_over(cells), ERROR_CORRELATION: together(cells)}
    rows = [
        {**reach, "metric": metric, "value": share, "cells": pairs}
        for metric, (share, pairs) in found.items()
        if share >= 0
    ]
    return pd.DataFrame(rows, columns=[*reach, "metric", "value", "cells"])


def evidence_scoreboard(workspace: Workspace, result: Backtest) -> Scoreboard:
    """Return the scoreboard of the evidence panel, its shock months as known now."""
    now = workspace.history.origin(workspace.as_of)
    months = now.first + np.arange(now.tonnes.shape[1])
    table = pd.DataFrame(now.tonnes, index=list(now.series), columns=months)
    return scoreboard_of(result, table, seed=workspace.spec.seed)


def own_metrics(scores: pd.DataFrame) -> dict[str, float]:
    """Return the scores of the product's model by metric and scope."""
    own = scores.loc[scores["model"] == MODEL]
    names = own["metric"].str.cat(own["scope"], sep="_")
    return dict(zip(names, own["value"].astype(float), strict=True))


def dataset_of(workspace: Workspace) -> InputData:
    """Return the panel of a workspace as MLflow keeps it."""
    return panel_dataset(
        workspace.history.panel(workspace.as_of).stored,
        "evidence panel",
        as_of=workspace.as_of,
        data_vintage=workspace.data_vintage,
        source=f"magnetcast panel --as-of {workspace.as_of:%Y-%m-%d}",
    )


def tags_of(workspace: Workspace, flow_name: str) -> dict[str, str]:
    """Return the tags that every MLflow run carries."""
    return {
        "flow": flow_name,
        "as_of": workspace.as_of.isoformat(),
        "commodity": COMMODITY,
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


def verdict(result: Backtest, frequency: Frequency = MONTHLY) -> str:
    """Say in one line how the model did against the seasonal naive, where it loses too."""
    own, naive = (score_of(result, model, "wape") for model in (MODEL, REFERENCE))
    covered = score_of(result, MODEL, "coverage80")
    return compared(own, naive, covered, _cells_of(result), frequency)


def _cells_of(result: Backtest) -> int:
    """Return how many forecasts the scores of the model rest on."""
    scores = result.scores
    if scores.empty:
        return 0
    own = scores.loc[(scores["model"] == MODEL) & (scores["scope"] == ALL), "cells"]
    return int(own.max()) if len(own) else 0


def compared(
    own: float, naive: float, covered: float, cells: int, frequency: Frequency = MONTHLY
) -> str:
    """Say the same given both errors, the band's coverage and its cells, near horizons only."""
    if not (own >= 0 and naive > 0):
        return f"no error to compare: every scored {frequency.period} or naive error is zero"
    better = 1 - own / naive
    word = "better" if better >= 0 else "WORSE"
    return (
        f"error {own:.1%} of tonnes against {naive:.1%} of the seasonal naive "
        f"({abs(better):.0%} {word}), 80% band covered {covered:.0%} of "
        f"{cells:,} {frequency.period}s, horizons 1-{frequency.horizon}"
    )
