import numpy as np
import pytest

from models.engine.training_set import (
    CEILING,
    MOVE_TO_SPREAD,
    NAMES,
    OriginFeatures,
    SeriesStats,
    origin_features,
    panel_momentum,
    series_stats,
)
from models.statistical.experts import EXPERTS, IN_MEDIAN
from store.arrays import Floats
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

    def test_spread_is_a_share_of_the_usual_move(self) -> None:
        assert measured([10.0, 12.0] * 10).spread == pytest.approx([2.0 * MOVE_TO_SPREAD])

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


class TestStandpoint:
    def test_base_is_the_median_of_the_trusted_experts(self) -> None:
        found = standpoint_of(make_values(series=5))

        expected = np.median([found.experts[name] for name in IN_MEDIAN], axis=0)
        np.testing.assert_array_equal(found.base, expected)
        assert list(found.experts) == list(EXPERTS)

    def test_no_expert_goes_beyond_a_multiple_of_the_highest_month(self) -> None:
        grown = np.concatenate([np.ones(10), 2.0 ** np.arange(1.0, 13.0)])

        found = standpoint_of(grown[None, :], horizon=24)

        for one in found.experts.values():
            assert one.max() <= CEILING * grown[-1]
        assert found.experts["swift"].max() == CEILING * grown[-1]

    def test_a_lag_is_reported_without_season_from_the_flat_base(self) -> None:
        found = standpoint_of(np.array([[10.0, 12.0] * 10]))

        expected = (12.0 - found.base.mean()) / found.stats.spread[0]
        assert feature(found, "lag_1")[0] == pytest.approx(expected)
        assert feature(found, "lag_2")[0, 0] < feature(found, "lag_1")[0, 0]
