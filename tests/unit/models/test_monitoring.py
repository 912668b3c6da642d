import numpy as np
import pandas as pd
import pytest

from models.forecasting.model_names import MODEL, REFERENCE
from models.monitoring import (
    RECENT,
    coverage_drift,
    effective_sample_size,
    error_readings,
    mean_shift,
    published_cells,
)
from store.vocabulary import QUANTILE_COLUMNS


def is_beyond(values: np.ndarray) -> bool:
    value, bound = mean_shift(values, RECENT)
    return value > bound


def worlds(count: int, months: int, alike: float) -> np.ndarray:
    """Rows of a stationary series whose neighbours correlate."""
    rng = np.random.default_rng(11)
    found = rng.standard_normal((count, months))
    for i in range(1, months):
        found[:, i] = alike * found[:, i - 1] + np.sqrt(1 - alike**2) * found[:, i]
    return found


@pytest.mark.parametrize("alike", [0.0, 0.6])
def test_a_world_that_stays_as_it_was_seldom_sets_off_an_alarm(alike: float) -> None:
    fired = [is_beyond(one) for one in worlds(600, 24, alike)]

    assert np.mean(fired) < 0.03


def test_errors_three_times_as_large_as_before_are_found_most_of_the_time() -> None:
    moved = 0.5 * worlds(200, 24, 0.0)
    moved[:, -RECENT:] += np.log(3.0)

    assert np.mean([is_beyond(one) for one in moved]) > 0.6


def test_cells_that_hit_and_miss_together_count_for_few() -> None:
    cells = np.full(24, 10.0)
    apart, together = np.tile([0.8, 0.79], 12), np.tile([1.0, 1.0, 1.0, 1.0, 0.0, 1.0], 4)

    assert effective_sample_size(apart, cells, 12, 0.8) == 120.0
    assert effective_sample_size(together, cells, 12, 0.8) < 15.0


@pytest.mark.parametrize(("covered", "fired"), [(0.8, False), (0.55, True), (1.0, True)])
def test_a_band_that_holds_too_little_or_too_much_is_reported(covered: float, fired: bool) -> None:  # noqa: FBT001
    months = pd.DataFrame({"covered": [covered] * 24, "cells": 10})

    assert coverage_drift(months).fired == fired


def test_too_few_months_judge_nothing_and_say_how_many_are_needed() -> None:
    found = error_readings(cells(["2025-01", "2025-02"]))

    assert not any(one.fired for one in found)
    assert str(found[0].words) == "2 scored months; 12 are needed to judge."


def cells(periods: list[str], *, p50: float = 100.0) -> pd.DataFrame:
    rows = [
        {
            "model": model, "as_of": "2024-12-25", "destination": name, "cutoff": "2024-11",
            "period": pd.Timestamp(period), "horizon": i + 1,
            **dict.fromkeys(QUANTILE_COLUMNS, p50),
            "tonnes": 110.0, "scale": 20.0, "absolute_error": 10.0, "is_covered": False,
        }
        for model in (MODEL, REFERENCE, "drift")
        for name in ("USA", "WLD")
        for i, period in enumerate(periods)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_what_was_published_is_scored_as_it_stood_and_sums_are_left_out() -> None:
    result = cells(["2025-01"], p50=90.0).assign(p10=80.0, p90=120.0)

    found = published_cells(cells(["2025-01", "2025-02"]), result)

    own = found.loc[found["model"] == MODEL].set_index("period")
    assert set(found["destination"]) == {"USA"}
    assert set(found["model"]) == {MODEL, REFERENCE}
    assert own["absolute_error"].tolist() == [20.0, 10.0]
    assert own["is_covered"].tolist() == [True, False]
    assert own["is_published"].tolist() == [True, False]
