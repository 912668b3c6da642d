import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from publication.language.formats import dated
from publication.pages.destination_pages import planning_page
from publication.planning.needs import need_documents
from publication.planning.planning_file import FILE, Planning, read_planning_file
from publication.state import Publication
from publication.usual import Usual
from publication.words import chance_words
from store.errors import DataError
from tests.publication.fixtures import PLANNING
from tests.publication.pages import Outline, page_of, texts_of
from tests.publication.stores import NOW

NEED = """\
needs:
  - name: plant
    destination: USA
    period_from: 2026-12
    period_to: 2027-02
    tonnes: 900
"""


def planning_in(folder: Path, text: str) -> Planning:
    (folder / FILE).write_text(text, encoding="utf-8")
    return Planning(read_planning_file(folder))


def test_a_home_without_the_file_has_no_planning(tmp_path: Path) -> None:
    assert read_planning_file(tmp_path) is None
    assert planning_in(tmp_path, "").needs == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("needs: [\n", "line 2: .* Expected YAML"),
        (NEED.replace("900", "much"), r"line 6, needs.0.tonnes: "),
        (NEED.replace("900", "0"), r"line 6, needs.0.tonnes: '?0'? is out of range"),
        (NEED.replace("    tonnes: 900\n", ""), r"line 2, needs.0.tonnes: "),
        (f"{NEED}    owner: ann\n", "line 7, needs.0.owner: there is no such field. Expected one"),
        (f"{NEED}    stocks: 5\n", r"line 7, needs.0.stocks: .* Did you mean stock\?"),
        (f"{NEED}    tonnes: 90\n",
         "line 6, needs.0.tonnes: the field stands again in line 7. Keep one"),
        (f"{NEED}    counted_on: 2026-11-31\n",
         "line 7, needs.0.counted_on: 2026-11-31 is not a date. Write it as YYYY-MM-DD"),
        (f"{NEED}    lead_days: 45.5\n", "line 7, needs.0.lead_days: 45.5 is not a whole number"),
        ("needs: {name: plant}\n", r"line 1, needs: expected a list\. Begin each entry with a"),
        ("- needs\n", r"line 1: expected fields\. Write one a line"),
        (f"{NEED}    counted_on: 2027-03-01\n", "line 2, needs.0: the stock was counted on 202"),
        (NEED.replace("2027-02", "2026-11"), r"line 2, needs.0: .*2026-12 to 2026-11 is no span"),
        (NEED.replace("2027-02", "2027-2"), r"line 5, needs.0.period_to"),
        (NEED + NEED.removeprefix("needs:\n"),
         r"line 7, needs.1.name: the name 'plant' is that of entry 1 too\. Give each its own"),
        (f"{NEED}alert_rules:\n  - {{name: a, measure: shortfall, points: 5, need: pant}}\n",
         r"line 8, alert_rules.0.need: there is no need 'pant'. Did you mean plant\?"),
        ("alert_rules:\n  - {name: a, measure: median, points: 5}\n",
         "name either a need or a destination"),
        ("needs: []\nwebhooks: ['https://a/b']\n", r"line 2, webhooks: .*jsons://HOST/PATH"),
        ("emails: [ann@example.org]\n", r"line 1, emails: .*MAGNETCAST_ALERT_URLS.*mailtos://"),
        (f"{NEED}    estimates: {{2027-03: 5}}\n", "an estimate of 2027-03 lies outside 2026-12"),
        (f"{NEED}forecasts_by_others: [bank.csv]\n",
         "line 7, forecasts_by_others: .*no longer read or scored. Delete .*`estimates` of a need"),
    ],
)  # fmt: skip
def test_a_file_that_is_wrong_is_refused_with_line_and_reason(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(DataError, match=message) as refused:
        planning_in(tmp_path, text)

    assert str(refused.value).startswith(f"{tmp_path / FILE}")
    assert "{" not in str(refused.value)


TODAY = date(2026, 12, 3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"USA": "KR"}, r"line 3, needs.0.destination: KR is not forecast. Did you mean KOR\?"),
        ({"USA": "germany"}, r"germany is not forecast. Did you mean DEU\?"),
        ({"USA": "BRA"}, r"BRA is not forecast. Expected one of WLD; EU27; .* Take one"),
        ({"USA": "DEU\n    commodity: '85051111'"}, r"is not forecast. Did you mean 85051110\?"),
        ({"900": "12000"},
         r"line 6, needs.0.tonnes: 12,000 t a month is more than half of the usual 600 t .* 12;"),
        ({"900": "301"}, "301 t a month is more than half"),
        ({"900": "9", "2026-12": "2020-01", "2027-02": "2020-12"},
         "line 5, needs.0.period_to: 2020-12 is before 2025-08, the first month"),
        ({"900": "9\n    counted_on: 2026-12-04"},
         "line 7, needs.0.counted_on: 2026-12-04 is still to come; today is 2026-12-03"),
        ({NEED: "alert_rules: [{name: a, measure: median, points: 5, destination: KR}]"},
         r"line 1, alert_rules.0.destination: KR is not .* mean KOR\?"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_and_a_large_need_asked_back(
    publication: Publication, tmp_path: Path, changes: dict[str, str], message: str
) -> None:
    text = NEED
    for old, new in changes.items():
        text = text.replace(old, new)
    (tmp_path / FILE).write_text(text)

    with pytest.raises(DataError, match=message):
        read_planning_file(tmp_path, [of_usual(publication, 600.0)], TODAY)


def of_usual(publication: Publication, tonnes: float) -> Publication:
    """Return a publication with a usual month of the United States."""
    return replace(publication, usual_months={"USA": Usual(tonnes)})


@pytest.mark.parametrize(
    "tonnes", ["300", "900\n    large: true", "9\n    stock: 20\n    counted_on: 2026-12-03"]
)
def test_a_need_of_half_a_country_or_confirmed_is_taken(
    publication: Publication, tmp_path: Path, tonnes: str
) -> None:
    (tmp_path / FILE).write_text(NEED.replace("900", tonnes))

    assert read_planning_file(tmp_path, [of_usual(publication, 600.0)], TODAY) is not None


def test_needs_stand_on_the_firms_page_and_beside_the_forecast(
    site: Path, publication: Publication, tmp_path: Path
) -> None:
    planning = planning_in(tmp_path, PLANNING)
    (need,) = need_documents(publication, planning, NOW)

    text = Outline((site / "planning.html").read_text(encoding="utf-8")).words
    page = Outline(page_of(publication, "USA", planning=planning)).words
    assert "level" in text
    assert need["months"][0]["period"] == "2026-12"
    order = dated(pd.Timestamp(need["reach_on"]), "day")
    for words in ("plant", chance_words(need["chance_out"]), order, "nothing is on order"):
        assert [words in one for one in (text, page)] == [True, True]
    german = Outline(page_of(publication, "DEU", planning=planning)).words
    assert not re.search(r"\bplant\b", german)


def test_a_stock_was_counted_on_its_day(publication: Publication, tmp_path: Path) -> None:
    early, late = (
        need_documents(
            publication,
            planning_in(tmp_path, f"{NEED}    stock: 900\n    counted_on: {day}\n"),
            NOW,
        )[0]
        for day in ("2026-11-01", "2026-11-25")
    )

    assert early["months"][0]["chance_out"] >= late["months"][0]["chance_out"]
    assert early["reach_on"] <= late["reach_on"]


def test_what_a_planner_expects_stands_beside_our_months(
    publication: Publication, tmp_path: Path
) -> None:
    text = f"{NEED}    estimates: {{2026-12: 431.5, 2027-02: 0}}\n"
    planning = planning_in(tmp_path, text)

    (need,) = need_documents(publication, planning, NOW)
    page = planning_page([publication], NOW, planning)

    assert [month["estimate"] for month in need["months"]] == [431.5, None, 0.0]
    assert texts_of(page, "td")[6::7] == ["431.5", "\N{EN DASH}", "0"]


def test_without_estimates_there_is_no_column_of_them(
    publication: Publication, tmp_path: Path
) -> None:
    page = planning_page([publication], NOW, planning_in(tmp_path, NEED))

    assert "Your estimate" not in page
