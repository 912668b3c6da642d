import json
from functools import cache

import numpy as np

from features.origin import Origin
from models.monitoring.feature_drift import (
    FIRST_HELD,
    REFERENCE,
    feature_readings,
    reference_of,
)
from tests.data.builders import make_bare

MONTHS = 36


def origin(months: int, *, last: float = 1.0) -> Origin:
    """The first months of four noisy seasonal series, the last three changed."""
    rng = np.random.default_rng(3)
    age = np.arange(120)
    rows = {}
    for i in range(4):
        noise = 0.1 * rng.standard_normal(120)
        result = 100.0 * np.exp(0.2 * np.sin(age * np.pi / 6 + i) + noise)[:months]
        result[-3:] *= last
        rows[f"S{i}"] = result.tolist()
    return make_bare(rows, horizon=12)


@cache
def past() -> tuple[Origin, ...]:
    return tuple(origin(MONTHS + i) for i in range(2 * FIRST_HELD))


def test_a_reference_survives_the_card_and_calls_the_next_month_of_the_same_world_alike() -> None:
    card = json.loads(json.dumps({REFERENCE: reference_of(past())}))

    found = feature_readings(origin(MONTHS + 2 * FIRST_HELD), card)

    assert {one.subject for one in found} >= {"trade", "calendar"}
    assert not any(one.fired for one in found)
    assert all(one.size == FIRST_HELD for one in found)


def test_a_world_that_fell_to_a_tenth_is_reported_by_the_names_of_its_features() -> None:
    card = {REFERENCE: reference_of(past())}

    found = feature_readings(origin(MONTHS + 2 * FIRST_HELD, last=0.1), card)

    (trade,) = [one for one in found if one.fired]
    assert trade.subject == "trade"
    assert "tonnes_lag_1m_log" in trade.words or "tonnes_mean_3m_log" in trade.words
    assert "out of range" in trade.words


def test_few_past_origins_judge_nothing() -> None:
    card = {REFERENCE: reference_of(past()[: FIRST_HELD + 5])}

    found = feature_readings(origin(MONTHS + 2 * FIRST_HELD, last=0.1), card)

    assert not any(one.fired for one in found)
    assert "5 past origins to hold against; 24 are needed" in found[0].words


def test_a_card_of_an_older_release_states_that_nothing_can_be_reported() -> None:
    (found,) = feature_readings(past()[0], {"features": []})

    assert not found.fired
    assert "before references were kept" in found.words


def test_a_model_of_other_features_is_an_alarm() -> None:
    reference = reference_of(past()[:2]) | {"features": ["gone"]}

    (found,) = feature_readings(past()[0], {REFERENCE: reference})

    assert found.fired
