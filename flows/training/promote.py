"""Make a challenger champion if the gate allows it, or go back to the champion before."""

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Final

import pandas as pd

from flows.context.console import LOG, echo
from flows.context.prefect_artifacts import leave_table
from flows.context.prefect_runs import job_flow
from flows.context.provenance import actor, git_commit
from flows.context.workspace import open_workspace
from flows.training.comparison import cells_of, champion_pairs
from flows.training.shadow import check_forecasts, shadow_release, trouble_of
from models.evaluation.backtest import Backtest
from models.evaluation.promotion import (
    Challenge,
    PromotionDecision,
    judge,
    own_cells,
)
from models.registry import registry, tracking
from models.registry.registry import Champion
from store.errors import DataError, StoreError
from store.settings import Settings
from store.vocabulary import COMMODITY

NOT_COMPARED: Final = "not compared"
"""Decision on a challenger that no rule refused and that nothing could be compared with."""


@dataclass(frozen=True, slots=True)
class PromotionRequest:
    """How to promote."""

    needs_shadow: bool = True
    is_accepted: bool = False
    """A person answers for what the rules refuse or cannot judge."""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PromotionOutcome:
    """What was decided of a version."""

    version: int
    decision: PromotionDecision
    is_champion: bool


@job_flow("promote", run_name="promote {as_of:%Y-%m-%d}")
def promote(
    settings: Settings,
    as_of: pd.Timestamp,
    version: int | None = None,
    wish: PromotionRequest | None = None,
    result: Backtest | None = None,
) -> PromotionOutcome:
    """Judge a challenger, keep the evidence in MLflow and let it publish if it passes.

    Args:
        settings: Where things are kept.
        as_of: The moment decided at.
        version: A registered version; the challenger if left out.
        wish: How; all rules count if left out.
        result: The backtest the version was trained with; read from MLflow if not given.

    Raises:
        DataError: The version publishes already, cannot forecast, or is accepted without a reason.
        StoreError: There is no such version, or none on trial.
    """
    how = wish or PromotionRequest()
    if how.is_accepted and not how.reason.strip():
        raise DataError(
            "--accept without a reason promotes nothing. Expected why a person answers for what "
            'the rules refuse or cannot judge. Add it: --accept "...".'
        )
    challenger, champion = _on_trial(settings, version), registry.champion(settings)
    if result is None:
        check_forecasts(open_workspace(settings, as_of), challenger)
    trial = _trial(settings, as_of, (challenger, champion), how, result)
    decision = judge(trial)
    is_champion = decision.is_passed or how.is_accepted
    _keep(settings, as_of, (challenger, champion), (trial, decision), how)
    rules = pd.DataFrame([asdict(rule) for rule in decision.rules])
    leave_table("gate", rules, f"Version {challenger.version}: {decision.summary}")
    LOG.info("gate      version %s: %s", challenger.version, decision.summary)
    if is_champion:
        registry.promote(settings, challenger.version)
    return PromotionOutcome(challenger.version, decision, is_champion)


def tell(outcome: PromotionOutcome, name: str) -> None:
    """Say what was decided."""
    decision = outcome.decision
    if outcome.is_champion:
        echo(f"promote   version {outcome.version} ({name}) is champion")
    else:
        echo(f"promote   version {outcome.version} stays challenger: {decision.reasons}")
    echo(f"promote   {decision.summary}")
    if not outcome.is_champion and not decision.is_compared:
        echo('promote   a person has to decide: `magnetcast promote --accept "why"`')


def report_promoted(settings: Settings, model_version: str) -> None:
    """Report that a model is champion already, where the run that trained it failed later."""
    with suppress(StoreError):
        champion = registry.champion(settings)
        if champion is not None and champion.model_version == model_version:
            echo(f"run       version {champion.version}, trained on these facts, is champion")


def rollback(settings: Settings, as_of: pd.Timestamp, reason: str) -> tuple[Champion, Champion]:
    """Let the previous champion publish again; return it and the one taken back.

    Raises:
        StoreError: There is no previous champion.
        DataError: It cannot forecast any more; nothing was changed.
    """
    if (before := registry.previous(settings)) is not None:
        check_forecasts(open_workspace(settings, as_of), before)
    now, bad = registry.roll_back(settings, reason=reason)
    tags = {
        **_tags("rollback", as_of),
        "version": str(now.version),
        "taken_back": str(bad.version),
        "decision": "rolled back",
        "reason": reason,
    }
    name = f"rollback {as_of:%Y-%m-%d} version {bad.version}"
    with tracking.open_run(settings, name=name, tags=tags) as run:
        run.text(json.dumps(tags, indent=1) + "\n", "decision.json")
    registry.note(settings, bad.version, {"decision": "rolled back", "decision_run": run.run_id})
    return now, bad


