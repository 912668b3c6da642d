import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
from mlflow import MlflowClient
from sqlalchemy import make_url
from sqlalchemy.exc import SQLAlchemyError

from features.build import ALL_FEATURES
from flows.run import run
from flows.system_health import examine
from flows.training.predict import predict
from flows.training.promote import promote, rollback
from models.evaluation.backtest import Backtest
from models.registry import model_registry
from models.registry.runs import log_table, open_run
from models.registry.stored_model import MODEL
from store.errors import DataError, StoreError
from store.settings import Settings
from tests.data.builders import at
from tests.data.cell_builders import make_cells
from tests.data.registry_builders import champion_of
from tests.flows.conftest import LATER, Call, Published, copied

pytestmark = pytest.mark.slow


@pytest.fixture
def released(second_run: Published, data_dir: Path, tmp_path: Path) -> Published:
    """A store of this test's own on which it ran again a release later."""
    return copied(second_run, tmp_path / "place", data_dir)


def aliases(settings: Settings) -> dict[str, int]:
    model = MlflowClient(settings.tracking_uri).get_registered_model(MODEL)
    return {name: int(version) for name, version in model.aliases.items()}


def tags_of_version(settings: Settings, version: int) -> dict[str, str]:
    client = MlflowClient(settings.tracking_uri)
    return dict(client.get_model_version(MODEL, str(version)).tags)


@contextmanager
def refusing(url: str, table: str) -> Iterator[None]:
    """Let a SQLite database refuse to change a table."""
    changes = ("INSERT", "UPDATE", "DELETE")
    with closing(sqlite3.connect(make_url(url).database or "")) as connection:
        for change in changes:
            connection.execute(
                f"CREATE TRIGGER no_{change} BEFORE {change} ON {table} "
                "BEGIN SELECT RAISE(ABORT, 'no room'); END"
            )
        yield
        for change in changes:
            connection.execute(f"DROP TRIGGER no_{change}")


def test_the_next_release_publishes_with_a_refit_and_keeps_the_way_back(
    released: Published,
) -> None:
    own, outcome = released.settings, released.outcome

    assert outcome.is_new
    assert aliases(own) == {"champion": 2}
    assert set(outcome.forecasts["status"]) == {"champion"}
    assert set(outcome.forecasts["reason"]) == {""}


def test_a_broken_champion_is_replaced_by_the_next_training(home: Settings) -> None:
    for text in home.artifact_dir.rglob("p50.txt"):
        text.write_text("tree\n", encoding="utf-8")

    outcome = run(home, at(LATER))

    assert aliases(home)["champion"] == 2
    assert set(outcome.forecasts["status"]) == {"champion"}


def test_a_harmful_feature_is_refused_by_its_measured_loss(released: Published) -> None:
    own = released.settings
    champion = champion_of(own)
    backtest = {"flow": "backtest", "model_version": champion.model_version}
    with open_run(own, name="backtest", tags=backtest):
        log_table(make_cells(), "cells.csv")
    # Version 1 as if trained today with one more feature.
    tags = {"recipe": "one feature more", "model_version": "magnetcast-more"}
    model_registry.set_tags(own, 1, {**tags, "as_of": at(LATER).isoformat()})
    model_registry.set_alias(own, "challenger", 1)
    before = aliases(own)
    result = Backtest(pd.DataFrame(), make_cells(bias=0.25), pd.DataFrame())

    outcome = promote(own, at(LATER), 1, result=result)

    assert not outcome.is_champion
    rules = outcome.decision.table.set_index("rule")
    assert rules.loc["loss against the champion", "verdict"] == "broken"
    assert aliases(own) == before
    tags = tags_of_version(own, 1)
    assert tags["decision"] == "refused"
    assert rules.loc["loss against the champion", "measured"] in tags["decision_reason"]


