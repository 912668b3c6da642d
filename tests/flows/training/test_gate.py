"""What the champion is compared by, and that a version which cannot forecast never publishes."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from mlflow import MlflowClient

from features.build import ALL_FEATURES
from flows.context.stores import store_of
from flows.context.workspace import open_workspace
from flows.monitoring.health import examine
from flows.monitoring.status import lines_of
from flows.run import run
from flows.training.comparison import champion_pairs
from flows.training.predict import predict
from flows.training.promote import PromotionRequest, promote, rollback
from models.evaluation.backtest import Backtest
from models.evaluation.promotion import CHALLENGER, CHAMPION
from models.evaluation.scores import cell_scores
from models.forecasting.forecaster import MODEL
from models.registry import registry, stored, tracking
from models.registry.registry import Champion
from store.errors import DataError
from store.facts.reading import read_forecasts
from store.settings import Settings
from tests.data.builders import at
from tests.data.cell_builders import make_cells
from tests.flows.conftest import AS_OF, LATER, Published, copied

pytestmark = pytest.mark.slow

KEY = ["cutoff", "destination", "period"]


@pytest.fixture
def released(second_run: Published, data_dir: Path, tmp_path: Path) -> Published:
    """A store of this test's own on which the main job ran twice: version 2 is champion."""
    return copied(second_run, tmp_path / "place", data_dir)


def aliases(settings: Settings) -> dict[str, int]:
    model = MlflowClient(settings.tracking_uri).get_registered_model(registry.MODEL)
    return {name: int(version) for name, version in model.aliases.items()}


def tags_of_version(settings: Settings, version: int) -> dict[str, str]:
    client = MlflowClient(settings.tracking_uri)
    return dict(client.get_model_version(registry.MODEL, str(version)).tags)


def on_trial_as_another_recipe(settings: Settings) -> None:
    """Put version 1 on trial as if trained today with one more feature."""
    tags = {"recipe": "one feature more", "model_version": "magnetcast-more"}
    registry.note(settings, 1, {**tags, "as_of": at(LATER).isoformat()})
    registry.nominate(settings, 1)


def result_of(cells: pd.DataFrame) -> Backtest:
    return Backtest(pd.DataFrame(), cells, pd.DataFrame())


def keep_cells(settings: Settings, model_version: str, cells: pd.DataFrame) -> None:
    tags = {"flow": "backtest", "model_version": model_version}
    with tracking.open_run(settings, name="backtest", tags=tags) as run:
        run.table(cells, "cells.csv")


def cells_like(rows: pd.DataFrame, moment: str, *, bias: float) -> pd.DataFrame:
    """Build a challenger's cells of the months of a forecast, which came as that forecast said."""
    result = rows.loc[rows["horizon"] <= 6, [*KEY, "horizon", "p50"]].assign(
        period=lambda own: pd.to_datetime(own["period"]), as_of=at(moment), model=MODEL
    )
    names = ("p05", "p10", "p25", "p75", "p90", "p95", "mean")
    made = result.assign(
        **dict.fromkeys(names, result["p50"] * (1 + bias)), p50=result["p50"] * (1 + bias)
    )
    truth = result[["destination", "period"]].assign(tonnes=result["p50"])
    scale = result[["destination", "cutoff"]].drop_duplicates().assign(scale=20.0)
    return cell_scores(made, truth, scale)


def test_a_harmful_feature_is_refused_by_its_measured_loss(released: Published) -> None:
    own = released.settings
    champion = registry.champion(own)
    assert champion is not None
    keep_cells(own, champion.model_version, make_cells())
    on_trial_as_another_recipe(own)
    before = aliases(own)

    outcome = promote(own, at(LATER), 1, result=result_of(make_cells(bias=0.25)))

    assert not outcome.is_champion
    rules = outcome.decision.table.set_index("rule")
    assert rules.loc["loss against the champion", "verdict"] == "broken"
    measured = rules.loc["loss against the champion", "measured"]
    assert "worse" in measured
    assert "of its stored backtest)" in measured
    assert aliases(own) == before
    tags = tags_of_version(own, 1)
    assert tags["decision"] == "refused"
    assert measured in tags["decision_reason"]
    assert "broken: loss against the champion" in tags["decision_rules"]


def unscored(settings: Settings, **tags: str) -> tuple[Champion, Champion]:
    """Return another recipe's challenger and the champion, whose backtest is not kept."""
    registry.note(settings, 2, {"model_version": "magnetcast-unscored", **tags})
    champion = registry.at_version(settings, 2)
    more = {"version": 3, "recipe": "one feature more", "model_version": "magnetcast-more"}
    return replace(champion, **more), champion  # type: ignore[arg-type]


def median_errors(pairs: pd.DataFrame) -> "pd.Series[float]":
    return pairs.groupby("model")["absolute_error"].sum() / pairs.groupby("model")["p50"].sum()


