import re
import shutil
import stat
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import Engine

from publication import folder as folder_module
from publication.folder import folder_below, write_folder
from publication.language.phrases import LANGUAGES
from publication.pages.render import folder_of
from store.archive import changed_files
from store.database import open_store
from store.messages import message
from tests.publication.builders import (
    VINTAGE,
    make_events,
    make_forecasts,
    make_panel,
    make_report,
    make_scores,
    make_suspicious,
)
from tests.publication.pages import Outline
from tests.publication.stores import copied, publications_of, publish

TWO = ("WLD", "THA")
NAMES = {"EU27_REST": "FRA", "ROW": "MEX"}
LATE = message("2026-05: late, so missing and not zero: %(names)s", names="<USA>")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a publication of two destinations, with a note."""
    target = tmp_path_factory.mktemp("publications") / "85051110" / "1"
    write_folder(make_report(kept=TWO), target, notes=[LATE])
    return target


def test_it_is_whole_read_only_and_has_a_digest_of_every_file(folder: Path) -> None:
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}

    named = {line.partition("  ")[2] for line in (folder / "SHA256SUMS").read_text().splitlines()}
    assert named == files - {"SHA256SUMS"}
    assert {"datapackage.json", "forecast.xlsx", "forecasts.csv", "panel.json"} < files
    assert {f"{folder_of(code)}index.html" for code in LANGUAGES} < files
    assert {stat.S_IMODE((folder / name).stat().st_mode) for name in files} == {0o444}
    assert [path.name for path in folder.parent.iterdir()] == ["1"]
    assert changed_files(folder) == []


def test_it_is_written_once_and_the_same_input_has_the_same_bytes(
    folder: Path, tmp_path: Path
) -> None:
    before = (folder / "SHA256SUMS").read_text()

    write_folder(make_report(kept=["USA"]), folder)
    write_folder(make_report(kept=TWO), tmp_path / "1", notes=[LATE])

    assert (folder / "SHA256SUMS").read_text() == before
    assert (tmp_path / "1" / "SHA256SUMS").read_text() == before


def test_a_failure_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> bytes:
        raise OSError("disk is full")

    monkeypatch.setattr(folder_module, "workbook", fail)
    with pytest.raises(OSError, match="disk is full"):
        write_folder(make_report(kept=TWO), tmp_path / "goods" / "1")

    assert [*(tmp_path / "goods").iterdir()] == []


@pytest.mark.slow
def test_a_later_publication_of_the_month_changes_no_byte_of_an_earlier_one(
    published_store: Path, tmp_path: Path
) -> None:
    engine: Engine = open_store(copied(published_store, tmp_path))
    (before,) = publications_of(engine)
    first = folder_below(tmp_path, before.commodity, before.number)
    write_folder(before, first)
    publish(engine, datetime(2026, 11, 25, tzinfo=UTC), cutoff="2026-07", factor=2.0)
    (after,) = publications_of(engine)
    second = folder_below(tmp_path, after.commodity, after.number)
    write_folder(after, second)
    engine.dispose()

    medians = [pd.read_csv(one / "forecasts.csv")["p50"] for one in (first, second)]
    assert medians[1].to_numpy() == pytest.approx(2 * medians[0].to_numpy(), abs=0.002)
    assert changed_files(first) == changed_files(second) == []


@pytest.mark.parametrize("name", ["de/index.html", "forecasts.csv", "SHA256SUMS"])
def test_a_changed_byte_or_a_missing_file_is_named(folder: Path, tmp_path: Path, name: str) -> None:
    shutil.copytree(folder, tmp_path / "1")
    file = tmp_path / "1" / name
    content = file.read_bytes()
    file.unlink()
    assert changed_files(tmp_path / "1") == [name]
    if name != "SHA256SUMS":
        file.write_bytes(content[:-1] + b"?")
        assert changed_files(tmp_path / "1") == [name]


def test_its_page_is_whole_in_itself_and_states_versions_and_inconsistent_figures(
    folder: Path,
) -> None:
    page = (folder / "index.html").read_text(encoding="utf-8")
    parsed = Outline(page)

    assert not [one for one in parsed.all("script") if one.get("type") != "application/ld+json"]
    assert not parsed.all("iframe", "object", "embed", "form", "img")
    assert not re.search(r"url\((?!#)|@import", page)
    for fact in ("24 Nov 2026", "magnetcast-7", VINTAGE, "late, so missing and not zero: <USA>"):
        assert fact in parsed.words, fact
    assert "3326" in parsed.words


def test_hostile_text_is_escaped_and_only_web_addresses_become_links(tmp_path: Path) -> None:
    attack = "<script>alert(1)</script>"
    hostile = make_report(
        kept=TWO,
        forecasts=make_forecasts().assign(status=attack, model=attack),
        events=make_events().assign(summary=attack, source_urls="javascript:alert(1);http://[::1"),
        suspicious=make_suspicious().assign(statement=attack, source_url="javascript:alert(2)"),
        data_vintage=attack,
    )

    write_folder(hostile, tmp_path / "1")

    for path in (tmp_path / "1").rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert attack not in text
        assert "javascript:" not in text
        assert "[::1" not in text


def test_a_table_has_all_destinations_and_its_label_and_no_policy(tmp_path: Path) -> None:
    forecasts, panel = make_forecasts(), make_panel()
    state = make_report(
        forecasts=forecasts.assign(destination=forecasts["destination"].replace(NAMES)),
        panel=panel.assign(destination=panel["destination"].replace(NAMES), kind="observed"),
        commodity="850511",
        model="partners-1",
        label="磁 <magnets>",
    )

    write_folder(state, tmp_path / "1", is_written_later=True)

    text = (tmp_path / "1/index.html").read_text(encoding="utf-8")
    assert "磁 &lt;magnets&gt; (850511)" in text
    for name in ("World", "European Union (27)", "France", "Mexico", "Germany"):
        assert f">{name}</" in text


@pytest.mark.parametrize("lacking", ["backtest", "month"])
def test_without_a_backtest_or_with_a_newer_month_no_number_is_missing(
    tmp_path: Path, lacking: str
) -> None:
    panel = make_panel()
    newest = panel.loc[panel["destination"] == "THA"].iloc[[-1]]
    after = newest.assign(period=newest["period"] + pd.DateOffset(months=1), kind="observed")
    changes = {"scores": make_scores().iloc[:0]} if lacking == "backtest" else {
        "panel": pd.concat([panel, after], ignore_index=True)
    }  # fmt: skip

    write_folder(make_report(kept=TWO, **changes), tmp_path / "1")

    assert "nan" not in Outline((tmp_path / "1/index.html").read_text(encoding="utf-8")).words