def test_a_model_that_nothing_compares_stays_challenger_until_a_person_accepts_it(
    home: Settings, magnetcast: Call
) -> None:
    own = home
    gone = {"recipe": "another", "model_version": "magnetcast-gone"}
    model_registry.set_tags(own, 1, gone)

    assert magnetcast("train", "--as-of", LATER)[0] == 0

    assert aliases(own) == {"champion": 1, "challenger": 2}
    assert tags_of_version(own, 2)["decision"] == "not compared"

    for words in (("--accept", ""), ()):
        assert magnetcast("promote", "--as-of", LATER, *words)[0] == 1
        assert aliases(own) == {"champion": 1, "challenger": 2}

    code, _, err = magnetcast("promote", "--as-of", LATER, "--accept", "looked at its errors")
    assert code == 0, err
    assert aliases(own) == {"champion": 2}
    tags = tags_of_version(own, 2)
    assert (tags["decision"], tags["decision_reason"]) == ("accepted", "looked at its errors")
    assert "not compared: paired origins" in tags["decision_rules"]


def test_a_version_whose_features_are_gone_is_refused_and_the_aliases_stay(
    released: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = released.settings
    before = aliases(own)
    gone = ALL_FEATURES[0].name
    monkeypatch.setattr("models.registry.stored_model.ALL_FEATURES", ALL_FEATURES[1:])

    refused = f"Version 1 .*cannot forecast as of 2020-05-22: .*are no more: {gone}.*--accept"
    model_registry.set_tags(own, 1, {"git_commit": "4711-dirty"})
    changed = r"trained it \(commit 4711, with changes since that no commit holds\)"
    with pytest.raises(DataError, match=changed):
        promote(own, at(LATER), 1, accept="the older is better")
    with pytest.raises(DataError, match=refused):
        rollback(own, at(LATER), "bands too narrow")
    with pytest.raises(DataError, match=refused):
        promote(own, at(LATER), 1, accept="the older is better")

    assert aliases(own) == before == {"champion": 2}
    assert "rolled_back" not in tags_of_version(own, 2)


@pytest.mark.parametrize(
    ("change", "left", "decision"),
    [
        (partial(rollback, reason="bands too narrow"), 1, (2, "rolled back")),
        (partial(promote, version=1, accept="the older is better"), 1, (1, "accepted")),
    ],
    ids=["rollback", "promotion"],
)
def test_a_change_of_champion_that_either_database_refuses_did_not_happen_and_can_be_repeated(
    released: Published,
    change: Callable[[Settings, pd.Timestamp], object],
    left: int,
    decision: tuple[int, str],
) -> None:
    own = released.settings
    names = {n: model_registry.at_version(own, n).model_version for n in (1, 2)}
    refusals = (
        (own.url, "champions", SQLAlchemyError),
        (own.tracking_uri, "registered_model_aliases", StoreError),
    )

    for url, table, error in refusals:
        with refusing(url, table), pytest.raises(error, match=r"no room|cannot be opened"):
            change(own, at(LATER))
        assert aliases(own) == {"champion": 2}
        assert tags_of_version(own, decision[0])["decision"] == "promoted"
        assert set(predict(own, at(LATER))["model"]) == {names[2]}

    change(own, at(LATER))

    output = [str(line) for line in examine(own, at(LATER)).lines]
    assert f"Champion: version 1, {names[1]}." in output
    assert set(run(own, at(LATER)).forecasts["model"]) == {names[left]}
    assert aliases(own) == {"champion": left}
    assert tags_of_version(own, decision[0])["decision"] == decision[1]


def test_a_lost_alias_is_told_and_the_next_run_or_a_person_mends_it(
    released: Published, capsys: pytest.CaptureFixture[str]
) -> None:
    own = released.settings
    client = MlflowClient(own.tracking_uri)
    lost = "MLflow names no champion; version 2 was the last"

    client.delete_registered_model_alias(MODEL, "champion")
    assert lost in {str(alarm.words).rstrip(".") for alarm in examine(own, at(LATER)).alarms}
    outcome = run(own, at(LATER))

    assert lost in capsys.readouterr().err
    assert aliases(own) == {"champion": 2}
    assert set(outcome.forecasts["status"]) == {"champion"}

    client.delete_registered_model_alias(MODEL, "champion")
    assert promote(own, at(LATER), 1).is_champion
    assert aliases(own) == {"champion": 1}
