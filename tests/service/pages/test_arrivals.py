"""Exports are counted on clearance in China; needs say when the goods arrive."""

import pytest

from publication.planning.needs import arrival_months, shipping_days
from store.errors import DataError


@pytest.mark.parametrize(
    ("days", "words"),
    [
        ((0, 0), "Dec 2026"),
        ((3, 10), "Dec 2026 to Jan 2027"),
        ((31, 31), "Jan 2027"),
        ((28, 50), "Dec 2026 to Feb 2027"),
    ],
)
def test_goods_cleared_in_a_month_arrive_within_a_span(days: tuple[int, int], words: str) -> None:
    assert arrival_months("2026-12", days) == words


def test_what_is_set_takes_the_place_of_the_default() -> None:
    found = shipping_days("USA 20-35, KOR 2-6")

    assert found["USA"] == (20, 35)
    assert found["KOR"] == (2, 6)
    assert found["JPN"] == shipping_days("")["JPN"]


@pytest.mark.parametrize("text", ["USA", "USA 9-3", "USA 3-400", "usa 3-9", "USA -1-3", "USA 3-9;"])
def test_days_that_are_no_span_are_refused(text: str) -> None:
    with pytest.raises(DataError, match="Expected such as USA 20-35"):
        shipping_days(text)
