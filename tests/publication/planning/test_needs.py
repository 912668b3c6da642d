import pytest

from models.forecasting.firm_needs import Firm
from publication.planning.needs import arrival_months, firm_outlook, need_document, need_outlook
from publication.planning.planning_file import Need
from publication.state import Publication
from tests.data.builders import at
from tests.publication.stores import NOW

NEED = Need(name="plant", destination="USA", period_from="2026-11", period_to="2027-01", tonnes=9.0)


def test_the_month_that_runs_counts_and_the_one_before_does_not(publication: Publication) -> None:
    outlook = firm_outlook(publication, "USA", Firm(100.0), at("2026-11-24"))

    # Forecast are August 2026 to October 2027.
    assert (outlook.months[0], outlook.months[-1]) == ("2026-11", "2027-10")


def test_a_need_has_its_first_and_last_month_and_a_month_is_past_once_it_is_over(
    publication: Publication,
) -> None:
    since_october = NEED.model_copy(update={"period_from": "2026-10"})

    months = need_document(publication, since_october, NOW)["months"]

    # As of 24 November 2026 October is over, November is not.
    assert [(month["period"], month["past"], month["chance_out"] is None) for month in months] == [
        ("2026-10", True, True), ("2026-11", False, False), ("2026-12", False, False),
        ("2027-01", False, False),
    ]  # fmt: skip


def test_a_need_of_the_month_that_runs_alone_has_a_chance(publication: Publication) -> None:
    november = NEED.model_copy(update={"period_to": "2026-11"})

    outlook = need_outlook(publication, november, publication.as_of)

    assert outlook is not None
    assert outlook.months == ("2026-11",)


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
