"""What changed, what may break a forecast and what to do, on the pages of planners."""

import re
from dataclasses import replace
from datetime import UTC, date, datetime
from urllib.parse import parse_qsl, urlsplit

import pytest
import yaml
from markupsafe import Markup
from sqlalchemy import Engine
from starlette.testclient import TestClient

from publication.pages.briefing import chances_in_words
from service.lever_form import CheckedForm, form_of
from store.publications.explanations import (
    Announced,
    NewFigure,
    Precedent,
    StoredExplanation,
    save_explanation,
)
from tests.service.pages.test_web_pages import Outline
from tests.service.pages.test_what_if_page import GROUND
from tests.service.stores import make_app, publish

LATER = datetime(2026, 11, 25, tzinfo=UTC)
RETURN = Announced(
    "2025-10-cn-no57-five-ree",
    "2027-01-11",
    is_return=True,
    chances=(0.48, 0.43, 0.05, 0.04),
    destinations=("USA", "WLD"),
)
CHANGES = {"USA": {month: {"new_actuals": 12.0, "passing_time": -2.0} for month in ("2026-12",)}}


def page_of(engine: Engine, path: str) -> Outline:
    with TestClient(make_app(engine)) as client:
        answer = client.get(path)
    assert answer.status_code == 200
    return Outline(answer.text)


def texts_of(engine: Engine, path: str, tag: str) -> list[str]:
    with TestClient(make_app(engine)) as client:
        page = client.get(path).text
    parts = re.findall(rf"<{tag}\b[^>]*>(.*?)</{tag}>", page, re.DOTALL)
    return [" ".join(Markup(part).striptags().split()) for part in parts]  # noqa: S704


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

    shown = page_of(engine, f"/destinations/{path}")

    words = "48% as announced, 43% later, 5% in a weaker form, 4% not at all"
    assert (words in shown.text) == (scenarios > 0)
    links = [str(link["href"]) for link in shown.all("a") if "chance." in str(link["href"])]
    assert len(links) == scenarios


@pytest.mark.slow
def test_an_announced_rise_of_a_tariff_has_a_scenario_without_it_and_one_of_a_month_later(
    engine: Engine,
) -> None:
    parts = {"event_id": "", "importer": "USA", "rate_before_pct": 27.1}
    rise = replace(RETURN, **parts, destinations=("USA",))
    save_explanation(engine, 2, StoredExplanation(announced=(rise,)))

    shown = page_of(engine, "/destinations/USA")

    asked = [
        CheckedForm(form_of(parse_qsl(urlsplit(str(link["href"])).query)), GROUND)
        for link in shown.all("a")
        if "tariff_from" in str(link["href"])
    ]
    never, late = (yaml.safe_load(one.text)["tariffs"] for one in asked if not one.errors)
    step = {"importer": "USA", "rate_pct": 27.1, "effective_from": date(2027, 1, 11)}
    assert never == [step]
    assert late == [{**step, "effective_to": date(2027, 2, 10)}]
    assert "Tariff increase in United States" in shown.text


@pytest.mark.slow
def test_a_need_and_an_alert_are_a_link_away_with_destination_and_month(engine: Engine) -> None:
    shown = page_of(engine, "/destinations/JPN")
    link = next(str(a["href"]) for a in shown.all("a") if str(a["href"]).startswith("/needs?"))

    form = page_of(engine, link)

    assert "destination=JPN&month=202" in link
    chosen = [option["value"] for option in form.all("option") if "selected" in option]
    assert chosen == ["JPN", "JPN", "below_last_year:JPN"]
    months = {one["name"]: one["value"] for one in form.all("input") if one.get("type") == "month"}
    assert (
        months["period_from"] == months["period_to"] == link[-len("2026-12#state") : -len("#state")]
    )


def test_new_figures_are_listed_with_what_was_expected_and_what_they_moved(engine: Engine) -> None:
    publish(engine, LATER, cutoff="2026-07", factor=1.1)
    save_explanation(engine, 3, StoredExplanation(2, CHANGES, figures=(*OTHERS, AUGUST)))

    with TestClient(make_app(engine)) as client:
        pages = [Outline(client.get(f"/destinations/{name}").text).text for name in ("USA", "JPN")]
        data = client.get("/api/v1/explain/USA").json()["change"]
        earlier = client.get("/api/v1/explain/USA?as_of=2026-11-24").json()["change"]

    shown = ["moved the median of December 2026 by +12" in " ".join(p.split()) for p in pages]
    assert shown == [True, False]
    assert (data["since"], data["causes"], earlier) == (2, CHANGES["USA"], None)
    assert [(one["destination"], one["expected_t"]) for one in data["figures"]] == [
        ("FRA", None), ("USA", None), ("USA", 622.0),
    ]  # fmt: skip
    assert data["figures"][2]["moved"] == AUGUST.moved["USA"]


