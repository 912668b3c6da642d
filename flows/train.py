"""Train the model of an as_of, register it and let it publish if it is good enough."""

import math
from typing import Final

import pandas as pd
from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from flows.backtest import backtest, score_of, tags_of
from flows.console import say
from flows.workspace import Workspace, open_workspace
from models import registry, tracking
from models.backtest import Backtest
from models.boosting import texts_of
from models.frame import rows_of
from models.rolling import MODEL, Trained
from models.rolling import train as fit
from store.settings import Settings

GATE_TOLERANCE: Final = 0.05
"""By how much a candidate's scaled quantile loss may be worse, as a share of the champion's: months
differ that much by chance."""

fit_task = task(name="fit", cache_policy=NO_CACHE)(fit)


@flow(name="train", validate_parameters=False)
def train(settings: Settings, as_of: pd.Timestamp, result: Backtest | None = None) -> int:
    """Return the registered version; it is champion if there was none or it passes the gate.

    Args:
        settings: Where things are kept.
        as_of: The moment to train at.
        result: The backtest whose errors set the bands; made here if not given.
    """
    workspace = open_workspace(settings, as_of)
    seen = backtest(settings, as_of) if result is None else result
    trained = fit_task(workspace.history, as_of, spec=workspace.spec, memory=seen.memory)
    version = record(workspace, trained, seen)
    if may_publish(settings, as_of, score_of(seen, MODEL, "sql")):
        registry.promote(settings, version)
        say(f"train     version {version} ({workspace.model_version}) is champion")
    else:
        say(f"train     version {version} did not pass the gate; the champion stays")
    return version


def may_publish(settings: Settings, as_of: pd.Timestamp, score: float) -> bool:
    """Return whether a candidate becomes champion: none stands, or it is as good and not older."""
    champion = registry.champion(settings)
    if champion is None:
        return True
    if as_of < pd.Timestamp(champion.as_of):
        return False
    limit = None if math.isnan(champion.score) else champion.score * (1 + GATE_TOLERANCE)
    return registry.pass_gate(score, limit)


def record(workspace: Workspace, trained: Trained, seen: Backtest) -> int:
    """Log and register a trained model and return its version."""
    tags = tags_of(workspace, "train")
    score = score_of(seen, MODEL, "sql")
    example = rows_of(workspace.history.origin(workspace.as_of))
    with tracking.open_run(workspace.settings, name="train", tags=tags) as run:
        run.params(workspace.spec.choices)
        run.metrics({} if math.isnan(score) else {"gate_score": score})
        return registry.register(
            workspace.settings,
            run,
            heads=texts_of(trained.heads),
            card=trained.card,
            example=example,
            tags={**tags, "gate_score": repr(score)},
        )
