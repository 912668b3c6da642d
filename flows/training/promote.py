"""Let a challenger publish if the evidence says so, or go back to the champion before."""

import io
import json
from dataclasses import dataclass
from typing import Final

import pandas as pd
from prefect import flow

from features.months import month_label
from flows.context.console import echo
from flows.context.provenance import actor, git_commit
from flows.context.workspace import Workspace, open_workspace
from flows.training.backtest import tags_of
from flows.training.predict import shadow_table
from models.evaluation.backtest import Backtest
from models.evaluation.promotion import (
    Challenge,
    PromotionDecision,
    judge,
    own_cells,
    paired_cells,
)
from models.registry import model_store, registry, tracking
from models.registry.registry import Champion
from store.errors import DataError, StoreError
from store.facts.reading import read_forecasts
from store.settings import Settings
from store.vocabulary import PANEL_COLUMNS

CELLS: Final = "cells.csv"
"""File of a backtest's run in MLflow that holds what was forecast and what came."""


@dataclass(frozen=True, slots=True)
class PromotionRequest:
    """How to promote."""

    needs_shadow: bool = True
    is_forced: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PromotionOutcome:
    """What was decided of a version."""

    version: int
    decision: PromotionDecision
    is_champion: bool


@flow(name="promote", validate_parameters=False)
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
        DataError: The version publishes already, or is forced without a reason.
        StoreError: There is no such version, or none on trial.
    """
    how = wish or PromotionRequest()
    if how.is_forced and not how.reason:
        raise DataError(
            "--force without --reason promotes nothing. Expected why the rules do not count here. "
            'Add --reason "...".'
        )
    challenger, champion = _on_trial(settings, version), registry.champion(settings)
    decision = judge(_trial(settings, as_of, (challenger, champion), how, result))
    is_champion = decision.is_passed or how.is_forced
    _keep(settings, as_of, (challenger, champion), decision, how)
    if is_champion:
        registry.promote(settings, challenger.version)
    return PromotionOutcome(challenger.version, decision, is_champion)


def tell(outcome: PromotionOutcome, name: str) -> None:
    """Say what was decided."""
    if outcome.is_champion:
        echo(f"promote   version {outcome.version} ({name}) is champion")
    else:
        echo(f"promote   version {outcome.version} stays challenger: {outcome.decision.reasons}")


@flow(name="rollback", validate_parameters=False)
def rollback(settings: Settings, as_of: pd.Timestamp, reason: str) -> tuple[Champion, Champion]:
    """Let the previous champion publish again; return it and the one taken back.

    Raises:
        StoreError: There is no previous champion.
    """
    now, bad = registry.roll_back(settings, reason=reason)
    tags = {
        **_tags("rollback", as_of),
        "version": str(now.version),
        "taken_back": str(bad.version),
        "decision": "rolled back",
        "reason": reason,
    }
    with tracking.open_run(settings, name="rollback", tags=tags) as run:
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
    cells = _cells_of(settings, challenger) if result is None else result.cells
    own = own_cells(cells)
    is_first = champion is None or _refused(settings, champion)
    if champion is None:
        return Challenge(pd.DataFrame(), own, is_first=True, is_refit=False, is_older=False)
    is_refit = champion.recipe == challenger.recipe != ""
    pairs = paired_cells(own, own_cells(_cells_of(settings, champion)))
    if pairs.empty and is_refit:
        pairs = paired_cells(own, own)  # one recipe, replayed at the same origins
    shadow = ""
    if not is_refit and not is_first:
        shadow = shadow_release(open_workspace(settings, as_of), challenger.recipe)
    return Challenge(
        pairs,
        own,
        is_first=is_first,
        is_refit=is_refit,
        is_older=pd.Timestamp(challenger.as_of) < pd.Timestamp(champion.as_of),
        rolled_back=_taken_back(settings, challenger, champion),
        shadow=shadow,
        needs_shadow=wish.needs_shadow,
    )


def _refused(settings: Settings, champion: Champion) -> bool:
    """Return whether the champion cannot answer; says why."""
    try:
        model_store.load(settings, champion.version)
    except StoreError as err:
        echo(f"promote   the champion cannot answer: {err}")
        return True
    return False


def _cells_of(settings: Settings, model: Champion) -> pd.DataFrame:
    """Return the cells of a version's backtest as they were kept; empty where they are gone."""
    run = tracking.find_run(settings, {"flow": "backtest", "model_version": model.model_version})
    text = None if run is None else tracking.read_text(settings, run, CELLS)
    if text is None:
        return pd.DataFrame()
    cells = pd.read_csv(io.StringIO(text), parse_dates=["period"])
    return cells.assign(as_of=pd.to_datetime(cells["as_of"], utc=True))


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
    decision: PromotionDecision,
    wish: PromotionRequest,
) -> None:
    """Write decision and evidence to MLflow, before any alias moves."""
    challenger, champion = pair
    word = "promoted" if decision.is_passed else "forced" if wish.is_forced else "refused"
    tags = {
        **_tags("promote", as_of),
        "version": str(challenger.version),
        "model_version": challenger.model_version,
        "champion": "none" if champion is None else str(champion.version),
        "decision": word,
        "reason": wish.reason or decision.reasons or "all rules held",
    }
    evidence = {**tags, "rules": decision.table.to_dict("records")}
    with tracking.open_run(settings, name="promote", tags=tags) as run:
        run.text(json.dumps(evidence, indent=1) + "\n", "decision.json")
        run.table(decision.table, "rules.csv")
    noted = {"decision": word, "decision_reason": tags["reason"], "decision_run": run.run_id}
    registry.note(settings, challenger.version, noted)


