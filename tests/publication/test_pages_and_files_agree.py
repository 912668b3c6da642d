import csv
import json
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pandas as pd
import pytest

from models.evaluation.scores import Coverage, coverage_of
from publication.language.formats import dated
from publication.language.phrases import in_language, translated
from publication.pages.render import folder_of
from publication.state import Publication
from publication.words import chance_words, name_of, tonnes
from service.stock import firm_answer, question_in
from service.what_if import result_of, unchanged, view_of
from store.schema.scenario import UNCHANGED, ScenarioResult
from store.vocabulary import ALL
from tests.publication.builders import make_scores
from tests.publication.pages import Outline
from tests.publication.stores import NOW


def plain(page: str) -> str:
    """Return a page without what tells how its cells are shown, and in which language."""
    page = re.sub(r' (?:data-head|lang)="[^"]*"', "", page)
    return re.sub(r"<span>(.*?)</span>", r"\1", page)


in_languages = pytest.mark.parametrize(
    "code", ["en", *(pytest.param(code, marks=pytest.mark.slow) for code in ("de", "zh"))]
)


@in_languages
def test_pages_feeds_and_files_have_one_value_for_one_quantity(
    site: Path, publication: Publication, code: str
) -> None:
    root = site / folder_of(code)
    home = (root / "index.html").read_text(encoding="utf-8")
    home = home[home.index('id="outlook-head"') :]
    folder = site / publication.folder / folder_of(code)
    published = (folder / "index.html").read_text(encoding="utf-8")
    with (site / "api/v1/forecasts.csv").open(encoding="utf-8") as opened:
        december = {r["destination"]: r for r in csv.DictReader(opened) if r["period"] == "2026-12"}
    with (site / "api/v1/sums.csv").open(encoding="utf-8") as opened:
        sums = {(r["destination"], r["what"]): float(r["p50"]) for r in csv.DictReader(opened)}
    book = pd.read_excel(site / publication.folder / "forecast.xlsx", engine="calamine")
    for place in publication.destinations:
        data = json.loads((site / f"api/v1/destinations/{place}.json").read_text(encoding="utf-8"))
        page = (root / f"destinations/{place}.html").read_text(encoding="utf-8")
        month = next(one for one in data["months"] if one["period"] == "2026-12")
        medians = [one["p50"] for one in data["months"]]
        assert float(december[place]["p50"]) == month["p50"]
        assert book.loc[book["destination"].eq(place), "p50"].tolist() == medians
        with in_language(code):
            name, p50 = name_of(place), tonnes(month["p50"])
            asked = {"destination": place, "tonnes": "1"}
            usual = tonnes(firm_answer(publication, question_in(asked), now=NOW)["normal_t"])
            view = view_of(publication, [*asked.items()])
            table = unchanged(publication, view).pair.table
            half = table.assign(**table.filter(like="scenario_") / 2)
            result = result_of(publication, view.form, place, ScenarioResult(UNCHANGED, half))
            base = tonnes(total := result.effects[place]["base"])
            months = [
                (dated(pd.Timestamp(one["period"]), "long month"), one["tonnes"], one["kind"])
                for one in data["history"]
            ]
            written = {amount: tonnes(amount) for _, amount, _ in months}
            estimated = translated("estimated")
        (year,) = (one["p50"] for one in data["sums"] if one["what"] == "Next twelve months")
        rows = table.loc[table["destination"].eq(place)]
        assert rows["base_p50"].round(3).tolist() == medians[-len(rows) :]
        assert sums[place, "Next twelve months"] == year == round(total, 3)
        assert f'<td class="middle">{base}</td>' in page.partition('id="months-head"')[2]
        assert base in result.headline
        row = home[home.index(f"destinations/{place}.html") :].split("</tr>")[0]
        assert f">{p50}<span" in row
        assert f">{p50}<" in published[published.index(f">{name}<") :].split("</tr>")[0]
        headline = re.findall("<h1>(.*?)</h1>", page)[0]
        assert [part in headline.partition("<span")[0] for part in (name, p50)] == [True, True]
        assert usual in page.partition('class="decision"')[2].partition("</p>")[0]
        chart = json.loads(re.findall(r'<script type="application/json">(.*?)</script>', page)[0])
        basis, p50s = (chart["usermeta"]["table"][0].index(name) for name in ("basis", "p50"))
        drawn = [row[p50s] for row in chart["usermeta"]["table"][1:] if row[basis] == "forecast"]
        assert drawn == medians
        said = [row["says"] for rows in chart["datasets"].values() for row in rows if "says" in row]
        for month_name, amount, kind in months:
            own = [one for one in said if month_name in one and written[amount] in one]
            assert own, (place, month_name)
            assert [one for one in own if (estimated in one) != (kind == "estimated")] == []
        marked = re.findall(r'kind-estimated">(.*?)</td>', page)
        assert {*marked} == {estimated}


