import re

import pytest

from service.charts.fan import make_fan
from service.charts.paired_chart import Pair, paired_svg, phone_paired_svg
from service.wording import signed_tonnes
from store.vocabulary import QUANTILE_COLUMNS
from tests.service.builders import make_report


def test_a_scenario_that_changes_nothing_has_a_zero_without_a_sign() -> None:
    fan = make_fan(make_report(), "USA")
    table = fan.forecast[["period"]].copy()
    for name in QUANTILE_COLUMNS:
        table[f"base_{name}"] = table[f"scenario_{name}"] = fan.forecast[name]
        table[f"difference_{name}"] = 0.0

    drawing = paired_svg(Pair(fan, table, "as published"), label="No change.")

    ticks = re.findall(r">([-\u2212]?\d+)</text>", drawing)
    assert "-0" not in ticks
    assert [tick for tick in ticks if tick in {"-1", "0", "1"}][-3:] == ["-1", "0", "1"]


def test_a_phone_shows_both_forecasts_without_scrolling() -> None:
    fan = make_fan(make_report(), "USA")
    table = fan.forecast[["period"]].copy()
    for name in QUANTILE_COLUMNS:
        table[f"base_{name}"] = fan.forecast[name]
        table[f"scenario_{name}"] = 2.0 * fan.forecast[name]
        table[f"difference_{name}"] = fan.forecast[name]

    drawing = phone_paired_svg(Pair(fan, table, "as published"), label="Twice.")

    box = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', drawing)
    assert box is not None
    assert float(box[1]) < float(box[2]) < 420
    assert "scenario, median" in drawing
    years = set(re.findall(r">(20\d\d)</text>", drawing))
    assert years
    assert min(years) >= f"{fan.for_phones().start:%Y}"


@pytest.mark.parametrize("value", [0.0, -0.0, 0.3, -0.3])
def test_what_rounds_to_nothing_has_no_sign(value: float) -> None:
    assert signed_tonnes(value) == "0"
