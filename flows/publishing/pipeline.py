"""The steps of a run that differ by how its goods are known: by the evidence, or in a table."""

import pandas as pd

from flows.context.console import echo
from flows.context.run_config import MAGNETS, RunConfig
from flows.context.workspace import Workspace, workspace_of
from flows.ingest.ingest import ingest
from flows.training.backtest import backtest
from flows.training.predict import forecast as forecast_known
from flows.training.train import train
from models.evaluation.backtest import Backtest
from models.forecasting.fallback import FAULTS, reason_of
from models.registry import model_registry
from store.errors import StoreError
from store.facts.reading import read_runs
from store.settings import Settings


def open_known(settings: Settings, as_of: pd.Timestamp, config: RunConfig) -> Workspace:
    """Return what was known of the goods of a configuration."""
    if config == MAGNETS:  # tables are ingested by hand, figures of magnets come with the product
        ingest(settings)
    known = workspace_of(settings, as_of, config)
    known.check_recent()
    return known


def is_current(known: Workspace, models: set[str]) -> bool:
    """Tell whether these models are who would publish now: not so after a rollback, say."""
    try:
        champion = model_registry.champion(known.settings, known.config.model)
    except StoreError:
        return True  # nobody else could be asked
    if champion is None:
        return not known.is_always_trained and all(known.parameters_digest in one for one in models)
    if not _was_trained(known):
        return False
    return pd.Timestamp(champion.as_of) > known.as_of or champion.model_version in models


def forecast(known: Workspace) -> tuple[pd.DataFrame, Backtest]:
    """Return the forecast of the first model in the fallback order that can, and a backtest.

    Where that of a table fails it is forecast without new scores.
    """
    try:
        seen = backtest(known)
    except FAULTS as err:
        if known.is_always_trained:
            raise
        echo(f"run       {known.config.prefix}nothing was scored: {reason_of(err).strip()}")
        return forecast_known(known), Backtest.none()
    return forecast_known(known, seen, _trained(known, seen)), seen


def _was_trained(known: Workspace) -> bool:
    """Return whether a run with these facts and choices ended well, whoever it made champion."""
    versions = model_registry.versions(known.settings, known.config.model)
    made = (known.parameters_digest, known.data_vintage)
    if any((one.recipe, one.data_vintage) == made for one in versions):
        return True  # a table's run is named after the model that forecast
    runs = read_runs(known.engine)
    alike = runs["status"].eq("finished") & runs["data_vintage"].eq(known.data_vintage)
    trained = runs.loc[alike, "model_version"].fillna("")
    return bool(trained.str.contains(known.parameters_digest, regex=False).any())


def _trained(known: Workspace, seen: Backtest) -> int | None:
    try:
        return train(known, seen)
    except FAULTS as err:
        echo(f"train     {known.config.prefix}nothing was registered: {err}")
        return None
