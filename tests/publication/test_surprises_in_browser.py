import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import Browser

from publication.planning.planning_file import FILE
from store.database import open_store
from store.publications.explanations import StoredExplanation, save_explanation
from store.publications.panels import StoredPanel
from tests.made_once import made_once
from tests.publication.chromium_pages import opened, serious_faults
from tests.publication.fixtures import sites_in_english, write_files
from tests.publication.stores import copied, panel_at, publish
from tests.publication.test_surprises_first import GERMANY, KOREA

pytestmark = pytest.mark.slow

LATER = datetime(2026, 11, 25, tzinfo=UTC)
NEED = """\
needs:
  - {name: plant, destination: DEU, period_from: 2026-12, period_to: 2027-02, tonnes: 12,
     stock: 60, counted_on: 2026-11-25, lead_days: 45}
"""


@pytest.fixture(scope="session")
def surprised_site(published_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Site of a home in which three months of Germany and one of South Korea came as a surprise."""

    def fill(folder: Path) -> None:
        engine = open_store(copied(published_store, folder))
        publish(
            engine, LATER, cutoff="2026-07", factor=0.9, panel=with_figures(panel_at(engine, LATER))
        )
        save_explanation(engine, 3, StoredExplanation(2, figures=(*GERMANY, KOREA)))
        engine.dispose()
        (folder / FILE).write_text(NEED)
        with sites_in_english():
            write_files(folder)

    return made_once(tmp_path_factory, "surprised", fill) / "site"


def with_figures(panel: StoredPanel) -> StoredPanel:
    """Return a panel in which the surprising months are published."""
    last = panel.months.loc[panel.months["destination"].eq("DEU")].tail(1)
    rows = [
        last.assign(
            destination=row.destination, period=pd.Timestamp(row.first), tonnes=row.value,
            kind="observed",
        )
        for row in (*GERMANY, KOREA)
    ]  # fmt: skip
    return replace(panel, months=pd.concat([panel.months, *rows], ignore_index=True))


def test_a_country_says_first_what_came_and_asks_for_nothing_it_has(
    browser: Browser, surprised_site: Path
) -> None:
    watch = opened(browser, "", viewport={"width": 390, "height": 900})
    page = watch.page
    page.goto((surprised_site.resolve() / "destinations/DEU.html").as_uri())

    tops = [
        page.locator(name).first.bounding_box()["y"]
        for name in (".surprise", "h1", ".together", ".decision", ".change")
    ]
    assert tops == sorted(tops)
    text = page.locator("main").inner_text()
    assert "Not loaded: China's figures" not in text
    # From 1 December on 60 t last 152 days, to 2 May; 45 + 45 days before.
    assert text.count("Order by 1 Feb 2027 for 45 + 45 days") == 1
    page.locator("#changed-head summary").first.click()
    assert page.locator("#changed-head li li").count() == 3
    assert len({*re.findall(r"usual ([\d,]+)", text)}) == 1
    assert watch.complaints == []
    assert serious_faults(page) == []
    watch.page.context.close()


def test_the_overview_names_both_and_remembers_the_country(
    browser: Browser, surprised_site: Path
) -> None:
    watch = opened(browser, "", viewport={"width": 390, "height": 900})
    page = watch.page
    page.goto((surprised_site.resolve() / "index.html").as_uri())
    assert page.locator(".countries li").first.inner_text() == "World"
    page.get_by_role("link", name="South Korea").first.click()
    assert "Not loaded: China's figures of August to September 2026" in page.inner_text("main")
    page.get_by_role("link", name="Overview").click()

    assert page.locator(".countries li").first.inner_text() == "South Korea"
    assert page.locator(".surprise").count() == 2
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert watch.complaints == []
    assert serious_faults(page) == []
    watch.page.context.close()


def test_without_scripts_no_notice_claims_what_is_not_so(
    browser: Browser, surprised_site: Path
) -> None:
    watch = opened(browser, "", java_script_enabled=False)
    watch.page.goto((surprised_site.resolve() / "destinations/DEU.html").as_uri())

    notices = watch.page.locator("[data-from]").all_inner_texts()

    assert notices
    assert all(text.startswith("From ") for text in notices)
    watch.page.context.close()
