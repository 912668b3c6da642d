from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest

from features.panel.partner_table import PartnerTable, partner_table
from store.errors import DataError
from store.months import month_number
from tests.data.builders import at
from tests.data.partner_builders import COMMODITY, make_cells, make_partner_rows, make_partner_world

NOW = at("2022-01-26")
"""The day after December 2021 was published."""

MONTHS = [f"{month}" for month in pd.period_range("2019-01", "2021-12", freq="M")]
NAMES = ["DEU", "ITA", "USA", *(f"X{number:02d}" for number in range(20))]


def steady(
    changes: Mapping[str, Mapping[str, float | None]] | None = None, *, total: float | None = None
) -> pd.DataFrame:
    """Build the rows of 23 partners with 10 t every month; a change of None takes a row away."""
    figures = {name: dict.fromkeys(MONTHS, 10.0) for name in NAMES}
    if total is not None:
        figures["WLD"] = dict.fromkeys(MONTHS, total)
    for name, months in (changes or {}).items():
        for month, value in months.items():
            row = figures.setdefault(name, {})
            if value is None:
                row.pop(month)
            else:
                row[month] = value
    return make_partner_rows(make_cells(figures))


def table_of(rows: pd.DataFrame, as_of: pd.Timestamp = NOW) -> PartnerTable:
    return partner_table(rows, commodity=COMMODITY, as_of=as_of)


def cell(table: PartnerTable, name: str, month: str) -> float:
    return float(table.tonnes.loc[name, month_number(f"{month}-01")])


def test_a_partner_that_a_listed_month_lacks_got_nothing() -> None:
    table = table_of(steady({"USA": {"2021-05": None}}))

    assert cell(table, "USA", "2021-05") == 0.0
    assert cell(table, "WLD", "2021-05") == 220.0


def test_a_month_that_was_not_released_is_no_month() -> None:
    table = table_of(steady(), at("2022-01-24"))

    assert table.cutoff == month_number("2021-11")
    assert (table.late_months, table.horizon) == (1, 13)


def test_a_month_listed_in_part_waits_for_the_rest() -> None:
    rows = steady({name: {"2021-12": None} for name in NAMES[:12]})

    table = table_of(rows)

    assert table.cutoff == month_number("2021-11")


@pytest.mark.parametrize(
    ("total", "world", "rest"), [(230.4, 230.0, ()), (240.0, 240.0, ("ROW",))], ids=["none", "some"]
)
def test_the_remainder_is_what_the_stated_total_holds_beyond_the_partners_and_rounding(
    total: float, world: float, rest: tuple[str, ...]
) -> None:
    table = table_of(steady(total=total))

    assert cell(table, "WLD", "2021-05") == world
    assert table.parts["WLD"] == (*sorted(NAMES), *rest)
    assert ("ROW" in table.tonnes.index) == bool(rest)


def test_a_regular_partner_that_the_total_has_room_for_is_late_and_not_zero() -> None:
    table = table_of(steady({"USA": {"2021-12": None}}, total=230.0))

    assert np.isnan(cell(table, "USA", "2021-12"))
    assert cell(table, "WLD", "2021-12") == 230.0
    assert "2021-12: late, so missing and not zero: USA" in map(str, table.notes)


def test_a_partner_with_a_value_and_no_weight_is_missing_and_not_zero() -> None:
    money = make_partner_rows(make_cells({"USA": {"2021-05": 0.3}, "DEU": {"2021-05": 0.3}}))
    rows = steady({"USA": {"2021-05": None}})

    table = table_of(pd.concat([rows, money.assign(measure="value_musd")], ignore_index=True))

    assert np.isnan(cell(table, "USA", "2021-05"))
    assert cell(table, "DEU", "2021-05") == 10.0
    assert tuple(map(str, table.notes)) == ("1 cells have a value and no weight, taken as missing",)


def test_a_revision_counts_from_the_moment_it_was_known() -> None:
    revision = make_cells({"USA": {"2021-05": 99.0}}).assign(available_at=at("2021-12-10"))
    rows = pd.concat([steady(), make_partner_rows(revision)], ignore_index=True)

    before, after = (table_of(rows, at(day)) for day in ("2021-12-09", "2021-12-10"))

    assert (cell(before, "USA", "2021-05"), cell(after, "USA", "2021-05")) == (10.0, 99.0)
    assert before.digest != after.digest


def test_a_source_that_names_a_few_partners_is_no_table_and_disturbs_none() -> None:
    news = make_partner_rows(make_cells({"USA": {"2021-05": 88.0}}), source="Example News")

    table = table_of(pd.concat([steady(), news], ignore_index=True))

    assert cell(table, "USA", "2021-05") == 10.0
    with pytest.raises(DataError, match="No full partner table of commodity 850511 at 2022-01-26"):
        table_of(news)


@pytest.mark.parametrize(
    "change",
    [
        {"commodity": "85051110"},
        {"measure": "mirror_import_t"},
        {"origin": "JPN"},
        {"usable": False},
        {"period_from": pd.Timestamp("2021-04-01")},
    ],
    ids=["commodity", "measure", "origin", "unusable", "two months"],
)
def test_a_row_of_another_kind_is_left_out(change: Mapping[str, object]) -> None:
    other = make_partner_rows(make_cells({"USA": {"2021-05": 88.0}})).assign(
        available_at=at("2021-12-01"), **change
    )

    table = table_of(pd.concat([steady(), other], ignore_index=True))

    assert cell(table, "USA", "2021-05") == 10.0


@pytest.mark.parametrize(
    ("day", "horizon"), [("2022-01-26", 12), ("2022-07-26", 18), ("2022-08-26", 18)]
)
def test_the_horizon_reaches_a_year_past_the_last_complete_month_up_to_18_months(
    day: str, horizon: int
) -> None:
    table = table_of(steady(), at(day))

    assert table.horizon == horizon


def test_rows_known_later_change_no_bit() -> None:
    rows = make_partner_world(partners=25, months=40).rows()
    now = at("2022-06-10")
    later = rows["available_at"] > now
    poison = rows.assign(value=rows["value"].where(~later, 1e9))
    clean = table_of(rows.loc[~later], now)

    for other in (rows, poison, poison.sample(frac=1.0, random_state=1)):
        pd.testing.assert_frame_equal(table_of(other, now).tonnes, clean.tonnes, check_exact=True)
        assert table_of(other, now).digest == clean.digest


def test_a_month_that_lacks_refused_lines_is_not_listed_in_full_until_they_come() -> None:
    lacking = make_partner_rows(make_cells({"WLD": {"2021-12": 150.0}})).assign(
        usable=False, available_at=at("2022-01-20")
    )
    whole = lacking.assign(usable=True, value=230.0, available_at=at("2022-01-22"))

    before = table_of(pd.concat([steady(), lacking], ignore_index=True))
    after = table_of(pd.concat([steady(), lacking, whole], ignore_index=True))

    assert (before.cutoff, after.cutoff) == (2021 * 12 + 10, 2021 * 12 + 11)
    assert cell(after, "WLD", "2021-12") == 230.0
