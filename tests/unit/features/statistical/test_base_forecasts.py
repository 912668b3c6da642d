"""Numbers of statsforecast come from benchmarks/reference_base_forecasts.py."""

import json
from pathlib import Path

import numpy as np
import pytest

from features.families.dynamics import forecast_ceiling
from features.statistical.base_forecasts import BASE_FORECASTS, BASELINES, tsb
from features.statistical.smoothing import SeriesBlock, errors_within
from store.arrays import Floats

NAN = float("nan")
YEAR = [float(month) for month in range(1, 13)]
REFERENCE = Path(__file__).parents[3] / "data" / "reference_base_forecasts.json"
HORIZON = 6


def fit(name: str, *rows: list[float], season: Floats | None = None, horizon: int = 3) -> Floats:
    values = np.array(rows, dtype=float)
    before = values.copy()
    fitted = BASE_FORECASTS[name](values, flat(len(rows)) if season is None else season, horizon)
    np.testing.assert_array_equal(values, before)
    return fitted


def flat(count: int) -> Floats:
    return np.ones((count, 12))


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        pytest.param("seasonal_naive", [0.0] * 12 + YEAR, YEAR[:3], id="same month a year ago"),
        pytest.param("last_value", [5.0, 6.0, NAN], [6.0] * 3, id="last month with a value"),
        pytest.param(
            "drift",
            [1_000.0] * 10 + [100.0 + 2.0 * month for month in range(25)],
            [150.0, 152.0, 154.0],
            id="mean step of two years",
        ),
        pytest.param("drift", [10.0, 12.0, NAN, 50.0, 54.0], [57.0, 60.0, 63.0], id="no gap steps"),
    ],
)
def test_baselines(name: str, values: list[float], expected: list[float]) -> None:
    assert BASELINES[name](np.array([values]), 3)[0] == pytest.approx(expected)


def test_no_base_forecast_is_above_fifty_times_the_highest_month() -> None:
    assert forecast_ceiling(np.array([[1.0, 10.0, NAN], [NAN, 0.0, 2.0]])).tolist() == [
        [500],
        [100],
    ]


class TestStatsforecast:
    cases = json.loads(REFERENCE.read_text(encoding="utf-8"))["cases"]

    def differences(self, name: str, said: Floats) -> Floats:
        """Mean absolute difference of the forecasts, as a share of each series' mean."""
        theirs = np.maximum([case["forecasts"][name] for case in self.cases], 0.0)
        size = np.array([np.mean(case["values"]) for case in self.cases])
        return np.abs(said - theirs).mean(axis=1) / size

    def values(self) -> Floats:
        """The series as the rows of one panel, each ending in its last month."""
        width = max(len(case["values"]) for case in self.cases)
        return np.array([[NAN] * (width - len(c["values"])) + c["values"] for c in self.cases])

    @pytest.mark.parametrize("name", ["seasonal_naive", "drift"])
    def test_states_exactly_the_same_where_nothing_is_chosen(self, name: str) -> None:
        predicted = BASE_FORECASTS[name](self.values(), flat(len(self.cases)), HORIZON)

        assert self.differences(name, predicted).max() < 1e-9

    def test_states_exactly_the_same_of_rare_demand_with_the_same_parameters(self) -> None:
        months = SeriesBlock.of(self.values())

        result = tsb(months, HORIZON, grid=((0.1, 0.2),))

        assert self.differences("tsb", result[-HORIZON:].T).max() < 1e-9

    # They search on and choose their first state too: on series of zeros and few demands, where
    # many parameters do as well, that ends elsewhere.
    @pytest.mark.parametrize(
        ("name", "half", "most", "worst"),
        [
            pytest.param("ses", 0.01, 0.05, 0.15, id="ses"),
            pytest.param("theta", 0.01, 0.06, 0.25, id="dynamic optimised theta"),
            pytest.param("damped_trend", 0.02, 0.10, 0.25, id="damped trend"),
        ],
    )
    def test_states_nearly_the_same_where_parameters_are_chosen(
        self, name: str, half: float, most: float, worst: float
    ) -> None:
        predicted = BASE_FORECASTS[name](self.values(), flat(len(self.cases)), HORIZON)

        apart = self.differences(name, predicted)
        assert np.median(apart) < half
        assert np.quantile(apart, 0.9) < most
        assert apart.max() < worst


def test_level_is_the_mean_of_the_last_year_over_months_known() -> None:
    row = [1_000.0] * 6 + [NAN, 10.0] * 6

    assert fit("level", row).tolist() == [[10.0] * 3]


