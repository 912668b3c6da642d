import math

import numpy as np
import pandas as pd
import pytest

from features.build import frame_of
from features.families.trade import compute
from tests.data.builders import make_bare, make_origin

NAN = float("nan")


def features(values: list[float], *, horizon: int = 12) -> pd.DataFrame:
    """Return the frame of one series that ends in 2022-12, by horizon."""
    start = pd.Period("2022-12", freq="M") - (len(values) - 1)
    frame = frame_of(make_bare({"A": values}, start=str(start), horizon=horizon))
    return frame.set_index("horizon")


def test_lags_count_calendar_months_back_from_the_cutoff_across_a_gap() -> None:
    values = [100.0] * 20 + [50.0, NAN, 400.0, 200.0]

    row = features(values).loc[1]

    level = (100 * 8 + 50 + 400 + 200) / 11
    offset = 0.01 * level
    for lag, tonnes in ((1, 200.0), (2, 400.0), (4, 50.0), (12, 100.0)):
        expected = math.log((tonnes + offset) / (level + offset))
        assert row[f"tonnes_lag_{lag}m_log"] == pytest.approx(expected)
    assert np.isnan(row["tonnes_lag_3m_log"])


def test_the_same_month_is_the_newest_of_an_earlier_year_for_each_target() -> None:
    values = [float(month + 1) for month in range(36)]

    rows = features(values, horizon=14)

    level = sum(range(25, 37)) / 12
    offset = 0.01 * level
    for horizon, value in ((1, 25.0), (12, 36.0), (13, 25.0)):
        expected = math.log((value + offset) / (level + offset))
        assert rows.loc[horizon, "tonnes_same_month_1y_log"] == pytest.approx(expected)
    assert rows.loc[1, "tonnes_same_month_2y_log"] == pytest.approx(
        math.log((13.0 + offset) / (level + offset))
    )


def test_momentum_growth_and_drawdown_compare_means_of_three_months() -> None:
    values = [100.0] * 21 + [300.0] * 9 + [100.0] * 3 + [200.0] * 3

    row = features(values).loc[1]

    level = (100 * 0 + 300 * 6 + 100 * 3 + 200 * 3) / 12
    offset = 0.01 * level
    assert row["tonnes_momentum_3m_log"] == pytest.approx(math.log((200 + offset) / (100 + offset)))
    assert row["tonnes_year_growth_3m_log"] == pytest.approx(
        math.log((200 + offset) / (300 + offset))
    )
    assert row["tonnes_drawdown_24m_log"] == pytest.approx(
        math.log((200 + offset) / (300 + offset))
    )


def test_a_season_seen_in_all_years_moves_the_base_and_a_flat_history_does_not() -> None:
    season = [100.0] * 11 + [200.0]

    seasonal, flat = features(season * 5), features([100.0] * 60)

    assert flat.loc[12, "level_tonnes"] == pytest.approx(100.0)
    assert seasonal.loc[12, "level_tonnes"] > 1.6 * seasonal.loc[1, "level_tonnes"]
    assert seasonal.loc[12, "season_step_spread_log"] == pytest.approx(0.0, abs=1e-9)


def test_shares_of_the_world_add_up() -> None:
    values = compute(make_origin(tonnes={"USA": 300.0}))

    share = values["world_share"][:, 0]
    assert share[0] == pytest.approx(300 / 1200)
    assert share[:10].sum() == pytest.approx(1.0)
