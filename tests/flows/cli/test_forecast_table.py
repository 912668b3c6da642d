import re

import pandas as pd
import pytest
from rich.console import Console

from flows.cli.run_commands import forecast_table
from tests.publication.builders import make_forecasts


def _printed(forecasts: pd.DataFrame, *, width: int) -> str:
    console = Console(width=width, record=True, quiet=False, file=None, color_system=None)
    with console.capture() as capture:
        console.print(forecast_table(forecasts))
    return capture.get()


@pytest.mark.parametrize("width", [80, 100])
def test_twelve_destinations_and_fifteen_months_fit_uncut(width: int) -> None:
    text = _printed(make_forecasts(), width=width)

    assert max(len(line) for line in text.splitlines()) <= width
    assert "…" not in text
    assert text.count("p10") - 1 == text.count("p90") - 1 == 15


def test_each_month_shows_the_high_median_and_low_of_each_destination() -> None:
    forecasts = make_forecasts(horizon=1)
    forecasts = forecasts[forecasts["destination"].isin(["WLD", "USA"])]
    forecasts = forecasts.assign(p10=1234.4, p50=5678.0, p90=9999.6)

    lines = [line.split() for line in _printed(forecasts, width=100).splitlines()]

    assert ["p90", "10,000", "10,000"] in lines
    assert ["2026-08", "5,678", "5,678"] in lines
    assert ["p10", "1,234", "1,234"] in lines


def test_no_digit_is_lost_where_figures_do_not_fit() -> None:
    forecasts = make_forecasts(horizon=1).assign(p10=111111.0, p50=555555.0, p90=999999.0)

    text = _printed(forecasts, width=80)

    assert text.count("5") - text.count("2025") == 12 * 6


def test_a_fallback_is_starred_and_a_missing_month_is_a_dash() -> None:
    forecasts = make_forecasts(horizon=2)
    gap = (forecasts["destination"] == "JPN") & (forecasts["period"] == "2026-09")

    text = _printed(forecasts[~gap & forecasts["destination"].isin(["JPN", "THA"])], width=100)

    lines = [line.split() for line in text.splitlines()]
    assert "* THA: fallback: last good champion" in " ".join(text.split())
    assert re.search(r"\bTHA\*", text)
    assert "JPN*" not in text
    assert any(line[:1] == ["2026-09"] and "-" in line for line in lines)
