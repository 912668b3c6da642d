import numpy as np
import pandas as pd
import pytest

from features.months import month_label, month_number
from models.evaluation.market_regimes import CALM, SHOCK, regime_of, with_regime

FIRST = month_number("2015-01")
MONTHS = 96
SHOCKED = range(month_number("2021-03"), month_number("2021-06"))
"""March to May 2021."""


def make_panel(*, series: int = 200, hit: float = 1.0, share_hit: float = 1.0) -> pd.DataFrame:
    """Build noisy seasonal series; a share of them is multiplied by ``hit`` in the shock months."""
    rng = np.random.default_rng(20250404)
    age = np.arange(MONTHS)
    noise = np.exp(rng.normal(0, 0.1, (series, MONTHS)))
    tonnes = 100.0 * noise * np.exp(0.3 * np.sin(age * np.pi / 6))
    struck = slice(0, round(series * share_hit))
    tonnes[struck, SHOCKED.start - FIRST : SHOCKED.stop - FIRST] *= hit
    names = pd.Index([f"S{i:03d}" for i in range(series)], name="destination")
    return pd.DataFrame(tonnes, index=names, columns=FIRST + age)


def shocks(table: pd.DataFrame) -> list[str]:
    found = regime_of(table)
    return [month_label(int(month)) for month in found.index[found == SHOCK]]


@pytest.mark.parametrize(
    ("hit", "share_hit"), [(0.1, 0.2), (0.4, 0.3), (1.8, 0.3)], ids=["ban", "collapse", "surge"]
)
def test_the_months_in_which_a_panel_breaks_are_shocks_and_their_echo_a_year_later_is_not(
    hit: float, share_hit: float
) -> None:
    table = make_panel(hit=hit, share_hit=share_hit)

    assert shocks(table) == ["2021-03", "2021-04", "2021-05"]


def test_a_calm_panel_has_no_shock() -> None:
    assert shocks(make_panel()) == []


def test_one_small_series_makes_no_shock() -> None:
    table = make_panel()
    table.loc["S000"] /= 1000.0
    table.loc["S000", list(SHOCKED)] = 1000.0

    assert shocks(table) == []


def test_later_months_do_not_change_earlier_labels() -> None:
    table = make_panel(hit=0.4)
    until = month_number("2021-04")

    cut = regime_of(table.loc[:, :until])

    pd.testing.assert_series_equal(cut, regime_of(table).loc[:until])


@pytest.mark.parametrize("months", [1, 12, 30])
def test_a_panel_too_short_to_tell_is_calm(months: int) -> None:
    assert set(regime_of(make_panel(hit=0.4).iloc[:, :months])) == {CALM}


def test_cells_take_the_regime_of_the_month_forecast() -> None:
    periods = pd.to_datetime(["2021-02-01", "2021-04-01", "2030-01-01"])
    cells = pd.DataFrame({"period": periods}, index=[5, 6, 7])

    marked = with_regime(cells, make_panel(hit=0.4))

    assert marked["regime"].tolist() == [CALM, SHOCK, CALM]
    assert list(cells.columns) == ["period"]
