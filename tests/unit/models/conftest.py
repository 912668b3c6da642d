"""MLflow is expensive to set up: one migrated database and one stored model for all tests."""

import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest

from models.registry import contract, registry, served, tracking
from store.settings import PROJECT_ROOT, Settings
from tests.made_once import made_once

HORIZONS = 18
LEVELS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
FEATURES = ["tonnes_lag_1m_log", "tariff_rate_pct", "horizon"]
OPEN = """
import sys
from models.registry.registry.tracking import connect
from store.settings import Settings
connect(Settings(home=sys.argv[1], tracking_uri=sys.argv[2], artifact_dir=sys.argv[3]))
"""


def settings_in(folder: Path) -> Settings:
    return Settings(
        home=folder / "var",
        tracking_uri=f"sqlite:///{folder}/mlruns/mlflow.db",
        artifact_dir=folder / "mlruns" / "artifacts",
    )


@pytest.fixture(scope="session")
def mlflow_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_once(tmp_path_factory, "mlflow-folder", Path.mkdir)


@pytest.fixture(scope="session")
def mlflow_first_openings(
    mlflow_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> list[tuple[int, str]]:
    """Two processes that made the same database at once: exit code and output of each."""

    def fill(folder: Path) -> None:
        folder.mkdir()
        told = json.dumps(opened_at_once(mlflow_folder))
        (folder / "told.json").write_text(told, encoding="utf-8")

    folder = made_once(tmp_path_factory, "mlflow-openings", fill)
    told = json.loads((folder / "told.json").read_text(encoding="utf-8"))
    return [(code, output) for code, output in told]


def opened_at_once(folder: Path) -> list[tuple[int, str]]:
    settings = settings_in(folder)
    paths = [str(settings.home), settings.tracking_uri, str(settings.artifact_dir)]
    processes = [
        subprocess.Popen(  # noqa: S603 - our own interpreter and script
            [sys.executable, "-c", OPEN, *paths],
            cwd=PROJECT_ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=600)[0] for process in processes]
    return [
        (process.returncode, output) for process, output in zip(processes, outputs, strict=True)
    ]


@pytest.fixture(scope="session")
def mlflow_migrated(mlflow_folder: Path, mlflow_first_openings: list[tuple[int, str]]) -> Path:
    """Folder of a migrated, empty database to copy from."""
    assert any(code == 0 for code, _ in mlflow_first_openings), mlflow_first_openings
    return mlflow_folder


def copied(folder: Path, target: Path) -> Settings:
    """Return settings of a copy of the migrated database with artifacts of its own."""
    settings = settings_in(target)
    settings.artifact_dir.mkdir(parents=True)
    database = target / "mlruns" / "mlflow.db"
    shutil.copy(folder / "mlruns" / "mlflow.db", database)
    connection = sqlite3.connect(database)
    with connection:
        connection.execute(
            "UPDATE experiments SET artifact_location = ? WHERE name = ?",
            (settings.artifact_dir.as_uri(), tracking.EXPERIMENT),
        )
    connection.close()
    return settings


@pytest.fixture
def mlflow_settings(mlflow_migrated: Path, tmp_path: Path) -> Settings:
    """Settings of a migrated, empty database that belongs to one test."""
    return copied(mlflow_migrated, tmp_path)


@pytest.fixture(scope="session")
def mlflow_rows() -> pd.DataFrame:
    rng = np.random.default_rng(7)
    lag = rng.normal(size=240)
    lag[::11] = np.nan
    return pd.DataFrame(
        {
            "destination": "DEU",
            "tonnes_lag_1m_log": lag,
            "tariff_rate_pct": rng.choice([0.0, 10.0, 35.0], size=240),
            "horizon": rng.integers(1, HORIZONS + 1, size=240),
            "level_tonnes": rng.integers(0, 900, size=240),
            "offset_tonnes": 1,
            "experts_tonnes": rng.uniform(0.0, 900.0, size=240),
        },
        index=pd.RangeIndex(1000, 1240),
    )


@pytest.fixture(scope="session")
def mlflow_heads(mlflow_rows: pd.DataFrame) -> dict[str, str]:
    """Three small boosters in text form, trained for real."""
    rng = np.random.default_rng(8)
    target = mlflow_rows["tonnes_lag_1m_log"].fillna(0.0) * 0.3 + rng.normal(size=len(mlflow_rows))
    common = {
        "objective": "quantile",
        "num_leaves": 7,
        "num_threads": 1,
        "deterministic": True,
        "force_row_wise": True,
        "seed": 1,
        "verbosity": -1,
    }
    return {
        name: lgb.train(
            {**common, "alpha": alpha},
            lgb.Dataset(mlflow_rows[FEATURES].astype(float), target),
            num_boost_round=20,
        ).model_to_string()
        for name, alpha in zip(served.HEADS, (0.1, 0.5, 0.9), strict=True)
    }


@pytest.fixture(scope="session")
def mlflow_card() -> dict[str, object]:
    widening = np.linspace(1.0, 2.0, HORIZONS)
    return {
        "format": 2,
        "trees_weight": np.linspace(1.0, 0.5, HORIZONS).tolist(),
        "features": FEATURES,
        "floor_spread": 0.05,
        "shift": np.linspace(0.0, 0.1, HORIZONS).tolist(),
        "score_quantiles": {
            f"p{round(level * 100):02d}": (3.0 * (level - 0.5) * widening).tolist()
            for level in LEVELS
        },
        "quantiles": list(LEVELS),
        "spec": {"leaves": 7},
        "threads": 1,
        **contract.stamp(),
    }


@pytest.fixture(scope="session")
def mlflow_stored(
    mlflow_migrated: Path,
    mlflow_heads: Mapping[str, str],
    mlflow_card: Mapping[str, object],
    mlflow_rows: pd.DataFrame,
    tmp_path_factory: pytest.TempPathFactory,
) -> Settings:
    """Settings of a database with one registered version; only read."""
    settings = copied(mlflow_migrated, tmp_path_factory.mktemp("stored"))
    with tracking.open_run(settings, name="train", tags={"flow": "train"}) as run:
        registry.register(
            settings,
            run,
            heads=mlflow_heads,
            card=mlflow_card,
            example=mlflow_rows,
            tags={"model_version": "m1", "as_of": "2026-02-25", "data_vintage": "abc"},
        )
    return settings


@pytest.fixture(scope="session")
def mlflow_stored_folder(mlflow_stored: Settings) -> Path:
    """Folder of the stored model: what may be copied to another machine."""
    [description] = mlflow_stored.artifact_dir.rglob("MLmodel")
    return description.parent
