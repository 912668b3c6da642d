import numpy as np
import pytest

from features.build import ALL_FEATURES
from features.families.dynamics import CEILING
from features.series import SPREAD_PER_CHANGE, SeriesStats, series_stats
from tests.data.engine_builders import make_values, make_view

NAN = float("nan")


def measured(*rows: list[float]) -> SeriesStats:
    return series_stats(np.array(rows, dtype=float))


def test_level_is_the_mean_of_the_last_year() -> None:
    assert measured([100.0] * 8 + [40.0, NAN, 60.0] * 4).level.tolist() == [50.0]


def test_spread_is_a_share_of_the_mean_monthly_change() -> None:
    assert measured([10.0, 12.0] * 10).spread == pytest.approx([2.0 * SPREAD_PER_CHANGE])


def test_scale_and_momentum_of_a_short_series_are_unknown() -> None:
    found = measured([5.0, 6.0] * 6)

    assert np.isnan(found.scale).all()
    assert np.isnan(found.momentum).all()


def test_momentum_is_the_last_quarter_to_the_year_before_in_spreads() -> None:
    found = measured([10.0, 12.0] * 6 + [15.0, 15.0, 15.0])

    assert found.momentum == pytest.approx((15.0 - 11.0) / found.spread)


def test_a_series_is_current_with_a_value_in_the_last_year() -> None:
    found = measured([1.0, 2.0] + [NAN] * 11, [1.0, NAN] + [NAN] * 11)

    assert found.current.tolist() == [True, False]
    assert found.known_months.tolist() == [2, 1]


def test_no_base_forecast_exceeds_a_multiple_of_the_highest_month() -> None:
    grown = np.concatenate([np.ones(10), 2.0 ** np.arange(1.0, 13.0)])

    found = make_view(grown[None, :], horizon=24).at(21, slice(None))

    for one in found.base_forecasts.values():
        assert one.max() <= CEILING * grown[-1]
    assert found.base_forecasts["autoregression"].max() == CEILING * grown[-1]


def test_a_distance_is_from_the_median_in_spreads() -> None:
    found = make_view(np.array([[10.0, 12.0] * 10])).at(19, slice(None))

    place = found.names.index("drift_distance")
    expected = (found.base_forecasts["drift"] - found.base) / found.stats.spread[0]
    assert found.features[:, :, place] == pytest.approx(expected, rel=1e-6)


def test_a_panel_has_every_feature_but_those_of_the_world_policy_and_tariffs() -> None:
    found = make_view(make_values(series=5)).at(59, slice(None))

    families = {feature.name: feature.explains for feature in ALL_FEATURES}
    assert {families[name] for name in found.names} == {"momentum", "season"}
    assert found.features.shape == (5, 6, len(found.names))
