import math

import pytest

from features.panel.statements import (
    USUAL_UNIT_VALUE,
    CellBlock,
    Statement,
    hs6_values,
    is_cell_level,
    members_of,
    read_statements,
    value_statements,
)
from store.months import month_number
from store.vocabulary import DESTINATIONS, HS6
from tests.data.store_builders import make_observations

FIRST, LAST = month_number("2016-01"), month_number("2025-12")
JUNE = month_number("2025-06")


def read(**change: object) -> list[object]:
    return list(read_statements(make_observations(change), first=FIRST, last=LAST))


def test_a_level_fixes_its_cell_with_the_scale_of_its_rounding() -> None:
    [statement] = read(value=353.0, half_width=0.5)

    assert statement.above == CellBlock(("USA",), JUNE, JUNE)
    assert statement.below is None
    assert statement.target == pytest.approx(math.log(353.0))
    assert statement.scale == pytest.approx(math.hypot(0.91 * 0.5 / 353.0, 1e-4))


@pytest.mark.parametrize(
    ("measure", "value", "below", "ratio"),
    [
        ("yoy_pct", 25.0, CellBlock(("USA",), JUNE - 12, JUNE - 12), 1.25),
        ("mom_pct", -50.0, CellBlock(("USA",), JUNE - 1, JUNE - 1), 0.5),
        ("share_pct", 12.5, CellBlock(DESTINATIONS, JUNE, JUNE), 0.125),
    ],
)
def test_growth_compares_with_earlier_months_and_a_share_with_the_world(
    measure: str, value: float, below: CellBlock, ratio: float
) -> None:
    [statement] = read(measure=measure, value=value, half_width=0.05)

    assert (statement.above, statement.below) == (CellBlock(("USA",), JUNE, JUNE), below)
    assert statement.target == pytest.approx(math.log(ratio))


def test_a_ranking_is_a_bound() -> None:
    [statement] = read(destination="DEU-USA", measure="lead_min_t", value=0.0)

    assert statement.is_bound
    assert (statement.above, statement.below) == (
        CellBlock(("DEU",), JUNE, JUNE),
        CellBlock(("USA",), JUNE, JUNE),
    )


def test_a_region_bounds_the_destinations_inside_and_those_with_the_rest_of_it() -> None:
    outer, inner = read(destination="EUROPE", value=1_000.0)

    assert outer.above == CellBlock(("DEU", "ITA", "EU27_REST", "ROW"), JUNE, JUNE)
    assert inner.below == CellBlock(("DEU", "ITA", "EU27_REST"), JUNE, JUNE)
    assert outer.is_bound
    assert inner.is_bound


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"measure": "yoy_pct", "value": -100.0}, "nothing has no logarithm"),
        ({"measure": "share_pct", "value": 0.0}, "nothing has no logarithm"),
        ({"destination": "DEU-POL", "measure": "lead_min_t"}, "Poland is not modelled"),
        ({"destination": "POL", "measure": "yoy_pct", "value": 3.0}, "Poland is not modelled"),
        ({"period_from": "2015-06-01", "period_to": "2015-06-01"}, "before the table"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_figure_that_cannot_be_read_states_nothing(change: dict[str, object], why: str) -> None:
    assert read(**change) == [], why


@pytest.mark.parametrize(
    ("name", "members"),
    [
        ("WLD", DESTINATIONS),
        ("EU27", ("DEU", "ITA", "EU27_REST")),
        ("USA+DEU", ("USA", "DEU")),
        ("WLD_EX_USA", tuple(d for d in DESTINATIONS if d != "USA")),
        ("POL", None),
    ],
)
def test_published_names_are_read_as_sums(name: str, members: tuple[str, ...] | None) -> None:
    assert members_of(name) == members


def value(period: str, destination: str, amount: float, **changes: object) -> dict[str, object]:
    year = period if len(period) > len("2024") else f"{period}-01"
    return {
        "commodity": HS6, "measure": "value_musd", "unit": "musd", "destination": destination,
        "period_from": year, "period_to": year if year == period else f"{period}-12",
        "value": amount, **changes,
    }  # fmt: skip


def values(*changes: dict[str, object]) -> list[Statement]:
    return value_statements(hs6_values(make_observations(*changes)), first=FIRST, last=LAST)


def test_a_monthly_value_of_the_world_is_no_level() -> None:
    [statement] = values(value("2024-06", "WLD", 250.0), value("2024-06", "USA", 30.0))

    june = month_number("2024-06")
    assert statement.above == CellBlock(DESTINATIONS, june, june)
    assert statement.target == pytest.approx(math.log(250.0 / USUAL_UNIT_VALUE))
    assert not is_cell_level(statement)


def test_a_yearly_value_is_a_share_and_the_rests_have_what_is_left_over() -> None:
    year = {"WLD": 100.0, "EU27": 30.0, "DEU": 12.0, "ITA": 3.0, "USA": 20.0}

    statements = values(*(value("2023", name, amount) for name, amount in year.items()))

    shares = {s.above.destinations[0]: math.exp(s.target) for s in statements if s.above}
    expected = {"USA": 0.2, "DEU": 0.12, "ITA": 0.03, "EU27_REST": 0.15, "ROW": 0.5}
    assert shares == pytest.approx(expected)


def test_of_two_sources_of_values_the_longer_one_counts() -> None:
    short = value("2024-06", "WLD", 260.0, source="another", available_at="2024-08-01T00:00:00Z")
    long = [value(f"2024-{month:02}", "WLD", 250.0) for month in (5, 6)]

    assert set(hs6_values(make_observations(short, *long))["value"]) == {250.0}
