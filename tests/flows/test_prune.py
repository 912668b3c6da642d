import json
import os
from pathlib import Path

import mlflow
import pandas as pd
import pytest
from mlflow import MlflowClient

from flows.backup import old_answers, prune
from flows.clock import utc_now
from flows.context.stores import made_store
from models.registry import registry, runs
from models.registry.registry import ALIASES, MODEL
from models.registry.runs import open_run
from store.publications.publishing import publish_forecasts
from store.settings import Settings
from tests.data.builders import at
from tests.flows.conftest import Published

LATER = at("2100-01-01")
"""So that every run is old."""


def run_with(settings: Settings, name: str, *, model: str, alias: str | None = None) -> str:
    """Leave a run with a file and a registered version in MLflow."""
    tags = {"model_version": model}
    with open_run(settings, name=name, tags=tags) as run:
        mlflow.log_text("kept", "note.txt")
    client, _ = runs.connect(settings)
    if not client.search_registered_models(f"name = '{MODEL}'"):
        client.create_registered_model(MODEL)
    location = str(run.info.artifact_uri)
    made = client.create_model_version(MODEL, location, run_id=run.info.run_id, tags=tags)
    if alias:
        client.set_registered_model_alias(MODEL, alias, made.version)
    return str(run.info.run_id)


def left(client: MlflowClient, experiment: str) -> set[str]:
    return {run.info.run_name for run in client.search_runs([experiment], max_results=100)}


@pytest.fixture
def settings(place: Path, published: Published) -> Settings:
    """A store in which one publication names the model ``published``; MLflow is empty."""
    found = Settings()
    assert place in found.home.parents
    publish_forecasts(
        made_store(found),
        published.outcome.forecasts.assign(model="published"),
        as_of=at("2020-04-22"),
        data_vintage="v",
    )
    return found


@pytest.mark.slow
def test_runs_that_an_alias_or_a_publication_needs_stay(settings: Settings) -> None:
    gone = run_with(settings, "idle", model="other")
    run_with(settings, "aliased", model="another", alias="champion")
    run_with(settings, "on trial", model="yet another", alias="challenger")
    run_with(settings, "before", model="one more", alias="previous")
    run_with(settings, "published", model="published")
    run_with(settings, "newest", model="more")
    client, experiment = runs.connect(settings)
    folder = settings.artifact_dir / gone

    would = prune(settings, LATER, keep_runs=1, keep_days=1, dry_run=True)
    before = left(client, experiment)
    done = prune(settings, LATER, keep_runs=1, keep_days=1)

    assert [run.run_id for run in would.runs] == [run.run_id for run in done.runs] == [gone]
    stay = {"aliased", "on trial", "before", "published", "newest"}
    assert before == {"idle", *stay}
    assert left(client, experiment) == stay
    assert not any(file.is_file() for file in folder.rglob("*"))
    assert all(registry.by_alias(settings, alias) for alias in ALIASES)
    assert len(client.search_model_versions(f"name = '{MODEL}'")) == len(stay)


def test_young_runs_and_those_that_go_on_stay(settings: Settings) -> None:
    run_with(settings, "young", model="other")
    with open_run(settings, name="going", tags={}):
        young = prune(settings, utc_now(), keep_runs=0, keep_days=1, dry_run=True)
        going = prune(settings, LATER, keep_runs=0, keep_days=1, dry_run=True)

    assert young.runs == ()
    assert [run.name for run in going.runs] == ["young"]


def test_old_answers_go_and_bodies_that_a_young_note_names_stay(tmp_path: Path) -> None:
    for name, sha, age in [("a", "1", 9), ("b", "2", 9), ("c", "2", 1)]:
        note, body = tmp_path / f"{name}.json", tmp_path / f"{sha}.body"
        note.write_text(json.dumps({"sha256": sha}))
        body.write_text("answer")
        days = (at("2026-11-25") - pd.Timedelta(days=age)).timestamp()
        os.utime(note, (days, days))
        old = (at("2026-11-25") - pd.Timedelta(days=9)).timestamp()
        os.utime(body, (old, old))

    found = old_answers(tmp_path, at("2026-11-20"))

    assert [file.name for file in found] == ["1.body", "a.json", "b.json"]


@pytest.mark.usefixtures("place")
def test_folders_that_a_killed_run_left_are_swept() -> None:
    settings = Settings()
    made_store(settings)
    for name in (".2020-04-22.abc", ".2020-05-22.def", "2020-04-22"):
        (settings.reports_dir / name).mkdir(parents=True)
    os.utime(settings.reports_dir / ".2020-04-22.abc", (0, 0))

    prune(settings, utc_now())

    assert sorted(one.name for one in settings.reports_dir.iterdir()) == [
        ".2020-05-22.def", "2020-04-22",
    ]  # fmt: skip
