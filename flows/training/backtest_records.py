"""Replay the past, and record how good the forecasts were.

A job is one run of MLflow, named by job, as_of and parameters (docs/adr/0045).
"""

import io
from contextlib import AbstractContextManager
from typing import Final

import mlflow
import numpy as np
import pandas as pd

from features.panel.evidence_panel import PANEL_DESTINATIONS
from flows.context.console import LOG, echo
from flows.context.parameter_sources import parameters_for
from flows.context.prefect_runs import prefect_step, show_artifact
from flows.context.provenance import actor, git_commit
from flows.context.stores import store_of
from flows.context.workspace import Workspace
from flows.training.predict import show
from models.evaluation.backtest import Backtest
from models.evaluation.compare import differences
from models.evaluation.scores import (
    LEAD_SCOPES,
    LONGEST_LAG,
    SUM_COVERAGE,
    coverage_scores,
    error_autocorrelation,
    error_copula,
    error_correlation,
    group_label,
    lead_metrics,
    scoreboard,
    sum_cells,
)
from models.forecasting.model_names import FALLBACK_MODELS, MODEL, NAIVE, REFERENCE, UNANSWERED
from models.forecasting.residual_history import TREES
from models.learning.parameters import ModelParameters
from models.registry.runs import (
    JOB_TAG,
    find_runs,
    log_months,
    log_table,
    log_to_job,
    open_job,
    open_run,
    read_text,
)
from store.errors import StoreError
from store.publications.backtests import CELL_COLUMNS, write_scores
from store.settings import Settings
from store.vocabulary import ALL, ERROR_AUTOCORRELATION, ERROR_CORRELATION


def made_tags(workspace: Workspace) -> dict[str, str]:
    """Tags that every MLflow run about a model carries."""
    return {
        "as_of": workspace.as_of.isoformat(),
        "commodity": workspace.config.published_as,
        "git_commit": git_commit(),
        "data_vintage": workspace.data_vintage,
        "model_version": workspace.model_version,
    }


def recorded_job(workspace: Workspace, job: str) -> AbstractContextManager[None]:
    """Make the MLflow runs opened meanwhile children of one; within another job, of that."""
    tags = {JOB_TAG: job, "actor": actor(), **made_tags(workspace)}
    config = workspace.config
    day, changed = f"{workspace.as_of:%Y-%m-%d}", workspace.parameters.changed_text
    name = run_name(job, config.table_key, day, changed, workspace.parameters_digest)
    return open_job(workspace.settings, name=name, tags=tags)


def run_name(*parts: str) -> str:
    """Name of a run of MLflow: its kind first, which no run of another kind begins with."""
    return " ".join(filter(None, parts))


CELLS: Final = "cells.csv"
"""File of a backtest's run in MLflow that holds what was forecast and the months as they were."""


@prefect_step("backtest")
def backtest(workspace: Workspace, since: pd.Timestamp | None = None) -> Backtest:
    """Forecasts from every past origin as it was then, with scores logged to MLflow.

    With a first scored origin of the magnets the scores in force stay.
    """
    with recorded_job(workspace, "backtest"):
        show(workspace)
        result = workspace.backtest(since)
        LOG.info("backtest  %s%s cells", workspace.config.prefix, len(result.cells))
        if len(result.scores):
            record(workspace, result, since)
            echo(f"backtest  {workspace.config.prefix}{verdict(result)}")
            board = scoreboard(result.cells)
            show_artifact("scores", board.loc[board["kind"].eq("all")])
    return result


def record(workspace: Workspace, result: Backtest, since: pd.Timestamp | None = None) -> None:
    """Keep what a backtest found in MLflow, and scores of the parameters in force in the store.

    One of another window is a flow of its own, which neither gate nor monitors read.
    """
    in_force = parameters_for(
        workspace.settings, workspace.as_of, config=workspace.config
    ).parameters
    if since is None and workspace.parameters.digest == in_force.digest:
        scores = all_scores(result)
        named = scores["model"].where(scores["model"] != MODEL, workspace.model_version)
        write_scores(
            store_of(workspace.settings),
            scores.assign(model=named),
            as_of=workspace.as_of,
            data_vintage=workspace.data_vintage,
            commodity=workspace.config.published_as,
            cells=charted_cells(result),
        )
    window = {} if since is None else {"flow": "backtest-since", "since": f"{since:%Y-%m}"}
    tags = {"flow": "backtest", **window, **made_tags(workspace)}
    day, changed = f"{workspace.as_of:%Y-%m-%d}", workspace.parameters.changed_text
    name = run_name("scores", workspace.config.table_key, day, changed)
    try:
        with open_run(workspace.settings, name=name, tags=tags):
            log_dataset(workspace)
            log_backtest(result, workspace.parameters)
        log_to_job(headline_metrics(result))
    except StoreError as err:
        echo(f"backtest  {workspace.config.prefix}its record is incomplete: {err}")


