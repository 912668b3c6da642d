import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from mlflow import MlflowClient

from flows.context.recipes import magnets_recipe
from flows.context.stores import store_of
from flows.context.workspace import open_workspace
from flows.run import run
from flows.training.promote import PromotionRequest, promote, rollback
from flows.training.shadow import shadow_release
from flows.training.train import train
from models.registry import registry, tracking
from models.registry.registry import Champion
from store.errors import DataError, StoreError
from store.facts.reading import latest_forecast, read_forecasts
from store.settings import Settings
from tests.data.builders import at
from tests.flows.conftest import LATER, Published, copied, point_at

pytestmark = pytest.mark.slow


@pytest.fixture
def own(first_run: Published, data_dir: Path, tmp_path: Path) -> Settings:
    """Settings of a store of this test's own on which the main job ran once."""
    return copied(first_run, tmp_path / "place", data_dir).settings


@pytest.fixture
def released(second_run: Published, data_dir: Path, tmp_path: Path) -> Published:
    """A store of this test's own on which it ran again a release later."""
    return copied(second_run, tmp_path / "place", data_dir)


def holder(found: Champion | None) -> int:
    assert found is not None
    return found.version


def tags_of_version(settings: Settings, version: int) -> dict[str, str]:
    client = MlflowClient(settings.tracking_uri)
    return dict(client.get_model_version(registry.MODEL, str(version)).tags)


def as_other_recipe(settings: Settings, version: int, recipe: str = "another") -> None:
    """Call a version made in another way, as a change of the model's choices would."""
    registry.note(settings, version, {"recipe": recipe})


def broken(table: pd.DataFrame) -> set[str]:
    return set(table.loc[table["verdict"] == "broken", "rule"])


def test_the_next_release_publishes_with_a_refit_and_keeps_the_way_back(
    released: Published,
) -> None:
    own, outcome = released.settings, released.outcome

    assert outcome.is_new
    assert holder(registry.champion(own)) == 2
    assert holder(registry.previous(own)) == 1
    assert registry.challenger(own) is None
    assert set(outcome.forecasts["status"]) == {"champion"}
    assert set(outcome.forecasts["reason"]) == {""}


def test_every_decision_leaves_its_evidence_in_mlflow(own: Settings) -> None:
    tags = tags_of_version(own, 1)

    text = tracking.read_text(own, tags["decision_run"], "decision.json")
    assert text is not None
    evidence = json.loads(text)
    assert (tags["decision"], evidence["decision"], evidence["version"]) == (
        "promoted",
        "promoted",
        "1",
    )
    assert {rule["rule"] for rule in evidence["rules"]} >= {"paired origins", "80% band", "shadow"}


def test_a_new_recipe_is_refused_forecasts_in_the_shadow_and_publishes_nothing(
    own: Settings,
) -> None:
    as_other_recipe(own, 1)

    outcome = run(own, at(LATER))

    champion = registry.champion(own)
    assert champion is not None
    assert champion.version == 1
    assert holder(registry.challenger(own)) == 2
    assert set(outcome.forecasts["model"]) == {champion.model_version}
    assert set(read_forecasts(store_of(own))["model"]) == {champion.model_version}
    [kept] = tracking.find_runs(own, {"flow": "shadow", "version": "2"})
    text = tracking.read_text(own, kept.run_id, "shadow.csv")
    assert text is not None
    assert text.count("\n") == 1 + 144
    tags = tags_of_version(own, 2)
    assert tags["decision"] == "refused"
    assert "shadow: none, expected one release" in tags["decision_reason"]


def test_a_refit_that_is_promoted_leaves_another_recipe_on_trial(own: Settings) -> None:
    usual = magnets_recipe(own, at(LATER)).spec
    other = train(own, at(LATER), spec=replace(usual, learning_rate=2 * usual.learning_rate))

    run(own, at(LATER))

    assert holder(registry.champion(own)) > other
    assert holder(registry.challenger(own)) == other


