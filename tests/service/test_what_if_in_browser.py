import pandas as pd
import pytest
from playwright.sync_api import Browser, expect

from publication.language.phrases import LANGUAGES
from publication.pages.render import folder_of
from tests.publication.chromium_pages import opened, serious_faults
from tests.service.scenario_service import WhatIf
from tests.service.serve_process import ENDING_S

pytestmark = pytest.mark.slow

ANSWERED = (
    "/what-if.html?destination=USA&tariffs.0.importer=USA&tariffs.0.add_points=34"
    "&tariffs.0.effective_from=2027-01-11&events.new.instrument=april_2025"
    "&events.new.destinations=USA&events.new.effective_from=2027-01-11"
)
PATIENT_MS = 1000.0 * ENDING_S
WRONG = "/what-if.html?destination=USA&tariffs.0.importer=USA&tariffs.0.rate_pct=soon"


@pytest.mark.parametrize("path", [ANSWERED, WRONG])
def test_the_page_has_no_serious_fault_of_accessibility(
    browser: Browser, what_if: WhatIf, path: str
) -> None:
    watch = opened(browser, what_if.address)
    watch.page.goto(path)

    faults = serious_faults(watch.page)

    watch.page.context.close()
    assert faults == []
    assert watch.hosts == {"127.0.0.1"}


def test_the_answer_needs_no_script(browser: Browser, what_if: WhatIf) -> None:
    size = {"width": 360, "height": 740}
    watch = opened(browser, what_if.address, java_script_enabled=False, viewport=size)
    watch.page.goto(ANSWERED)

    assert watch.page.locator("figure.paired .note").is_visible()
    assert watch.page.get_by_role("heading", name="United States, month by month").is_visible()
    width = watch.page.locator("html").bounding_box()["width"]
    watch.page.context.close()
    assert width == 360
    assert watch.complaints == []


@pytest.mark.parametrize("code", LANGUAGES)
def test_answers_fit_window_and_phone(browser: Browser, what_if: WhatIf, code: str) -> None:
    watch, wide = opened(browser, what_if.address), []
    for path in (ANSWERED, "/stock.html?destination=USA&tonnes=12&stock=24&lead_days=45"):
        watch.page.goto(f"/{folder_of(code)}{path[1:]}")
        assert watch.page.locator(".lead, .answer").count() == 1
        for width in (1280, 390, 360):
            watch.page.set_viewport_size({"width": width, "height": 900})
            wide.append(watch.page.evaluate("document.documentElement.scrollWidth - innerWidth"))
    watch.page.context.close()
    assert wide == [0] * 6


def test_the_keyboard_alone_asks_what_if(browser: Browser, what_if: WhatIf) -> None:
    watch = opened(browser, what_if.address)
    page = watch.page
    page.goto("/what-if.html")
    page.get_by_label("New rate, percent", exact=True).focus()
    page.keyboard.type("60")
    page.get_by_label("In force from").first.focus()
    page.keyboard.type("01012027")
    page.keyboard.press("Enter")
    page.wait_for_url("**/what-if.html?*tariffs.0.rate_pct=60*")

    lead = page.locator(".lead").inner_text()
    kept = page.get_by_label("New rate, percent", exact=True).input_value()
    page.context.close()
    assert "November 2026 to October 2027" in lead
    assert kept == "60"
    assert watch.complaints == []


def test_a_slider_moves_its_number_and_the_result_follows(
    browser: Browser, what_if: WhatIf
) -> None:
    watch = opened(browser, what_if.address)
    page = watch.page
    page.goto("/what-if.html?destination=USA&tariffs.0.importer=USA")
    percent = page.get_by_label("New rate, percent (slider)", exact=True)
    start = page.get_by_label("In force from (slider)").first
    calm = page.locator("#result .lead").inner_text()

    percent.fill("60")
    expect(page.locator("#result .lead")).not_to_have_text(calm, timeout=PATIENT_MS)
    first = page.locator("#result .lead").inner_text()
    start.focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#result .lead")).not_to_have_text(first, timeout=PATIENT_MS)

    assert page.get_by_label("New rate, percent", exact=True).input_value() == "60"
    begins = page.get_by_label("In force from", exact=True).first.input_value()
    assert start.get_attribute("aria-valuetext") == f"{pd.Timestamp(begins):%B %Y}"
    assert f"tariffs.0.effective_from={begins}" in page.url
    shown = page.locator("#result .lead").inner_text()
    page.reload()
    assert page.locator("#result .lead").inner_text() == shown
    assert page.locator("#levers-state").inner_text() == ""
    page.context.close()
    assert watch.complaints == []
    assert watch.hosts == {"127.0.0.1"}
