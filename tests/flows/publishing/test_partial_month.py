"""A figure of one destination before the world's month is out."""

from collections.abc import Callable

import pandas as pd
import pytest

from flows.training.predict import predict
from store.settings import Settings
from store.vocabulary import DESTINATIONS
from tests.data.builders import at

DAY = "2020-05-06"
"""April is over and nothing of it is out."""

APRIL = "2020-04"


def forecast(settings: Settings) -> pd.DataFrame:
    return predict(settings, at(DAY)).set_index(["destination", "period"])


@pytest.mark.slow
def test_a_figure_equal_to_its_forecast_moves_no_other_and_a_surprise_does(
    home: Settings, magnetcast: Callable[..., tuple[int, str, str]]
) -> None:
    before = forecast(home)

    def after(tonnes: float, published: str) -> "pd.Series[float]":
        words = ("--period", APRIL, "--destination", "USA", "--tonnes", f"{tonnes:.2f}")
        source = ("--source", "https://example.org/report", "--published-on", published)
        code, _, err = magnetcast("ingest", "figure", *words, *source)
        assert code == 0, err
        return forecast(home)["p50"]

    same = after(before["p50"]["USA", APRIL], "2020-05-04")
    assert same.to_numpy() == pytest.approx(before["p50"].to_numpy(), rel=0.02)

    high = before["p90"]["USA", APRIL]
    higher = after(high, "2020-05-05")
    assert higher["USA", APRIL] == pytest.approx(high, rel=1e-3)
    others = [name for name in DESTINATIONS if name != "USA"]
    assert all(higher[name, APRIL] > same[name, APRIL] for name in others)
