"""Forecast at an as_of: by the champion if there was one, else by one trained as of that day."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
import pandas as pd

from features.controls.analogs import Analog
from features.origin import Origin
from flows.context.console import LOG, echo
from flows.context.prefect_runs import prefect_step
from flows.context.run_config import MAGNETS, RunConfig
from flows.context.workspace import Workspace, open_workspace
from models.evaluation.backtest import Backtest
from models.forecasting import decomposition
from models.forecasting.decomposition import Stages
from models.forecasting.fallback import (
    CHAMPION,
    REPLAY,
    FallbackForecast,
    FallbackResult,
    FallbackStep,
    answerable,
    modelled,
    plain,
    run_fallback_chain,
    status_of,
)
from models.forecasting.model_frame import rows_of
from models.forecasting.model_names import FALLBACK_MODELS, FALLBACK_PREFIXES, PREVIOUS
from models.forecasting.residual_history import rule_tonnes
from models.forecasting.snapshot import Snapshot
from models.policy.policy_effect import PolicyEffect, response_basis
from models.quantile_model import TrainedModel
from models.registry import model_registry
from models.registry.champions import Champions, read_champions
from store.errors import StoreError
from store.months import month_label
from store.publications.publication_rows import RegisteredVersion
from store.settings import Settings
from store.vocabulary import FORECAST_COLUMNS, MAX_HORIZON, MONTHS_AHEAD


def predict(settings: Settings, as_of: pd.Timestamp, config: RunConfig = MAGNETS) -> pd.DataFrame:
    """Coherent forecast as of a moment, from nothing that became known later.

    Returns:
        ``FORECAST_COLUMNS`` and reason, of the magnets drivers and contributions: ready to publish.
    """
    workspace = open_workspace(settings, as_of, config)
    show(workspace)
    return forecast(workspace)


def show(workspace: Workspace) -> None:
    """Run the workspace's steps, each a task of the Prefect flow in progress."""
    for name, step in workspace.steps.items():
        prefect_step(name)(step)()


def trial_forecast(workspace: Workspace) -> pd.DataFrame:
    """Forecast of a model trained on what was known alone; nothing is registered."""
    model, rows = workspace.train(), rows_of(workspace.origin)
    steps = [FallbackStep(REPLAY, workspace.model_version, partial(modelled, model, rows))]
    return forecast_of(workspace, made_on(workspace, steps))


@dataclass(frozen=True, slots=True)
class TrainedForecast:
    """A forecast with all it was computed from."""

    chain: FallbackResult
    """Who answered for each destination."""
    origin: Origin
    analogs: tuple[Analog, ...]
    effect: PolicyEffect | None
    rows: pd.DataFrame
    """As ``models.forecasting.model_frame.rows_of``."""
    stages: Stages
    """The distributions on the way to the published one."""


def made_at(
    workspace: Workspace, result: Backtest | None = None, version: int | None = None
) -> TrainedForecast:
    """Forecast as of a moment with all it was computed from; arguments as for ``forecast``."""
    return made_on(workspace, fallback_chain(workspace, workspace.snapshot, result, version))


def made_on(
    workspace: Workspace, steps: Sequence[FallbackStep], snapshot: Snapshot | None = None
) -> TrainedForecast:
    """Forecast of each series of a snapshot, else of what was known, by the first able model."""
    snapshot = snapshot or workspace.snapshot
    origin, rows = snapshot.origin, rows_of(snapshot.origin)
    LOG.info("features  %s%s rows of %s columns", workspace.config.prefix, *rows.shape)
    chain = run_fallback_chain(steps, rows["destination"].unique().tolist(), origin)
    effect = snapshot.effect
    stages = decomposition.stages_from(chain.table, origin, effect, snapshot.tree)
    return TrainedForecast(chain, origin, snapshot.analogs, effect, rows, stages)


@prefect_step("forecast")
def forecast(
    workspace: Workspace, result: Backtest | None = None, version: int | None = None
) -> pd.DataFrame:
    """Coherent quantiles and mean of every destination and month, in tonnes.

    Args:
        result: A backtest of it; its errors set the bands of a model of magnets trained here.
        version: A registered model trained on it, used where the champion is younger.
    """
    return forecast_of(workspace, made_at(workspace, result, version))


def forecast_with(workspace: Workspace, model: TrainedModel) -> pd.DataFrame:
    """Forecast as of a moment by a given model in place of the champion."""
    rows = rows_of(workspace.origin)
    champion = FallbackStep(CHAMPION, "named", partial(modelled, model, rows))
    return forecast_of(
        workspace, made_on(workspace, [champion, *_without_model(workspace, workspace.snapshot)])
    )


def forecast_of(workspace: Workspace, answer: TrainedForecast) -> pd.DataFrame:
    """Forecast as a table ready to publish."""
    if answer.effect is not None and (words := response_basis(answer.effect, answer.analogs)):
        echo(f"predict   {words}")
    rows, steps, count = (answer.rows, answer.chain.steps_used, len(answer.origin.targets))
    late = answer.origin.late_months > MAX_HORIZON - MONTHS_AHEAD
    labels = rows[["destination", "horizon"]].assign(
        cutoff=month_label(answer.origin.cutoff),
        period=rows["period"].dt.strftime("%Y-%m"),
        horizon=rows["horizon"].astype(int),
        model=np.repeat([step.name for step in steps], count),
        status=np.repeat([status_of(step.status, late=late) for step in steps], count),
    )
    published = pd.concat([labels, answer.stages.published], axis=1)[list(FORECAST_COLUMNS)]
    published["reason"] = np.repeat(answer.chain.reasons, count)
    if workspace.is_explained:
        published["drivers"], published["contributions"] = why_of(answer)
    for line in _exceptions(answer):
        echo(f"predict   {workspace.config.prefix}{line}")
    return published


