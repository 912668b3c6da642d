from models.forecasting.firm_needs import Firm
from publication.planning.needs import firm_outlook, months_needed, need_document
from publication.planning.planning_file import Need
from publication.state import Publication
from tests.data.builders import at
from tests.publication.stores import NOW

NEED = Need(name="plant", destination="USA", period_from="2026-11", period_to="2027-01", tonnes=9.0)


def test_the_month_that_runs_counts_and_the_one_before_does_not(publication: Publication) -> None:
    outlook = firm_outlook(publication, "USA", Firm(100.0), at("2026-11-24"))

    # Forecast are August 2026 to October 2027.
    assert (outlook.months[0], outlook.months[-1]) == ("2026-11", "2027-10")


def test_a_need_has_its_first_and_its_last_month(publication: Publication) -> None:
    rows = months_needed(publication, NEED)

    assert rows["period"].dt.strftime("%Y-%m").tolist() == ["2026-11", "2026-12", "2027-01"]


def test_a_month_is_past_once_it_is_over(publication: Publication) -> None:
    since_october = NEED.model_copy(update={"period_from": "2026-10"})

    months = need_document(publication, since_october, NOW)["months"]

    # As of 24 November 2026 October is over, November is not.
    assert [(month["period"], month["past"]) for month in months[:2]] == [
        ("2026-10", True), ("2026-11", False),
    ]  # fmt: skip
    assert [month["chance_out"] is None for month in months] == [True, False, False, False]