SMALL = replace(AUGUST, destination="JPN", moved={"USA": {"2026-12": 0.2}})
JULY = replace(
    AUGUST, destination="USA", first="2026-07", last="2026-07", expected_t=600.0, published_t=580.0,
    moved={"USA": {"2026-12": -4.0}},
)  # fmt: skip
WORLD = replace(AUGUST, destination="WLD", moved={"USA": {"2026-12": 20.0}})


@pytest.mark.parametrize("language", ["en", "de", "ja", "ko", "zh"])
def test_the_change_leads_with_the_newest_figure_of_the_destination_itself(
    engine: Engine, language: str
) -> None:
    publish(engine, LATER, cutoff="2026-07", factor=1.1)
    figures = (JULY, WORLD, SMALL, AUGUST)
    save_explanation(engine, 3, StoredExplanation(2, CHANGES, figures=figures))

    address = f"/?country=USA&lang={language}"
    paragraphs, items = texts_of(engine, address, "p"), texts_of(engine, address, "li")

    line = next(one for one in paragraphs if "→" in one)
    assert line.index("750") < line.index("622") < line.index("+20")
    listed = [one for one in items if "Example News" in one]
    effects = [re.findall(r"[+\N{MINUS SIGN}]\d+", one)[-1] for one in listed]
    assert effects == ["+12", "\N{MINUS SIGN}4", "+20"]
    assert [one for one in paragraphs if "+28" in one]  # what the listed ones add up to


def test_a_change_says_which_publication_it_is_from_and_where_the_figure_lay(
    engine: Engine,
) -> None:
    publish(engine, LATER, cutoff="2026-07", factor=1.1)
    low = replace(AUGUST, published_t=120.0, moved={"USA": {"2026-12": 3.0}})
    save_explanation(engine, 3, StoredExplanation(2, CHANGES, figures=(low,)))

    line = next(one for one in texts_of(engine, "/?country=USA", "p") if "→" in one)

    assert line.startswith("Since publication 2 (")
    assert " UTC), December 2026: " in line
    assert "because August 2026 came in at 120 t, expected 622 t: below the 80% band (" in line


def test_what_is_not_listed_is_smaller_or_not_computed(engine: Engine) -> None:
    publish(engine, LATER, cutoff="2026-07", factor=1.1)
    effects = (3.0, 9.0, 4.0, 8.0, 5.0, 7.0, 6.0, 0.2)
    figures = [replace(WORLD, moved={"USA": {"2026-12": tonnes}}) for tonnes in effects]
    figures += [replace(WORLD, moved=None)] * 3 + [AUGUST]
    save_explanation(engine, 3, StoredExplanation(2, CHANGES, figures=tuple(figures)))

    paragraphs = " ".join(texts_of(engine, "/?country=USA", "p"))
    items = [one for one in texts_of(engine, "/?country=USA", "li") if "Example News" in one]

    assert " ".join(re.findall(r"[+]\d+", one)[-1] for one in items) == "+12 +9 +8 +7 +6 +5"
    assert "The effects listed add up to +47 t" in paragraphs
    assert "2 smaller effects add +7 t. The effects of 3 figures were not computed." in paragraphs


@pytest.mark.slow
def test_calibration_counts_forecasts_below_each_quantile(client: TestClient) -> None:
    labels = [str(one.get("alt")) for one in Outline(client.get("/track-record").text).all("img")]
    cells = client.get("/api/v1/track-record?limit=1000").json()["items"]

    below = sum(one["tonnes"] <= one["p90"] for one in cells) / len(cells)
    calibration = next(label for label in labels if label.startswith("Calibration over"))
    assert f"{below:.0%} below the 90% quantile" in calibration


def test_a_row_of_the_overview_shows_the_trend_and_what_changed(engine: Engine) -> None:
    publish(engine, LATER, cutoff="2026-07", factor=1.1)

    with TestClient(make_app(engine)) as client:
        page = client.get("/").text
    rows = re.findall(r"<tr><th[^>]*><a href=\"/destinations/.*?</tr>", page, re.DOTALL)

    assert len(rows) == 12
    assert all(row.count("<polyline") == 2 for row in rows)
    assert all("+10.0%" in row for row in rows)
    assert '<link rel="alternate" type="application/atom+xml"' in page
    assert "&lt;iframe src=" in page


def test_precedents_of_the_policy_response_are_listed_month_by_month(engine: Engine) -> None:
    past = Precedent(
        "2023-07-gallium", "gallium", "export_control", {"1": 0.0, "2": 0.05, "3": 0.4}
    )
    save_explanation(engine, 2, StoredExplanation(precedents=(past,)))

    with TestClient(make_app(engine)) as client:
        page = client.get("/policy").text
        chart_page = client.get("/destinations/USA").text
        rows = client.get("/api/v1/precedents").json()["items"]

    row = page[page.index('id="precedents"') :]
    cells = re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row[row.index("<tbody>") :])
    assert cells[:6] == ["Jul 2023", "gallium", "export control", "0%", "5%", "40%"]
    assert cells[15:] == ["0%", "40% in month 3"]
    assert 'href="/policy#precedents"' in chart_page
    assert [(row["material"], row["retained"]) for row in rows] == [("gallium", past.retained)]
