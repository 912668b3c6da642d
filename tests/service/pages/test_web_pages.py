import io
import re
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from python_calamine import CalamineWorkbook
from sqlalchemy import Engine
from starlette.testclient import TestClient

from store.facts.batch import Batch, FileRows
from store.facts.reading import read_events
from store.facts.writing import write_batch
from tests.data.store_builders import make_observations
from tests.service.second_commodity import GOODS
from tests.service.stores import make_app, publish

PAGES = [
    "/", "/destinations/USA", "/destinations/WLD", "/needs", "/track-record", "/policy", "/data",
    "/status",
]  # fmt: skip
WITHOUT_STAMP = ["/docs", "/publications/2"]
"""Pages that do not follow the newest forecast."""

WITH_FORMS = {"/", "/needs", "/destinations/USA", "/destinations/WLD"}
TOKENS_ALONE = {"/audit", "/api/v1/audit"}


class Outline(HTMLParser):
    """What a machine can check of a page: its elements in order, with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, *tags: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name in tags]


@pytest.fixture(params=[*PAGES, *WITHOUT_STAMP])
def page(request: pytest.FixtureRequest, client: TestClient) -> Outline:
    answer = client.get(request.param)
    assert answer.status_code == 200
    return Outline(answer.text)


def test_a_page_has_nothing_inline_and_nothing_from_elsewhere(page: Outline) -> None:
    names = {name for name, _ in page.elements}
    assert not names & {"style", "iframe", "object", "embed"}
    assert all((one["src"] or "").startswith("/static/") for one in page.all("script"))
    for _, attributes in page.elements:
        assert "style" not in attributes
        assert not [name for name in attributes if name.startswith("on")]
    loaded = [link["href"] for link in page.all("link") if link["rel"] != "alternate"]
    assert all(address and address.startswith("/static/") for address in loaded)
    pictures = [str(one["src"]) for one in page.all("img")]
    assert all(re.match(r"/(charts|what-if/charts)/", address) for address in pictures)


def test_a_page_can_be_read_by_machine_and_keyboard(page: Outline) -> None:
    levels = [int(name[1]) for name, _ in page.elements if re.fullmatch("h[1-6]", name)]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(later - before <= 1 for before, later in pairwise(levels))
    assert page.all("html")[0]["lang"] == "en"
    assert page.all("a")[0] == {"class": "skip", "href": "#main"}
    assert page.all("main")[0]["id"] == "main"
    assert len(page.all("caption")) == len(page.all("table"))
    assert all("scope" in head for head in page.all("th"))
    assert all(one["alt"] for one in page.all("img"))
    scrolled = [box for box in page.all("div") if box.get("class") == "scroll"]
    assert all(box["tabindex"] == "0" and box["aria-label"] for box in scrolled)
    ids = [attributes["id"] for _, attributes in page.elements if attributes.get("id")]
    assert len(ids) == len(set(ids))
    assert "viewport" in {meta.get("name") for meta in page.all("meta")}


def test_a_page_sets_no_cookie_and_is_guarded(client: TestClient) -> None:
    for path in [*PAGES, "/nothing", "/api/v1/forecasts/USA"]:
        answer = client.get(path)

        assert "set-cookie" not in answer.headers
        assert "'unsafe" not in answer.headers["content-security-policy"]
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        # Pages with forms let the browser say of them where they are from, and nobody else.
        wanted = "same-origin" if path in WITH_FORMS else "no-referrer"
        assert answer.headers["referrer-policy"] == wanted


def is_followed(address: str) -> bool:
    """Tell whether a link is followed: one list of pages and four destinations do for all."""
    destination = re.match(r".*/(?:destinations|forecasts|history)/(\w+)", address)
    return not address.startswith("/policy?") and (
        destination is None or destination[1] in {"WLD", "USA", "EU27", "ROW"}
    )


@pytest.mark.slow
def test_every_link_within_the_site_leads_somewhere(commodity_client: TestClient) -> None:
    client = commodity_client
    waiting, seen = ["/"], set[str]()
    while waiting:
        path = waiting.pop()
        answer = client.get(path)
        if path in TOKENS_ALONE:
            assert answer.status_code == 401
            continue
        assert answer.status_code == 200, path
        if not answer.headers["content-type"].startswith("text/html"):
            continue
        found = {str(link["href"]) for link in Outline(answer.text).all("a")}
        inside = {address for address in found if address.startswith("/")} - seen
        seen |= inside
        waiting += [address for address in inside if is_followed(address)]
    assert {"/track-record", "/policy", "/data", "/status", "/destinations/ROW", "/goods"} <= seen
    assert f"/goods/{GOODS}/destinations/USA" in seen


def test_the_first_page_opens_on_the_country_asked_for_picked_or_of_the_language(
    client: TestClient,
) -> None:
    def opened(path: str, **headers: str) -> str:
        client.cookies.clear()
        page = client.get(path, headers=headers).text
        return page[page.index("<h1>") + 4 :].split(",")[0]

    assert opened("/") == "World"
    assert opened("/", **{"accept-language": "ja"}).startswith("日本")
    assert opened("/?lang=de") == "Deutschland"
    picked = client.get("/?country=KOR")
    cookie = picked.headers["set-cookie"].split(";")[0]
    assert opened("/?lang=en", cookie=cookie) == "South Korea"
    assert opened("/?country=USA", cookie=cookie) == "United States"
    assert opened("/", cookie="magnetcast_country=XXX") == "World"
    assert "Cookie" in picked.headers["vary"]
    assert client.get("/?country=XXX").status_code == 404
    client.cookies.clear()


def test_a_digest_says_in_plain_text_what_the_page_says_first(client: TestClient) -> None:
    page = Outline(client.get("/destinations/USA?lang=de").text).text
    digest = client.get("/destinations/USA/digest.txt?lang=de")
    feed = client.get("/destinations/USA/digest.atom?lang=de").text

    assert digest.headers["content-type"] == "text/plain; charset=utf-8"
    assert digest.headers["content-language"] == "de"
    lines = digest.text.strip().split("\n\n")
    own = " ".join(page.split())
    for line in lines:
        assert " ".join(re.sub(r" \(http://testserver/[^)]*\)", "", line).split()) in own
    assert "http://testserver/publications/2" in lines[-1]
    assert f"<title>{lines[0]}</title>" in feed
    assert "urn:magnetcast:digest:85051110:USA:2" in feed


def test_the_dates_are_a_calendar(client: TestClient) -> None:
    answer = client.get("/destinations/USA/dates.ics")

    lines = answer.text.replace("\r\n ", "").split("\r\n")
    days = [line.partition(":")[2] for line in lines if line.startswith("DTSTART")]
    assert answer.headers["content-type"].startswith("text/calendar")
    assert "20261220" in days
    assert days.count("20270111") == lines.count("DTSTART;VALUE=DATE:20270111") > 0
    assert all(len(line.encode()) <= 75 for line in answer.text.split("\r\n"))
    entries = lines.count("BEGIN:VEVENT")
    assert lines.count("URL:http://testserver/destinations/USA") == entries
    assert lines.count("BEGIN:VALARM") == entries
    assert max(len(line) for line in lines if line.startswith("SUMMARY")) <= len("SUMMARY:") + 60


def test_an_unknown_page_or_destination_is_reported_as_a_page(client: TestClient) -> None:
    for path in ("/nothing", "/destinations/XXX", "/policy?page=0", "/publications/99"):
        answer = client.get(path)

        assert answer.status_code in {404, 422}
        assert answer.headers["content-type"].startswith("text/html")
        assert "Back to the overview" in answer.text


@pytest.mark.slow
def test_text_from_data_is_shown_and_never_run(engine: Engine) -> None:
    attack = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
    event = read_events(engine).tail(1).assign(
        event_id="evil", summary=attack, note=attack, source_urls=f"javascript:alert(3);{attack}"
    )  # fmt: skip
    write_batch(engine, Batch((FileRows("evil", attack, "e" * 64, {"policy_events": event}),)))

    with TestClient(make_app(engine)) as client:
        pages = [client.get(path).text for path in ("/policy?q=evil", "/status")]

    for text in pages:
        assert "<script" not in text
        assert "<img" not in text
        assert "javascript:" not in text
        assert "&lt;script&gt;alert(1)" in text


def test_no_text_becomes_a_formula_in_csv_or_spreadsheet(engine: Engine) -> None:
    attack = "=cmd|' /C calc'!A0"
    rows = make_observations({"usable": False, "source": attack, "source_url": "@SUM(1)"})
    file = FileRows(
        "evil", "+evil.csv", "e" * 64, {"observations": rows}, asked="=imports, 2026-08"
    )
    write_batch(engine, Batch((file,)))

    with TestClient(make_app(engine)) as client:
        figures = client.get("/api/v1/figures?format=csv").text
        vintages = client.get("/api/v1/vintages?format=csv").text
        page = client.get("/status").text

    assert f"'{attack}" in figures
    assert "'@SUM(1)" in figures
    assert ">=imports, 2026-08</td>" in page
    assert ",'+evil.csv,\"'=imports, 2026-08\"," in vintages
    assert not re.search(r"(^|,)[=+@]", figures + vintages, flags=re.MULTILINE)


def test_the_spreadsheet_has_the_published_numbers(client: TestClient) -> None:
    answer = client.get("/destinations/USA/forecast.xlsx")

    book = CalamineWorkbook.from_filelike(io.BytesIO(answer.content))
    rows = book.get_sheet_by_name("Forecast").to_python()
    result = client.get("/api/v1/forecasts/USA").json()
    assert book.sheet_names == ["Forecast", "History", "Drivers", "About"]
    assert rows[1][rows[0].index("period")] == date(2026, 8, 1)
    place = rows[0].index("p50")
    assert [row[place] for row in rows[1:]] == [month["p50"] for month in result["months"]]
    assert 'filename="magnets_USA_2026-11-24.xlsx"' in answer.headers["content-disposition"]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_bears_the_stamp_and_its_whole_address(client: TestClient, path: str) -> None:
    page = client.get(path).text

    assert f'<p class="printed" lang="en">http://testserver{path}' in page
    text = " ".join(Outline(page).text.split())
    reach = "Data: world to July 2026; United States to July 2026; others by destination."
    assert (
        f"{reach} Newest figure loaded: published on 3 Oct 2026. Published 25 Nov 2026 at 03:00"
        in text
    )
    assert "Next release expected about 20 Dec 2026, for November 2026" in text


def test_the_first_page_answers_first_and_lists_the_months_ahead_of_the_reader(
    client: TestClient,
) -> None:
    page = client.get("/?country=USA").text
    row = client.get("/api/v1/forecasts/USA").json()["months"][4]

    p50, p10, p90 = (f"{row[name]:,.0f}" for name in ("p50", "p10", "p90"))
    answer = f"United States, December 2026: {p50} t (80%: {p10} to {p90})"
    assert row["period"] == "2026-12"  # the reader's day is 25 November
    assert answer in " ".join(Outline(page).text.split())
    months = page[page.index('id="outlook-head"') :].split("</table>")[0]
    shown = [f">{one}</th>" in months for one in ("Dec 2026", "Feb 2027", "Nov 2026")]
    assert shown == [True, True, False]


LATER = datetime(2026, 11, 25, tzinfo=UTC)


@pytest.mark.slow
def test_a_permanent_address_shows_the_same_after_a_newer_publication(engine: Engine) -> None:
    def bodies() -> list[bytes]:
        with TestClient(make_app(engine)) as client:
            cited = Outline(client.get("/").text).all("a")
            assert any(str(link["href"]).startswith("/publications/") for link in cited)
            return [client.get(f"/publications/2{end}").content for end in ("", "/forecasts.csv")]

    before = bodies()
    publish(engine, LATER, cutoff="2026-07", factor=2.0)
    publish(engine, datetime(2026, 11, 24, tzinfo=UTC), cutoff="2026-07", factor=3.0)

    assert bodies() == before
    assert b"24 Nov 2026" in before[0]
    assert b"howpublished = {\\url{http://testserver/publications/2}}" in before[0]
    assert before[1].startswith(b"publication,as_of,destination,cutoff,period,horizon,p05")


def test_the_page_of_the_api_lists_every_operation(client: TestClient) -> None:
    document = client.get("/api/v1/openapi.json").json()

    text = Outline(client.get("/docs").text).text

    for address, methods in document["paths"].items():
        for method in methods:
            assert f"{method.upper()} {address}" in text