def test_ses_finds_the_level_after_a_break() -> None:
    row = [100.0] * 24 + [300.0] * 12

    assert fit("ses", row)[0] == pytest.approx([300.0] * 3, rel=1e-6)


def test_a_damped_trend_goes_on_along_a_line_and_slows_down() -> None:
    row = [100.0 + 2.0 * month for month in range(48)]

    steps = np.diff(np.r_[row[-1], fit("damped_trend", row, horizon=6)[0]])

    assert 1.0 < steps[0] < 2.0
    assert (np.diff(steps[1:]) < 0).all()


@pytest.mark.parametrize("name", ["holt_winters", "swift_unadjusted", "autoregression"])
def test_a_season_that_was_not_given_is_learned(name: str) -> None:
    row = (100.0 + 50.0 * np.sin(np.arange(240) * np.pi / 6)).tolist()

    predicted = fit(name, row, horizon=12)[0]

    assert predicted == pytest.approx(row[:12], rel=0.05)


def test_an_autoregression_goes_on_as_changes_followed_each_other() -> None:
    row = (100.0 * np.exp(np.cumsum(0.1 * np.sin(np.arange(240) * np.pi / 4)))).tolist()

    predicted = fit("autoregression", row[:200], horizon=4)[0]

    assert predicted == pytest.approx(row[200:204], rel=0.01)
    assert fit("autoregression", row[:10])[0] == pytest.approx([row[9]] * 3)


def test_rare_demand_is_its_size_times_its_chance() -> None:
    row = [0.0, 12.0] * 30

    assert fit("tsb", row)[0] == pytest.approx([6.0] * 3, rel=0.1)


@pytest.mark.parametrize("name", ["drift", "ses", "theta", "damped_trend", "level", "tsb"])
def test_the_season_given_is_taken_out_and_put_back(name: str) -> None:
    season = np.linspace(0.5, 1.5, 12)[None, :]
    row = [100.0 * season[0, month % 12] for month in range(50)]

    predicted = fit(name, row, season=season)[0]

    assert predicted == pytest.approx(100.0 * season[0, 2:5])


def test_errors_are_known_where_a_value_is_and_one_was_before() -> None:
    row = np.array([[NAN, NAN, 3.0, 4.0, NAN, 6.0, 7.0], [NAN] * 7])

    found = errors_within(row, flat(2))

    assert np.isfinite(found[0]).tolist() == [False] * 3 + [True, False, True, True]
    assert np.isnan(found[1]).all()


def test_errors_are_what_a_month_lies_beyond_its_forecast_of_the_month_before() -> None:
    row = np.array([[10.0] * 30 + [30.0]])

    assert errors_within(row, flat(1))[0, 1:] == pytest.approx([0.0] * 29 + [20.0])


ODD = {
    "constant": [7.0] * 40, "all zero": [0.0] * 40, "one value": [NAN] * 39 + [7.0],
    "one value long ago": [7.0] + [NAN] * 39, "huge": [1e15, 3e15] * 20, "tiny": [1e-9, 3e-9] * 20,
    "all magnitudes": [1e-9, 1e15, 0.0, 1.0] * 10,
    "one huge month": [1.0] * 20 + [1e15] + [0.0] * 19,
    "exploding": [1e-9 * 4.0**month for month in range(40)], "rare": ([0.0] * 19 + [50.0]) * 2,
    "starts late": [NAN] * 35 + [1.0, 2.0, 3.0, 4.0, 5.0],
    "ends early": [1.0, 2.0, 3.0, 4.0, 5.0] + [NAN] * 35,
}  # fmt: skip


@pytest.mark.parametrize("name", BASE_FORECASTS)
class TestOddSeries:
    @pytest.mark.parametrize("row", ODD.values(), ids=ODD)
    def test_get_a_finite_forecast_of_at_least_zero(self, name: str, row: list[float]) -> None:
        predicted = fit(name, row, horizon=18)

        assert np.isfinite(predicted).all()
        assert (predicted >= 0).all()

    def test_without_a_value_get_none_and_leave_the_others_alone(self, name: str) -> None:
        rng = np.random.default_rng(1)
        row = rng.gamma(3.0, 10.0, 40).tolist()

        fitted = fit(name, row, [NAN] * 40, ODD["one huge month"])

        assert np.isnan(fitted[1]).all()
        np.testing.assert_allclose(fitted[0], fit(name, row)[0], rtol=1e-9)
