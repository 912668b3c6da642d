from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest

from features.build import features_at, frame_of
from features.families.trade import base_of
from features.origin import Origin
from models.forecasting.model_frame import evidence_training_set, outcome, rows_of
from store.errors import DataError
from tests.data.builders import QUICK, at, make_bare, make_table, make_world

MONTHS = 42


@cache
def origin_of(months: int) -> Origin:
    """Snapshot after some months of four series from 2018 on."""
    known = make_table(months=60).iloc[:, :months]
    rows = {str(name): list(row) for name, row in known.T.items()}
    return make_bare(rows, start="2018-01", horizon=3)


def now() -> Origin:
    return origin_of(MONTHS)


def past(*back: int) -> list[Origin]:
    return [origin_of(MONTHS - months) for months in back]


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


def test_weights_fall_with_the_standard_error() -> None:
    sure = now()
    unsure = np.zeros_like(sure.stderr)
    unsure[0, -2:] = 0.25  # as large as the cell noise: worth half

    data = evidence_training_set(past(2), replace(sure, stderr=unsure), QUICK)

    assert data.weight[0] / data.weight[2] == pytest.approx(0.5)


def test_without_a_past_there_is_nothing_to_train_on() -> None:
    with pytest.raises(DataError, match="Too little to train on at cutoff 2021-06"):
        evidence_training_set([], now(), QUICK)


def test_rows_to_ask_about_are_the_features_and_what_the_base_forecasts_say() -> None:
    origin = make_world().history().origin(at("2020-04-22"))

    rows = rows_of(origin)

    pd.testing.assert_frame_equal(
        rows.drop(columns="experts_tonnes"), frame_of(origin), check_exact=True
    )
    predicted = rows.pivot_table(index="destination", columns="period", values="experts_tonnes")
    features, ahead = features_at(origin), origin.targets > origin.today
    naive = features.base_forecasts["seasonal_naive"]
    for place, name in enumerate(origin.series):
        told = predicted.loc[name].to_numpy()
        np.testing.assert_array_equal(told[~ahead], features.base[place, ~ahead])
        low, high = np.sort([features.base[place, ahead], naive[place, ahead]], axis=0)
        assert ((low - 1e-9 <= told[ahead]) & (told[ahead] <= high + 1e-9)).all()
    assert ahead.any()
    assert not ahead.all()
