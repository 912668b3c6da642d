import json
import re
from dataclasses import replace
from datetime import UTC, date, datetime
from urllib.parse import parse_qsl, urlsplit

import pytest
import yaml
from sqlalchemy import Engine

from publication.data_files import destination_file, publication_files
from publication.language.phrases import in_language
from publication.pages.briefing import chances_in_words
from publication.pages.record_pages import policy_page, track_page
from publication.queries import track
from publication.state import Publication
from service.lever_form import LeverForm, lever_texts
from store.publications.explanations import (
    Announced,
    NewFigure,
    Precedent,
    StoredExplanation,
    save_explanation,
)
from tests.publication.levers import GROUND
from tests.publication.pages import Outline, page_of, texts_of
from tests.publication.stores import NOW, publications_of, publish

LATER = datetime(2026, 11, 25, tzinfo=UTC)
RETURN = Announced(
    "2025-10-cn-no57-five-ree",
    "2027-01-11",
    is_return=True,
    chances=(0.48, 0.43, 0.05, 0.04),
    destinations=("USA", "WLD"),
)
CHANGES = {"USA": {month: {"new_actuals": 12.0, "passing_time": -2.0} for month in ("2026-12",)}}


def state_of(engine: Engine) -> Publication:
    """Return the newest publication of a store."""
    return publications_of(engine)[0]


@pytest.fixture
def raised(engine: Engine) -> Engine:
    """A store whose newest forecast is a tenth higher than the one before."""
    publish(engine, LATER, cutoff="2026-07", factor=1.1)
    return engine


AUGUST = NewFigure(
    "USA", "2026-08", "2026-08", "net_weight_t", 750.0, "2026-11-24T12:00:00Z", "Example News",
    "https://example.org/august", is_revision=False, expected_t=622.0, published_t=750.0,
    moved={"USA": {"2026-11": 10.0, "2026-12": 12.0, "2027-01": 8.0, "2027-02": 99.0}},
)  # fmt: skip
OTHERS = (
    replace(AUGUST, destination="FRA", expected_t=None, moved=None),
    replace(AUGUST, measure="yoy_pct", value=-12.5, is_revision=True, expected_t=None),
)


def test_chances_in_words_add_up_to_a_hundred_percent() -> None:
    words = chances_in_words((0.484, 0.433, 0.054, 0.029))

    assert sum(int(share) for share in re.findall(r"(\d+)%", words)) == 100


@pytest.mark.slow
@pytest.mark.parametrize(("path", "scenarios"), [("USA", 2), ("WLD", 2), ("JPN", 0)])
def test_what_may_return_is_named_with_its_chances_and_scenarios(
    engine: Engine, path: str, scenarios: int
) -> None:
    save_explanation(engine, 2, StoredExplanation(announced=(RETURN,)))

    shown = Outline(page_of(state_of(engine), path))

    words = "48% as announced, 43% later, 5% in a weaker form, 4% not at all"
    assert (words in shown.text) == (scenarios > 0)
    links = [str(link["href"]) for link in shown.all("a") if ".probability" in str(link["href"])]
    assert len(links) == scenarios


@pytest.mark.slow
def test_an_announced_rise_of_a_tariff_has_a_scenario_without_it_and_one_of_a_month_later(
    engine: Engine,
) -> None:
    parts = {"event_id": "", "importer": "USA", "rate_before_pct": 27.1}
    rise = replace(RETURN, **parts, destinations=("USA",))
    save_explanation(engine, 2, StoredExplanation(announced=(rise,)))

    shown = Outline(page_of(state_of(engine), "USA"))

    asked = [
        LeverForm(lever_texts(parse_qsl(urlsplit(str(link["href"])).query)), GROUND)
        for link in shown.all("a")
        if "tariffs.0.effective_from" in str(link["href"])
    ]
    never, late = (yaml.safe_load(one.yaml)["tariffs"] for one in asked if not one.errors)
    step = {"importer": "USA", "rate_pct": 27.1, "effective_from": date(2027, 1, 11)}
    assert never == [step]
    assert late == [{**step, "effective_to": date(2027, 2, 10)}]
    assert "Tariff increase in United States" in shown.text


def test_new_figures_are_listed_with_what_was_expected_and_what_they_moved(raised: Engine) -> None:
    save_explanation(raised, 3, StoredExplanation(2, CHANGES, figures=(*OTHERS, AUGUST)))

    state = state_of(raised)
    pages = [Outline(page_of(state, name)).words for name in ("USA", "JPN")]
    data = json.loads(destination_file(state, "USA")[0])["explanation"]["change"]

    shown = ["moved the median of December 2026 by +12" in page for page in pages]
    assert shown == [True, False]
    assert (data["since"], data["causes"]) == (2, CHANGES["USA"])
    assert [(one["destination"], one["expected_t"]) for one in data["figures"]] == [
        ("FRA", None), ("USA", None), ("USA", 622.0),
    ]  # fmt: skip
    assert data["figures"][2]["moved"] == AUGUST.moved["USA"]


