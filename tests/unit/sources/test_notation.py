import pandas as pd
import pytest

from sources.bundled.notation import (
    COUNTRIES,
    half_width,
    parse_areas,
    parse_covers,
    parse_destination,
    parse_period,
)
from store.vocabulary import EU27_MEMBERS


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2025-06", "2025-06-01", "2025-06-01"),
        ("2025", "2025-01-01", "2025-12-01"),
        ("2024-11..2025-02", "2024-11-01", "2025-02-01"),
        ("2025-06..2025-06", "2025-06-01", "2025-06-01"),
    ],
)
def test_a_period_is_its_first_and_last_month(text: str, first: str, last: str) -> None:
    assert parse_period(text) == (pd.Timestamp(first), pd.Timestamp(last))


@pytest.mark.parametrize("text", ["", "2025-13", "2025-6", "2025-01-01", "2025-01..", "2025..2026"])
def test_other_texts_are_no_period(text: str) -> None:
    with pytest.raises(ValueError, match="a period YYYY-MM"):
        parse_period(text)


@pytest.mark.parametrize(
    "text", ["USA", "WLD", "EU27", "EUROPE", "DEU+USA+KOR", "WLD_EX_USA", "TOP10"]
)
def test_places_and_sums_are_destinations(text: str) -> None:
    assert parse_destination(text) == text


@pytest.mark.parametrize(
    "text", ["", "usa", "XYZ", "DEU+", "DEU+DEU", "DEU+EUROPE", "DEU-USA", "EUROPE_"]
)
def test_other_texts_are_no_destination(text: str) -> None:
    with pytest.raises(ValueError, match="a destination"):
        parse_destination(text)


@pytest.mark.parametrize("text", ["", "USA;", "USA,JPN", "TOP10"])
def test_lists_of_places_hold_places_only(text: str) -> None:
    with pytest.raises(ValueError, match="a list of destinations"):
        parse_areas(text)


@pytest.mark.parametrize("text", ["magnets", "magnets;85051110", "unknown"])
def test_what_an_act_covers_is_codes_and_names(text: str) -> None:
    assert parse_covers(text) == text


@pytest.mark.parametrize("text", ["", "magnets;steel", "steel;magnets", "magnets;unknown"])
def test_one_unknown_part_makes_a_cover_none(text: str) -> None:
    with pytest.raises(ValueError, match="HS codes or "):
        parse_covers(text)


def test_the_list_of_countries_is_complete() -> None:
    assert len(COUNTRIES) == 249
    assert COUNTRIES >= EU27_MEMBERS


@pytest.mark.parametrize(
    ("value", "unit", "note", "width"),
    [
        ("1238", "t", "", 0.5), ("1238.47", "t", "", 0.005), ("53000", "t", "", 500.0),
        ("170000", "t", "", 5000.0), ("5300", "t", "", 0.5), ("-38", "pct", "", 0.5),
        ("26", "pct", "approx", 1.5), ("60", "pct", "Nearly 60; rounded in print", 1.5),
        ("45000", "t", '"more than 45,000"', 1500.0),
        ("5.15", "t", "Wrought products only, through July", 0.005),
        ("317", "t", "wide error, about +/-5 t", 5.0),
        ("638.2", "t", "+/-0.1 t; better than 640", 0.1),
        ("787.6", "musd", "tonnes themselves derived; about +/-0.3%", 2.3628),
        ("251.3", "musd", "price from -21%; about +/-2 musd", 2.0), ("162", "t", "+/-2 musd", 0.5),
        ("410", "pct", "about 5.1 times May (131 t in June)", 5.0),
    ],
)  # fmt: skip
def test_the_width_follows_digits_and_wording(
    value: str, unit: str, note: str, width: float
) -> None:
    assert half_width(value, unit, note) == pytest.approx(width)