def read_cells(settings: Settings, run_id: str) -> pd.DataFrame:
    """Scored cells that a backtest's run logged; empty if it logged none."""
    text = read_text(settings, run_id, CELLS)
    if text is None:
        return pd.DataFrame()
    cells = pd.read_csv(io.StringIO(text), parse_dates=["period"])
    if "as_of" not in cells:
        return cells
    return cells.assign(as_of=pd.to_datetime(cells["as_of"], utc=True))


def cells_of(settings: Settings, model_version: str) -> pd.DataFrame:
    """Scored cells of a version's newest backtest; empty if they are gone."""
    runs = find_runs(settings, {"flow": "backtest", "model_version": model_version})
    return read_cells(settings, runs[0].info.run_id) if runs else pd.DataFrame()


def all_scores(result: Backtest) -> pd.DataFrame:
    """Scores of a backtest, coverage of its bands, and correlations of its errors."""
    cells = result.cells.loc[result.cells["model"] == MODEL] if len(result.cells) else result.cells
    if cells.empty:
        return result.scores
    sums = sum_cells(result.cells, error_copula(cells).carry)
    parts = [
        result.scores,
        lead_metrics(result.cells, [MODEL, REFERENCE, "last_value"]),
        coverage_scores(result.cells),
        coverage_scores(sums, SUM_COVERAGE),
        correlation_scores(cells),
    ]
    return pd.concat([part for part in parts if len(part)], ignore_index=True)


_MOST_DRAWN: Final = 12
"""Destinations, largest first, whose forecasts are kept: as many as a page draws."""


def charted_cells(result: Backtest) -> pd.DataFrame:
    """Forecasts of the product's model for known months that are stored for charts."""
    cells = result.cells.loc[result.cells["model"] == MODEL]
    largest = cells.groupby("destination")["tonnes"].sum().nlargest(_MOST_DRAWN).index
    cells = cells.loc[cells["destination"].isin(largest)]
    months = {
        name: pd.to_datetime(cells[name]).dt.strftime("%Y-%m") for name in ("cutoff", "period")
    }
    return cells.assign(**months)[list(CELL_COLUMNS)]


def correlation_scores(cells: pd.DataFrame) -> pd.DataFrame:
    """Correlations of the errors of the product's model as scores; none if not estimable."""
    reach = {"model": MODEL, "scope": ALL, "horizon_from": 1, "horizon_to": LONGEST_LAG}
    correlations = {
        ERROR_AUTOCORRELATION: error_autocorrelation(cells),
        ERROR_CORRELATION: error_correlation(cells),
    }
    rows = [
        {**reach, "metric": metric, "value": share, "cells": pairs}
        for metric, (share, pairs) in correlations.items()
        if share >= 0
    ]
    return pd.DataFrame(rows, columns=[*reach, "metric", "value", "cells"])


def headline_metrics(result: Backtest) -> dict[str, float]:
    """Scores of all destinations together, and those by horizon and lead."""
    if not len(result.scores):
        return {}
    scores = result.scores.loc[result.scores["scope"].eq(ALL)]
    return own_metrics(scores) | group_metrics(result)


def own_metrics(scores: pd.DataFrame) -> dict[str, float]:
    """Scores of the product's model by metric and scope."""
    model_scores = scores.loc[scores["model"] == MODEL]
    names = model_scores["metric"].str.cat(model_scores["scope"], sep="_")
    return dict(zip(names, model_scores["value"].astype(float), strict=True))


def group_metrics(result: Backtest) -> dict[str, float]:
    """Scores by lead, the model's and the seasonal naive's."""
    if result.cells.empty:
        return {}
    scores = lead_metrics(result.cells, [MODEL, REFERENCE])
    model_scores, naive = (scores.loc[scores["model"].eq(name)] for name in (MODEL, REFERENCE))
    return _group_metrics(model_scores, "") | _group_metrics(naive, f"_{REFERENCE}")


def _group_metrics(scores: pd.DataFrame, suffix: str) -> dict[str, float]:
    is_shown = (
        scores["metric"].str.removeprefix("lead_").isin(["wape", "sql", "coverage80", "bias"])
    )
    shown = scores.loc[is_shown & scores["scope"].isin(LEAD_SCOPES)]
    columns = ("metric", "scope", "horizon_from", "horizon_to", "value")
    rows = zip(*(shown[name] for name in columns), strict=True)
    return {
        f"{metric}_{scope}_{group_label(low, high)}{suffix}": value
        for metric, scope, low, high, value in rows
    }


