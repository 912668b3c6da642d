"""Every page in every language: no code of an act, and one value for one quantity."""

import csv
import re

import pandas as pd
import pytest
from service.web.report import render_page
from starlette.testclient import TestClient

from models.evaluation.scores import Coverage, coverage_of
from publication.language.choice import in_language
from publication.language.formats import dated
from publication.language.phrases import translated
from publication.pages.page_charts import CHART_KINDS
from publication.words import name_of, tonnes
from store.vocabulary import ALL
from tests.service.builders import make_report, make_scores
from tests.service.pages.test_web_pages import PAGES, WITHOUT_STAMP, Outline
from tests.service.stores import plain

EVERYWHERE = (
    *PAGES, *WITHOUT_STAMP, "/goods", "/method", "/what-if", "/alerts.atom",
    "/embed/charts/fan/USA",
    *(f"/destinations/USA/{name}" for name in ("digest.txt", "digest.atom", "dates.ics")),
    *(f"/charts/{kind}/USA.json" for kind in CHART_KINDS),
)  # fmt: skip

FEW = {"WLD", "EU27", "USA"}


@pytest.mark.slow
@pytest.mark.parametrize("code", ["en", "de", "zh"])
def test_pages_and_api_have_one_value_for_one_quantity(client: TestClient, code: str) -> None:
    pages = {path: client.get(path, params={"lang": code}).text for path in EVERYWHERE}
    acts = client.get("/api/v1/events?limit=1000").json()["items"]
    forecasts = client.get("/api/v1/forecasts").json()["items"]

    shown = {path: " ".join(Outline(page).text.split()) for path, page in pages.items()}
    assert [
        (act["event_id"], path)
        for act in acts
        for path, text in shown.items()
        if act["event_id"] in text
    ] == []
    published = pages["/publications/2"]
    home = pages["/"][pages["/"].index('id="outlook-head"') :]
    # The numbers are the same in all languages; how they are written shows on a few.
    for forecast in (one for one in forecasts if code == "en" or one["destination"] in FEW):
        month = next(one for one in forecast["months"] if one["period"] == "2026-12")
        with in_language(code):
            name, p50 = name_of(forecast["destination"]), tonnes(month["p50"])
        row = home[home.index(f"/destinations/{forecast['destination']}") :].split("</tr>")[0]
        assert f">{p50}<span" in row
        assert f">{p50}<span" in published[published.index(f">{name}<") :].split("</tr>")[0]
        chart = client.get(f"/what-if/charts/paired.csv?destination={forecast['destination']}").text
        december = next(
            row for row in csv.DictReader(chart.splitlines()) if row["period"] == "2026-12"
        )
        assert float(december["base_p50"]) == pytest.approx(month["p50"], abs=5e-4)
        page = client.get(f"/destinations/{forecast['destination']}?lang={code}").text
        headline = re.search("<h1>(.*?)</h1>", page)
        assert headline
        assert p50 in headline[1].partition("<span")[0]
        assert name in headline[1]
        normal = client.get("/api/v1/stock-outlook?tonnes=1&destination=" + forecast["destination"])
        digest = client.get(f"/destinations/{forecast['destination']}/digest.txt?lang={code}").text
        with in_language(code):
            usual = tonnes(normal.json()["normal_t"])
        assert usual in page.split('<p class="advice">')[1]
        assert usual in digest
        assert digest.startswith(re.sub("<[^>]+>", "", headline[1]).replace("\xa0", " "))
        chart = client.get(f"/charts/fan/{forecast['destination']}.json?lang={code}").json()
        said = [row["says"] for rows in chart["datasets"].values() for row in rows if "says" in row]
        past = client.get(f"/api/v1/history/{forecast['destination']}").json()["items"]
        with in_language(code):
            for month in past:
                name = dated(pd.Timestamp(month["period"]), "long month")
                own = [one for one in said if name in one and tonnes(month["tonnes"]) in one]
                is_estimated = month["kind"] == "estimated"
                assert own
                assert [
                    one for one in own if (translated("estimated") in one) != is_estimated
                ] == []
        shares = set(
            re.findall(r"±[^0-9]?([\d.,]+)", Outline(row).text + page[: page.index("<figure")])
        )
        assert len(shares) <= 1
        with in_language(code):
            observed = translated("observed")
        estimated = re.findall(r'kind-estimated">(.*?)</td>', page)
        assert estimated
        assert observed not in estimated


@pytest.mark.slow
@pytest.mark.parametrize("destination", ["USA", "THA"], ids=["enough months", "too few"])
def test_pages_the_api_and_the_report_quote_the_same_coverage(
    client: TestClient, destination: str
) -> None:
    status = "champion" if destination == "USA" else "fallback"
    groups = coverage_of(make_scores(), destination, status)

    answer = client.get(f"/api/v1/forecasts/{destination}").json()["coverage"]
    page = client.get(f"/destinations/{destination}").text
    record = plain(client.get("/track-record").text)
    report = plain(render_page(make_report()))

    assert [one["words"] for one in answer] == [one.words for one in groups]
    assert [one["share"] for one in answer] == [one.share for one in groups]
    shown = next(one for one in groups if one.holds(5))
    assert f"Backtest: {shown.words} past forecasts at this horizon" in page
    whole = coverage_of(make_scores(), ALL, "")
    for table in (record, report):
        assert _row(groups) in table
        assert table.count(f"All destinations</th>{_row(whole)}") == 1


def test_the_track_record_is_a_forward_test_apart_from_the_backtest(client: TestClient) -> None:
    published, _, replayed = client.get("/track-record").text.partition('id="replay-head"')

    assert "This is a forward test: every forecast published since" in published
    assert '<th scope="row" class="text">already over</th>' in published
    assert '<th scope="col">Bias</th>' in published
    assert "It is not part of the published record" in replayed
    cells = client.get("/api/v1/track-record").json()["items"]
    assert {cell["lead"] for cell in cells if cell["period"] == "2025-08-01"} == {0}


def _row(groups: tuple[Coverage, ...]) -> str:
    judged, few = '<td class="text">{words}</td>', '<td class="text note">{words}</td>'
    return "".join((judged if one.is_judged else few).format(words=one.words) for one in groups)
