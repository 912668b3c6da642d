"""The record of a run on a partner table: scores in the store, the run in MLflow."""

from typing import Final

from flows.context.console import echo
from flows.context.provenance import git_commit
from flows.publishing.table_snapshot import TableSnapshot
from flows.training.backtest import named_scores, own_metrics
from models.evaluation.backtest import Backtest
from models.evaluation.scores import ALL
from models.registry import tracking
from store.errors import StoreError
from store.publications.publishing import write_scores
from store.vocabulary import EU27, WORLD

TOLD: Final = (ALL, WORLD, EU27)
"""Scopes whose scores MLflow keeps as metrics; the others are in its table."""


def record(snapshot: TableSnapshot, result: Backtest) -> str | None:
    """Keep what a backtest found; return the id of its run in MLflow, None where MLflow is away."""
    scores = result.scores
    if len(scores):
        rows = named_scores(result, as_of=snapshot.as_of, model_version=snapshot.model_version)
        write_scores(snapshot.engine, rows, commodity=snapshot.config.published_as)
    name = f"table {snapshot.config.published_as}"
    try:
        with tracking.open_run(snapshot.settings, name=name, tags=_tags(snapshot)) as run:
            run.params(snapshot.spec.choices)
            if len(scores):
                run.metrics(own_metrics(scores.loc[scores["scope"].isin(TOLD)]))
                run.table(scores, "scores.csv")
            return run.run_id
    except StoreError as err:
        echo(f"table     {snapshot.config.published_as}: its record is incomplete: {err}")
        return None


def _tags(snapshot: TableSnapshot) -> dict[str, str]:
    return {
        "flow": snapshot.config.flow,
        "commodity": snapshot.config.published_as,
        "as_of": snapshot.as_of.isoformat(),
        "data_vintage": snapshot.data_vintage,
        "git_commit": git_commit(),
        "model_version": snapshot.model_version,
    }
