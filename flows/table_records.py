"""The record of a run on a partner table: scores in the store, the run in MLflow."""

from typing import Final

import pandas as pd

from flows.backtest import carried, own_metrics
from flows.console import say
from flows.provenance import git_commit
from flows.table_stand import TableStand
from models import tracking
from models.backtest import Backtest
from models.rolling import MODEL
from models.scores import ALL
from store.errors import StoreError
from store.publishing import write_scores
from store.vocabulary import EU27, WORLD

FLOW: Final = "run-table"

TOLD: Final = (ALL, WORLD, EU27)
"""Scopes whose scores MLflow keeps as metrics; the others are in its table."""


def record(stand: TableStand, seen: Backtest) -> str | None:
    """Keep what a backtest found; return the id of its run in MLflow, None where MLflow is away."""
    scores = seen.scores
    if len(scores):
        own = scores["model"] == MODEL
        named = scores["model"].where(~own, stand.model_version)
        told = carried(seen.cells, as_of=stand.as_of, model_version=stand.model_version)
        rows = pd.concat([scores.assign(as_of=stand.as_of, model=named), told])
        write_scores(stand.engine, rows, commodity=stand.published_as)
    name = f"table {stand.published_as}"
    try:
        with tracking.open_run(stand.settings, name=name, tags=_tags(stand)) as run:
            run.params(stand.spec.choices)
            if len(scores):
                run.metrics(own_metrics(scores.loc[scores["scope"].isin(TOLD)]))
                run.table(scores, "scores.csv")
            return run.run_id
    except StoreError as err:
        say(f"table     {stand.published_as}: its record is incomplete: {err}")
        return None


def _tags(stand: TableStand) -> dict[str, str]:
    return {
        "flow": FLOW,
        "commodity": stand.published_as,
        "as_of": stand.as_of.isoformat(),
        "data_vintage": stand.data_vintage,
        "git_commit": git_commit(),
        "model_version": stand.model_version,
    }