SMALL = replace(AUGUST, destination="JPN", moved={"USA": {"2026-12": 0.2}})
JUNE = replace(
    AUGUST, destination="USA", first="2026-06", last="2026-06", expected_t=600.0, published_t=580.0,
    moved={"USA": {"2026-12": -4.0}},
)  # fmt: skip
WORLD = replace(AUGUST, destination="WLD", moved={"USA": {"2026-12": 20.0}})


@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_change_leads_with_the_largest_effect_and_lists_own_figures_first(
    raised: Engine, language: str
) -> None:
    figures = (JUNE, WORLD, SMALL, AUGUST)
    save_explanation(raised, 3, StoredExplanation(2, CHANGES, figures=figures))

    with in_language(language):
        page = page_of(state_of(raised), "USA")
    paragraphs, items = texts_of(page, "p"), texts_of(page, "li")

    line = next(one for one in paragraphs if "→" in one)
    assert line.index("+20") < line.rindex("750") < line.rindex("622")
    listed = [one for one in items if "Example News" in one]
    effects = [re.findall(r"[+\N{MINUS SIGN}]\d+", one)[-1] for one in listed]
    assert effects == ["+12", "\N{MINUS SIGN}4", "+20"]
    assert [one for one in paragraphs if "+28" in one]  # what the listed ones add up to


def test_a_change_says_which_publication_it_is_from_and_where_the_figure_lay(
    raised: Engine,
) -> None:
    low = replace(AUGUST, value=120.4, published_t=120.4, moved={"USA": {"2026-12": 3.0}})
    lows = [replace(low, first=month, last=month) for month in ("2026-08", "2026-09", "2026-10")]
    same = replace(JUNE, published_t=600.4)
    inside = replace(AUGUST, published_t=600.4)
    lines = []
    for figures in ([low], lows, [same], [inside]):
        save_explanation(raised, 3, StoredExplanation(2, CHANGES, figures=tuple(figures)))
        texts = texts_of(page_of(state_of(raised), "USA"), "p")
        lines.append(next(text for text in texts if "→" in text))

    one, three, none, within = lines
    assert one.startswith("Since publication 2 (")
    assert " UTC), December 2026: " in one
    assert one.endswith("120 t published, 622 t expected: this moved it by +3 t.")
    assert three.endswith(
        "August to October 2026: 120 t a month published, 622 t a month expected: this moved it by "
        "+9 t."
    )
    assert within.endswith("August 2026 came in at 600 t, expected 622 t: inside the 80% band.")
    assert "600" not in none


def test_what_is_not_listed_is_smaller_or_not_computed(raised: Engine) -> None:
    effects = (3.0, 9.0, 4.0, 8.0, 5.0, 7.0, 6.0, 0.2)
    figures = [replace(WORLD, moved={"USA": {"2026-12": tonnes}}) for tonnes in effects]
    figures += [replace(WORLD, moved=None)] * 3 + [AUGUST]
    save_explanation(raised, 3, StoredExplanation(2, CHANGES, figures=tuple(figures)))

    page = page_of(state_of(raised), "USA")
    paragraphs = " ".join(texts_of(page, "p"))
    items = [one for one in texts_of(page, "li") if "Example News" in one]

    assert " ".join(re.findall(r"[+]\d+", one)[-1] for one in items) == "+12 +9 +8 +7 +6 +5"
    assert "The effects listed add up to +47 t" in paragraphs
    assert "2 smaller effects add +7 t. The effects of 3 figures were not computed." in paragraphs


def test_calibration_counts_forecasts_below_each_quantile(publication: Publication) -> None:
    page = track_page(publication, NOW)
    cells = track.cells_of(publication)

    below = cells["tonnes"].le(cells["p90"]).mean()
    calibration = re.search(r'"description":"(Calibration over [^"]*)"', page)
    assert f"{below:.0%} below the 90% quantile" in calibration[1]


def test_a_row_of_the_overview_shows_the_trend_and_what_changed(raised: Engine) -> None:
    page = page_of(state_of(raised), "USA", is_first=True)
    rows = re.findall(r"<tr><th[^>]*><a href=\"destinations/.*?</tr>", page, re.DOTALL)

    assert len(rows) == 12
    assert all(row.count("<polyline") == 2 for row in rows)
    assert all("+10.0%" in row for row in rows)


def test_precedents_of_the_policy_response_are_listed_month_by_month(engine: Engine) -> None:
    past = Precedent(
        "2023-07-gallium", "gallium", "export_control", {"1": 0.0, "2": 0.05, "3": 0.4}
    )
    save_explanation(engine, 2, StoredExplanation(precedents=(past,)))

    state = state_of(engine)
    page, chart_page = policy_page(state, NOW), page_of(state, "USA")
    (table,) = (one for one in publication_files(state) if one.name == "precedents")

    row = page[page.index('id="precedents"') :]
    cells = re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row[row.index("<tbody>") :])
    assert cells[:6] == ["Jul 2023", "gallium", "export control", "0%", "5%", "40%"]
    assert cells[15:] == ["0%", "40% in month 3"]
    assert 'href="../policy.html#precedents"' in chart_page
    assert [(row["material"], json.loads(row["retained"])) for row in table.rows] == [
        ("gallium", past.retained)
    ]
