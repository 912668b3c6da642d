import re
from pathlib import Path

import pandas as pd
import pytest

from sources import checks
from sources.bundled.all_tables import load_bundled
from sources.checks import month_cells, objections
from store.facts.batch import FileRows
from store.schema.frames import typed_frame
from store.settings import PROJECT_ROOT
from tests.data.store_builders import make_observations, make_steps
from tests.data.table_builders import LARGEST, NOW, as_file, make_trade

NOTHING = typed_frame([], "observations")


def objected(
    frame: pd.DataFrame, known: pd.DataFrame = NOTHING, completeness: float | None = 0.8
) -> tuple[str, ...]:
    return objections(as_file(frame, completeness=completeness), stored=known, ingested_at=NOW)


def where(frame: pd.DataFrame, **wanted: str) -> pd.Series:
    mask = pd.Series(data=True, index=frame.index)
    for name, value in wanted.items():
        column = frame[name].dt.strftime("%Y-%m") if name == "period_from" else frame[name]
        mask &= column.eq(value)
    return mask


def times(frame: pd.DataFrame, factor: float, **wanted: str) -> pd.DataFrame:
    return frame.assign(value=frame["value"].mask(where(frame, **wanted), frame["value"] * factor))


@pytest.mark.parametrize("file", load_bundled(PROJECT_ROOT / "data").files, ids=lambda f: f.source)
def test_the_bundled_tables_raise_no_objection(file: FileRows) -> None:
    known = file.tables.get("observations", NOTHING)

    assert objections(file, stored=known, ingested_at=NOW) == ()
    assert objections(file, stored=NOTHING, ingested_at=NOW) == ()


def test_a_page_delivered_twice_is_objected_to() -> None:
    frame = make_trade(months=2, partners=25)
    twice = pd.concat([frame, frame.head(3)], ignore_index=True)

    (only,) = objected(twice)

    assert only.startswith("3 of 107 rows of observations are duplicates: 850511 CHN ")
    assert "page delivered twice" in only


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(
            {"period_from": "2026-11-01", "period_to": "2026-11-01", "available_at": "2026-12-01"},
            "lie in months that have not ended: 850511 CHN USA net_weight_t 2026-11-01",
            id="future month"),
        pytest.param({"period_from": "1987-12-01", "period_to": "1987-12-01"}, "lie before 1988-01",
            id="before the Harmonized System"),
        pytest.param({"available_at": "2025-06-30T23:59:59Z"},
            "are dated before the end of their month", id="known too early"),
        pytest.param({"available_at": "2026-11-26T08:00:01Z"}, "are dated in the future",
            id="tomorrow"),
    ],
)  # fmt: skip
def test_an_impossible_date_is_objected_to(change: dict[str, str], message: str) -> None:
    rows = make_observations({"commodity": "850511", "source": "comtrade", **change})

    assert any(f"1 of 1 rows of observations {message}" in reason for reason in objected(rows))


def test_a_rate_known_before_it_was_announced_is_objected_to() -> None:
    early = make_steps({"announced_on": "2025-02-01", "available_at": "2025-01-31"})
    file = FileRows("hts", "f", "c" * 64, {"tariff_steps": early})

    (only,) = objections(file, stored=NOTHING, ingested_at=NOW)

    assert "known before it was announced" in only


def test_another_magnets_code_is_refused_by_name() -> None:
    (only,) = objected(make_trade(months=1, partners=5, commodity="85051190"))

    assert only.startswith("Commodities are not rare-earth magnets: 85051190, in comtrade 2026-01")


def test_other_goods_are_taken_from_who_was_asked_for_their_code() -> None:
    frame = make_trade(months=1, partners=5, commodity="811292")
    elsewhere = FileRows("customs", "customs.csv", "b" * 64, {"observations": frame})

    assert objected(frame) == ()
    [only] = objections(elsewhere, stored=NOTHING, ingested_at=NOW)
    assert only.startswith("Commodities are not rare-earth magnets: 811292, in customs.csv")


def test_kilograms_reported_as_tonnes_show_in_the_price() -> None:
    reasons = objected(times(make_trade(), 1000.0, measure="net_weight_t"))

    assert any(
        reason.startswith("Unit values of 31 of 31 destinations are impossible: ABW ")
        and "1,000 to 5,000,000 USD a tonne" in reason
        and "divide kilograms by 1,000" in reason
        for reason in reasons
    )


def test_kilograms_without_values_show_against_the_largest_month_known() -> None:
    known = make_trade(first="2025-01", months=12, values=False)
    new = make_trade(first="2026-01", months=1, values=False, seed=2)

    reasons = objected(times(new, 1000.0), known)

    assert any("weights leap: " in reason for reason in reasons)


