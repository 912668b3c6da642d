import pandas as pd

from models.evaluation.scores import BAND_COVERAGE, Coverage, coverage_of, coverage_scores
from models.forecasting.model_names import BASE_MEDIAN, MODEL, STATISTICAL


def cells_of(destination: str, model: str, horizons: list[int], held: list[bool]) -> pd.DataFrame:
    return pd.DataFrame(
        {"model": model, "destination": destination, "horizon": horizons, "is_covered": held}
    )


USA = cells_of("USA", MODEL, [1, 2, 3, 4] * 10, [True, True, False, False] * 10)
DEU = cells_of("DEU", MODEL, [2, 3, 13], [False, False, True])


def test_coverage_is_the_share_of_forecasts_inside_by_group_of_horizons() -> None:
    scores = coverage_scores(pd.concat([USA, DEU]))

    assert set(scores["metric"]) == {BAND_COVERAGE}
    usa = scores.loc[scores["scope"] == "USA"].sort_values("horizon_from")
    assert usa[["horizon_from", "horizon_to", "cells"]].to_numpy().tolist() == [
        [1, 3, 30],
        [4, 6, 10],
    ]
    assert usa["value"].tolist() == [2 / 3, 0.0]


def test_few_forecasts_are_quoted_by_number_alone() -> None:
    near, middle, far = coverage_of(coverage_scores(pd.concat([USA, DEU])), "DEU", "champion")

    assert near == Coverage(1, 3, 0.0, 2, 0.625, 32)
    assert near.words == "0 of 2"
    assert (middle.forecasts, middle.pooled_forecasts) == (0, 10)
    assert (far.horizon_from, far.share) == (13, 1.0)


def test_where_a_fallback_answered_the_coverage_is_the_fallbacks() -> None:
    experts = cells_of("USA", BASE_MEDIAN, [1] * 20, [True] * 20)
    scores = coverage_scores(pd.concat([USA, experts]))

    [own, _] = coverage_of(scores, "USA", "champion")
    [spoke] = coverage_of(scores, "USA", f"stale, {STATISTICAL}")

    assert (own.share, spoke.share) == (2 / 3, 1.0)
