import json
from functools import cache

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest

from features.build import ALL_FEATURES
from features.controls.analogs import Analog
from features.origin import Origin
from models.forecasting.changes import reconciled_tonnes
from models.forecasting.decomposition import EXPLAINS, Stages, contributions, drivers, stages_of
from models.forecasting.model_frame import rows_of
from models.policy.policy_effect import PolicyEffect, effect_at
from models.quantile_model import OFFSET, TrainedModel, combined
from store.vocabulary import CONTRIBUTIONS, FAMILIES
from tests.data.builders import make_events, make_origin
from tests.data.why_builders import halted_analog, taught_boosters, taught_metadata


@cache
def origin_with(*, control: bool) -> Origin:
    act = {
        "event_id": "2020-08-control", "announced_on": "2020-06-10", "effective_from": "2020-08-01",
    }  # fmt: skip
    events = make_events(act if control else {"direction": "neutral"})
    flat = make_origin(events=events, tonnes={"USA": 300.0, "ITA": 40.0})
    wave = 1.0 + 0.2 * np.sin(np.arange(flat.tonnes.shape[1]) * np.pi / 6)
    flat.tonnes[:] *= wave
    return flat


def effect_on(origin: Origin, *analogs: Analog) -> PolicyEffect:
    return effect_at(origin, tuple(analogs), count=200)


def parts_of(
    metadata: dict[str, object], *, control: bool = False, analogs: tuple[Analog, ...] = ()
) -> tuple[pd.DataFrame, Stages, pd.DataFrame]:
    origin, model = origin_with(control=control), TrainedModel(taught_boosters(), metadata)
    rows = rows_of(origin)
    stages = stages_of(model, rows, origin, effect_on(origin, *analogs))
    return contributions(model, rows, origin, stages), stages, rows


def test_every_feature_is_reported_as_one_family_and_every_family_has_one() -> None:
    assert set(EXPLAINS) == {feature.name for feature in ALL_FEATURES}
    assert set(EXPLAINS.values()) == set(FAMILIES)


@pytest.mark.parametrize("analogs", [(), (halted_analog(),)], ids=["calm", "control"])
@pytest.mark.parametrize("weight", [(0.7, 0.5), (1.0,)], ids=["both", "trees"])
def test_parts_add_up_to_the_published_median(
    weight: tuple[float, ...], analogs: tuple[Analog, ...]
) -> None:
    parts, stages, _ = parts_of(taught_metadata(weight), control=bool(analogs), analogs=analogs)

    assert list(parts) == list(CONTRIBUTIONS)
    np.testing.assert_allclose(parts.sum(axis=1), stages.published["p50"], rtol=1e-9)


def test_only_a_control_without_own_months_has_a_response() -> None:
    calm, _, _ = parts_of(taught_metadata(), control=True)
    hit, stages, rows = parts_of(taught_metadata(), control=True, analogs=(halted_analog(),))

    assert (calm["policy_response"] == 0.0).all()
    august = (rows["destination"] == "USA") & (rows["period"] == pd.Timestamp("2020-09-01"))
    assert hit.loc[august, "policy_response"].item() < -0.3 * hit.loc[august, "level"].item()
    assert (stages.published["p50"] < stages.coherent["p50"]).loc[august].all()


def test_each_part_is_its_log_share_times_one_number_of_its_row() -> None:
    metadata = taught_metadata((1.0,))
    parts, stages, rows = parts_of(metadata)
    names = taught_boosters()["p50"].feature_name()
    tree = np.asarray(taught_boosters()["p50"].predict(rows[names].to_numpy(), pred_contrib=True))
    shift = np.asarray(metadata["bias_correction"])[rows["horizon"].astype(int) - 1]
    moved = stages.published["p50"] + rows[OFFSET]
    start = parts["level"] + rows[OFFSET]
    mean = (moved - start) / np.log(moved / start)

    np.testing.assert_allclose(parts["past_errors"], shift * mean, rtol=1e-6)
    np.testing.assert_allclose(parts["past_mean"], tree[:, -1] * mean, rtol=1e-6)
    tariffs = [place for place, name in enumerate(names) if EXPLAINS[name] == "tariffs"]
    expected = tree[:, tariffs].sum(axis=1) * mean
    np.testing.assert_allclose(parts["tariffs"], expected, rtol=1e-6, atol=1e-9)


def test_sums_that_are_made_to_agree_are_reported_the_same_alone() -> None:
    origin = origin_with(control=True)
    parts, stages, rows = parts_of(taught_metadata(), control=True, analogs=(halted_analog(),))

    alone = reconciled_tonnes(stages, rows, origin)

    np.testing.assert_allclose(alone, parts["reconciliation"], rtol=1e-9, atol=1e-9)
    assert np.abs(alone).max() > 0.1


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
