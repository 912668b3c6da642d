"""The steps of a run that differ by how its goods are known: by the evidence, or in a table."""

import pandas as pd

from flows.context.console import echo
from flows.context.run_config import MAGNETS, RunConfig
from flows.context.workspace import Workspace, workspace_of
from flows.ingest.ingest import ingest
from flows.training.backtest_records import backtest
from flows.training.predict import forecast as forecast_workspace
from flows.training.train import train
from models.evaluation.backtest import Backtest
from models.forecasting.fallback import FAULTS, reason_of
from models.registry import model_registry
from store.errors import StoreError
from store.facts.reading import read_runs
from store.settings import Settings


def open_for_run(settings: Settings, as_of: pd.Timestamp, config: RunConfig) -> Workspace:
    """Return what was known of the goods of a configuration."""
    if config == MAGNETS:  # tables are ingested by hand, figures of magnets come with the product
        ingest(settings)
    workspace = workspace_of(settings, as_of, config)
    workspace.check_recent()
    return workspace


def is_current(workspace: Workspace, models: set[str]) -> bool:
    """Tell whether these models are who would publish now: not so after a rollback, say."""
    try:
        champion = model_registry.champion(workspace.settings, workspace.config.model)
    except StoreError:
        return True  # nobody else could be asked
    if champion is None:
        return not workspace.is_always_trained and all(
            workspace.parameters_digest in name for name in models
        )
    if not _was_trained(workspace):
        return False
    return pd.Timestamp(champion.as_of) > workspace.as_of or champion.model_version in models


def forecast(workspace: Workspace) -> tuple[pd.DataFrame, Backtest]:
    """Return the forecast of the first model in the fallback order that can, and a backtest.

    Where that of a table fails it is forecast without new scores.
    """
    try:
        result = backtest(workspace)
    except FAULTS as err:
        if workspace.is_always_trained:
            raise
        echo(f"run       {workspace.config.prefix}nothing was scored: {reason_of(err).strip()}")
        return forecast_workspace(workspace), Backtest.none()
    return forecast_workspace(workspace, result, _trained(workspace, result)), result


def _was_trained(workspace: Workspace) -> bool:
    """Return whether a run with these facts and choices ended well, whoever it made champion."""
    versions = model_registry.versions(workspace.settings, workspace.config.model)
    trained_from = (workspace.parameters_digest, workspace.data_vintage)
    if any((version.recipe, version.data_vintage) == trained_from for version in versions):
        return True  # a table's run is named after the model that forecast
    runs = read_runs(workspace.engine)
    alike = runs["status"].eq("finished") & runs["data_vintage"].eq(workspace.data_vintage)
    trained = runs.loc[alike, "model_version"].fillna("")
    return bool(trained.str.contains(workspace.parameters_digest, regex=False).any())


def _trained(workspace: Workspace, result: Backtest) -> int | None:
    try:
        return train(workspace, result)
    except FAULTS as err:
        echo(f"train     {workspace.config.prefix}nothing was registered: {err}")
        return None
