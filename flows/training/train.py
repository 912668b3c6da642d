"""Train a model of what was known, register it as challenger, promote it if it may publish."""

import json
from pathlib import Path
from typing import Final

import mlflow
import pandas as pd

from flows.context.console import LOG, echo
from flows.context.prefect_runs import prefect_step, show_artifact
from flows.context.stores import store_of
from flows.context.workspace import Workspace
from flows.training.backtest_records import (
    backtest,
    headline_metrics,
    log_dataset,
    made_tags,
    recorded_job,
    run_name,
    verdict,
)
from flows.training.promote import promote, tell
from models.evaluation.backtest import Backtest
from models.forecasting.model_frame import rows_of
from models.learning.boosters import importances, texts_of
from models.quantile_model import LEARNED_UNTIL, PUBLISHED_AS, TrainedModel
from models.registry import model_registry
from models.registry.champions import read_champions
from models.registry.runs import discard_run, log_table, open_run
from store.facts.reading import newest_ingest

SERVED_MODEL: Final = Path(__file__).with_name("served_model.py")
"""The script that MLflow runs to serve a model."""


@prefect_step("train")
def train(workspace: Workspace, result: Backtest | None = None) -> int:
    """Registered version, champion if every rule passes; without a backtest one is run first."""
    with recorded_job(workspace, "train"):
        return _trained(workspace, backtest(workspace) if result is None else result)


def _trained(workspace: Workspace, result: Backtest) -> int:
    settings, as_of, name = workspace.settings, workspace.as_of, workspace.config.model
    trained, of = workspace.train(result), workspace.config.prefix
    LOG.info("train     %s%s quantile models", of, len(trained.boosters))
    before = {registered.version for registered in model_registry.versions(settings, name)}
    run_id, version = record(workspace, trained, result)
    champion = read_champions(settings, workspace.engine, name).champion
    if version in before and champion is not None:
        discard_run(settings, run_id)
        word = "champion" if champion.version == version else "registered"
        echo(
            f"train     {of}the same model from the same facts is {word} already: version {version}"
        )
        return version
    LOG.info("train     %sversion %s is registered: %s", of, version, workspace.model_version)
    if champion is not None and as_of < pd.Timestamp(champion.as_of):
        echo(f"train     {of}version {version} is older than the champion; it is not on trial")
        return version
    outcome = promote(settings, as_of, version, result=result, config=workspace.config)
    tell(outcome, workspace.model_version, workspace.config)
    show_artifact("gate", outcome.decision.table)
    return version


def record(workspace: Workspace, trained: TrainedModel, result: Backtest) -> tuple[str, int]:
    """Log and register a trained model; its run and its version."""
    config, changed = workspace.config, json.dumps(workspace.parameters.changed, sort_keys=True)
    tags = {"flow": "train", **made_tags(workspace)}
    example = rows_of(workspace.origin)
    until = example["period"].min() - pd.DateOffset(months=1)
    metadata = {
        **trained.metadata,
        **model_registry.stamp(trained.metadata),
        PUBLISHED_AS: config.published_as,
        LEARNED_UNTIL: workspace.panel.frame["available_at"].max().isoformat(),
    }
    with open_run(workspace.settings, name="version", tags=tags) as run:
        mlflow.log_params(workspace.parameters.by_name)
        log_dataset(workspace)
        log_table(importances(trained.boosters), "importances.csv")
        version = model_registry.register(
            workspace.settings,
            config.model,
            boosters=texts_of(trained.boosters),
            metadata=metadata,
            example=example,
            tags={**tags, "recipe": workspace.parameters_digest, "parameters": changed},
            script=SERVED_MODEL,
            metrics=headline_metrics(result),
            description=f"{config.label or config.commodity} by destination, "
            f"parameters {workspace.parameters_digest}, data to {until:%Y-%m} as known on "
            f"{workspace.as_of:%Y-%m-%d}. "
            f"Backtest: {verdict(result) if len(result.scores) else 'no month scored'}. Facts to "
            f"vintage {newest_ingest(store_of(workspace.settings))}: with as_of and this vintage "
            "it answers as on that day, with as_of alone from what was ingested later too. "
            "`magnetcast replay` recomputes what was published.",
        )
        about = (str(version), config.table_key, workspace.parameters.changed_text)
        mlflow.set_tag("mlflow.runName", run_name("version", *about))
        return run.info.run_id, version