@in_languages
def test_overview_page_digest_and_feed_say_the_same_first(
    site: Path, publication: Publication, code: str
) -> None:
    root = site / folder_of(code)
    home = (root / "index.html").read_text(encoding="utf-8").partition('id="outlook-head"')[2]
    with in_language(code):
        least = chance_words(0.0)
    for place in publication.destinations:
        page, text, feed = (
            (root / f"destinations/{place}.{end}").read_text(encoding="utf-8")
            for end in ("html", "txt", "atom")
        )
        entry = ET.fromstring(feed).find("{*}entry")  # noqa: S314 - our own
        title, *lines = text.strip().split("\n\n")
        row = home[home.index(f"destinations/{place}.html") :]
        (risk,) = re.findall(r'class="risk"[^>]*>([^<]+?) *<', row.partition("</tr>")[0])
        strip = page.partition('class="strip">')[2].partition("</li>")[0]

        assert (f"<strong>{risk}</strong>" in strip) == (risk != least)
        assert Outline(strip).words in (" ".join(line.split()) for line in lines)
        assert title == Outline(page.partition("<h1>")[2].partition("</h1>")[0]).words
        assert [line for line in lines if " ".join(line.split()) not in Outline(page).words] == []
        assert entry.findtext("{*}id") == f"urn:magnetcast:digest:85051110:{place}:2"
        assert entry.findtext("{*}title") == title
        assert entry.findtext("{*}content").strip().split("\n\n") == lines


def test_no_page_has_a_code_of_an_act(site: Path, publication: Publication) -> None:
    events = publication.ledger.events["event_id"]
    pages = ["index", "destinations/USA", "policy", "track-record", "planning", "data"]

    texts = {name: Outline((site / f"{name}.html").read_text()).text for name in pages}
    assert [(name, act) for name, text in texts.items() for act in events if act in text] == []


@pytest.mark.parametrize("place", ["USA", "THA"], ids=["enough months", "too few"])
def test_pages_and_files_quote_the_same_coverage(site: Path, place: str) -> None:
    groups = coverage_of(make_scores(), place, "champion" if place == "USA" else "fallback")

    answer = json.loads((site / f"api/v1/destinations/{place}.json").read_text())["coverage"]
    page = (site / f"destinations/{place}.html").read_text(encoding="utf-8")
    record = plain((site / "track-record.html").read_text(encoding="utf-8"))

    assert [one["words"] for one in answer] == [one.words for one in groups]
    assert [one["share"] for one in answer] == [one.share for one in groups]
    shown = next(one for one in groups if one.holds(1))
    assert f"Backtest: only {shown.words} past forecasts at this horizon" in page
    assert _row(groups) in record
    assert record.count(f"All destinations</th>{_row(coverage_of(make_scores(), ALL, ''))}") == 1


def _row(groups: tuple[Coverage, ...]) -> str:
    judged, few = '<td class="text">{words}</td>', '<td class="text note">{words}</td>'
    return "".join((judged if one.is_judged else few).format(words=one.words) for one in groups)
