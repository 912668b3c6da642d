"""Pages in five languages: which one, that nothing of another is left, and that links keep it."""

import re
from functools import cache
from html import unescape
from html.parser import HTMLParser
from urllib.parse import parse_qsl

import numpy as np
import pandas as pd
import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.frontend import _parse_mapping_toml, parse_keywords
from service.web.report import render_page
from sqlalchemy import Engine
from starlette.testclient import TestClient
from store.planning.audit import create_token

from features.panel.partner_table import Listing, PartnerTable, hindsight
from publication.language.choice import LANGUAGES, choice_for, in_language
from publication.language.phrases import catalogue_of
from store.months import month_number
from store.settings import PROJECT_ROOT
from tests.service.builders import AS_OF, make_panel, make_report
from tests.service.report.test_table_report import make_table_report
from tests.service.second_commodity import GOODS
from tests.service.stores import NEWEST, make_app

TRANSLATED = [code for code in LANGUAGES if code != "en"]
PAGES = [
    "/", "/destinations/USA", "/track-record", "/publications/2", "/goods", f"/goods/{GOODS}",
    f"/goods/{GOODS}/destinations/WLD", f"/goods/{GOODS}/track-record", "/destinations/XYZ",
    "/needs", "/policy", f"/needs?commodity={GOODS}", "/what-if",
    "/what-if?destination=USA&tariff_rate=x&licence_kept=5&suspension_to=2027&chance.a=2",
    "/method", "/data", "/status", "/docs",
]  # fmt: skip
SAME_EVERYWHERE = {"magnetcast", "English", "Deutsch", "group"}
"""Names and formats."""

PLACEHOLDER = re.compile(r"%%|%\(\w+\)s")
FALLBACK = "fallback last good model training failed its gate Fallback"
"""The test's own status of a forecast, which no catalogue has."""


@cache
def extracted() -> Catalog:
    """Return every marked sentence of code and templates."""
    with (PROJECT_ROOT / "babel.toml").open("rb") as opened:
        methods, options = _parse_mapping_toml(opened, filename="babel.toml")
    keywords = {**DEFAULT_KEYWORDS, **parse_keywords(["marked:1,1t", "message"])}
    found = Catalog()
    for folder in (
        "store",
        "sources",
        "features",
        "models",
        "service",
        "flows",
        "data",
        "scenarios",
    ):
        for _, _, sentence, _, _ in extract_from_dir(
            PROJECT_ROOT / folder, methods, options, keywords=keywords
        ):
            found.add(sentence)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("code", TRANSLATED)
def test_a_catalogue_has_every_sentence_and_no_other(code: str) -> None:
    assert {one.id for one in catalogue_of(code) if one.id} == {
        one.id for one in extracted() if one.id
    }


@pytest.mark.parametrize("code", TRANSLATED)
def test_translations_are_whole_and_have_just_the_placeholders_of_their_sentences(
    code: str,
) -> None:
    catalogue = catalogue_of(code)
    messages = [one for one in catalogue if one.id]

    assert len(messages) > 1000
    assert not [one.id for one in messages if one.fuzzy or not all(forms(one.string))]
    assert not [error for one in messages for error in one.check(catalogue)]
    for one in messages:
        assert "%" not in PLACEHOLDER.sub("", "".join(forms(one.string))), one.id
        meant = [placeholders(text) for text in forms(one.id)]
        assert all(placeholders(text) in meant for text in forms(one.string)), one.id


TERMS = pd.read_csv(PROJECT_ROOT / "service" / "language" / "terms.csv", keep_default_na=False)
"""Terms of the field in five languages, and words that are not used for them (as patterns)."""


@pytest.mark.parametrize("code", TRANSLATED)
def test_translations_use_the_terms_of_the_table(code: str) -> None:
    texts = [text for one in catalogue_of(code) if one.id for text in forms(one.string)]
    avoided = [pattern for pattern in TERMS[f"avoid_{code}"] if pattern]
    rows = TERMS.set_index("english")[code].to_dict()
    named = [one for one in catalogue_of(code) if one.id in rows]

    assert len(TERMS) >= 72
    assert [text for text in texts for pattern in avoided if re.search(pattern, text)] == []
    assert {one.id: one.string for one in named} == {one.id: rows[one.id] for one in named}


