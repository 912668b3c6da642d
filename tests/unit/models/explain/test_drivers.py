import json

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest

from models.forecasting.decomposition import drivers
from models.quantile_model import TrainedModel, combined


@pytest.fixture
def boosters() -> dict[str, lgb.Booster]:
    rng = np.random.default_rng(6)
    rows = rng.normal(size=(400, 4))
    target = 1.0 * rows[:, 0] - 0.3 * rows[:, 1] + 0.05 * rows[:, 2]
    options = {"num_leaves": 8, "num_threads": 1, "verbosity": -1, "seed": 1}
    table = lgb.Dataset(rows, target, feature_name=["big", "small", "tiny", "none"])
    return {"p50": lgb.train(options, table, num_boost_round=40)}


ALONE: dict[str, object] = {"ensemble_weight": [1.0]}
SCALE = {"horizon": 1.0, "level_tonnes": 100.0, "offset_tonnes": 0.0, "experts_tonnes": 100.0}


def test_the_three_features_that_moved_a_forecast_most_come_first(
    boosters: dict[str, lgb.Booster],
) -> None:
    rows = pd.DataFrame({"none": [0.0], "tiny": [0.0], "small": [1.5], "big": [1.5]})

    [text] = drivers(TrainedModel(boosters, ALONE), rows.assign(**SCALE), pd.Series([100.0]))

    names = [name for name, _ in json.loads(text)]
    assert len(names) == 3
    assert names[:2] == ["big", "small"]


def test_tonnes_are_what_the_median_would_lose_without_the_feature(
    boosters: dict[str, lgb.Booster],
) -> None:
    rows = pd.DataFrame({"big": [1.5, -1.5], "small": [0.0, 0.0], "tiny": 0.0, "none": 0.0})
    share = np.asarray(boosters["p50"].predict(rows, pred_contrib=True))[:, 0]

    texts = drivers(TrainedModel(boosters, ALONE), rows.assign(**SCALE), pd.Series([100.0, 100.0]))
    raised, lowered = (json.loads(text)[0][1] for text in texts)

    assert raised == pytest.approx(100 * (1 - np.exp(-share[0])), abs=0.05)
    assert lowered == pytest.approx(100 * (1 - np.exp(-share[1])), abs=0.05)
    assert raised > 0 > lowered


def weighed(weight: float, *, base: float) -> tuple[dict[str, object], pd.DataFrame]:
    """Metadata and rows of an ensemble weight and a base forecast in tonnes."""
    rows = pd.DataFrame({"big": [1.5], "small": [0.0], "tiny": 0.0, "none": 0.0, "horizon": 1.0})
    scaling = {"level_tonnes": 100.0, "offset_tonnes": 0.0, "experts_tonnes": base}
    return {"ensemble_weight": [weight]}, rows.assign(**scaling)


def test_base_forecasts_are_one_thing_that_moves_a_forecast(
    boosters: dict[str, lgb.Booster],
) -> None:
    metadata, rows = weighed(0.25, base=800.0)

    [text] = drivers(TrainedModel(boosters, metadata), rows, pd.Series([100.0]))

    name, tonnes = json.loads(text)[0]
    assert name == "experts_tonnes"
    assert tonnes == pytest.approx(100 * (1 - 8.0**-0.75), abs=0.05)


def test_contributions_add_up_to_the_middle(boosters: dict[str, lgb.Booster]) -> None:
    metadata, rows = weighed(0.6, base=150.0)
    whole = np.asarray(boosters["p50"].predict(rows.iloc[:, :4], pred_contrib=True))[0]
    middle = 0.6 * whole.sum() + 0.4 * np.log(1.5)

    together = combined((whole[:1], np.array([whole.sum()]), whole[:1]), metadata, rows)[1]

    assert together[0] == pytest.approx(middle)