def test_a_shadow_counts_only_after_a_release(own: Settings) -> None:
    as_other_recipe(own, 1)
    version = train(own, at(LATER))
    recipe = registry.at_version(own, version).recipe

    same_day = shadow_release(open_workspace(own, at(LATER)), recipe)
    later = shadow_release(open_workspace(own, at("2020-06-22")), recipe)
    earlier = shadow_release(open_workspace(own, at("2020-05-01")), recipe)

    assert (same_day, earlier) == ("", "")
    assert later.startswith("forecast of 2020-05-22, released since: up to 2020-05")


def test_accept_needs_a_reason_and_keeps_it(own: Settings) -> None:
    as_other_recipe(own, 1)
    version = train(own, at(LATER))

    with pytest.raises(DataError, match="--accept without a reason"):
        promote(own, at(LATER), version, PromotionRequest(is_accepted=True, reason=" "))
    outcome = promote(
        own, at(LATER), version, PromotionRequest(is_accepted=True, reason="checked by hand")
    )

    assert outcome.is_champion
    assert {"paired origins", "shadow"} <= broken(outcome.decision.table)
    assert holder(registry.champion(own)) == version
    tags = tags_of_version(own, version)
    assert (tags["decision"], tags["decision_reason"]) == ("accepted", "checked by hand")


def test_a_rollback_is_not_undone_by_the_next_run_on_the_same_facts(released: Published) -> None:
    own = released.settings

    now, bad = rollback(own, at(LATER), "bands too narrow")
    outcome = run(own, at(LATER))

    assert (now.version, bad.version) == (1, 2)
    assert outcome.is_new
    assert holder(registry.champion(own)) == 1
    latest = latest_forecast(store_of(own))
    assert set(latest["model"]) == {now.model_version}
    tags = tags_of_version(own, 3)
    assert "was not rolled back: version 2 was: bands too narrow" in tags["decision_reason"]
    assert tags_of_version(own, 2)["decision"] == "rolled back"


def test_a_broken_champion_is_replaced_by_the_next_training(own: Settings) -> None:
    for text in own.artifact_dir.rglob("p50.txt"):
        text.write_text("tree\n", encoding="utf-8")

    outcome = run(own, at(LATER))

    assert holder(registry.champion(own)) == 2
    assert set(outcome.forecasts["status"]) == {"champion"}


def test_what_is_on_trial_nowhere_cannot_be_promoted(own: Settings) -> None:
    with pytest.raises(StoreError, match="is on trial"):
        promote(own, at(LATER))
    with pytest.raises(DataError, match="Version 1 is champion already"):
        promote(own, at(LATER), 1)
    with pytest.raises(StoreError, match="no version 9"):
        promote(own, at(LATER), 9)


def test_the_commands_show_the_rules_and_tell_by_their_exit_code(
    own: Settings,
    data_dir: Path,
    magnetcast: Callable[..., tuple[int, str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    point_at(own.home.parent, data_dir, monkeypatch)
    as_other_recipe(own, 1)
    train(own, at(LATER))

    code, out, err = magnetcast("promote", "--as-of", LATER, "--format", "csv")
    assert code == 1
    assert out.startswith("rule,measured,expected,verdict")
    assert "version 2 stays challenger" in err

    words = ("--force", "--reason", "checked by hand", "--format", "json")
    code, out, err = magnetcast("promote", "2", "--as-of", LATER, *words)
    assert code == 0
    assert {row["rule"] for row in json.loads(out)} >= {"shadow"}
    assert "version 2 (accepted: checked by hand) is champion" in err

    code, out, err = magnetcast("rollback", "--as-of", LATER, "--reason", "worse in use")
    assert code == 0
    assert "version 1" in err
    assert "version 2 was taken back: worse in use" in err
    assert holder(registry.champion(own)) == 1
