"""Forecast at an as_of: by the champion if it stood by then, else by one trained as of that day."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import lightgbm as lgb
import pandas as pd
from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from features.analogs import Analog
from features.months import month_label
from features.origin import Origin
from flows.console import say, track
from flows.workspace import Workspace, open_workspace
from models import registry
from models.backtest import Backtest, replay
from models.explain import drivers
from models.frame import rows_of
from models.policy_effect import Effect, effect_at, words_of
from models.rolling import MODEL
from models.rolling import train as fit
from models.scores import hit_rates
from models.why import Stages, contributions, stages_of
from store.settings import Settings
from store.vocabulary import FORECAST_COLUMNS, MAX_HORIZON, MONTHS_AHEAD


@dataclass(frozen=True, slots=True)
class Forecast:
    """A coherent forecast, ready to publish."""

    table: pd.DataFrame
    """``FORECAST_COLUMNS`` and drivers, contributions, band_hit_rate."""
    model_version: str


@flow(name="predict", validate_parameters=False)
def predict(
    settings: Settings,
    as_of: pd.Timestamp,
    result: Backtest | None = None,
    version: int | None = None,
) -> Forecast:
    """Return the forecast of an as_of from nothing that became known later.

    Args:
        settings: Where things are kept.
        as_of: The moment to forecast at.
        result: A backtest at ``as_of``; its errors set the bands of a model trained here.
        version: A registered model trained at ``as_of``, used where the champion is younger.
    """
    return forecast_task(open_workspace(settings, as_of), result, version)


@dataclass(frozen=True, slots=True)
class Model:
    """The model that answers at an as_of."""

    heads: Mapping[str, lgb.Booster]
    card: Mapping[str, object]
    name: str
    status: str


@dataclass(frozen=True, slots=True)
class Made:
    """A forecast with all that it was made of."""

    model: Model
    origin: Origin
    analogs: tuple[Analog, ...]
    effect: Effect
    rows: pd.DataFrame
    """As ``models.frame.rows_of``."""
    stages: Stages
    """The distributions on the way to the published one."""


def made_at(workspace: Workspace, result: Backtest | None, version: int | None) -> Made:
    """Return the forecast at an as_of and what it was made of; arguments as for ``predict``."""
    origin = workspace.history.origin(workspace.as_of)
    rows = rows_of(origin)
    model = _model_of(workspace, result, version)
    analogs = workspace.history.analogs(workspace.as_of)
    effect = effect_at(origin, analogs)
    stages = stages_of(model.heads, model.card, rows, origin, effect)
    return Made(model, origin, analogs, effect, rows, stages)


def forecast(workspace: Workspace, result: Backtest | None, version: int | None) -> Forecast:
    """Return quantiles of every destination and month, made coherent, with what moved each most."""
    made = made_at(workspace, result, version)
    model, rows, stages = made.model, made.rows, made.stages
    if words := words_of(made.effect, made.analogs):
        say(f"predict   {words}")
    late = made.origin.late_months > MAX_HORIZON - MONTHS_AHEAD
    labels = rows[["destination", "horizon"]].assign(
        cutoff=month_label(made.origin.cutoff),
        period=rows["period"].dt.strftime("%Y-%m"),
        horizon=rows["horizon"].astype(int),
        model=model.name,
        status="stale" if late else model.status,
    )
    published = pd.concat([labels, stages.published], axis=1)[list(FORECAST_COLUMNS)]
    moved = (stages.coherent["p50"], stages.published["p50"])
    published["drivers"] = drivers(model.heads, model.card, rows, *moved)
    parts = contributions(model.heads, model.card, rows, made.origin, stages)
    published["contributions"] = [json.dumps(row) for row in parts.to_dict("records")]
    if result is not None and len(result.cells):
        published["band_hit_rate"] = published["destination"].map(hit_rates(result.cells, MODEL))
    return Forecast(published, model.name)


def _model_of(workspace: Workspace, result: Backtest | None, version: int | None) -> Model:
    """Return the champion if it stood by then, else the model trained as of that day."""
    champion = registry.champion(workspace.settings)
    if champion is not None and pd.Timestamp(champion.as_of) <= workspace.as_of:
        loaded = registry.load(workspace.settings, champion.version)
        return Model(loaded.heads, loaded.card, champion.model_version, "champion")
    if version is not None:
        loaded = registry.load(workspace.settings, version)
        return Model(loaded.heads, loaded.card, workspace.model_version, "replay")
    say("predict   no champion stood by then: training as of that day")
    seen = result or replay(workspace.history, workspace.as_of, spec=workspace.spec, track=track)
    trained = fit(workspace.history, workspace.as_of, spec=workspace.spec, memory=seen.memory)
    return Model(trained.heads, trained.card, workspace.model_version, "replay")


forecast_task = task(name="forecast", cache_policy=NO_CACHE)(forecast)