def log_dataset(workspace: Workspace) -> None:
    """Keep what was known of past months as the dataset of MLflow's active run."""
    log_months(
        workspace.panel.months[["destination", "period", "tonnes", "kind"]],
        workspace.dataset,
        source=f"magnetcast data panel{workspace.config.option} "
        f"--as-of {workspace.as_of:%Y-%m-%dT%H:%M:%SZ}",
        digest=workspace.panel.digest[:12],
        as_of=workspace.as_of.isoformat(),
        data_vintage=workspace.data_vintage,
        sha256=workspace.panel.digest,
    )


def verdict(result: Backtest) -> str:
    """Error and loss beside those of the simplest rule, then of the best other, in one line.

    Months to come and months over on the day of the forecast stand apart.
    """
    to_come, over = (
        result.cells.loc[result.cells["lead"].gt(0).eq(side)] for side in (True, False)
    )
    parts = []
    if errors := _against_others(to_come):
        cells = to_come.loc[to_come["model"].eq(MODEL)]
        months = group_label(int(cells["lead"].min()), int(cells["lead"].max()))
        below, above = cells["tonnes"] < cells["p10"], cells["tonnes"] > cells["p90"]
        held = f"80% band covered {cells['is_covered'].mean():.0%} of {len(cells):,} months"
        sides = f"{below.mean():.0%} fell below and {above.mean():.0%} above"
        parts = [f"{months} months to come: {errors}", f"{held}, {sides}"]
    if errors := _against_others(over):
        parts += [f"months already over: {errors}"]
    return "; ".join(parts) or "no error to compare: every scored month or naive error is zero"


def _against_others(cells: pd.DataFrame) -> str:
    """Error and loss beside those of the seasonal naive, and of the best if it is another.

    Empty where nothing can be compared.
    """
    baselines = sorted(set(cells["model"]) - {MODEL, TREES, UNANSWERED})
    table = differences(cells, MODEL, baselines).set_index("metric")
    losses = table.loc[table.index == "sql"].dropna(subset=["baseline_score"])
    if losses.empty:
        return ""
    best = losses.sort_values("baseline_score").iloc[0]["baseline"]
    named = [name for name in dict.fromkeys((REFERENCE, best)) if name in set(losses["baseline"])]
    parts: list[str] = []
    for name in named:
        rows = table.loc[table["baseline"].eq(name)]
        error, loss = rows.loc["wape"], rows.loc["sql"]
        if not (error["score"] >= 0 and error["baseline_score"] > 0):
            return ""
        if not parts:
            parts = [f"error {error['score']:.1%} of tonnes and loss {loss['score']:.2f} against "]
        share = error["score"] / error["baseline_score"] - 1.0
        sure = "too few months for an interval"
        if np.isfinite(loss["p05"]):
            interval = f"{loss['p05']:+.2f} to {loss['p95']:+.2f}"
            sure = f"90% interval of the difference {interval}: {loss['verdict']}"
        baseline = f"the {NAIVE}" if name == REFERENCE else f"the best other, {name}"
        parts.append(
            f"{error['baseline_score']:.1%} and {loss['baseline_score']:.2f} of {baseline} "
            f"({abs(share):.0%} {'better' if share <= 0 else 'WORSE'}; {sure})"
        )
    return parts[0] + ", ".join(parts[1:])


CURVES: Final = ("wape", "mase", "sql", "coverage80")
"""Scores of the product's model that MLflow keeps by horizon."""

SHOWN_SCOPES: Final = (ALL, *PANEL_DESTINATIONS)
"""Scopes whose scores MLflow keeps as metrics; all are in its table."""


def log_backtest(result: Backtest, parameters: ModelParameters) -> None:
    """Keep in MLflow's active run what was backtested, and what it found.

    Cells are those of the product's model and of the simple rules.
    """
    mlflow.log_params(parameters.by_name)
    shown = result.scores.loc[result.scores["scope"].isin(SHOWN_SCOPES)]
    mlflow.log_metrics(own_metrics(shown) | group_metrics(result))
    tables = comparison_tables(result)
    for name, table in tables.items():
        log_table(table, name)
    log_table(result.scores, "scores.csv")
    is_judged = result.cells["model"].isin([MODEL, *FALLBACK_MODELS.values()])
    log_table(result.cells.loc[is_judged], CELLS)
    board = tables["scoreboard.csv"]
    curves = board.loc[board["model"].eq(MODEL) & board["kind"].eq("horizon")]
    for row in curves.to_dict("records"):
        scores = {f"{name}_by_horizon": row[name] for name in CURVES if pd.notna(row[name])}
        mlflow.log_metrics(scores, step=int(row["value"]))


def comparison_tables(result: Backtest) -> dict[str, pd.DataFrame]:
    """Scores of each model by cut and differences to each baseline, by file name."""
    baselines = sorted(set(result.cells["model"]) - {MODEL})
    return {
        "scoreboard.csv": scoreboard(result.cells),
        "differences.csv": differences(result.cells, MODEL, baselines),
    }
