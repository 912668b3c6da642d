import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from flows.context.stores import store_of
from flows.context.workspace import open_workspace
from flows.training.predict import fallback_chain, forecast_of, made_on, predict
from models.registry import model_registry
from store.facts.reading import latest_forecast
from store.publications.publication_writing import publish_forecasts
from store.settings import Settings
from store.vocabulary import AGGREGATES, CONTRIBUTIONS
from tests.data.builders import at
from tests.flows.conftest import LATER, Published, copied

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def twice(
    second_run: Published, data_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Settings:
    """Settings of a store of two releases; what a test breaks, it mends."""
    return copied(second_run, tmp_path_factory.mktemp("twice") / "place", data_dir).settings


def folder_of(settings: Settings, version: int) -> Path:
    """Return the folder of a version's boosters."""
    name = model_registry.at_version(settings, version).model_version
    wanted = [
        path.parent
        for path in settings.artifact_dir.rglob("p50.txt")
        if name in (path.parents[2] / "MLmodel").read_text(encoding="utf-8")
        or model_registry.load(settings, version).boosters["p50"].model_to_string()
        == path.read_text(encoding="utf-8")
    ]
    assert len(wanted) == 1
    return wanted[0]


def assert_coherent(made: pd.DataFrame) -> None:
    mean = made.pivot_table(index="period", columns="destination", values="mean")
    for name, members in AGGREGATES.items():
        np.testing.assert_allclose(mean[list(members)].sum(axis=1), mean[name], rtol=1e-6)


def assert_explained(made: pd.DataFrame) -> None:
    parts = pd.DataFrame([json.loads(text) for text in made["contributions"]])
    assert list(parts) == list(CONTRIBUTIONS)
    np.testing.assert_allclose(parts.sum(axis=1), made["p50"], atol=1e-6)


def test_a_champion_whose_file_is_gone_gives_way_to_the_previous(
    twice: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    head = folder_of(twice, 2) / "p10.txt"
    hidden = head.rename(head.with_suffix(".hidden"))
    try:
        made = predict(twice, at(LATER))
    finally:
        hidden.rename(head)

    assert set(made["status"]) == {"previous champion"}
    [reason] = set(made["reason"])
    assert reason.startswith("champion: Version 2 of model 'magnetcast' cannot be read")
    assert "/" not in reason
    assert "previous champion answers for" in capsys.readouterr().err
    assert_coherent(made)
    assert_explained(made)


def test_changed_texts_of_both_champions_leave_the_base_forecasts(twice: Settings) -> None:
    kept = {path: path.read_bytes() for path in twice.artifact_dir.rglob("p50.txt")}
    assert len(kept) == 2
    for path, content in kept.items():
        path.write_bytes(content.replace(b"leaf_value", b"leaf_valve"))
    try:
        made = predict(twice, at(LATER))
    finally:
        for path, content in kept.items():
            path.write_bytes(content)

    assert set(made["status"]) == {"statistical ensemble"}
    assert made["model"].str.startswith("statistical-").all()
    [reason] = set(made["reason"])
    assert reason.startswith("champion: ")
    assert "; previous champion: " in reason
    assert_coherent(made)
    assert_explained(made)


def test_evidence_lost_for_one_destination_is_forecast_by_base_forecasts_and_published(
    twice: Settings,
) -> None:
    workspace = open_workspace(twice, at(LATER))
    origin = workspace.history.origin(workspace.as_of)
    tonnes = origin.tonnes.copy()
    tonnes[origin.series.index("JPN"), -12:] = np.nan
    lost = replace(origin, tonnes=tonnes)

    known = replace(workspace.snapshot, origin=lost)
    made = forecast_of(workspace, made_on(workspace, fallback_chain(workspace, known), known))

    status = made.groupby("destination")["status"].agg(set)
    assert status.pop("JPN") == {"statistical ensemble"}
    assert all(one == {"champion"} for one in status)
    assert np.isfinite(made["p50"]).all()
    assert_coherent(made)
    assert_explained(made)
    rows = publish_forecasts(store_of(twice), made, as_of=at("2020-05-23"), data_vintage="lost")
    assert rows == 144
    latest = latest_forecast(store_of(twice))
    result = latest.loc[latest["destination"] == "JPN", "reason"]
    assert result.str.contains("no finite forecast from what is known").all()
    assert set(latest.loc[latest["destination"] != "JPN", "reason"]) == {""}