def _on_trial(settings: Settings, version: int | None) -> Champion:
    found = (
        registry.challenger(settings) if version is None else registry.at_version(settings, version)
    )
    if found is None:
        raise StoreError(
            f"No version of model {registry.MODEL!r} in {settings.tracking_uri} is on trial. "
            "Expected one with alias 'challenger', which the last training leaves where it did "
            "not pass at once. Run `magnetcast train`, or name a version."
        )
    champion = registry.champion(settings)
    if champion is not None and champion.version == found.version:
        raise DataError(
            f"Version {found.version} is champion already. Expected another. "
            "See `mlflow ui` for the versions, or train one with `magnetcast train`."
        )
    return found


def _trial(
    settings: Settings,
    as_of: pd.Timestamp,
    pair: tuple[Champion, Champion | None],
    wish: PromotionRequest,
    result: Backtest | None,
) -> Challenge:
    challenger, champion = pair
    own = own_cells(cells_of(settings, challenger) if result is None else result.cells)
    if champion is None:
        return Challenge(pd.DataFrame(), own, is_first=True, is_refit=False, is_older=False)
    workspace = open_workspace(settings, as_of)
    trouble = trouble_of(workspace, champion)
    if trouble:
        echo(f"promote   the champion cannot forecast: {trouble}")
    is_refit = champion.recipe == challenger.recipe != ""
    pairs, compared_by = champion_pairs(workspace, own, (challenger, champion))
    return Challenge(
        pairs,
        own,
        is_first=False,
        is_refit=is_refit,
        is_older=pd.Timestamp(challenger.as_of) < pd.Timestamp(champion.as_of),
        rolled_back=_taken_back(settings, challenger, champion),
        shadow="" if is_refit else shadow_release(workspace, challenger.recipe),
        needs_shadow=wish.needs_shadow,
        compared_by=compared_by,
        champion_trouble=trouble,
    )


def _taken_back(settings: Settings, challenger: Champion, champion: Champion) -> str:
    """Return why this version, its recipe or its twin was taken back; empty if none was.

    Another fit of the champion's own recipe is no twin unless it learned from the same facts.
    """
    for bad in registry.rolled_back(settings):
        is_twin = (bad.recipe, bad.data_vintage) == (challenger.recipe, challenger.data_vintage)
        is_kind = bad.recipe == challenger.recipe != champion.recipe
        if bad.version == challenger.version or is_twin or is_kind:
            return f"version {bad.version} was: {bad.rolled_back}"
    return ""


def _keep(
    settings: Settings,
    as_of: pd.Timestamp,
    pair: tuple[Champion, Champion | None],
    judged: tuple[Challenge, PromotionDecision],
    wish: PromotionRequest,
) -> None:
    """Write decision and evidence to MLflow, before any alias moves."""
    (challenger, champion), (trial, decision) = pair, judged
    tags = {
        **_tags("promote", as_of),
        "data_vintage": challenger.data_vintage,
        "version": str(challenger.version),
        "model_version": challenger.model_version,
        "champion": "none" if champion is None else str(champion.version),
        "decision": _word(decision, wish),
        "reason": wish.reason or decision.reasons or decision.summary,
        "rules": decision.summary,
        "compared_by": trial.compared_by or NOT_COMPARED,
    }
    evidence = {**tags, "summary": tags["rules"], "rules": decision.table.to_dict("records")}
    name = f"gate {as_of:%Y-%m-%d} version {challenger.version}"
    with tracking.open_run(settings, name=name, tags=tags) as run:
        run.text(json.dumps(evidence, indent=1) + "\n", "decision.json")
        run.table(decision.table, "rules.csv")
    noted = {
        "decision": tags["decision"],
        "decision_reason": tags["reason"],
        "decision_rules": tags["rules"],
        "decision_run": run.run_id,
    }
    registry.note(settings, challenger.version, noted)


def _word(decision: PromotionDecision, wish: PromotionRequest) -> str:
    """Return what became of a challenger in one word."""
    if decision.is_passed:
        return "promoted"
    if wish.is_accepted:
        return "accepted"
    return "refused" if decision.broken else NOT_COMPARED


def _tags(name: str, as_of: pd.Timestamp) -> dict[str, str]:
    return {
        "flow": name,
        "as_of": as_of.isoformat(),
        "commodity": COMMODITY,
        "git_commit": git_commit(),
        "actor": actor(),
    }
