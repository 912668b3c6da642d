import numpy as np
import pytest

from models.engine.series_stats import (
    CEILING,
    LEAST_SPREAD,
    MIDDLE,
    MOVE_TO_SPREAD,
    NAMES,
    UNSEEN_SPREAD,
    OriginFeatures,
    SeriesStats,
    origin_features,
    panel_momentum,
    series_stats,
)
from models.statistical.experts import EXPERTS
from models.statistical.seasonality import BLOCK, seasonal_scale
from store.arrays import Floats, take
from tests.data.engine_builders import make_values

NAN = float("nan")


def measured(*rows: list[float]) -> SeriesStats:
    return series_stats(np.array(rows, dtype=float))


def standpoint_of(values: Floats, *, horizon: int = 6, first: int = 0) -> OriginFeatures:
    whole = series_stats(values)
    return origin_features(
        values,
        whole,
        horizon=horizon,
        first=first,
        momentum=panel_momentum(whole.momentum),
    )


def feature(found: OriginFeatures, name: str) -> Floats:
    return found.features[:, :, NAMES.index(name)].astype(float)


class TestGauge:
    def test_level_is_the_mean_of_the_last_year(self) -> None:
        assert measured([100.0] * 8 + [40.0, NAN, 60.0] * 4).level.tolist() == [50.0]

    def test_level_of_a_series_that_has_ended_is_a_tenth_of_its_mean(self) -> None:
        assert measured([90.0] * 12 + [0.0] * 12).level.tolist() == [pytest.approx(4.5)]

    def test_spread_is_a_share_of_the_usual_move(self) -> None:
        assert measured([10.0, 12.0] * 10).spread == pytest.approx([2.0 * MOVE_TO_SPREAD])

    def test_spread_follows_recent_moves_more(self) -> None:
        calmer = [10.0, 16.0] * 6 + [10.0, 12.0] * 5

        assert measured(calmer).spread < measured(calmer[::-1]).spread

    def test_spread_of_a_constant_is_a_small_share_of_its_level(self) -> None:
        assert measured([7.0] * 20).spread == pytest.approx([7.0 * LEAST_SPREAD])

    def test_spread_of_zeros_is_nothing(self) -> None:
        assert measured([0.0] * 20).spread.tolist() == [0.0]

    def test_spread_where_no_two_months_meet_is_read_over_the_gaps(self) -> None:
        assert measured([10.0, NAN, 12.0, NAN] * 5).spread == pytest.approx([2.0 * MOVE_TO_SPREAD])

    def test_spread_of_a_single_value_is_a_large_share_of_it(self) -> None:
        assert measured([NAN] * 19 + [8.0]).spread == pytest.approx([8.0 * UNSEEN_SPREAD])

    def test_scale_is_the_mean_difference_to_the_year_before(self) -> None:
        values = make_values(series=4)

        np.testing.assert_array_equal(series_stats(values).scale, seasonal_scale(values))

    def test_scale_and_momentum_of_a_short_series_are_unknown(self) -> None:
        found = measured([5.0, 6.0] * 6)

        assert np.isnan(found.scale).all()
        assert np.isnan(found.momentum).all()

    def test_momentum_is_the_last_quarter_to_the_year_before_in_spreads(self) -> None:
        found = measured([10.0, 12.0] * 6 + [15.0, 15.0, 15.0])

        assert found.momentum == pytest.approx((15.0 - 11.0) / found.spread)

    def test_a_series_is_current_with_a_value_in_the_last_year(self) -> None:
        found = measured([1.0, 2.0] + [NAN] * 11, [1.0, NAN] + [NAN] * 11)

        assert found.current.tolist() == [True, False]
        assert found.known.tolist() == [2, 1]

    def test_momentum_of_a_panel_is_that_of_its_middle_series(self) -> None:
        rows = [[10.0, 12.0] * 6 + [end] * 3 for end in (5.0, 15.0, 90.0)]
        found = measured(*rows, [NAN] * 14 + [1.0])

        assert panel_momentum(found.momentum) == found.momentum[1]

    def test_momentum_of_a_young_panel_is_nothing(self) -> None:
        assert panel_momentum(measured([1.0, 2.0]).momentum) == 0.0

    def test_a_panel_may_be_larger_than_what_is_worked_on_at_a_time(self) -> None:
        values = make_values(series=BLOCK + 2, months=20)

        found = take(series_stats(values), slice(BLOCK - 3, None))

        expected = series_stats(values[BLOCK - 3 :])
        for name in ("level", "spread", "scale", "momentum", "known", "current"):
            np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))

    def test_a_panel_may_be_empty(self) -> None:
        assert series_stats(np.empty((0, 30))).season.shape == (0, 12)


