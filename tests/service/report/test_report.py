import base64
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from service.report import report as report_module
from service.report.report import render_page, write_report
from store.errors import DataError
from store.vocabulary import FORECAST_COLUMNS, QUANTILE_COLUMNS
from tests.service.builders import (
    make_drivers,
    make_events,
    make_forecasts,
    make_panel,
    make_report,
    make_scores,
    make_small_report,
    make_suspicious,
)

LOADING = ("srcset", "data", "poster", "background", "action")


class _Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def named(self, *names: str) -> Iterator[dict[str, str | None]]:
        return (attrs for tag, attrs in self.tags if tag in names)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a report on two destinations."""
    target = tmp_path_factory.mktemp("reports") / "2026-11-24"
    write_report(make_small_report(forecasts=make_drivers(make_forecasts())), target)
    return target


@pytest.fixture(scope="module")
def page(folder: Path) -> str:
    return (folder / "index.html").read_text(encoding="utf-8")


def _text(page: str) -> str:
    bare = re.sub(r"<(svg|style)\b.*?</\1>", " ", page, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", bare).replace("\N{NO-BREAK SPACE}", " ").split())


def _svg(address: str) -> str:
    return base64.b64decode(address.partition(",")[2]).decode()


FILES = {"index.html", "forecasts.csv", "scores.csv", "destinations.csv"}


def test_every_file_is_written_and_nothing_else(folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} == FILES
    assert [path.name for path in folder.parent.iterdir()] == ["2026-11-24"]


@pytest.mark.slow
def test_a_report_that_is_not_drawn_has_all_numbers_and_promises_no_picture(tmp_path: Path) -> None:
    drawn, bare = make_small_report(), make_small_report(pictures=False)

    page = write_report(bare, tmp_path / "bare").read_text(encoding="utf-8")

    assert {path.name for path in (tmp_path / "bare").iterdir()} == {
        "index.html", "forecasts.csv", "scores.csv", "destinations.csv",
    }  # fmt: skip
    assert "<img" not in page
    listed = " World Thailand By destination"
    assert _text(page) == _text(render_page(drawn)).replace(listed, " By destination")


def test_forecast_file_has_exactly_the_contracted_columns_and_all_rows(folder: Path) -> None:
    table = pd.read_csv(folder / "forecasts.csv")

    assert tuple(table.columns) == FORECAST_COLUMNS
    pd.testing.assert_frame_equal(
        table,
        make_small_report().forecasts.reset_index(drop=True),
        check_dtype=False,
        rtol=1e-12,
        check_column_type=False,
    )


def test_a_file_says_how_far_each_destination_is_published(folder: Path, page: str) -> None:
    table = pd.read_csv(folder / "destinations.csv").set_index("destination")

    panel = make_small_report().panel.query("destination == 'THA'")
    observed = panel.loc[panel["kind"] == "observed", "period"].max()
    guessed = panel.tail(12)["kind"].eq("estimated").mean()
    assert table.loc["THA", "published_to"] == f"{observed:%Y-%m}"
    assert table.loc["THA", "estimated_share"] == pytest.approx(guessed, abs=1e-4)
    assert f"last published month {observed:%b %Y}" in _text(page)


def test_page_loads_nothing(page: str) -> None:
    parsed = _Page(page)

    assert not list(parsed.named("script", "link", "iframe", "object", "embed", "image"))
    pictures = [str(attrs["src"]) for attrs in parsed.named("img")]
    assert all(address.startswith("data:image/svg+xml;base64,") for address in pictures)
    assert all("http" not in svg.replace("http://www.w3.org/", "") for svg in map(_svg, pictures))
    assert not [tag for tag, attrs in parsed.tags if set(attrs) & set(LOADING)]
    assert not re.search(r"url\((?!#)", page)
    assert "@import" not in page


def test_ids_are_unique_and_references_resolve(page: str) -> None:
    ids = re.findall(r'\bid="([^"]+)"', page)
    references = re.findall(r'(?:url\(#|href="#)([^")]+)', page)

    assert len(ids) == len(set(ids))
    assert set(references) <= set(ids)


def test_pictures_have_alternative_text_and_tables_have_heads(page: str) -> None:
    parsed = _Page(page)
    labels = [attrs.get("alt") for attrs in parsed.named("img")]

    assert len(labels) == 4
    assert all(labels)
    assert any("Fan chart for Thailand" in str(label) for label in labels)
    assert {attrs.get("scope") for attrs in parsed.named("th")} == {"row", "col"}
    assert next(parsed.named("html"))["lang"] == "en"


@pytest.mark.slow
def test_headline_adds_the_next_three_months_and_compares_them_with_the_year_before() -> None:
    forecasts = make_forecasts()
    world = forecasts["destination"] == "WLD"
    levels = [850.0, 900.0, 1000.0, 1100.0, 1200.0, 1300.0, 1350.0]
    forecasts.loc[world, list(QUANTILE_COLUMNS)] = levels
    panel = make_panel()
    panel.loc[panel["destination"] == "WLD", "tonnes"] = 1000.0

    text = _text(render_page(make_small_report(forecasts=forecasts, panel=panel, pictures=False)))

    assert (
        "China's exports to the world, November 2026 to January 2027: 3,304 t, with an 80% band "
        "from 2,791 to 3,812 t. That is 10.1% above the 3,000 t of the same months a year before."
    ) in text.replace("&#39;", "'")
    assert "August to October 2026, ended but not yet published: estimated total 3,304 t" in text


@pytest.mark.slow
def test_drivers_and_coverage_are_shown_only_where_they_are_known() -> None:
    drivers = make_drivers(make_forecasts())
    page = render_page(make_report(forecasts=drivers, pictures=False))
    plain = render_page(make_small_report(scores=pd.DataFrame(), pictures=False))

    assert "US tariff in the month" in page
    assert "172 of 220 (78%)" in page
    assert "9 of 12" in page
    assert "Main drivers" not in plain
    assert "band<br>held</th>" not in plain


def test_defeats_and_negative_value_added_are_shown_as_such(page: str) -> None:
    text = _text(page)

    assert (
        "Thailand, months 1-3: error of magnetcast 22.0%, last value 21.0%, seasonal naive 18.0%."
    ) in text
    assert "\N{MINUS SIGN}22.2% (worse)" in text


@pytest.mark.slow
def test_missing_backtest_is_admitted() -> None:
    text = _text(render_page(make_small_report(scores=make_scores().iloc[:0], pictures=False)))

    assert "No backtest is attached to this forecast" in text


def test_stamp_tells_origin_and_status(page: str) -> None:
    text = _text(page)

    for fact in ("2026-11-24 00:00 UTC", "Jul 2026", "magnetcast-7", "sha256:4be1f0c2a9d7"):
        assert fact in text[text.rindex("Sources and versions") :]
    assert "Status: fallback: last good model, training failed its gate Thailand" in text


def test_unknowns_and_doubtful_figures_are_listed(page: str) -> None:
    text = _text(page)

    assert "How many general licences were granted since August 2026" in text
    assert "World, 2024-02, exports, t: 3326 \N{MINUS SIGN}1,120 \N{MINUS SIGN}8.40 source" in text


@pytest.mark.slow
def test_hostile_text_is_escaped_everywhere() -> None:
    attack = "<script>alert(1)</script>"
    hostile = make_small_report(
        events=make_events().assign(summary=attack),
        suspicious=make_suspicious().assign(statement=attack),
        unknowns=[attack],
        model_version=attack,
        data_vintage=attack,
        forecasts=make_forecasts().assign(status=attack),
    )

    text = render_page(hostile)

    assert "<script" not in text
    assert text.count("&lt;script&gt;") > 20


def test_only_web_addresses_become_links() -> None:
    hostile = make_small_report(
        events=make_events().assign(
            source_urls="javascript:alert(1);http://[::1;https://example.org/act"
        ),
        suspicious=make_suspicious().assign(source_url="javascript:alert(2)"),
        pictures=False,
    )

    text = render_page(hostile)

    assert "javascript:" not in text
    assert "[::1" not in text
    assert 'href="https://example.org/act"' in text


@pytest.mark.slow
def test_new_report_replaces_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "report"
    write_report(make_small_report(), target)
    (target / "fan_OLD.png").write_bytes(b"old")

    returned = write_report(make_small_report(model_version="magnetcast-8"), target)

    assert returned == target / "index.html"
    assert "magnetcast-8" in returned.read_text(encoding="utf-8")
    assert not (target / "fan_OLD.png").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


def _leave_old_report(target: Path) -> None:
    target.mkdir()
    for name in ("index.html", "forecasts.csv"):
        (target / name).write_text("old", encoding="utf-8")


def test_old_report_comes_back_when_the_swap_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "report"
    _leave_old_report(target)
    rename = Path.rename

    def refuse(self: Path, destination: Path) -> Path:
        if self.name == "fresh":
            raise OSError("disk is full")
        return rename(self, destination)

    monkeypatch.setattr(report_module, "_fill", lambda *_: None)
    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(OSError, match="disk is full"):
        write_report(make_small_report(), target)

    assert (target / "index.html").read_text(encoding="utf-8") == "old"


def test_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work", encoding="utf-8")

    with pytest.raises(DataError, match="is no report"):
        write_report(make_small_report(), tmp_path)

    assert (tmp_path / "thesis.txt").read_text(encoding="utf-8") == "years of work"


def test_a_report_without_forecasts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no forecasts as of 2026-11-24"):
        write_report(make_report(forecasts=make_forecasts().iloc[:0]), tmp_path / "report")
