"""Panels of quarters and weeks by the Python API: dated as they came, with a season of a year."""

import numpy as np
import pandas as pd
import pytest

import magnetcast as mc
from store.errors import DataError
from tests.data.period_builders import PERIODS, make_panel


@pytest.mark.slow
@pytest.mark.parametrize(("freq", "year", "count"), PERIODS.values(), ids=PERIODS)
def test_forecasts_go_on_with_the_dates_and_the_season_of_the_panel(
    freq: str, year: int, count: int
) -> None:
    panel = make_panel(freq, year, count)
    ahead = {4: 4, 52: 13}[year]
    model = mc.Forecaster().fit(panel)

    found = model.predict()

    later = pd.date_range(panel["ds"].max(), periods=ahead + 1, freq=freq)[1:]
    one = found.loc[found["unique_id"] == "s03"]
    assert list(one["ds"]) == list(later)
    assert pd.tseries.frequencies.to_offset(model.freq_) == pd.tseries.frequencies.to_offset(freq)
    expected = 400.0 * (1.0 + 0.4 * np.sin(2 * np.pi * (count + np.arange(ahead)) / year))
    np.testing.assert_allclose(one["magnetcast"], expected, rtol=0.15)


@pytest.mark.slow
@pytest.mark.parametrize("freq", [None, "W", "W-MON"])
def test_a_frequency_may_be_named_or_reported(freq: str | None) -> None:
    panel = make_panel(*PERIODS["Mondays"], series=3)

    found = mc.Forecaster(rounds=5).fit(panel, freq=freq).predict(2)

    predicted = mc.Forecaster(rounds=5).fit(panel).predict(2)
    pd.testing.assert_frame_equal(found, predicted)


def test_sums_of_quarters_add_up() -> None:
    panel = make_panel(*PERIODS["quarter ends"])
    tree = {"all": sorted(panel["unique_id"].unique())}

    found = mc.Forecaster().fit(panel, tree=tree).predict(3)

    by_period = found.assign(is_sum=found["unique_id"] == "all").groupby(["ds", "is_sum"])
    assert len(by_period) == 6
    assert found.loc[found["unique_id"] == "all", "ds"].tolist() == list(
        pd.date_range("2025-03-31", periods=3, freq="QE")
    )


def test_covariates_are_dated_as_the_panel_is_and_known_by_the_end_of_a_period() -> None:
    panel = make_panel(*PERIODS["quarter ends"], series=10)
    dates = pd.date_range("2015-03-31", periods=44, freq="QE")
    known = pd.DataFrame(
        {
            "unique_id": np.repeat(sorted(panel["unique_id"].unique()), len(dates)),
            "ds": np.tile(dates, 10),
            "name": "rate",
            "value": np.tile(np.arange(44) % 5, 10) * 1.0,
            "available_at": "2024-12-31",
        }
    ).rename(columns={"unique_id": "destination", "ds": "period"})

    model = mc.Forecaster(rounds=5).fit(panel, covariates=known)

    assert len(model.predict(4)) == 40
    late = known.assign(
        available_at=known["available_at"].where(known["period"] < "2025-09", "2025-01-01")
    )
    with pytest.raises(DataError, match="rate of s00 in 2025-09-30"):
        mc.Forecaster(rounds=5).fit(panel, covariates=late).predict(4)