def months_of_2025(values: list[float], **changes: object) -> pd.DataFrame:
    """Observations of the USA, one a month of 2025 from January on."""
    days = pd.date_range("2025-01-01", periods=len(values), freq="MS")
    return make_observations(
        *(
            {"period_from": day, "period_to": day, "value": value, "source": "comtrade",
             "available_at": day + pd.DateOffset(months=2), **changes}
            for day, value in zip(days, values, strict=True)
        )
    )  # fmt: skip


@pytest.mark.parametrize(("value", "leaps"), [(5_000.0, 0), (5_001.0, 1)])
def test_a_leap_is_measured_from_the_largest_of_twelve_months(value: float, leaps: int) -> None:
    stored = months_of_2025([2.0] * 11 + [100.0])  # fifty times 100 t
    new = make_observations(
        {"period_from": "2026-01-01", "period_to": "2026-01-01", "value": value,
         "source": "comtrade", "available_at": "2026-03-01"}
    )  # fmt: skip

    reasons = objected(new, stored, completeness=None)

    assert sum("weights leap: " in reason for reason in reasons) == leaps


def test_amounts_that_are_not_usable_derived_or_of_longer_spans_are_no_cells() -> None:
    changes: list[dict[str, object]] = [
        {}, {"usable": False}, {"kind": "derived"}, {"period_from": "2025-05-01"},
        {"measure": "yoy_pct", "unit": "pct"},
    ]  # fmt: skip
    rows = make_observations(
        *({"destination": name, **c} for name, c in zip(LARGEST, changes, strict=True))
    )

    assert month_cells(rows)["destination"].tolist() == ["USA"]


def test_of_the_versions_of_a_cell_the_newest_counts() -> None:
    rows = make_observations(
        {"value": 2.0, "available_at": "2025-08-20"}, {"value": 1.0, "available_at": "2025-07-20"}
    )

    assert month_cells(rows)["value"].tolist() == [2.0]


def test_a_month_of_more_than_the_world_makes_is_impossible() -> None:
    rows = make_observations({"destination": "WLD", "value": 6_357_000.0})

    (only,) = objected(rows, completeness=None)

    assert only.startswith("1 weights are impossible: WLD 2025-06 6,357,000 t")


@pytest.mark.parametrize("months", [5, 6])
def test_a_single_zero_is_refused_where_every_month_known_had_trade(months: int) -> None:
    known = make_observations(
        *(
            {"period_from": f"2026-0{month}-01", "period_to": f"2026-0{month}-01"}
            for month in range(1, months + 1)
        )
    )
    zero = make_observations(
        {"period_from": "2026-09-01", "period_to": "2026-09-01", "value": 0.0, "available_at": NOW}
    )

    reasons = objected(zero, known, completeness=None)

    assert [reason[:30] for reason in reasons] == ["1 weights are zero: USA 2026-0"] * (months > 5)
    assert not any("zero" in reason for reason in objected(zero, known))


def test_a_collapse_under_an_export_control_is_believed() -> None:
    known = make_trade(first="2024-01", months=15)
    new = make_trade(first="2025-04", months=1, seed=3, scale=9.0, zeros=0.3)

    assert objected(new, known) == ()


@pytest.mark.parametrize(
    ("partners", "completeness"), [(30, 0.8), (30, None), (5, 0.8)], ids=["both", "long", "whole"]
)
def test_destinations_that_miss_the_total_are_objected_to_in_a_full_table(
    partners: int, completeness: float | None
) -> None:
    """A table is full that has many destinations, or comes from who tells all there are."""
    frame = make_trade(months=1, partners=partners)
    short = frame[~where(frame, destination="USA")].reset_index(drop=True)

    (only,) = objected(short, completeness=completeness)

    assert only.startswith(
        "In 2 of 2 months the world is not the sum of its destinations: 2026-01 net_weight_t: total"
    )
    assert "within 2% and the rounding" in only


def test_fourteen_of_652_cells_are_refused() -> None:
    known = make_trade(first="2025-01", months=2, partners=162)
    known = known[~where(known, destination="WLD")].reset_index(drop=True).head(652)
    few = known.sort_values("period_from").iloc[[*range(7), *range(-7, 0)]].reset_index(drop=True)

    (only,) = objected(few, known)

    assert only.startswith("Only 14 of 648 cells are there of the months 2025-01 to 2025-02")
    assert "at least 80% of what the last vintage held" in only


def test_a_new_month_is_as_full_as_most_and_not_as_the_fullest() -> None:
    known = [
        make_trade(first="2025-01", months=5, partners=30),
        make_trade(first="2025-06", months=1, partners=100),
    ]

    new = make_trade(first="2025-07", months=1, partners=30)

    assert objected(new, pd.concat(known, ignore_index=True)) == ()


def test_a_sentence_names_values_of_its_check_and_nothing_else_of_the_module() -> None:
    names = re.findall(r"{(\w+)", Path(checks.__file__).with_suffix(".yaml").read_text("utf-8"))

    assert [name for name in names if hasattr(checks, name)] == []
