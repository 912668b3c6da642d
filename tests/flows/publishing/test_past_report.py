"""The report on a publication written again: the same, and in other languages one after another."""

from pathlib import Path

import pytest
from flows.publishing.reporting import write_past_report

from flows.publishing.publish_or_hold import objections, publish
from store.archive import DIGEST_LIST
from store.settings import Settings
from store.vocabulary import COMMODITY, Language
from tests.flows.conftest import Published
from tests.flows.publishing.test_publications import LATER, draft


def again(settings: Settings, folder: Path | None, language: Language = "en") -> dict[str, bytes]:
    drawn = settings.model_copy(update={"pictures": language == "en"})
    page = write_past_report(drawn, None, commodity=COMMODITY, language=language, folder=folder)
    return {path.name: path.read_bytes() for path in page.parent.iterdir()}


@pytest.mark.slow
def test_it_is_what_the_run_wrote_after_one_in_another_language_too(
    published: Published, tmp_path: Path
) -> None:
    german, english = (again(published.settings, tmp_path / code, code) for code in ("de", "en"))

    folder = published.outcome.report.parent
    of_run = {path.name: path.read_bytes() for path in folder.iterdir()}
    data = {"forecasts.csv", "scores.csv", "destinations.csv"}
    drawn = of_run.keys() - data - {DIGEST_LIST}
    assert drawn == {"index.html"}
    assert {name: english[name] for name in drawn} == {name: of_run[name] for name in drawn}
    assert {name for name in english if german[name] == english[name]} == data
    assert b'<html lang="de">' in german["index.html"]


@pytest.mark.slow
def test_a_held_forecast_is_reported_on_before_it_is_decided(home: Settings) -> None:
    known, table = draft(home, 2.0)
    publish(known, table, objections(known, table))

    page = write_past_report(home, 2, commodity="", language="de", folder=None)

    assert page.parent == home.reports_dir / f"{LATER}-held.de"
    assert "Stand 10. Mai 2020" in page.read_text(encoding="utf-8")
