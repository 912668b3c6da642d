from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.beat_us.lay import lay
from benchmarks.beat_us.task import FACTS, KEY, LEADS, LEVELS, Task, checked, entered, scores
from models.evaluation import backtest
from models.evaluation.scores import cell_scores, group_label, lead_scores
from tests.data.builders import QUICK, at, bundled_world, make_world

ENTRIES = Path(__file__).resolve().parents[3] / "benchmarks" / "beat_us" / "entries"
DAYS = ("2020-10-01", "2020-11-30")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    """Return the task of a small world."""
    world = make_world(last="2020-12")
    folder = tmp_path_factory.mktemp("task")
    frames = (world.observations, world.events, world.tariffs, bundled_world().analog_events)
    facts = dict(zip(FACTS, frames, strict=True))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backtest, "SCORED_FROM", at(DAYS[0]))
        lay(facts, folder, as_of=at("2021-02-25"), parameters=QUICK, days=DAYS)
    return Task(folder)


@pytest.fixture
def asked(task: Task) -> pd.DataFrame:
    day = task.asked["as_of"].min()
    return task.asked.loc[task.asked["as_of"] == day].reset_index(drop=True)


def test_a_day_is_reported_what_was_known_by_then_and_all_of_it(task: Task) -> None:
    questions = list(task.questions())

    assert [f"{q.as_of:%Y-%m-%d}" for q in questions] == ["2020-10-25", "2020-11-25"]
    result = [len(question.facts["observations"]) for question in questions]
    assert result == sorted(set(result))
    for question in questions:
        assert all(
            (rows["available_at"] <= question.as_of).all() for rows in question.facts.values()
        )
        months = question.panel["period"].str[:7]
        assert months.max() < question.asked["period"].min()
        assert {0, 1, 11} < set(question.asked["lead"])
        assert question.asked["lead"].max() <= 12


def test_the_naive_entry_answers_every_day_and_is_scored_as_the_product_scores(task: Task) -> None:
    result = entered(ENTRIES / "seasonal_naive.py", task)

    found = scores(result, task).set_index(["scope", "lead"])

    result["period"] = pd.to_datetime(result["period"])
    truth = task.truth.assign(period=pd.to_datetime(task.truth["period"]))
    scale = task.scale.rename(columns={"as_of": "cutoff"})
    named = result.rename(columns={"as_of": "cutoff"}).assign(model="seasonal_naive")
    named = named.assign(asked_lead=named["lead"])
    cells = cell_scores(named, truth, scale)
    expected = lead_scores(cells.assign(lead=cells["asked_lead"]), LEADS)
    labels = {last: group_label(first, last) for first, last in LEADS}
    expected = expected.assign(lead=expected["horizon_to"].map(labels))
    expected = expected.set_index(["scope", "lead"])
    assert {("WLD", "over"), ("USA", "1-3")} <= set(expected.index)
    for metric in ("wape", "sql", "coverage80", "bias", "cells"):
        for key in expected.index.intersection(found.index):
            assert found.loc[key, metric] == pytest.approx(expected.loc[key, metric])


def test_our_own_forecasts_are_an_entry(task: Task) -> None:
    folder = task._panels.parent

    result = entered(folder / "magnetcast.csv", task)

    assert len(result) == len(task.asked)
    assert scores(result, task)["wape"].dropna().between(0, 1).all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda said: said.drop(columns="p50"), "no column p50"),
        (lambda said: said.iloc[1:], "1 rows like it"),
        (lambda said: said.assign(p05=-1.0), "at least 0"),
        (lambda said: said.assign(p90=0.0), "ascending order"),
        (lambda said: said.assign(p95=np.inf), "finite"),
        (lambda said: pd.concat([said, said.iloc[:1]]), "there twice"),
    ],
)
def test_what_is_no_forecast_is_refused_in_words(
    asked: pd.DataFrame, change: object, words: str
) -> None:
    said = asked.assign(**dict.fromkeys(LEVELS, 10.0))

    with pytest.raises(SystemExit, match=words):
        checked(change(said)[[*KEY, *(set(LEVELS) & set(change(said)))]], asked, where="an entry")


def test_without_a_task_it_is_said_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"benchmarks\.beat_us\.lay"):
        Task(tmp_path)