def test_without_a_backtest_the_publications_of_the_champions_recipe_are_compared(
    released: Published,
) -> None:
    own = released.settings
    pair = unscored(own)
    published = read_forecasts(store_of(own), as_of=at(AS_OF))
    challenger = cells_like(published, "2020-04-25", bias=0.5)

    pairs, source = champion_pairs(open_workspace(own, at(LATER)), challenger, pair)

    assert source == "the published forecasts of its recipe"
    assert pairs["model"].value_counts().to_dict() == {
        CHALLENGER: len(challenger),
        CHAMPION: len(challenger),
    }
    assert median_errors(pairs)[CHAMPION] == pytest.approx(0.0)
    assert median_errors(pairs)[CHALLENGER] == pytest.approx(1 / 3)


def test_without_publications_the_stored_champion_runs_again_but_never_on_what_it_learned_from(
    released: Published,
) -> None:
    own = released.settings
    pair = unscored(own, recipe="alone")
    workspace = open_workspace(own, at(LATER))
    published = read_forecasts(store_of(own), as_of=at(LATER))

    after, source = champion_pairs(workspace, cells_like(published, LATER, bias=0.5), pair)
    before, nothing = champion_pairs(workspace, cells_like(published, "2020-04-25", bias=0.5), pair)

    assert source == "its stored model, run again at the origins since its training"
    assert median_errors(after)[CHAMPION] == pytest.approx(0.0, abs=1e-9)
    assert (before.empty, nothing) == (True, "")


def test_a_model_is_never_compared_with_itself(released: Published) -> None:
    own = released.settings
    champion = registry.champion(own)
    assert champion is not None
    keep_cells(own, champion.model_version, make_cells())

    again = replace(champion, version=3)
    pairs, source = champion_pairs(open_workspace(own, at(LATER)), make_cells(), (again, champion))

    assert (pairs.empty, source) == (True, "")


def test_a_model_that_nothing_compares_stays_in_shadow_until_a_person_accepts_it(
    home: Settings, magnetcast: Callable[..., tuple[int, str, str]]
) -> None:
    own = home
    registry.note(own, 1, {"recipe": "another", "model_version": "magnetcast-gone"})
    for text in own.artifact_dir.rglob("p50.txt"):
        text.write_text("tree\n", encoding="utf-8")

    code, _, output = magnetcast("train", "--as-of", LATER)

    assert code == 0
    assert "version 2 stays challenger: paired origins: not compared" in output
    assert "a person has to decide" in output
    assert "shadow    version 2 forecast" in output
    assert aliases(own) == {"champion": 1, "challenger": 2}
    assert tags_of_version(own, 2)["decision"] == "not compared"

    code, _, err = magnetcast("promote", "--as-of", LATER, "--accept", "")
    assert code == 1
    assert "--accept without a reason promotes nothing" in err
    code, out, err = magnetcast("promote", "--as-of", LATER, "--format", "csv")
    assert code == 1
    assert out.startswith("rule,measured,expected,verdict,why")

    code, _, err = magnetcast("promote", "--as-of", LATER, "--accept", "looked at its errors")
    assert code == 0, err
    assert "(accepted: looked at its errors) is champion" in err
    assert "all rules held" not in err
    assert "not compared: paired origins" in err
    assert aliases(own) == {"champion": 2, "previous": 1}
    tags = tags_of_version(own, 2)
    assert (tags["decision"], tags["decision_reason"]) == ("accepted", "looked at its errors")
    assert "not compared: paired origins" in tags["decision_rules"]


def test_a_version_whose_features_are_gone_is_refused_and_the_aliases_stay(
    released: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = released.settings
    before = aliases(own)
    gone = ALL_FEATURES[0].name
    monkeypatch.setattr(stored, "ALL_FEATURES", ALL_FEATURES[1:])

    refused = f"Version 1 .*cannot forecast as of 2020-05-22: .*are no more: {gone}.*--accept"
    with pytest.raises(DataError, match=refused):
        rollback(own, at(LATER), "bands too narrow")
    with pytest.raises(DataError, match=refused):
        promote(own, at(LATER), 1, PromotionRequest(is_accepted=True, reason="the older is better"))

    assert aliases(own) == before == {"champion": 2, "previous": 1}
    assert "rolled_back" not in tags_of_version(own, 2)


def test_after_a_rollback_all_agree_on_who_answers(released: Published) -> None:
    own = released.settings
    one, two = (registry.at_version(own, version).model_version for version in (1, 2))
    assert "The newest forecast was made by the champion." in lines_of(examine(own, at(LATER)))

    rollback(own, at(LATER), "bands too narrow")

    output = lines_of(examine(own, at(LATER)))
    assert f"Champion: version 1, {one}." in output
    assert (
        f"The newest forecast was made by {two} (champion): it was taken back since (bands too "
        "narrow); the next run publishes anew."
    ) in output
    assert set(predict(own, at(LATER)).table["model"]) == {one}

    outcome = run(own, at(LATER))

    assert set(outcome.forecasts["model"]) == {one}
    assert "The newest forecast was made by the champion." in lines_of(examine(own, at(LATER)))
