import re
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from babel.messages.catalog import Catalog

from publication.language import phrases
from publication.language.phrases import (
    LANGUAGES,
    catalogue_of,
    gettext,
    in_language,
    ngettext,
    translations_of,
    untranslated,
)
from publication.pages.render import environment
from store.settings import PROJECT_ROOT
from tests.publication.second_commodity import GOODS

TRANSLATED = [code for code in LANGUAGES if code != "en"]
PAGES = [
    "index", "destinations/USA", "destinations/WLD", "track-record", "policy", "data",
    "publications", "planning", "goods", "what-if", "stock", f"goods/{GOODS}/index",
    f"goods/{GOODS}/destinations/WLD", f"goods/{GOODS}/track-record", "embed/USA",
    "publications/85051110/2",
]  # fmt: skip
SAME_EVERYWHERE = {"magnetcast", "English", "Deutsch", "group", "Frictionless"}
"""Names and formats."""

PLACEHOLDER = re.compile(r"%%|%\(\w+\)s")
FALLBACK = "fallback last good model training failed its gate Fallback"
"""The test's own status of a forecast, which no catalogue has."""


@pytest.mark.parametrize("code", TRANSLATED)
def test_a_translation_has_just_the_placeholders_of_its_sentence(code: str) -> None:
    catalogue = catalogue_of(code)
    messages = [one for one in catalogue if one.id and all(forms(one.string))]

    assert not [one.id for one in messages if one.fuzzy]
    assert not [error for one in messages for error in one.check(catalogue)]
    for one in messages:
        assert "%" not in PLACEHOLDER.sub("", "".join(forms(one.string))), one.id
        meant = [placeholders(text) for text in forms(one.id)]
        assert all(placeholders(text) in meant for text in forms(one.string)), one.id


TERMS = pd.read_csv(PROJECT_ROOT / "publication" / "language" / "terms.csv", keep_default_na=False)
"""Terms of the field in five languages, and words that are not used for them (as patterns)."""


@pytest.mark.parametrize("code", TRANSLATED)
def test_translations_use_the_terms_of_the_table(code: str) -> None:
    texts = [text for one in catalogue_of(code) if one.id for text in forms(one.string)]
    avoided = [pattern for pattern in TERMS[f"avoid_{code}"] if pattern]
    rows = TERMS.set_index("english")[code].to_dict()
    named = [one for one in catalogue_of(code) if one.id in rows and one.string]

    assert [text for text in texts for pattern in avoided if re.search(pattern, text)] == []
    assert {one.id: one.string for one in named} == {one.id: rows[one.id] for one in named}


@pytest.mark.parametrize("code", TRANSLATED)
def test_signs_and_units_are_those_of_the_language(code: str) -> None:
    texts = [text for one in catalogue_of(code) if one.id for text in forms(one.string)]
    wrong = {
        "de": r"\d ?%%(?!-)|\)s ?%%(?!-)",
        "ja": r"(?<=[ぁ-ん一-龥])[:;,(]|%\(\w+\)s[ \u00a0]t\b|\uff05",
        "ko": r"%\(\w+\)s(?:[ \u00a0]|&nbsp;)t\b|하십시오|"
        # a particle that depends on the sound before it, which a placeholder leaves open
        r"\([이가은는을를와과으]\)|%\(\w+\)s(?:</\w+>|[%”\"'])*(?:[을를이가은는와과로](?![가-힣])|으로)",
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


@pytest.mark.parametrize("name", PAGES)
def test_a_japanese_page_has_no_word_of_another_language(site: Path, name: str) -> None:
    path = f"{name}/ja/index" if name.startswith("publications/") else f"ja/{name}"
    text = (site / f"{path}.html").read_text(encoding="utf-8")

    assert '<html lang="ja">' in text
    english = words_of(" ".join(untranslated("ja")))
    shown = words_of(" ".join(Text(text).found)) - SAME_EVERYWHERE
    assert shown - english - set(FALLBACK.split()) - {"plant", "level"} == set(), (
        "a sentence that is not marked, or not in the catalogue yet: make catalogues"
    )


def words_of(text: str) -> set[str]:
    return set(re.findall(r"(?<![/\w])[A-Z]?[a-z]{2,}\b", text))


def test_a_page_names_its_other_languages(site: Path) -> None:
    text = (site / "destinations/USA.html").read_text(encoding="utf-8")

    assert re.findall(r'<link rel="alternate" hreflang="([^"]+)" href="([^"]+)"', text) == [
        ("en", "USA.html"), ("de", "../de/destinations/USA.html"),
        ("ja", "../ja/destinations/USA.html"), ("ko", "../ko/destinations/USA.html"),
        ("zh-Hans", "../zh/destinations/USA.html"),
    ]  # fmt: skip


def test_a_sentence_without_translation_is_english_and_listed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    catalogue = Catalog(locale="de")
    catalogue.add("Not yet", "")
    catalogue.add(("%(n)s ton", "%(n)s tons"), ("", ""))
    catalogue.add("World", "Welt")
    monkeypatch.setattr(phrases, "catalogue_of", lambda _: catalogue)
    translations_of.cache_clear()

    with in_language("de"):
        shown = [gettext("Not yet"), gettext("Nowhere"), gettext("World")]
        tons = [ngettext("%(n)s ton", "%(n)s tons", n) for n in (1, 2)]

    translations_of.cache_clear()
    assert shown == ["Not yet", "Nowhere", "Welt"]
    assert tons == ["1 ton", "2 tons"]
    assert untranslated("de") == ["Not yet", "%(n)s ton"]


def test_a_translation_that_cannot_be_formatted_is_logged_and_english(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    sentence, many = "%(name)s: no change in any month.", "%(n)s months"
    catalogue = vars(translations_of("ko"))["_catalog"]
    monkeypatch.setitem(catalogue, sentence, "%(country)s: 5% 변화")
    monkeypatch.setitem(catalogue, (many, 0), "5%(개월")
    template = environment().from_string("{{ _(text, name=name) }} {{ ngettext('', many, 2) }}")

    with in_language("ko"):
        said = gettext(sentence, name="Chad")
        shown = template.render(text=sentence, many=many, name="<b>")

    assert said == "Chad: no change in any month."
    assert shown.startswith("&lt;b&gt;: no change in any month.")
    assert {record.levelname for record in caplog.records} == {"ERROR"}
    assert "'ko'" in caplog.text