def why_of(answer: TrainedForecast) -> tuple[list[str], list[str]]:
    """Drivers and contributions of each row, as JSON."""
    drivers_of, parts_of = pd.Series("[]", index=answer.rows.index), []
    moved = (answer.stages.coherent["p50"], answer.stages.published["p50"])
    for status, forecast in answer.chain.by_status.items():
        steps = [step.status == status for step in answer.chain.steps_used]
        is_answered = np.repeat(steps, len(answer.origin.targets))
        if forecast.model is None:
            by_rule = rule_tonnes(FALLBACK_MODELS[status], answer.origin, answer.rows)
            parts = decomposition.rule_contributions(by_rule, answer.rows, answer.stages)
        else:
            model, rows = forecast.model, answerable(answer.rows)
            parts = decomposition.contributions(model, rows, answer.origin, answer.stages)
            named = decomposition.drivers(model, rows, *moved)
            drivers_of = drivers_of.mask(is_answered, pd.Series(named))
        parts_of.append(parts.loc[is_answered])
    together = pd.concat(parts_of).loc[answer.rows.index]
    return drivers_of.tolist(), [json.dumps(row) for row in together.to_dict("records")]


def fallback_chain(
    workspace: Workspace,
    snapshot: Snapshot,
    result: Backtest | None = None,
    version: int | None = None,
) -> list[FallbackStep]:
    """Fallback chain, best first: models that existed then, then steps without one.

    A model that lost to a simple rule is not in the chain; that rule is the first.
    """
    rule = dict[str, str]()
    try:
        champions = _champions(workspace)
        rule = rule_at(workspace, champions)
        fault = StoreError(rule["reason"]) if rule else None
    except StoreError as err:  # MLflow's record is damaged or its server away
        fault = err
    if fault is not None:
        unable = FallbackStep(CHAMPION, "none", partial(_raise, fault))
        return [unable, *_without_model(workspace, snapshot, result, rule.get("rule", ""))]
    models = _models(workspace, champions, rows_of(snapshot.origin), result, version)
    return [*models, *_without_model(workspace, snapshot, result)]


def _champions(workspace: Workspace) -> Champions:
    return read_champions(workspace.settings, workspace.engine, workspace.config.model)


def rule_at(workspace: Workspace, champions: Champions) -> dict[str, str]:
    """Simple rule that publishes in place of the model at the moment, or empty."""
    rule = champions.rule
    return dict(rule) if rule and pd.Timestamp(rule["as_of"]) <= workspace.as_of else {}


def _without_model(
    workspace: Workspace, snapshot: Snapshot, result: Backtest | None = None, first: str = ""
) -> list[FallbackStep]:
    """Simple rules in the order of the chain, after the one named first."""

    def without_model(status: str, name: str) -> FallbackStep:
        origin = snapshot.origin
        return FallbackStep(
            status,
            f"{FALLBACK_PREFIXES[name]}-{workspace.parameters_digest}",
            lambda: plain(name, origin, rows_of(origin), workspace.rule_metadata(name, result)),
        )

    steps = sorted(FALLBACK_MODELS.items(), key=lambda step: step[1] != first)
    return [without_model(*step) for step in steps]


def _models(
    workspace: Workspace,
    champions: Champions,
    rows: pd.DataFrame,
    result: Backtest | None,
    version: int | None,
) -> list[FallbackStep]:
    """Champion at the moment, else the model trained as of that day; then the one before.

    A model promoted later than the moment is not in its chain.
    """
    past = champions.in_force[::-1]
    champion, previous = (
        holder if holder and pd.Timestamp(holder.as_of) <= workspace.as_of else None
        for holder in [*past, None, None][:2]
    )
    steps = []
    if champion is not None:
        steps.append(_stored(workspace, rows, CHAMPION, champion))
    elif version is not None:
        model = model_registry.at_version(workspace.settings, version, workspace.config.model)
        steps.append(_stored(workspace, rows, REPLAY, model))
    else:
        train = partial(workspace.train, result)
        day = f"{workspace.config.prefix}training as of {workspace.as_of:%Y-%m-%d}"
        _say_once(f"predict   {day}: no champion existed by then")
        steps.append(FallbackStep(REPLAY, workspace.model_version, lambda: modelled(train(), rows)))
    if previous is not None and previous.version not in {version, champion and champion.version}:
        steps.append(_stored(workspace, rows, PREVIOUS, previous))
    return steps


@cache
def _say_once(line: str) -> None:
    """Print a line, unless this process did so before: a comparison forecasts a day twice."""
    echo(line)


def _stored(
    workspace: Workspace, rows: pd.DataFrame, status: str, model: RegisteredVersion
) -> FallbackStep:
    load = partial(model_registry.load, workspace.settings, model.version, workspace.config.model)
    return FallbackStep(status, model.model_version, lambda: modelled(load(), rows))


def _raise(err: Exception) -> FallbackForecast:
    raise err


def _exceptions(answer: TrainedForecast) -> list[str]:
    groups: dict[tuple[str, str], list[str]] = {}
    answers = zip(
        answer.rows["destination"].unique(),
        answer.chain.steps_used,
        answer.chain.reasons,
        strict=True,
    )
    for name, step, reason in answers:
        if reason:
            groups.setdefault((step.status, reason), []).append(name)
    count = answer.rows["destination"].nunique()
    return [
        f"{step} answers for {', '.join(names) if len(names) < count else 'all destinations'}, "
        f"because {reason}"
        for (step, reason), names in groups.items()
    ]
