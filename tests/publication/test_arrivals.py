import pytest

from publication.planning.needs import arrival_months


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
