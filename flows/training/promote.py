"""Make a challenger champion if the gate allows it, or go back to the champion before."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import pandas as pd

from features.panel.partner_table import MONTHS_BACK
from flows.context.console import LOG, echo
from flows.context.prefect_runs import prefect_step
from flows.context.provenance import actor, git_commit
from flows.context.run_config import MAGNETS, RunConfig
from flows.context.stores import store_of
from flows.context.workspace import Workspace, open_workspace
from flows.training.backtest_records import cells_of
from models.evaluation.backtest import Backtest
from models.evaluation.compare import CHALLENGER, model_cells, paired_cells, rule_losses
from models.evaluation.compare import CHAMPION as PAST_CHAMPION
from models.evaluation.promotion import (
    AGAINST_RULES,
    FEWEST_ORIGINS,
    Challenge,
    PromotionDecision,
    judge,
)
from models.forecasting.fallback import FAULTS, NUMBERS, faults_of, modelled, reason_of
from models.forecasting.model_frame import rows_of
from models.registry import model_registry
from models.registry.champions import RULE_TAG, Champions, read_champions, rule_against
from models.registry.runs import log_table, open_run
from models.registry.stored_model import CHALLENGER as ON_TRIAL
from models.registry.stored_model import CHAMPION
from store.errors import DataError, StoreError, first_few
from store.publications.publication_rows import RegisteredVersion, write_promotions
from store.settings import Settings


@dataclass(frozen=True, slots=True)
class PromotionOutcome:
    """What was decided of a version."""

    version: int
    decision: PromotionDecision
    is_champion: bool


@prefect_step("promote")
def promote(
    settings: Settings,
    as_of: pd.Timestamp,
    version: int | None = None,
    accept: str | None = None,
    result: Backtest | None = None,
    *,
    config: RunConfig = MAGNETS,
) -> PromotionOutcome:
    """Judge a challenger, keep the evidence in MLflow and let it publish if it passes.

    Args:
        version: A registered version; the challenger if left out.
        accept: Why a person answers for what the rules refuse or cannot judge.
        result: The backtest the version was trained with; read from MLflow if not given.
    """
    if accept is not None and not accept.strip():
        raise DataError(
            "--accept without a reason promotes nothing. Expected why a person answers for what "
            'the rules refuse or cannot judge. Add it: --accept "...".'
        )
    engine = store_of(settings)
    champions = read_champions(settings, engine, config.model)
    champion, challenger = champions.champion, _challenger(settings, champions, version, config)
    workspace = open_workspace(settings, as_of, config)
    if result is None:
        check_forecasts(workspace, challenger)
    trial = _challenge(workspace, challenger, champions, result)
    decision = judge(trial)
    is_champion = decision.is_passed or accept is not None
    decided = {
        "decision": _word(decision, accept),
        "decision_reason": accept or decision.reasons or decision.summary,
        "decision_rules": decision.summary,
        "better_rule": decision.better_rule,
    }
    about = {
        "as_of": as_of.isoformat(),
        "data_vintage": challenger.data_vintage,
        "model_version": challenger.model_version,
        "champion": "none" if champion is None else str(champion.version),
    }
    if is_champion:
        _crown(settings, champions, challenger, champions.with_champion(challenger), config.model)
    _record(settings, "promote", challenger, decided, about, config=config, rules=decision.table)
    LOG.info("gate      %sversion %s: %s", config.prefix, challenger.version, decision.summary)
    judges_champion = (trial.is_first or trial.is_refit) and not trial.is_older
    if not is_champion:
        rule = {} if judges_champion else champions.rule
        lost = [each for each in decision.broken if each.rule == AGAINST_RULES]
        for loss in lost if judges_champion else []:
            reason = f"version {challenger.version} lost to a simple rule in the backtest: loss "
            rule = {"rule": decision.better_rule, "as_of": challenger.as_of}
            rule["reason"] = f"{reason}{loss.measured}"
            echo(f"promote   {config.prefix}{decision.better_rule} publishes in place of the model")
        _refuse(settings, champions, challenger, rule, config.model)
    return PromotionOutcome(challenger.version, decision, is_champion)


def _crown(
    settings: Settings,
    champions: Champions,
    version: RegisteredVersion,
    promotions: Sequence[RegisteredVersion],
    name: str,
) -> None:
    """Make a version champion by the one call that gives it MLflow's alias.

    Promotions are kept before: those behind the champion were not promoted in the end.
    """
    write_promotions(store_of(settings), name, promotions)
    model_registry.set_alias(settings, CHAMPION, version.version, name)
    challenger = champions.challenger
    if challenger and (champions.rule or challenger.version == version.version):
        model_registry.remove_alias(settings, ON_TRIAL, name)


def _refuse(
    settings: Settings,
    champions: Champions,
    version: RegisteredVersion,
    rule: Mapping[str, str],
    name: str,
) -> None:
    """Make a version the challenger, with the simple rule that publishes in place of a model."""
    against = {**rule, "champion": rule_against(champions.champion)} if rule else {}
    tags = {RULE_TAG: json.dumps(against)}
    model_registry.set_tags(settings, version.version, tags, name)
    model_registry.set_alias(settings, ON_TRIAL, version.version, name)


def tell(outcome: PromotionOutcome, name: str, config: RunConfig) -> None:
    """Say what was decided."""
    decision, version = outcome.decision, f"{config.prefix}version {outcome.version}"
    if outcome.is_champion:
        echo(f"promote   {version} ({name}) is champion")
    else:
        echo(f"promote   {version} stays challenger: {decision.reasons}")
    echo(f"promote   {config.prefix}{decision.summary}")
    if not outcome.is_champion and not decision.is_compared:
        echo(
            f'promote   a person has to decide: `magnetcast promote{config.option} --accept "why"`'
        )


def rollback(
    settings: Settings, as_of: pd.Timestamp, reason: str, config: RunConfig = MAGNETS
) -> tuple[RegisteredVersion, RegisteredVersion]:
    """Let the previous champion publish again; return it and the one rolled back.

    The champion before that is the previous one then: a second rollback goes further back.
    """
    engine, name, reason = store_of(settings), config.model, reason.strip() or "not given"
    champions = read_champions(settings, engine, name)
    past = champions.in_force
    if len(past) < 2:  # noqa: PLR2004 - one to take back, one to go back to
        raise StoreError(
            f"Model {name!r} has {'one champion' if past else 'no champion'} that was not taken "
            "back. Expected a champion and one before it to go back to. Promote another version "
            "of this model."
        )
    restored, bad = past[-2:]
    check_forecasts(open_workspace(settings, as_of, config), restored)
    _crown(settings, champions, restored, champions.without_champion(reason), name)
    decided = {"decision": "rolled back", "decision_reason": reason}
    about = {"as_of": as_of.isoformat()}
    _record(settings, "rollback", bad, decided, about, config=config)
    return restored, replace(bad, rolled_back=reason)


def check_forecasts(workspace: Workspace, model: RegisteredVersion) -> None:
    """Refuse a version that could not forecast if it were champion."""
    if trouble := _trouble(workspace, model):
        commit = (model.git_commit or "not recorded").replace(
            "-dirty", ", with changes since that no commit holds"
        )
        raise DataError(
            f"Version {model.version} ({model.model_version}) cannot forecast as of "
            f"{workspace.as_of:%Y-%m-%d}: {trouble.rstrip('.')}. Expected a model that today's "
            f"code and files still run. Check out the code that trained it (commit {commit}), "
            "restore its files from a backup, or make another version champion: `magnetcast "
            f'promote VERSION{workspace.config.option} --accept "why"`. Nothing was changed.'
        )


def _trouble(workspace: Workspace, model: RegisteredVersion) -> str:
    """Reason why a version forecasts no destination, empty if it forecasts any."""
    origin = workspace.origin
    rows = rows_of(origin)
    try:
        loaded = model_registry.load(workspace.settings, model.version, workspace.config.model)
        forecast = modelled(loaded, rows).table
    except FAULTS as err:
        return reason_of(err)
    names = rows["destination"].unique()
    faults = faults_of(
        forecast[NUMBERS].to_numpy().reshape(len(names), len(origin.targets), -1), origin
    )
    wrong = [f"{name} ({fault})" for name, fault in zip(names, faults, strict=True) if fault]
    return f"it forecasts no destination: {first_few(wrong)}" if len(wrong) == len(faults) else ""


def _challenger(
    settings: Settings, champions: Champions, version: int | None, config: RunConfig
) -> RegisteredVersion:
    name = config.model
    challenger = (
        champions.challenger
        if version is None
        else model_registry.at_version(settings, version, name)
    )
    if challenger is None:
        raise StoreError(
            f"No version of model {name!r} in {settings.tracking_uri} is challenger. "
            "Expected one, which the last training leaves where it did not pass at once. "
            f"Run `magnetcast train{config.option}`, or name a version."
        )
    if champions.champion is not None and champions.champion.version == challenger.version:
        raise DataError(
            f"Version {challenger.version} is champion already. Expected another. "
            f"`mlflow ui` shows the versions, `magnetcast train{config.option}` makes one."
        )
    return challenger


def _rival(workspace: Workspace, champions: Champions) -> RegisteredVersion | None:
    """Champion that would publish now, or None where the fallback would."""
    of = workspace.config.prefix
    for version in champions.in_force[:-3:-1]:  # the fallback chain has two
        if not (trouble := _trouble(workspace, version)):
            return version
        echo(
            f"promote   {of}version {version.version} is no rival, as it cannot forecast: {trouble}"
        )
    return None


def _challenge(
    workspace: Workspace,
    challenger: RegisteredVersion,
    champions: Champions,
    result: Backtest | None,
) -> Challenge:
    """Scored cells of the challenger and of who would publish, unless both are the same model.

    The simple rules, which publish where no champion can, are part of every challenge.
    """
    settings, config = workspace.settings, workspace.config
    champion = _rival(workspace, champions)
    all_cells = cells_of(settings, challenger.model_version) if result is None else result.cells
    cells, losses = model_cells(all_cells), rule_losses(all_cells)
    judged = (champion and champion.as_of, champions.rule.get("as_of"))
    moments = [pd.Timestamp(as_of) for as_of in judged if as_of]
    is_older = any(pd.Timestamp(challenger.as_of) < moment for moment in moments)
    rolled_back = _rollback_reason(champions, challenger)
    if champion is None:
        first = Challenge(pd.DataFrame(), cells, is_first=True, is_refit=False, is_older=is_older)
        return replace(first, rolled_back=rolled_back, rule_losses=losses)
    pairs = pd.DataFrame()
    if challenger.model_version != champion.model_version:
        pairs = paired_cells(cells, model_cells(cells_of(settings, champion.model_version)))
    return Challenge(
        pairs,
        cells,
        is_first=False,
        is_refit=champion.recipe == challenger.recipe != "",
        is_older=is_older,
        rolled_back=rolled_back,
        best=_against_best(settings, champions, challenger, cells),
        fewest=len(MONTHS_BACK) if config.table_key else FEWEST_ORIGINS,
        rule_losses=losses,
    )


_CHAMPIONS: Final = 12
"""Earlier champions that a refit is compared with, at most: a year of months."""


def _against_best(
    settings: Settings, champions: Champions, challenger: RegisteredVersion, cells: pd.DataFrame
) -> pd.DataFrame:
    """Cells paired with those of the past year's champion that did best against the challenger."""
    since = pd.Timestamp(challenger.as_of) - pd.DateOffset(years=1)
    past = champions.in_force[:-1]
    recent = [version for version in past if pd.Timestamp(version.as_of) >= since][-_CHAMPIONS:]
    earlier = (model_cells(cells_of(settings, version.model_version)) for version in recent)
    pairs = [paired_cells(cells, champion_cells) for champion_cells in earlier]
    return max(filter(len, pairs), key=_loss_ratio, default=pd.DataFrame())


