"""Forecast at an as_of: by the champion if there was one, else by one trained as of that day."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
import pandas as pd

from features.controls.analogs import Analog
from features.months import month_label
from features.origin import Origin
from features.panel.evidence_panel import KINDS, EvidencePanel
from flows.context.console import LOG, echo
from flows.context.prefect_runs import prefect_step
from flows.context.run_config import MAGNETS, RunConfig
from flows.context.tables import Known, TableWorkspace, known_of
from flows.context.workspace import Workspace
from models.evaluation.backtest import Backtest, backtest_evidence
from models.forecasting import decomposition
from models.forecasting.decomposition import Stages
from models.forecasting.evidence_forecaster import EvidenceForecaster
from models.forecasting.fallback import (
    CHAMPION,
    FAULTS,
    PREVIOUS,
    REPLAY,
    FallbackForecast,
    FallbackResult,
    FallbackStep,
    answerable,
    modelled,
    plain,
    reason_of,
    remembered,
    run_fallback_chain,
    status_of,
)
from models.forecasting.forecaster import NAIVE, STATISTICAL, forecast_file
from models.forecasting.model_frame import rows_of
from models.forecasting.panel_forecaster import PanelForecaster
from models.forecasting.residual_history import ResidualHistory
from models.forecasting.snapshot import Snapshot
from models.policy.policy_effect import PolicyEffect, effect_at, words_of
from models.registry import registry
from models.registry.record import RegisteredVersion
from models.registry.served import TrainedModel
from store.errors import StoreError
from store.settings import Settings
from store.vocabulary import FORECAST_COLUMNS, MAX_HORIZON, MONTHS_AHEAD


def predict(settings: Settings, as_of: pd.Timestamp, config: RunConfig = MAGNETS) -> pd.DataFrame:
    """Return the coherent forecast of an as_of from nothing that became known later.

    Returns:
        ``FORECAST_COLUMNS`` and reason, of the magnets drivers and contributions: ready to publish.
    """
    known = known_of(settings, as_of, config)
    if isinstance(known, Workspace):
        show_known(known)
    return forecast(known)


def show_known(workspace: Workspace) -> None:
    """Compute what is known at the moment of a workspace, unless it is kept, and log it."""
    _panel(workspace)
    _analogs(workspace)


@prefect_step("evidence-panel")
def _panel(workspace: Workspace) -> EvidencePanel:
    panel = workspace.history.panel(workspace.as_of)
    cells = ", ".join(f"{(panel.kind == place).sum()} {kind}" for place, kind in enumerate(KINDS))
    LOG.info(
        "panel     %s destinations, the world to %s: %s; %s suspicious statements",
        *(len(panel.kind), month_label(panel.cutoff), cells, len(panel.suspicious)),
    )
    return panel


@prefect_step("analogs")
def _analogs(workspace: Workspace) -> None:
    found = workspace.history.analogs(workspace.as_of)
    LOG.info("analogs   %s controls on other minerals", len(found))


def trial_forecast(known: Known) -> pd.DataFrame:
    """Return what a model trained by a recipe forecasts alone; nothing is registered."""
    made = trained_on(known)
    steps = [FallbackStep(REPLAY, known.model_version, partial(modelled, made, known.snapshot))]
    if isinstance(known, TableWorkspace):
        return _table_forecast(known, steps)
    return forecast_of(made_on(known, steps, known.origin))


@dataclass(frozen=True, slots=True)
class TrainedForecast:
    """A forecast with all that it was made of."""

    chain: FallbackResult
    """Who answered for each destination."""
    origin: Origin
    analogs: tuple[Analog, ...]
    effect: PolicyEffect
    rows: pd.DataFrame
    """As ``models.forecasting.model_frame.rows_of``."""
    stages: Stages
    """The distributions on the way to the published one."""


def made_at(
    workspace: Workspace, result: Backtest | None = None, version: int | None = None
) -> TrainedForecast:
    """Return the forecast at an as_of and what it was made of; arguments as for ``forecast``."""
    origin = workspace.origin
    LOG.info("features  %s rows of %s columns", *rows_of(origin).shape)
    return made_on(workspace, fallback_chain(workspace, origin, result, version), origin)


def made_on(workspace: Workspace, steps: Sequence[FallbackStep], origin: Origin) -> TrainedForecast:
    """Return the forecast of the first models of the chain that can, at an origin."""
    rows, chain = rows_of(origin), run_fallback_chain(steps, origin)
    analogs = workspace.history.analogs(workspace.as_of)
    effect = effect_at(origin, analogs)
    stages = decomposition.stages_from(chain.table, origin, effect)
    return TrainedForecast(chain, origin, analogs, effect, rows, stages)


@prefect_step("forecast")
def forecast(
    known: Known, result: Backtest | None = None, version: int | None = None
) -> pd.DataFrame:
    """Return quantiles of every destination and month, made coherent.

    Args:
        result: A backtest of it; its errors set the bands of a model of magnets trained here.
        version: A registered model trained on it, used where the champion is younger.
    """
    if isinstance(known, TableWorkspace):
        models = _models(known, known.snapshot, result, version) if known.spec.pairs else []
        one = known.untrained
        return _table_forecast(
            known, [*models, FallbackStep(STATISTICAL, one.model_version, one.experts)]
        )
    return forecast_of(made_at(known, result, version))


def _table_forecast(known: TableWorkspace, steps: Sequence[FallbackStep]) -> pd.DataFrame:
    """Return the forecast of the first step that can; what fails the last is raised."""
    wrong: list[str] = []
    for step in steps:
        try:
            made = step.predict().table
            break
        except FAULTS as err:
            if step is steps[-1]:
                raise
            wrong.append(f"{step.status}: {reason_of(err)}")
    reason, status = "; ".join(wrong), status_of(step.status, late=known.table.is_late)
    if reason:
        echo(f"predict   {known.config.prefix}{step.status} answers, because {reason}")
    return forecast_file(made, status=status).assign(model=step.name, reason=reason)


def forecast_with(known: Known, model: TrainedModel) -> pd.DataFrame:
    """Return the forecast at an as_of by a model at hand, in the place of the champion."""
    own = FallbackStep(CHAMPION, "named", partial(modelled, model, known.snapshot))
    if isinstance(known, TableWorkspace):
        return _table_forecast(known, [own])
    steps = [own, *_without_model(known, known.origin)]
    return forecast_of(made_on(known, steps, known.origin))


def forecast_of(made: TrainedForecast) -> pd.DataFrame:
    """Return a forecast ready to publish."""
    if words := words_of(made.effect, made.analogs):
        echo(f"predict   {words}")
    rows, taken, count = made.rows, made.chain.taken, len(made.origin.targets)
    late = made.origin.late_months > MAX_HORIZON - MONTHS_AHEAD
    labels = rows[["destination", "horizon"]].assign(
        cutoff=month_label(made.origin.cutoff),
        period=rows["period"].dt.strftime("%Y-%m"),
        horizon=rows["horizon"].astype(int),
        model=np.repeat([one.name for one in taken], count),
        status=np.repeat([status_of(one.status, late=late) for one in taken], count),
    )
    published = pd.concat([labels, made.stages.published], axis=1)[list(FORECAST_COLUMNS)]
    published["reason"] = np.repeat(made.chain.reasons, count)
    published["drivers"], published["contributions"] = why_of(made)
    for line in _exceptions(made):
        echo(f"predict   {line}")
    return published


def why_of(made: TrainedForecast) -> tuple[list[str], list[str]]:
    """Return drivers and contributions of each row, as JSON."""
    drivers_of, parts_of = pd.Series("[]", index=made.rows.index), []
    moved = (made.stages.coherent["p50"], made.stages.published["p50"])
    for status, forecast in made.chain.by_status.items():
        own = made.chain.rows_by(status, len(made.origin.targets))
        if forecast.model is None:
            median = forecast.table["p50"].to_numpy()
            parts = decomposition.plain_contributions(median, made.rows, made.origin, made.stages)
        else:
            model, rows = forecast.model, answerable(made.rows)
            parts = decomposition.contributions(model, rows, made.origin, made.stages)
            named = decomposition.drivers(model, rows, *moved)
            drivers_of = drivers_of.mask(own, pd.Series(named))
        parts_of.append(parts.loc[own])
    together = pd.concat(parts_of).loc[made.rows.index]
    return drivers_of.tolist(), [json.dumps(row) for row in together.to_dict("records")]


def trained_on(known: Known, seen: Backtest | None = None) -> TrainedModel:
    """Return a model that learned from what was known.

    Args:
        seen: A backtest of it, whose errors set the bands of the magnets; made here if left out.
    """
    if isinstance(known, TableWorkspace):
        return PanelForecaster(known.spec).train(known.snapshot)
    history, moment, spec = known.history, known.as_of, known.spec
    seen = seen or backtest_evidence(history, moment, spec=spec, executor=known.executor)
    return EvidenceForecaster(spec, seen.residuals).train(known.snapshot)


def fallback_chain(
    workspace: Workspace,
    origin: Origin,
    result: Backtest | None = None,
    version: int | None = None,
) -> list[FallbackStep]:
    """Return the fallback chain, best first: models that existed then, then steps without one."""
    models = _models(workspace, Snapshot(origin), result, version)
    return [*models, *_without_model(workspace, origin, result)]


def _without_model(
    workspace: Workspace, origin: Origin, result: Backtest | None = None
) -> list[FallbackStep]:
    @cache
    def memory() -> ResidualHistory:
        if result is not None:
            return result.residuals
        echo("predict   the fallback must forecast: learning its bands from the past")
        return remembered(workspace.history, workspace.as_of)

    def without_model(status: str, name: str) -> FallbackStep:
        named = f"{name}-{workspace.spec.digest}"
        return FallbackStep(status, named, lambda: plain(status, origin, memory(), workspace.spec))

    return [without_model(STATISTICAL, "statistical"), without_model(NAIVE, "seasonal-naive")]


def _models(
    known: Known, asked: Snapshot, result: Backtest | None, version: int | None
) -> list[FallbackStep]:
    """Return the champion of then, else the model trained as of that day; then those before.

    A model promoted later than the moment is not in its chain.
    """
    try:
        holders = [
            registry.champion(known.settings, known.config.model),
            registry.by_alias(known.settings, registry.PREVIOUS, known.config.model),
        ]
    except StoreError as err:
        return [FallbackStep(CHAMPION, "none", partial(_raise, err))]
    champion, previous = (
        one if one and pd.Timestamp(one.as_of) <= known.as_of else None for one in holders
    )
    steps = []
    if champion is not None:
        steps.append(_stored(known, asked, CHAMPION, champion))
    elif version is not None:
        model = registry.at_version(known.settings, version, known.config.model)
        steps.append(_stored(known, asked, REPLAY, model))
    else:
        steps.append(_trained_now(known, asked, result))
    if previous is not None and previous.version not in {version, champion and champion.version}:
        steps.append(_stored(known, asked, PREVIOUS, previous))
    return steps


def _stored(known: Known, asked: Snapshot, status: str, model: RegisteredVersion) -> FallbackStep:
    load = partial(registry.load, known.settings, model.version, known.config.model)
    return FallbackStep(status, model.model_version, lambda: modelled(load(), asked))


def _trained_now(known: Known, asked: Snapshot, result: Backtest | None) -> FallbackStep:
    """Return a model trained as of that day as one that may answer."""
    echo(f"predict   {known.config.prefix}training as of that day: no champion existed by then")
    train = partial(trained_on, known, result)
    return FallbackStep(REPLAY, known.model_version, lambda: modelled(train(), asked))


def _raise(err: Exception) -> FallbackForecast:
    raise err


def _exceptions(made: TrainedForecast) -> list[str]:
    groups: dict[tuple[str, str], list[str]] = {}
    answers = zip(made.origin.series, made.chain.taken, made.chain.reasons, strict=True)
    for name, step, reason in answers:
        if reason:
            groups.setdefault((step.status, reason), []).append(name)
    return [
        f"{step} answers for {', '.join(names)}, because {reason}"
        for (step, reason), names in groups.items()
    ]
