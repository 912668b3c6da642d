import pandas as pd
import pytest

from models.scores import cell_scores, hit_rates, summarise
from store.vocabulary import QUANTILE_COLUMNS

MAY, JUNE = pd.Timestamp("2025-05-01"), pd.Timestamp("2025-06-01")
TRUTH = pd.DataFrame({"destination": "USA", "period": [MAY, JUNE], "tonnes": [100.0, 50.0]})
SCALE = pd.DataFrame({"destination": ["USA"], "cutoff": ["2025-04"], "scale": [20.0]})


def said(
    model: str, period: pd.Timestamp, horizon: int, quantiles: list[float]
) -> dict[str, object]:
    values = dict(zip(QUANTILE_COLUMNS, quantiles, strict=True))
    keys = {"model": model, "destination": "USA", "cutoff": "2025-04"}
    return {**keys, "period": period, "horizon": horizon, **values}


FORECASTS = pd.DataFrame(
    [
        said("lightgbm", MAY, 1, [60, 70, 80, 90, 100, 110, 120]),
        said("lightgbm", JUNE, 2, [60, 70, 80, 90, 100, 110, 120]),
        said("seasonal_naive", MAY, 1, [40, 50, 60, 70, 80, 90, 100]),
        said("seasonal_naive", JUNE, 2, [40, 50, 60, 70, 80, 90, 100]),
        said("lightgbm", pd.Timestamp("2025-07-01"), 3, [1, 2, 3, 4, 5, 6, 7]),
    ]
).astype(dict.fromkeys(QUANTILE_COLUMNS, float))


def score(table: pd.DataFrame, model: str, metric: str, scope: str = "ALL") -> float:
    row = (table["model"] == model) & (table["metric"] == metric) & (table["scope"] == scope)
    return float(table.loc[row, "value"].iloc[0])


@pytest.fixture
def cells() -> pd.DataFrame:
    return cell_scores(FORECASTS, TRUTH, SCALE)


def test_only_months_that_are_known_are_scored(cells: pd.DataFrame) -> None:
    assert len(cells) == 4
    assert set(cells["period"]) == {MAY, JUNE}


def test_errors_of_a_cell_are_those_worked_out_by_hand(cells: pd.DataFrame) -> None:
    may = cells.iloc[0]

    # Twice the pinball losses of 100 t: 40*.05, 30*.1, 20*.25, 10*.5, 0, 10*.1, 20*.05.
    assert may["absolute_error"] == 10.0
    assert may["scaled_error"] == 0.5
    assert may["scaled_quantile_loss"] == pytest.approx(2 * (2 + 3 + 5 + 5 + 0 + 1 + 1) / 7 / 20)
    assert may["is_covered"]


def test_scores_are_those_worked_out_by_hand(cells: pd.DataFrame) -> None:
    table = summarise(cells, horizons=(1, 6))

    assert score(table, "lightgbm", "wape") == pytest.approx((10 + 40) / 150)
    assert score(table, "seasonal_naive", "wape") == pytest.approx((30 + 20) / 150)
    assert score(table, "lightgbm", "mase") == pytest.approx((0.5 + 2.0) / 2)
    assert score(table, "lightgbm", "coverage80") == 0.5
    assert score(table, "seasonal_naive", "coverage80") == 0.5
    assert score(table, "lightgbm", "value_added") == pytest.approx(0.0)
    assert score(table, "lightgbm", "wape", "USA") == score(table, "lightgbm", "wape")
    assert set(table["cells"]) == {2}


def test_only_the_horizons_asked_for_are_counted(cells: pd.DataFrame) -> None:
    table = summarise(cells, horizons=(2, 6))

    assert score(table, "lightgbm", "wape") == pytest.approx(40 / 50)
    assert score(table, "lightgbm", "value_added") == pytest.approx(1 - 40 / 20)
    assert (table["horizon_from"] == 2).all()
    assert set(table["cells"]) == {1}


def test_a_scale_of_zero_leaves_scaled_scores_out() -> None:
    cells = cell_scores(FORECASTS, TRUTH, SCALE.assign(scale=0.0))

    table = summarise(cells, horizons=(1, 6))

    assert set(table["metric"]) == {"wape", "coverage80", "value_added"}


def test_an_edge_of_the_band_counts_as_within() -> None:
    cells = cell_scores(FORECASTS.iloc[:1], TRUTH.assign(tonnes=[110.0, 0.0]), SCALE)

    assert cells["is_covered"].tolist() == [True]


def test_a_month_with_two_truths_is_refused() -> None:
    twice = pd.concat([TRUTH, TRUTH])

    with pytest.raises(pd.errors.MergeError, match="not a many-to-one merge"):
        cell_scores(FORECASTS, twice, SCALE)


def test_hit_rates_are_of_the_model_asked_for(cells: pd.DataFrame) -> None:
    assert hit_rates(cells, "lightgbm").to_dict() == {"USA": 0.5}
