import numpy as np
import pandas as pd
import pytest

from models.evaluation.compare import model_cells, paired_cells, score_differences
from models.evaluation.scores import cell_scores
from models.forecasting.model_names import MODEL
from store.vocabulary import QUANTILE_COLUMNS, QUANTILES

ORIGINS = 16
SEED = 7


def make_backtest(bias: float, *, first: int = 0, truth: float = 100.0) -> pd.DataFrame:
    """Build cells of forecasts that lie ``bias`` tonnes above 100, six months from each origin."""
    rng = np.random.default_rng(SEED)
    rows = [
        {
            "model": MODEL,
            "as_of": pd.Timestamp("2024-01-25", tz="UTC") + pd.DateOffset(months=origin),
            "cutoff": f"{pd.Period('2023-12', 'M') + origin}",
            "destination": destination,
            "period": (pd.Period("2023-12", "M") + origin + horizon).to_timestamp(),
            "horizon": horizon,
            "mean": 100.0 + bias,
        }
        for origin in range(first, first + ORIGINS)
        for destination in ("USA", "DEU", "WLD")
        for horizon in range(1, 7)
    ]
    forecasts = pd.DataFrame(rows)
    centre = 100.0 + bias + rng.normal(0, 1, len(forecasts))
    for level, name in zip(QUANTILES, QUANTILE_COLUMNS, strict=True):
        forecasts[name] = centre + 20.0 * (level - 0.5)
    known = forecasts[["destination", "period"]].drop_duplicates().assign(tonnes=truth)
    scale = forecasts[["destination", "cutoff"]].drop_duplicates().assign(scale=10.0)
    return cell_scores(forecasts, known, scale)


def shared(one: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """Return the cells of backtest A and, made later, B."""
    return paired_cells(model_cells(other), model_cells(one), ("B", "A"))


def test_both_are_scored_on_the_months_as_the_later_one_knew_them() -> None:
    one, other = make_backtest(0.0, truth=100.0), make_backtest(30.0, first=4, truth=130.0)

    cells = shared(one, other)

    assert set(cells["tonnes"]) == {130.0}
    assert len(cells) == 2 * (ORIGINS - 4) * 3 * 6
    error = cells.groupby("model")["absolute_error"].mean()
    assert error["A"] == pytest.approx(30.0, abs=0.5)
    assert error["B"] < 2.0


@pytest.mark.parametrize(
    ("bias", "verdict"), [(0.0, "B better"), (40.0, "A better"), (20.0, "not significant")]
)
def test_scores_by_scope_say_which_is_better(bias: float, verdict: str) -> None:
    cells = shared(make_backtest(20.0), make_backtest(bias))

    table = score_differences(cells)

    assert list(dict.fromkeys(table["scope"])) == [
        "ALL", "lead over", "lead 1-3", "lead 4-6", "WLD", "DEU", "USA",
    ]  # fmt: skip
    overall = table.loc[table["scope"] == "ALL"].set_index("metric")
    assert overall.loc["sql", "verdict"] == verdict
    assert overall.loc["wape", "A"] == pytest.approx(0.2, abs=0.01)
    assert overall.loc["wape", "difference"] == pytest.approx(bias / 100 - 0.2, abs=0.02)
    assert overall.loc["coverage80", "verdict"] == ""
    assert pd.isna(overall.loc["coverage80", "p05"])
    assert overall.loc["bias", "B"] == pytest.approx(bias / 100, abs=0.01)
    assert set(overall["cells"]) == {ORIGINS * 3 * 6}
