"""Train the model of an as_of, register it as challenger and promote it if it may publish."""

import json

import mlflow
import pandas as pd

from features.months import month_label
from flows.context.console import LOG, echo
from flows.context.jobs import made_tags, recorded_job
from flows.context.prefect_runs import prefect_step
from flows.context.recipes import magnets_recipe
from flows.context.workspace import Workspace, open_workspace
from flows.training.backtest import backtest, log_dataset, verdict
from flows.training.promote import promote, tell
from models.evaluation.backtest import Backtest
from models.forecasting.evidence_forecaster import EvidenceForecaster
from models.forecasting.model_frame import rows_of
from models.learning.heads import importances, texts_of
from models.learning.spec import Spec
from models.registry import registry
from models.registry.runs import log_table, open_run
from models.registry.served import LEARNED_UNTIL, TrainedModel
from store.settings import Settings


@prefect_step("train")
def train(
    settings: Settings,
    as_of: pd.Timestamp,
    result: Backtest | None = None,
    spec: Spec | None = None,
) -> int:
    """Return the registered version: champion if every rule held, else challenger.

    Args:
        result: The backtest whose errors set the bands; made here if not given.
        spec: Choices of the model, those of ``result``; the champion's recipe if left out.
    """
    recipe = spec or magnets_recipe(settings, as_of).spec
    workspace = open_workspace(settings, as_of, spec=recipe)
    with recorded_job(workspace, "train"):
        seen = backtest(settings, as_of, recipe) if result is None else result
        return _trained(workspace, seen)


def _trained(workspace: Workspace, seen: Backtest) -> int:
    settings, as_of = workspace.settings, workspace.as_of
    forecaster = EvidenceForecaster(workspace.spec, seen.residuals)
    trained = forecaster.train(workspace.snapshot)
    LOG.info("train     %s quantile models", len(trained.heads))
    before = {one.version for one in registry.versions(settings)}
    version = record(workspace, trained, seen)
    champion = registry.champion(settings)
    if version in before:
        word = "champion" if champion is not None and champion.version == version else "registered"
        echo(f"train     the same model from the same facts is {word} already: version {version}")
        return version
    LOG.info("train     version %s is registered: %s", version, workspace.model_version)
    if champion is not None and as_of < pd.Timestamp(champion.as_of):
        echo(f"train     version {version} is older than the champion; it is not on trial")
        return version
    outcome = promote(settings, as_of, version, result=seen)
    tell(outcome, workspace.model_version)
    if not outcome.is_champion:  # one that is leaves another recipe on trial where it is
        registry.nominate(settings, version)
    return version


def record(workspace: Workspace, trained: TrainedModel, seen: Backtest) -> int:
    """Log and register a trained model and return its version."""
    parameters = json.dumps(workspace.spec.changed, sort_keys=True)
    tags = {"flow": "train", **made_tags(workspace)}
    origin, known = workspace.origin, workspace.panel.frame
    card = {
        **trained.card,
        **registry.stamp(trained.card),
        "parameters": workspace.spec.choices,
        LEARNED_UNTIL: known["available_at"].max().isoformat(),
    }
    with open_run(workspace.settings, name="train", tags=tags):
        mlflow.log_params(workspace.spec.choices)
        log_dataset(workspace)
        log_table(importances(trained.heads), "importances.csv")
        return registry.register(
            workspace.settings,
            heads=texts_of(trained.heads),
            card=card,
            example=rows_of(origin),
            tags={**tags, "recipe": workspace.recipe, "parameters": parameters},
            description=f"Magnets (HS 85051110) by destination, recipe {workspace.recipe}, data to "
            f"{month_label(origin.cutoff)} as known on {workspace.as_of:%Y-%m-%d}. "
            f"Backtest: {verdict(seen) if len(seen.scores) else 'no month scored'}.",
        )
