import pandas as pd
import pytest

from models.forecasting.plausibility import moves, outside_bands, too_far
from models.reconciliation import broken_sums


def table(**tonnes: float) -> pd.DataFrame:
    """Build four equal months of each destination."""
    rows = [
        {"destination": name, "period": f"2026-0{month}", "p50": value, "mean": value}
        for name, value in tonnes.items()
        for month in (1, 2, 3, 4)
    ]
    return pd.DataFrame(rows)


PUBLISHED = table(WLD=1000.0, USA=600.0, DEU=370.0, ITA=30.0)


def test_a_small_destination_may_move_as_it_likes() -> None:
    found = moves(table(WLD=1000.0, USA=600.0, DEU=370.0, ITA=3.0), PUBLISHED)

    assert [move.destination for move in found] == ["DEU", "USA", "WLD"]
    assert too_far(found, 1.0) is None


@pytest.mark.parametrize(("limit", "shown"), [(49.0, True), (51.0, False)])
def test_a_large_destination_that_moves_beyond_the_limit_is_reported(
    limit: float, *, shown: bool
) -> None:
    found = moves(table(WLD=700.0, USA=300.0, DEU=370.0, ITA=30.0), PUBLISHED)

    result = too_far(found, limit)

    assert ("USA 1,800 to 900 t (-50%)" in str(result)) is shown


@pytest.mark.parametrize(
    ("tonnes", "is_outside"), [(99.0, True), (102.0, False), (980.0, False), (1_002.0, True)]
)
def test_a_figure_is_held_against_the_newest_forecast_of_its_month(
    tonnes: float, *, is_outside: bool
) -> None:
    months = {"destination": "USA", "period": pd.Timestamp("2026-09-01")}
    bands = pd.DataFrame(
        {
            "p05": [1.0, 178.0, 299.0],
            "p50": [2.0, 316.0, 300.0],
            "p95": [3.0, 562.0, 301.0],  # the last already rests on a figure of the month
            **{name: [value] * 3 for name, value in months.items()},
        }
    )
    figures = pd.DataFrame(
        {"destination": ["USA"], "period_from": [months["period"]], "value": [tonnes]}
    )

    outside = outside_bands(figures, bands)

    assert len(outside) == is_outside
    assert outside["low"].round().tolist() == [100.0] * is_outside
    assert outside["high"].round().tolist() == [1_000.0] * is_outside


def test_sums_that_do_not_add_up_are_reported_by_month() -> None:
    sound = table(WLD=100.0, USA=60.0, DEU=10.0, ITA=10.0, EU27_REST=20.0, EU27=40.0)
    assert broken_sums(sound) == []

    found = broken_sums(table(WLD=100.1, USA=60.0, DEU=10.0, ITA=10.0, EU27_REST=20.0, EU27=9.0))

    assert found[0] == "WLD has 100.1 t in 2026-01, its members 100.0 t"
    assert "EU27 has 9.0 t in 2026-01, its members 40.0 t" in found
    assert "EU27 is below DEU in 2026-03" in found
