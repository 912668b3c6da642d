"""The steps of a run that differ by how its goods are known: by the evidence, or in a table."""

from typing import Final

import pandas as pd

from features.months import last_complete_month, month_label
from flows.context.console import echo, track
from flows.context.prefect_runs import prefect_step
from flows.context.recipes import magnets_recipe
from flows.context.run_config import RunConfig
from flows.context.tables import TableWorkspace, open_table
from flows.context.workspace import Workspace, open_workspace
from flows.ingest.ingest import ingest
from flows.training.backtest import backtest, record
from flows.training.predict import predict
from flows.training.train import train
from models.evaluation.backtest import Backtest, backtest_tables
from models.forecasting.fallback import FAULTS, reason_of
from models.registry import registry
from store.errors import DataError, StoreError
from store.facts.reading import read_runs
from store.settings import Settings

Known = Workspace | TableWorkspace
"""What was known of some goods at one moment: all that their forecast rests on."""

_MOST_LATE: Final = 12
"""Months without figures after which nothing is published any more."""


def open_known(settings: Settings, as_of: pd.Timestamp, config: RunConfig) -> Known:
    """Return what was known of the goods of a configuration."""
    if config.is_main:
        ingest(settings)
        recipe = magnets_recipe(settings, as_of).spec
        workspace = open_workspace(settings, as_of, spec=recipe)
        _check_not_ancient(workspace)
        return workspace
    return open_table(settings, as_of, config.commodity)


def is_current(known: Known, models: set[str]) -> bool:
    """Tell whether these models are who would publish now: not so after a rollback, say."""
    if isinstance(known, TableWorkspace):
        return all(name.startswith(known.model_family) for name in models)
    try:
        champion = registry.champion(known.settings)
    except StoreError:
        return True  # nobody else could be asked
    if champion is None or not _was_trained(known):
        return False
    return pd.Timestamp(champion.as_of) > known.as_of or champion.model_version in models


def forecast(known: Known) -> tuple[pd.DataFrame, Backtest]:
    """Return the forecast of the first model in the fallback order that can, and its backtest."""
    return _of_table(known) if isinstance(known, TableWorkspace) else _of_magnets(known)


def _of_magnets(known: Workspace) -> tuple[pd.DataFrame, Backtest]:
    settings, as_of, spec = known.settings, known.as_of, known.spec
    seen = backtest(settings, as_of, spec)
    return predict(settings, as_of, seen, _trained(known, seen), spec), seen


@prefect_step("table")
def _of_table(known: TableWorkspace) -> tuple[pd.DataFrame, Backtest]:
    for note in known.notes:
        echo(f"table     {note}")
    try:
        table, seen = _made(known)
    except FAULTS as err:
        reason, known = reason_of(err).strip(), known.untrained
        name = known.model_version
        echo(f"run       {known.config.prefix}{reason} Falling back to {name}.")
        table, seen = _made(known)
        table = table.assign(reason=reason)
    record(known, seen)
    return table, seen


def _made(known: TableWorkspace) -> tuple[pd.DataFrame, Backtest]:
    return known.rows(), backtest_tables(known.spec, known.past(), known.table, track=track)


def _check_not_ancient(workspace: Workspace) -> None:
    cutoff = workspace.origin.cutoff
    late = last_complete_month(workspace.as_of) - cutoff
    if late > _MOST_LATE:
        raise DataError(
            f"The newest figures are of {month_label(cutoff)}, {late} months before "
            f"{workspace.as_of:%Y-%m-%d}. Expected at most {_MOST_LATE}: beyond, a forecast would "
            "be nonsense. Look at this machine's clock, then at the ingests; nothing was published."
        )


def _was_trained(workspace: Workspace) -> bool:
    """Return whether a run with these facts and choices ended well, whoever it made champion."""
    runs = read_runs(workspace.engine)
    alike = runs["status"].eq("finished") & runs["data_vintage"].eq(workspace.data_vintage)
    trained = runs.loc[alike, "model_version"].fillna("")
    return bool(trained.str.contains(workspace.recipe, regex=False).any())


def _trained(workspace: Workspace, seen: Backtest) -> int | None:
    try:
        return train(workspace.settings, workspace.as_of, seen, workspace.spec)
    except StoreError as err:
        echo(f"train     nothing was registered: {err}")
        return None
