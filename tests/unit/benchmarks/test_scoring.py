import pandas as pd
import pytest

from benchmarks.scoring import heaviest, measured, scores_of, shared

MONTHS = [str(month) for month in pd.period_range("2020-01", "2022-02", freq="M")]


def truth() -> pd.DataFrame:
    """A grows by 12 a year, B never moves."""
    steps = range(len(MONTHS))
    grows = pd.DataFrame(
        {"destination": "A", "period": MONTHS, "tonnes": [100.0 + t for t in steps]}
    )
    still = pd.DataFrame({"destination": "B", "period": MONTHS, "tonnes": 5.0})
    return pd.concat([grows, still], ignore_index=True)


def forecast(model: str, destination: str, period: str, *, p50: float) -> dict[str, object]:
    cell = {"model": model, "cutoff": "2021-12", "destination": destination, "period": period}
    return {**cell, "p10": p50 - 10.0, "p50": p50, "p90": p50 + 10.0}


def test_errors_are_scaled_by_the_difference_to_the_year_before() -> None:
    predicted = pd.DataFrame([forecast("ours", "A", "2022-02", p50=101.0)])

    cell = measured(truth(), predicted).iloc[0]

    assert cell["scale"] == 12.0
    assert cell["horizon"] == 2
    assert cell["scaled_error"] == pytest.approx(24.0 / 12.0)
    assert cell["scaled_quantile_loss"] == pytest.approx(
        2.0 * (0.1 * 34.0 + 0.5 * 24.0 + 0.9 * 14.0) / 3.0 / 12.0
    )
    assert cell["symmetric_error"] == pytest.approx(100.0 * 24.0 / 113.0)
    assert not cell["is_covered"]


def test_series_that_never_moved_are_left_out() -> None:
    result = pd.DataFrame([forecast("ours", name, "2022-01", p50=124.0) for name in ("A", "B")])

    scores = scores_of(measured(truth(), result))

    assert scores.loc["ours", ["mase", "covered", "cells"]].to_list() == [0.0, 1.0, 1.0]


def test_only_cells_of_every_model_are_scored() -> None:
    result = pd.DataFrame(
        [
            forecast("ours", "A", "2022-01", p50=124.0),
            forecast("ours", "A", "2022-02", p50=124.0),
            forecast("peer", "A", "2022-02", p50=124.0),
        ]
    )

    assert shared(result)["period"].to_list() == ["2022-02", "2022-02"]


def test_the_heaviest_series_is_reported_with_its_share_by_model() -> None:
    rows = pd.DataFrame(
        {
            "model": ["ours", "ours", "peer", "peer"],
            "cutoff": "2021-12",
            "destination": ["A", "C", "A", "C"],
            "scaled_error": [3.0, 1.0, 1.0, 1.0],
        }
    )

    name, cutoff, share = heaviest(rows)

    assert (name, cutoff, share.to_dict()) == ("A", "2021-12", {"ours": 0.75, "peer": 0.5})
