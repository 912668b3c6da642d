"""MLflow is expensive to set up: one migrated database and one stored model for all tests."""

from collections.abc import Mapping
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest

from models import quantile_model
from models.registry import model_registry
from models.registry.runs import open_run
from store.settings import PROJECT_ROOT, Settings
from tests.flows.conftest import with_mlflow
from tests.helpers import settings_in

SERVED_MODEL = PROJECT_ROOT / "flows" / "training" / "served_model.py"
HORIZONS = 18
LEVELS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
TAGS = {"as_of": "2026-02-25", "model_version": "m1", "data_vintage": "m1", "commodity": "m1"}
FEATURES = ["tonnes_lag_1m_log", "tariff_rate_pct", "horizon"]


def copied(template: Path, target: Path) -> Settings:
    """Settings of a copy of the migrated database with artifacts of its own."""
    return settings_in(with_mlflow(template, target))


@pytest.fixture
def mlflow_settings(mlflow_template: Path, tmp_path: Path) -> Settings:
    """Settings of a migrated, empty database that belongs to one test."""
    return copied(mlflow_template, tmp_path)


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
def mlflow_boosters(mlflow_rows: pd.DataFrame) -> dict[str, str]:
    """Three small boosters in text form, trained for real."""
    rng = np.random.default_rng(8)
    target = mlflow_rows["tonnes_lag_1m_log"].fillna(0.0) * 0.3 + rng.normal(size=len(mlflow_rows))
    common = {
        "objective": "quantile", "num_leaves": 7, "num_threads": 1, "deterministic": True,
        "force_row_wise": True, "seed": 1, "verbosity": -1,
    }  # fmt: skip
    return {
        name: lgb.train(
            {**common, "alpha": alpha},
            lgb.Dataset(mlflow_rows[FEATURES].astype(float), target),
            num_boost_round=20,
        ).model_to_string()
        for name, alpha in zip(quantile_model.BOOSTERS, (0.1, 0.5, 0.9), strict=True)
    }


@pytest.fixture(scope="session")
def mlflow_metadata() -> dict[str, object]:
    widening = np.linspace(1.0, 2.0, HORIZONS)
    return {
        "ensemble_weight": np.linspace(1.0, 0.5, HORIZONS).tolist(),
        "features": FEATURES,
        "floor_spread": 0.05,
        "bias_correction": np.linspace(0.0, 0.1, HORIZONS).tolist(),
        "score_quantiles": {
            f"p{round(level * 100):02d}": (3.0 * (level - 0.5) * widening).tolist()
            for level in LEVELS
        },
        "quantiles": list(LEVELS),
        "threads": 1,
        **model_registry.stamp({"features": FEATURES}),
    }


def keep_model(
    settings: Settings,
    boosters: Mapping[str, str],
    metadata: Mapping[str, object],
    example: pd.DataFrame,
    **tags: str,
) -> int:
    """Register a model with some other tags than the usual ones; returns its version."""
    model = {"boosters": boosters, "metadata": metadata, "example": example}
    with open_run(settings, name="train", tags={"flow": "train"}):
        return model_registry.register(
            settings, **model, script=SERVED_MODEL, tags={**TAGS, **tags}
        )


@pytest.fixture(scope="session")
def mlflow_stored(
    mlflow_template: Path,
    mlflow_boosters: Mapping[str, str],
    mlflow_metadata: Mapping[str, object],
    mlflow_rows: pd.DataFrame,
    tmp_path_factory: pytest.TempPathFactory,
) -> Settings:
    """Settings of a database with one registered version; only read."""
    settings = copied(mlflow_template, tmp_path_factory.mktemp("stored"))
    keep_model(settings, mlflow_boosters, mlflow_metadata, mlflow_rows)
    return settings


@pytest.fixture(scope="session")
def mlflow_stored_folder(mlflow_stored: Settings) -> Path:
    """Folder of the stored model: what may be copied to another machine."""
    [description] = mlflow_stored.artifact_dir.rglob("MLmodel")
    return description.parent