class TestStandpoint:
    def test_base_is_the_median_of_the_trusted_experts(self) -> None:
        found = standpoint_of(make_values(series=5))

        expected = np.median([found.experts[name] for name in MIDDLE], axis=0)
        np.testing.assert_array_equal(found.base, expected)
        assert list(found.experts) == list(EXPERTS)

    def test_no_expert_goes_beyond_a_multiple_of_the_highest_month(self) -> None:
        grown = np.concatenate([np.ones(10), 2.0 ** np.arange(1.0, 13.0)])

        found = standpoint_of(grown[None, :], horizon=24)

        for one in found.experts.values():
            assert one.max() <= CEILING * grown[-1]
        assert found.experts["swift"].max() == CEILING * grown[-1]

    def test_a_series_without_a_value_is_said_to_be_nothing(self) -> None:
        found = standpoint_of(np.array([[NAN] * 30, [3.0] * 30]))

        assert not found.base[0].any()
        assert found.base[1] == pytest.approx([3.0] * 6)

    def test_features_are_the_months_and_their_place_in_the_year(self) -> None:
        found = standpoint_of(make_values(series=2, months=30), first=3)

        assert feature(found, "horizon")[0].tolist() == [1, 2, 3, 4, 5, 6]
        assert feature(found, "month")[0].tolist() == [9, 10, 11, 0, 1, 2]

    def test_distances_are_in_spreads_from_the_base(self) -> None:
        found = standpoint_of(make_values(series=3))

        expected = (found.experts["drift"] - found.base) / found.stats.spread[:, None]
        np.testing.assert_allclose(feature(found, "drift_distance"), expected, rtol=1e-5, atol=1e-5)

    def test_a_lag_is_reported_without_season_from_the_flat_base(self) -> None:
        found = standpoint_of(np.array([[10.0, 12.0] * 10]))

        expected = (12.0 - found.base.mean()) / found.stats.spread[0]
        assert feature(found, "lag_1")[0] == pytest.approx(expected)
        assert feature(found, "lag_2")[0, 0] < feature(found, "lag_1")[0, 0]

    def test_lags_before_the_first_month_are_unknown(self) -> None:
        found = standpoint_of(np.array([[10.0, 12.0, 11.0]]))

        assert np.isnan(feature(found, "lag_4")).all()
        assert np.isfinite(feature(found, "lag_3")).all()

    def test_features_of_zeros_are_finite_or_unknown(self) -> None:
        found = standpoint_of(np.zeros((1, 30)))

        assert not np.isinf(found.features).any()
        assert feature(found, "zero_share").tolist() == [[1.0] * 6]

    def test_features_do_not_know_the_unit(self) -> None:
        values = make_values(series=12)
        powers = 2.0 ** np.arange(-30, 30, 5)[:, None]

        np.testing.assert_array_equal(
            standpoint_of(values * powers).features, standpoint_of(values).features
        )

    def test_values_are_left_as_they_are(self) -> None:
        values = make_values(series=3)
        values[0, 5:9] = NAN
        before = values.copy()

        standpoint_of(values)

        np.testing.assert_array_equal(values, before)
