import io
from collections.abc import Callable
from pathlib import Path

import mlflow
import pandas as pd
import pytest

from models.evaluation.scores import cell_scores
from models.registry import model_registry
from models.registry.runs import find_runs, log_table, open_run, read_text
from store.settings import Settings
from store.vocabulary import QUANTILE_COLUMNS
from tests.flows.conftest import Published, copied, point_at

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def compared(
    first_run: Published, data_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Published:
    """A store on which the main job ran, beside a backtest of half its errors."""
    place = copied(first_run, tmp_path_factory.mktemp("compared") / "place", data_dir)
    cells = pd.read_csv(io.StringIO(cells_of(place.settings)))
    middle = (cells["tonnes"] + cells["p50"]) / 2.0
    for name in cells.filter(regex=r"^(p\d\d|mean)$"):
        cells[name] += middle - cells["p50"]
    truth = cells[["destination", "period", "tonnes"]].drop_duplicates()
    scale = cells[["destination", "cutoff", "scale"]].drop_duplicates()
    result = ["as_of", "model", "destination", "cutoff", "period", "horizon"]
    forecasts = cells[[*result, *QUANTILE_COLUMNS, "mean"]]
    keep(place.settings, cell_scores(forecasts, truth, scale), learning_rate=0.1)
    return place


def cells_of(settings: Settings) -> str:
    [run] = find_runs(settings, {"flow": "backtest"})
    return read_text(settings, run.info.run_id, "cells.csv") or ""


def keep(settings: Settings, cells: pd.DataFrame, **params: float) -> str:
    """Record a backtest with these cells beside the first."""
    [first] = find_runs(settings, {"flow": "backtest", "model_version": version(settings)})
    named = first.data.tags.items()
    tags = {name: value for name, value in named if not name.startswith("mlflow.")}
    tags |= {"model_version": f"other-{len(cells)}-{params}"}
    with open_run(settings, name="backtest", tags=tags) as run:
        mlflow.log_params({**first.data.params, **params})
        log_table(cells, "cells.csv")
    return str(run.info.run_id)


def version(settings: Settings) -> str:
    return model_registry.at_version(settings, 1).model_version


def other(settings: Settings) -> str:
    [run] = [
        str(run.info.run_id)
        for run in find_runs(settings, {})
        if run.data.params.get("learning_rate") == "0.1"
    ]
    return run


def test_a_version_and_a_run_are_distinguished_by_choices_and_scores(
    compared: Published,
    data_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    magnetcast: Call,
    tmp_path: Path,
) -> None:
    point_at(compared.folder, data_dir, monkeypatch)
    run = other(compared.settings)

    table = tmp_path / "scores.csv"
    code, shown, output = magnetcast("compare", "1", run[:10], "--out", str(table))

    assert code == 0
    assert "A is version 1, run " in output
    assert f"B is run {run[:12]} (backtest)" in output
    assert ["learning_rate", "0.05", "0.1"] in [line.split() for line in shown.splitlines()]
    scores = pd.read_csv(table).set_index(["scope", "metric"])
    whole = scores.loc[("ALL", "wape")]
    assert whole["B"] == pytest.approx(whole["A"] / 2.0)
    assert whole["difference"] == pytest.approx(-whole["A"] / 2.0)
    scopes = set(scores.index.get_level_values("scope"))
    assert {"ALL", "WLD", "USA"} <= scopes
    assert {scope for scope in scopes if "lead" in scope} <= {"lead over", "lead 1-3", "lead 4-6"}
    assert {"lead over", "lead 1-3"} & scopes
