import pandas as pd
import pytest

from publication.queries.freshness import basis_words, data_through
from publication.queries.listings import unknowns
from store.publications.panels import Basis, bases_of
from tests.data.builders import make_events
from tests.publication.builders import make_panel, make_report

KINDS = [("observed", 0.1)] * 2 + [("derived", 2.0)] + [("estimated", 20.0)] * 9


def basis(kinds: list[tuple[str, float]], *, later: str = "", tonnes: float = 100.0) -> Basis:
    """Return the basis of a year up to December 2026."""
    periods = list(pd.date_range(end="2026-12-01", periods=len(kinds), freq="MS"))
    rows = [*kinds, ("observed", 0.1)] if later else kinds
    panel = pd.DataFrame(rows, columns=["kind", "stderr_t"]).assign(
        destination="DEU",
        period=[*periods, pd.Timestamp(f"{later}-01")] if later else periods,
        tonnes=tonnes,
    )
    return bases_of(panel, "2026-12")["DEU"]


def test_a_month_after_those_of_the_world_is_the_last_published_and_not_of_the_year() -> None:
    found = basis(KINDS, later="2027-02")

    assert (found.published_to, found.published) == ("2027-02", 2)


def test_zero_tonnes_have_no_relative_error() -> None:
    assert basis(KINDS, tonnes=0.0).record["estimate_error"] is None


def test_the_reach_of_the_data_is_not_one_date_for_all() -> None:
    known, unknown = basis(KINDS), basis(KINDS[3:])

    assert data_through("2026-12", {"DEU": known, "ITA": unknown}) == (
        "Data: world to December 2026; Germany to February 2026; others by destination."
    )
    whole = basis(KINDS[:1])
    assert data_through("2026-12", {"DEU": whole, "WLD": known}) == "Data through December 2026."
    assert data_through("2026-12", {}) == "Data through December 2026."


def test_a_report_does_not_say_that_nothing_is_published_of_such_a_month() -> None:
    panel = make_panel()
    row = panel.query("destination == 'USA'").tail(1).assign(period=pd.Timestamp("2026-08-01"))

    found = unknowns(make_report(panel=pd.concat([panel, row])))

    assert found[0] == (
        "Exports of August to October 2026 (3 complete months): no figure of the world had been "
        "published; they are forecasts too. Published of single destinations meanwhile: United "
        "States: August 2026."
    )


def test_an_act_of_unknown_coverage_is_listed_among_what_the_forecast_could_not_know() -> None:
    act = {"event_id": "2026-11-open", "covers": "unknown", "covered_share": None}

    lines = unknowns(make_report(events=make_events(act)))

    assert any(line.startswith("What 1 act covers (2026-11-open)") for line in lines)


def test_announced_ends_of_suspensions_and_easings_within_the_horizon_are_listed() -> None:
    days = {
        "suspension": {"suspended_to": "2027-01-10"},
        "truce": {"direction": "easing", "effective_to": "2026-12-31"},
        "restriction": {"effective_to": "2027-02-01"},
        "far": {"suspended_to": "2029-01-10"},
        "past": {"suspended_to": "2026-01-10"},
    }
    acts = [{"event_id": name, "evidence": "primary", **day} for name, day in days.items()]

    [line] = [line for line in unknowns(make_report(events=make_events(*acts))) if "end" in line]

    assert line.startswith(
        "What follows the announced ends of 2 suspensions and truces (31 Dec 2026, 10 Jan 2027)"
    )


@pytest.mark.parametrize(
    ("kinds", "words"),
    [
        (
            KINDS,
            "last loaded month Feb 2026; of twelve months 2 published, 1 derived, 9 estimated to ",
        ),
        (KINDS[3:], "never published; each month estimated to ±26%"),
        (KINDS[2:3], "never published, derived from other figures"),
        (KINDS[:3], "last loaded month Nov 2026"),
    ],
)
def test_a_page_says_to_which_month_a_destination_is_published(
    kinds: list[tuple[str, float]], words: str
) -> None:
    assert basis_words(basis(kinds)).removesuffix("±26% each") == words
