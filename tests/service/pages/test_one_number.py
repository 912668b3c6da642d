"""Every page in every language: no code of an act, and one value for one quantity."""

import csv
import re

import pytest
from starlette.testclient import TestClient

from service.language.choice import LANGUAGES, in_language
from service.language.phrases import translated
from service.wording import name_of, tonnes
from tests.service.pages.test_web_pages import PAGES, WITHOUT_STAMP, Outline


@pytest.mark.slow
@pytest.mark.parametrize("code", LANGUAGES)
def test_pages_and_api_have_one_value_for_one_quantity(client: TestClient, code: str) -> None:
    pages = {
        path: client.get(path, params={"lang": code}).text for path in (*PAGES, *WITHOUT_STAMP)
    }
    acts = client.get("/api/v1/events?limit=1000").json()["items"]
    forecasts = client.get("/api/v1/forecasts").json()["items"]

    shown = {path: " ".join(Outline(page).text.split()) for path, page in pages.items()}
    assert [
        act["event_id"] for act in acts for text in shown.values() if act["event_id"] in text
    ] == []
    published = pages["/publications/2"]
    home = pages["/"][pages["/"].index('id="outlook-head"') :]
    for forecast in forecasts:
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
        assert p50 in headline[1]
        assert name in headline[1]
        shares = set(
            re.findall(r"±[^0-9]?([\d.,]+)", Outline(row).text + page[: page.index("<figure")])
        )
        assert len(shares) <= 1
        with in_language(code):
            observed = translated("observed")
        estimated = re.findall(r'kind-estimated">(.*?)</td>', page)
        assert estimated
        assert observed not in estimated
