import pandas as pd
import pytest

from models.evaluation.scores import (
    BAND_COVERAGE,
    Coverage,
    cell_scores,
    coverage_of,
    coverage_scores,
    lead_metrics,
    lead_of,
    lead_scores,
    scoreboard,
    summarise,
)
from models.forecasting.model_names import BASE_MEDIAN, MODEL, STATISTICAL
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


def row_of(board: pd.DataFrame, model: str, kind: str, value: str) -> "pd.Series[float]":
    chosen = (board["model"] == model) & (board["kind"] == kind) & (board["value"] == value)
    [found] = board.loc[chosen].to_dict("records")
    return pd.Series(found).drop(["model", "kind", "value"]).astype(float)


def test_a_scoreboards_scores_are_those_worked_out_by_hand(cells: pd.DataFrame) -> None:
    board = scoreboard(cells)

    everything = row_of(board, "lightgbm", "all", "all")
    assert everything["wape"] == pytest.approx((10 + 40) / 150)
    assert everything["mase"] == pytest.approx((0.5 + 2.0) / 2)
    assert everything["smape"] == pytest.approx((2 * 10 / 190 + 2 * 40 / 140) / 2)
    assert everything["coverage80"] == 0.5
    assert everything["cells"] == 2
    first = row_of(board, "lightgbm", "horizon", "1")
    assert first["wape"] == pytest.approx(10 / 100)
    assert first["coverage80"] == 1.0
    assert first["sql"] == pytest.approx(cells["scaled_quantile_loss"].iloc[0])


def test_cells_without_a_scale_count_in_the_other_scores_of_a_scoreboard() -> None:
    two = pd.concat([FORECASTS, FORECASTS.assign(destination="DEU")])
    truth = pd.concat([TRUTH, TRUTH.assign(destination="DEU")])
    scale = pd.concat([SCALE, SCALE.assign(destination="DEU", scale=0.0)])

    board = scoreboard(cell_scores(two, truth, scale))

    everything = row_of(board, "lightgbm", "all", "all")
    assert everything["mase"] == row_of(board, "lightgbm", "destination", "USA")["mase"]
    assert everything["cells"] == 4
    unscaled = row_of(board, "lightgbm", "destination", "DEU")
    assert unscaled[["mase", "sql"]].isna().all()
    assert unscaled["wape"] == everything["wape"]


def coverage_cells(
    destination: str, model: str, leads: list[int], held: list[bool]
) -> pd.DataFrame:
    return pd.DataFrame(
        {"model": model, "destination": destination, "lead": leads, "is_covered": held}
    )


USA = coverage_cells("USA", MODEL, [1, 2, 3, 4] * 10, [True, True, False, False] * 10)
DEU = coverage_cells("DEU", MODEL, [2, 3, 13, 0, -1], [False, False, True, True, True])


def test_coverage_is_the_share_of_forecasts_inside_by_group_of_leads() -> None:
    scores = coverage_scores(pd.concat([USA, DEU]))

    assert set(scores["metric"]) == {BAND_COVERAGE}
    usa = scores.loc[scores["scope"] == "USA"].sort_values("horizon_from")
    assert usa[["horizon_from", "horizon_to", "cells"]].to_numpy().tolist() == [
        [1, 3, 30],
        [4, 6, 10],
    ]
    assert usa["value"].tolist() == [2 / 3, 0.0]


def test_few_forecasts_are_quoted_by_number_alone() -> None:
    over, near, middle, far = coverage_of(coverage_scores(pd.concat([USA, DEU])), "DEU", "champion")

    assert (over.share, over.forecasts) == (1.0, 2)
    assert over.holds(-2)
    assert not over.holds(1)
    assert near == Coverage(1, 3, 0.0, 2, 0.625)
    assert near.words == "0 of 2"
    assert middle.forecasts == 0
    assert (far.lead_from, far.share) == (13, 1.0)


def test_where_a_fallback_answered_the_coverage_is_the_fallbacks() -> None:
    base = coverage_cells("USA", BASE_MEDIAN, [1] * 20, [True] * 20)
    scores = coverage_scores(pd.concat([USA, base]))

    [own, _] = coverage_of(scores, "USA", "champion")
    [spoke] = coverage_of(scores, "USA", f"stale, {STATISTICAL}")

    assert (own.share, spoke.share) == (2 / 3, 1.0)


def test_a_lead_counts_from_the_month_of_the_as_of_and_of_a_panel_file_is_the_horizon() -> None:
    periods = pd.to_datetime(["2025-03-01", "2025-04-01", "2025-05-01", "2026-04-01"])
    forecasts = pd.DataFrame({"period": periods, "horizon": [1, 2, 3, 14]})
    dated = forecasts.assign(as_of=pd.Timestamp("2025-04-25", tz="UTC"))

    assert lead_of(dated).tolist() == [-1, 0, 1, 12]
    assert lead_of(forecasts).tolist() == [1, 2, 3, 14]


def test_scores_by_lead_are_those_worked_out_by_hand() -> None:
    dated = FORECASTS.assign(as_of=pd.Timestamp("2025-05-25", tz="UTC"))
    cells = cell_scores(dated, TRUTH, SCALE)

    scores = lead_scores(cells).set_index(["scope", "model", "horizon_from", "horizon_to"])
    assert len(scores) == 8
    over, ahead = (scores.loc["USA", "lightgbm", *leads] for leads in ((-18, 0), (1, 3)))
    columns = ["wape", "coverage80", "bias", "below10", "above90", "cells"]
    assert over[columns].tolist() == pytest.approx([10 / 100, 1, -10 / 100, 0, 0, 1])
    assert ahead[columns].tolist() == pytest.approx([40 / 50, 0, 40 / 50, 1, 0, 1])
    naive = scores.loc["ALL", "seasonal_naive", -18, 0]
    assert naive[columns].tolist() == pytest.approx([30 / 100, 0, -30 / 100, 0, 1, 1])


def test_stored_scores_by_lead_have_the_headline_of_all_scopes_and_coverage_alone_up_to_a_year(
    cells: pd.DataFrame,
) -> None:
    table = lead_metrics(cells.assign(destination="THA"), ["lightgbm"])

    groups = table.loc[table["scope"] == "THA", ["horizon_from", "horizon_to"]]
    assert groups.drop_duplicates().to_numpy().tolist() == [[1, 6]]
    error = table.loc[table["metric"].eq("lead_wape") & table["scope"].eq("THA"), "value"]
    assert error.tolist() == pytest.approx([(10 + 40) / 150])
    year = table.loc[table["horizon_to"].eq(12) & table["horizon_from"].eq(1)]
    assert year[["scope", "metric", "value"]].to_numpy().tolist() == [
        ["ALL", "lead_coverage80", 0.5]
    ]