@pytest.mark.parametrize("code", TRANSLATED)
def test_signs_and_units_are_those_of_the_language(code: str) -> None:
    texts = [text for one in catalogue_of(code) if one.id for text in forms(one.string)]
    wrong = {
        "de": r"\d ?%%(?!-)|\)s ?%%(?!-)",
        "ja": r"(?<=[ぁ-ん一-龥])[:;,(]|%\(\w+\)s[ \u00a0]t\b|\uff05",
        "ko": r"%\(\w+\)s(?:[ \u00a0]|&nbsp;)t\b|하십시오",
        "zh": r"(?<=[一-龥])[:;,(]|%\(\w+\)s[ \u00a0]t\b|[ \u00a0]吨|&nbsp;吨",
    }[code]

    assert [text for text in texts if re.search(wrong, text)] == []


def forms(text: str | tuple[str, ...]) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text)


def placeholders(text: str) -> set[str]:
    return set(PLACEHOLDER.findall(text)) - {"%%"} | set(re.findall(r"\{\w+\}|</?\w+", text))


class Text(HTMLParser):
    """The text of a page that is in its own language: what is marked as English is left out."""

    VOID = ("meta", "link", "input", "br", "img", "hr", "path", "use")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.within: list[tuple[str, bool]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        is_other = tag in {"style", "script", "code", "pre"} or named.get("lang") == "en"
        outer = bool(self.within and self.within[-1][1])
        if tag not in self.VOID:
            self.within.append((tag, outer or is_other))
        if not (outer or is_other):
            self.found += [named[name] or "" for name in ("aria-label", "title") if name in named]

    def handle_endtag(self, tag: str) -> None:
        while self.within and self.within.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        if not (self.within and self.within[-1][1]):
            self.found.append(data)


@pytest.mark.slow
@pytest.mark.parametrize("address", PAGES)
def test_a_japanese_page_has_no_word_of_another_language(
    commodity_client: TestClient, address: str
) -> None:
    page = commodity_client.get(f"{address}{'&' if '?' in address else '?'}lang=ja")

    assert page.headers["Content-Language"] == "ja"
    assert words_in(page.text) - set(FALLBACK.split()) == set()


@pytest.mark.slow
def test_a_japanese_report_has_no_word_of_another_language() -> None:
    panel = make_panel().assign(kind="estimated")
    past = PartnerTable("850511", AS_OF, pd.DataFrame(), {}, pd.Series(), (), is_revised=True)
    notes = (*odd_listing().notes(), *hindsight([past, past]))

    with in_language("ja"):
        magnets = render_page(make_report(panel=panel, kept=["WLD", "THA"]))
        goods = render_page(make_table_report(), notes=notes)

    assert magnets.count("<li>", magnets.index('<section id="unknowns"')) == len(notes) == 5
    assert '<html lang="ja">' in magnets
    assert (words_in(magnets) | words_in(goods)) - set(FALLBACK.split()) == set()
    assert "2026年2月" in goods
    assert "メキシコ" in goods


def odd_listing() -> Listing:
    """Return partners of 15 months: one not listed, one late, a value alone, a total too small."""
    reported = np.tile([[10.0], [5.0]], 15)
    reported[0, 0] = reported[1, 13] = np.nan
    return Listing(
        names=("FRA", "MEX"),
        months=month_number(pd.Timestamp("2025-01-01")) + np.arange(15),
        reported=reported,
        has_value=np.isnan(reported) & (np.arange(15) == 0),
        total=np.r_[np.full(14, 15.0), 10.0],
        rest=np.zeros(15),
        is_complete=np.arange(15) != 1,
    )


def words_in(page: str) -> set[str]:
    """Return the words in Latin letters of what is in a page's own language."""
    pattern = r"(?<![/\w])[A-Z]?[a-z]{2,}\b"
    found = {word for text in Text(page).found for word in re.findall(pattern, text)}
    return found - SAME_EVERYWHERE


@pytest.mark.parametrize(
    ("named", "accepted", "expected"),
    [
        ("", "", "en"), ("", "de-AT,de;q=0.9,en;q=0.5", "de"),
        ("", "fr;q=1, ja;q=0.4, ko;q=0.8", "ko"), ("", "zh-CN", "zh"),
        ("", "zh-TW, ja;q=0.5", "ja"), ("", "de;q=0, en", "en"), ("", "de;q=much", "en"),
        ("ja", "de", "ja"), ("tlh", "de", "de"),
    ],
)  # fmt: skip
def test_the_address_goes_before_the_browser(named: str, accepted: str, expected: str) -> None:
    assert choice_for(named, accepted).language == expected


@pytest.mark.slow
def test_a_browser_gets_its_language_and_an_address_keeps_its_own(client: TestClient) -> None:
    by_browser = client.get("/data", headers={"Accept-Language": "de"})
    by_address = client.get("/data", params={"lang": "ko"}, headers={"Accept-Language": "de"})

    assert '<html lang="de">' in by_browser.text
    assert not re.search(r'(?:href|action)="/[^"]*lang=', by_browser.text)
    assert '<html lang="ko">' in by_address.text
    own = re.findall(r'(?:href|action)="(/(?!static|api)[^"]*)"', by_address.text)
    assert own
    assert all("lang=ko" in address for address in own)
    assert "Accept-Language" in by_address.headers["Vary"]
    assert by_browser.headers["ETag"] != by_address.headers["ETag"]


@pytest.mark.slow
def test_a_form_is_read_in_the_language_of_its_page(engine: Engine) -> None:
    token = create_token(engine, name="planner", scopes=["write"], at=NEWEST)
    headers = {"Authorization": f"Bearer {token}", "Origin": "http://testserver"}

    with TestClient(make_app(engine), headers=headers) as client:
        fields = {"name": "Magnete", "destination": "DEU", "tonnes": "1.000,5"}
        months = {"period_from": "2026-12", "period_to": "2027-01"}

        saved = client.post("/needs?lang=de", data=fields | months, follow_redirects=False)
        shown = client.get("/needs?lang=de").text
        refused = client.post("/needs?lang=de", data=fields | months | {"tonnes": "1,000.5"})
        trail = client.get("/audit?lang=ja").text

    assert "lang=de" in saved.headers["location"]
    assert words_in(trail) - {"planner"} - set(FALLBACK.split()) == set()
    assert "1.000,5&nbsp;t" in shown
    assert refused.status_code == 400


@pytest.mark.parametrize(("code", "example"), [("en", "14.5"), ("de", "14,5")])
def test_an_example_of_a_number_is_written_as_its_reader_writes_it(
    client: TestClient, code: str, example: str
) -> None:
    field = client.get(f"/needs?lang={code}").text.split('name="by_month"')[1]

    assert f' {example}"' in field[:150]


def test_a_page_names_its_other_languages(client: TestClient) -> None:
    page = client.get("/").text

    assert re.findall(r'<link rel="alternate" hreflang="([^"]+)"', page) == [
        "en", "de", "ja", "ko", "zh-Hans",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "address",
    [
        "/what-if?destination=USA&tariff_rate=60",
        "/what-if?destination=JPN&beside=licence_kind%3Dexport_ban%26licence_for%3DJPN%26licence_from%3D2027-02",
        "/what-if?destination=ATLANTIS&tariff_rate=60",
        "/nowhere?q=%22%3E%3Cb%3E&page=2",
        "/policy?page=none&q=fentanyl",
        "/needs?ended=3",
    ],
)
def test_a_change_of_language_keeps_what_is_asked(client: TestClient, address: str) -> None:
    page = client.get(f"{address}&lang=de").text

    (switch,) = re.findall(r'<a href="(\?[^"]*)" lang="ja"', page)
    kept = parse_qsl(unescape(switch).removeprefix("?"))
    assert kept == [*parse_qsl(address.partition("?")[2]), ("lang", "ja")]
    assert "<b>" not in page


def test_the_api_is_english_whatever_the_browser_wants(client: TestClient) -> None:
    answer = client.get("/api/v1/forecasts/DEU?lang=de", headers={"Accept-Language": "de"})

    assert answer.json()["name"] == "Germany"
    assert "Content-Language" not in answer.headers