def _tags(name: str, as_of: pd.Timestamp) -> dict[str, str]:
    return {
        "flow": name,
        "as_of": as_of.isoformat(),
        "git_commit": git_commit(),
        "actor": actor(),
    }


FILE: Final = "shadow.csv"


def keep_shadow(workspace: Workspace, version: int) -> None:
    """Let a challenger forecast in the shadow and keep what it says in MLflow."""
    model = registry.at_version(workspace.settings, version)
    table = shadow_table(workspace, version)
    tags = {
        **tags_of(workspace, "shadow"),
        "model_version": model.model_version,
        "version": str(version),
        "recipe": model.recipe,
        "cutoff": _cutoff(workspace),
    }
    with tracking.open_run(workspace.settings, name="shadow", tags=tags) as run:
        run.table(table, FILE)
    echo(f"shadow    version {version} forecast {len(table)} rows; they are not published")


def shadow_release(workspace: Workspace, recipe: str) -> str:
    """Say which release a recipe was in shadow for, and how it did; empty if for none.

    Args:
        workspace: Where the decision stands.
        recipe: As ``models.registry.stored.recipe_of``.
    """
    runs = tracking.find_runs(workspace.settings, {"flow": "shadow", "recipe": recipe})
    now = _cutoff(workspace)
    for run in runs:
        moment = pd.Timestamp(run.tags["as_of"])
        text = tracking.read_text(workspace.settings, run.run_id, FILE)
        if text is None or moment > workspace.as_of or run.tags["cutoff"] >= now:
            continue
        shadow = pd.read_csv(io.StringIO(text))
        told = f"forecast of {moment:%Y-%m-%d}, released since: up to {now}"
        return told + _scored(workspace, shadow, moment)
    return ""


def _scored(workspace: Workspace, shadow: pd.DataFrame, moment: pd.Timestamp) -> str:
    """Say the errors of the shadow and of what was published for the same months."""
    panel = workspace.history.panel(workspace.as_of).frame[list(PANEL_COLUMNS)]
    known = panel.loc[panel["kind"] == "observed", ["destination", "period", "tonnes"]]
    known = known.assign(period=known["period"].dt.strftime("%Y-%m"))
    published = read_forecasts(workspace.engine, as_of=moment)
    both = [_error(rows, known) for rows in (shadow, published)]
    if any(pd.isna(error) for error in both):
        return ""
    return f", error {both[0]:.1%} of tonnes, published {both[1]:.1%}"


def _error(rows: pd.DataFrame, known: pd.DataFrame) -> float:
    cells = rows.merge(known, on=["destination", "period"])
    total = float(cells["tonnes"].sum())
    return (
        float((cells["p50"] - cells["tonnes"]).abs().sum()) / total if total > 0 else float("nan")
    )


def _cutoff(workspace: Workspace) -> str:
    return month_label(workspace.history.origin(workspace.as_of).cutoff)
