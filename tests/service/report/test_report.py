"""The report is the pages of the service, saved as one that opens offline."""

import base64
import re
from pathlib import Path

import pandas as pd
import pytest
from service.web import report as report_module
from service.web.report import render_page, write_report
from sqlalchemy import Engine
from starlette.testclient import TestClient

from store.errors import DataError
from store.vocabulary import FORECAST_COLUMNS
from tests.service.builders import (
    VINTAGE,
    make_drivers,
    make_events,
    make_forecasts,
    make_panel,
    make_report,
    make_suspicious,
)
from tests.service.pages.test_web_pages import Outline
from tests.service.stores import make_live, plain

LOADING = ("data", "poster", "background", "action")
TWO = ("WLD", "THA")
FILES = {"index.html", "forecasts.csv", "scores.csv", "destinations.csv", "SHA256SUMS"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a report on two destinations."""
    target = tmp_path_factory.mktemp("reports") / "2026-11-24"
    write_report(make_report(kept=TWO, forecasts=make_drivers(make_forecasts())), target)
    return target


@pytest.fixture(scope="module")
def page(folder: Path) -> str:
    return (folder / "index.html").read_text(encoding="utf-8")


def _text(page: str) -> str:
    bare = re.sub(r"<style\b.*?</style>", " ", page, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", bare).replace("\N{NO-BREAK SPACE}", " ").split())


def test_the_folder_has_the_forecast_as_files_and_how_far_each_destination_is_published(
    folder: Path, page: str
) -> None:
    assert {path.name for path in folder.iterdir()} == FILES
    assert [path.name for path in folder.parent.iterdir()] == ["2026-11-24"]
    forecasts = pd.read_csv(folder / "forecasts.csv")
    assert tuple(forecasts.columns) == FORECAST_COLUMNS
    pd.testing.assert_frame_equal(
        forecasts,
        make_forecasts().query("destination in @TWO").reset_index(drop=True),
        check_dtype=False,
        rtol=1e-12,
        check_column_type=False,
    )
    panel = make_panel().query("destination == 'THA'")
    observed = panel.loc[panel["kind"] == "observed", "period"].max()
    bases = pd.read_csv(folder / "destinations.csv").set_index("destination")
    assert bases.loc["THA", "published_to"] == f"{observed:%Y-%m}"
    assert f"last loaded month {observed:%b %Y}" in _text(page)


def test_the_page_loads_nothing_and_leads_nowhere_in_the_service(page: str) -> None:
    parsed = Outline(page)

    assert not list(parsed.all("script", "link", "iframe", "object", "embed", "image", "form"))
    pictures = [str(attrs["src"]) for attrs in parsed.all("img")]
    pictures += [str(attrs["srcset"]) for attrs in parsed.all("source")]
    assert all(address.startswith("data:image/svg+xml;base64,") for address in pictures)
    drawn = [base64.b64decode(one.partition(",")[2]).decode() for one in pictures]
    assert all("http" not in svg.replace("http://www.w3.org/", "") for svg in drawn)
    assert not [tag for tag, attrs in parsed.elements if set(attrs) & set(LOADING)]
    assert not re.search(r"url\((?!#)|@import", page)
    assert not [attrs for attrs in parsed.all("a") if str(attrs["href"]).startswith("/")]


def test_ids_are_unique_references_resolve_and_pictures_have_alternative_text(page: str) -> None:
    parsed = Outline(page)
    ids = [str(attrs["id"]) for _, attrs in parsed.elements if "id" in attrs]
    references = re.findall(r'(?:url\(#|href="#|aria-labelledby=")([^")]+)', page)
    labels = [attrs.get("alt") for attrs in parsed.all("img")]

    assert len(ids) == len(set(ids))
    assert set(references) <= set(ids)
    assert len(labels) == 5
    assert all(labels)
    assert any("Fan chart for Thailand" in str(label) for label in labels)
    assert {attrs.get("scope") for attrs in parsed.all("th")} == {"row", "col"}
    assert len(parsed.all("h1")) == 1


@pytest.mark.slow
def test_tables_are_those_of_the_pages_to_the_letter(client: TestClient, engine: Engine) -> None:
    live = make_live(engine)
    live.refresh()
    report = plain(render_page(live.publication, pictures=False))

    for path, heading in (("/destinations/JPN", "months-head"), ("/track-record", "replay-head")):
        shown = plain(client.get(path).text)
        tables = re.findall(r"<tbody>.*?</tbody>", shown[shown.index(f'"{heading}"') :], re.DOTALL)
        assert len(tables) > 1
        assert tables[0] in report


@pytest.mark.slow
def test_hostile_text_is_escaped_everywhere_and_only_web_addresses_become_links() -> None:
    attack = "<script>alert(1)</script>"
    acts = make_events().assign(
        summary=attack, source_urls="javascript:alert(1);http://[::1;https://example.org/act"
    )
    hostile = make_report(
        kept=TWO,
        forecasts=make_forecasts().assign(status=attack, model=attack),
        events=acts,
        suspicious=make_suspicious().assign(statement=attack, source_url="javascript:alert(2)"),
        data_vintage=attack,
    )

    text = render_page(hostile, pictures=False)

    assert "<script" not in text
    assert text.count("&lt;script&gt;") > 20
    assert "javascript:" not in text
    assert "[::1" not in text
    assert 'href="https://example.org/act"' in text


def test_the_old_report_stays_where_a_new_one_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("index.html", "forecasts.csv"):
        (tmp_path / name).write_text("old", encoding="utf-8")

    def fail(*_: object, **__: object) -> str:
        raise OSError("disk is full")

    monkeypatch.setattr(report_module, "render_page", fail)
    with pytest.raises(OSError, match="disk is full"):
        write_report(make_report(kept=TWO), tmp_path)

    assert {path.read_text(encoding="utf-8") for path in tmp_path.iterdir()} == {"old"}


def test_versions_and_inconsistent_figures_are_listed(page: str) -> None:
    text = _text(page)

    for fact in ("24 Nov 2026, 00:00 UTC", "Jul 2026", "magnetcast-7", VINTAGE):
        assert fact in text[text.rindex("Sources and versions") :]
    assert "3326 \N{MINUS SIGN}1,120 \N{MINUS SIGN}8.40 source" in text


def test_without_a_backtest_and_with_a_newer_month_of_one_destination_no_number_is_missing() -> (
    None
):
    panel = make_panel()
    newest = panel.loc[panel["destination"] == "THA"].iloc[[-1]]
    after = newest.assign(period=newest["period"] + pd.DateOffset(months=1), kind="observed")
    months = pd.concat([panel, after], ignore_index=True)

    for report in (
        make_report(kept=TWO, scores=pd.DataFrame()),
        make_report(kept=TWO, panel=months),
    ):
        assert "nan" not in _text(render_page(report, pictures=False))


def test_other_files_in_the_folder_stay(tmp_path: Path) -> None:
    thesis = tmp_path / "thesis.txt"
    thesis.write_text("years of work", encoding="utf-8")

    write_report(make_report(kept=TWO), tmp_path, pictures=False)

    assert {path.name for path in tmp_path.iterdir()} == {*FILES, "thesis.txt"}
    assert thesis.read_text(encoding="utf-8") == "years of work"
    with pytest.raises(DataError, match="is a file"):
        write_report(make_report(kept=TWO), thesis, pictures=False)
