"""The explorable chart: its numbers, its scripts and, in Chromium, what hand and keyboard find."""

import gzip
import re

import pytest
from fastapi.testclient import TestClient
from playwright.sync_api import Page, expect

from service.web import explore
from service.web.scripts import FOR_GOOD
from tests.service.browsing import Watch

MOST_BYTES = 1_500_000


def test_the_numbers_are_those_of_the_api(client: TestClient) -> None:
    drawn = client.get("/destinations/USA/explore.json").json()
    history = client.get("/api/v1/history/USA?limit=1000").json()
    rows = client.get("/api/v1/forecasts/USA").json()

    past = [row for row in history["items"] if row["destination"] == "USA"]
    assert drawn["history"]["period"] == [row["period"] for row in past]
    assert drawn["history"]["tonnes"] == [row["tonnes"] for row in past]
    assert drawn["forecast"]["p50"] == [
        pytest.approx(row["p50"], abs=5e-4) for row in rows["months"]
    ]
    assert drawn["history"]["period"][0] == "2016-01"


def test_an_unknown_destination_has_no_chart(client: TestClient) -> None:
    assert client.get("/destinations/XXX/explore.json").status_code == 404


def test_scripts_are_kept_for_good_and_plotly_is_small_on_the_wire(client: TestClient) -> None:
    with client.stream(
        "GET", explore.PLOTLY_ADDRESS, headers={"Accept-Encoding": "gzip"}
    ) as answer:
        sent = b"".join(answer.iter_raw())
    plain = client.get(explore.PLOTLY_ADDRESS, headers={"Accept-Encoding": "identity"})

    assert answer.headers["Cache-Control"] == FOR_GOOD
    assert len(sent) < MOST_BYTES
    assert gzip.decompress(sent) == plain.content
    assert client.get(explore.SCRIPT_ADDRESS).headers["Cache-Control"] == FOR_GOOD


def test_pages_with_the_chart_run_own_scripts_only_and_others_none(client: TestClient) -> None:
    chart, plain = client.get("/destinations/USA"), client.get("/policy")

    assert "script-src 'self';" in chart.headers["Content-Security-Policy"]
    assert "unsafe" not in chart.headers["Content-Security-Policy"]
    assert "script-src 'none'" in plain.headers["Content-Security-Policy"]
    assert re.findall(r"<script([^>]*)>", chart.text) == [f' defer src="{explore.SCRIPT_ADDRESS}"']


def opened(watch: Watch, path: str = "/destinations/USA") -> Page:
    page = watch.page
    page.goto(path)
    page.locator("#explore summary").click()
    page.locator("#explore[data-drawn]").wait_for()
    return page


def reading(page: Page) -> str:
    return page.locator("#explore-month-says").inner_text()


@pytest.mark.slow
def test_the_keyboard_reads_every_month_as_the_table_has_it(watch: Watch) -> None:
    page = opened(watch)
    row = page.locator("table tbody tr").filter(has_text=re.compile(r"\d")).first
    rows = page.locator("#months-head + * table tbody tr, #months-head ~ .scroll table tbody tr")
    first = rows.first
    month, low, median, high = first.locator("th, td").all_inner_texts()[:4]

    spoken = reading(page)
    assert f"median {median} t, 80% band {low} to {high} t" in spoken, (month, row)

    page.locator("#explore-month").focus()
    page.keyboard.press("ArrowLeft")
    before = reading(page)
    assert before != spoken
    assert re.search(r"USA|United States", before)
    page.keyboard.press("Home")
    assert reading(page).startswith("January 2016")
    assert watch.complaints == []
    assert watch.hosts == {"127.0.0.1"}


@pytest.mark.slow
def test_switches_change_what_is_drawn(watch: Watch) -> None:
    page = opened(watch)
    chart = page.locator("#explore")
    with_band = int(chart.get_attribute("data-drawn") or 0)

    page.locator("[name=band]").uncheck()
    expect(chart).not_to_have_attribute("data-drawn", str(with_band))
    page.locator("[name=log]").check()
    page.locator("[name=indexed]").check()
    assert page.locator("#explore-base").is_visible()
    page.locator("[name=compare]").select_option("DEU")
    expect(page.locator("#explore-month-says")).to_contain_text("Germany")
    page.get_by_role("button", name="Compare no more").click()
    assert "Germany" not in reading(page)
    assert watch.complaints == []