def _loss_ratio(pairs: pd.DataFrame) -> float:
    mean = pairs.groupby("model")["scaled_quantile_loss"].mean()
    return float(mean[CHALLENGER] / mean[PAST_CHAMPION])


def _rollback_reason(champions: Champions, challenger: RegisteredVersion) -> str:
    """Reason why this version, its duplicate or its parameters were rolled back, or empty.

    A duplicate has the same parameters and was trained on the same facts. The champion's
    parameters do not count: another fit of them may do better.
    """
    recipe = champions.champion.recipe if champions.champion else ""
    for bad in champions.rolled_back:
        same_parameters = bad.recipe == challenger.recipe
        is_duplicate = same_parameters and bad.data_vintage == challenger.data_vintage
        is_rejected = same_parameters and bad.recipe != recipe
        if bad.version == challenger.version or is_duplicate or is_rejected:
            return f"version {bad.version} was: {bad.rolled_back}"
    return ""


def _record(
    settings: Settings,
    flow: str,
    judged: RegisteredVersion,
    decided: Mapping[str, str],
    about: Mapping[str, str],
    *,
    config: RunConfig,
    rules: pd.DataFrame | None = None,
) -> None:
    """Keep a decision on a version as a run of MLflow, and as tags of the version."""
    tags = {
        "flow": flow,
        "commodity": config.published_as,
        "git_commit": git_commit(),
        "actor": actor(),
        "version": str(judged.version),
        **about,
        **decided,
    }
    name = f"{flow} {config.prefix}version {judged.version}"
    with open_run(settings, name=name, tags=tags) as run:
        if rules is not None:
            log_table(rules, "rules.csv")
    version_tags = {**decided, "decision_run": run.info.run_id}
    model_registry.set_tags(settings, judged.version, version_tags, config.model)


def _word(decision: PromotionDecision, accept: str | None) -> str:
    if decision.is_passed:
        return "promoted"
    if accept is not None:
        return "accepted"
    return "refused" if decision.broken else "not compared"
