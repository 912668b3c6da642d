from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from features.build import base_of, feature_block
from features.history import TableHistory, moment_after
from features.months import month_number
from features.origin import Origin
from models.frame import outcome, training_set
from store.errors import DataError
from tests.data.builders import QUICK, make_table

CUTOFF = month_number("2021-06")


@cache
def history() -> TableHistory:
    return TableHistory(make_table(months=60), horizon=3)


def now() -> Origin:
    return history().origin(moment_after(CUTOFF))


def past(*back: int) -> list[Origin]:
    return [history().origin(moment_after(CUTOFF - months)) for months in back]


def test_targets_are_log_ratios_to_the_base_as_known_then() -> None:
    [origin] = past(3)

    ratio, stderr = outcome(origin, now())

    tonnes = now().tonnes[:, -3:]
    offset = origin.offset[:, None]
    np.testing.assert_allclose(ratio, np.log((tonnes + offset) / (base_of(origin) + offset)))
    assert (stderr == 0).all()


def test_months_after_the_moment_are_no_targets() -> None:
    ratio, stderr = outcome(past(1)[0], now())

    assert np.isfinite(ratio[:, 0]).all()
    assert np.isnan(ratio[:, 1:]).all()
    assert np.isnan(stderr[:, 1:]).all()


def test_rows_are_the_known_targets_with_their_features() -> None:
    data = training_set(past(2, 1), now(), QUICK)

    names, block = feature_block(past(2)[0])
    assert data.names == names
    assert data.features.shape == (4 * 2 + 4 * 1, len(names))
    np.testing.assert_array_equal(data.features[0], block[0, 0])


def test_weights_fall_with_the_standard_error_and_are_one_on_average() -> None:
    sure = now()
    unsure = np.zeros_like(sure.stderr)
    unsure[0, -2:] = 0.25  # as large as the cell noise: worth half

    data = training_set(past(2), replace(sure, stderr=unsure), QUICK)

    assert data.weight.mean() == pytest.approx(1.0)
    assert data.weight[0] / data.weight[2] == pytest.approx(0.5)


def test_cells_less_certain_than_the_limit_train_nothing() -> None:
    unsure = np.zeros_like(now().stderr)
    unsure[0, -2:] = 0.51

    data = training_set(past(2), replace(now(), stderr=unsure), QUICK)

    assert len(data.target) == 3 * 2


def test_an_origin_of_twice_the_half_life_counts_a_quarter() -> None:
    spec = replace(QUICK, half_life_months=5.0)

    data = training_set(past(11, 1), now(), spec)

    assert data.weight[0] / data.weight[-1] == pytest.approx(0.25)


def test_series_without_a_base_train_nothing() -> None:
    table = make_table(months=60)
    table.loc["S0"] = np.nan
    bare = TableHistory(table, horizon=3)

    data = training_set(
        [bare.origin(moment_after(CUTOFF - 3))], bare.origin(moment_after(CUTOFF)), QUICK
    )

    assert len(data.target) == 3 * 3
    assert np.isfinite(data.target).all()


def test_without_a_past_there_is_nothing_to_train_on() -> None:
    with pytest.raises(DataError, match="Nothing to train on at cutoff 2021-06"):
        training_set([], now(), QUICK)
