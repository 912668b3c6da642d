"""Planning forms in Debian's Chromium: forms by keyboard, with the token as password."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page
from store.planning.audit import create_token

from flows.clock import utc_now
from store.database import open_store
from tests.service.chromium_pages import Watch, opened, serious_faults
from tests.service.second_commodity import GOODS
from tests.service.serve_process import serving
from tests.service.stores import copied

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def place(two_goods: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Address of a service and a token that may write to it."""
    home = tmp_path_factory.mktemp("planning")
    engine = open_store(copied(two_goods, home))
    token = create_token(engine, name="planning team", scopes=["write"], at=utc_now())
    engine.dispose()
    with serving(home) as (address, _):
        yield address, token


def tab_to(page: Page, name: str) -> None:
    """Press Tab until a field has the focus."""
    for _ in range(6):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.name") == name:
            return
    pytest.fail(f"no Tab leads to {name}")


def planner(browser: Browser, place: tuple[str, str], **options: object) -> Watch:
    address, token = place
    credentials = {"username": "any", "password": token}
    return opened(browser, address, http_credentials=credentials, **options)


def test_a_planner_states_a_need_a_rule_and_the_forecast_of_another_by_keyboard_alone(
    browser: Browser, place: tuple[str, str]
) -> None:
    watch = planner(browser, place)
    page = watch.page
    page.goto("/needs")

    page.get_by_label("Name").first.focus()
    page.keyboard.type("Motor plant <b>")
    page.keyboard.press("Tab")
    page.keyboard.type("United States")
    # A picker of months takes the month's name, then the year, with a stop of its own each.
    for name, month, year in (("period_from", "Dec", "2026"), ("period_to", "May", "2027")):
        tab_to(page, name)
        page.keyboard.type(month)
        page.keyboard.press("Tab")
        page.keyboard.type(year)
    tab_to(page, "tonnes")
    page.keyboard.type("650")
    assert page.locator("input[name=period_from]").input_value() == "2026-12"
    assert page.locator("input[name=period_to]").input_value() == "2027-05"
    page.keyboard.press("Enter")
    page.wait_for_url("**/needs#need-1")
    result = page.locator("article").inner_text()

    page.locator("form[action='/alert-rules'] input[name=name]").focus()
    page.keyboard.type("Runs short")
    page.keyboard.press("Enter")
    page.get_by_role("row", name="Runs short").wait_for()

    page.goto("/destinations/USA")
    page.get_by_text("Add somebody else's forecast").focus()
    page.keyboard.press("Enter")
    page.locator("form[action='/rival-forecasts'] input[name=name]").focus()
    page.keyboard.type("Example Bank")
    page.locator("form[action='/rival-forecasts'] textarea").focus()
    page.keyboard.type("2026-12 450.5")
    page.get_by_role("button", name="Save the forecast").press("Enter")
    page.wait_for_url("**/destinations/USA#months-head")

    assert "Motor plant <b>: 650\u00a0t a month for United States, Dec 2026 to May 2027" in result
    assert "to cover 90" in result
    row = page.get_by_role("row", name="Dec 2026")
    assert "Example Bank: 450.5" in row.inner_text()
    page.goto("/audit")
    trail = page.locator("tbody").inner_text()
    for word in ("planning team", "need 1", "alert rule 1", "rival forecast 1"):
        assert word in trail
    # The first write is refused until the browser has its password.
    assert [text for text in watch.complaints if "401" not in text] == []
    assert watch.hosts == {"127.0.0.1"}
    assert page.context.cookies() == []
    page.context.close()


def test_a_need_that_makes_no_sense_stays_in_its_form_with_what_is_wrong_in_sight(
    browser: Browser, place: tuple[str, str]
) -> None:
    watch = planner(browser, place)
    page = watch.page
    page.goto("/needs")
    form = page.locator("form[action='/needs']")
    words = {"name": "Backwards", "period_from": "2027-05", "period_to": "2026-12", "tonnes": "9"}
    for name, word in words.items():
        form.locator(f"input[name={name}]").fill(word)
    form.get_by_role("button").click()

    alert = page.get_by_role("alert")
    alert.wait_for()
    page.wait_for_function("document.activeElement.name === 'name'")
    # A browser scrolls to what it focuses in a later frame than it focuses it.
    page.wait_for_function(
        "it => it.getBoundingClientRect().y >= 0 && it.getBoundingClientRect().y < innerHeight",
        arg=alert.element_handle(),
    )
    assert alert.inner_text().startswith("Not saved. ")
    for name, word in words.items():
        assert form.locator(f"input[name={name}]").input_value() == word
    page.context.close()


@pytest.mark.parametrize("path",
    [
        "/needs", "/audit", "/track-record", f"/goods/{GOODS}/destinations/USA",
    ],
)  # fmt: skip
def test_a_page_of_needs_has_no_serious_fault_and_fits_a_phone(
    browser: Browser, place: tuple[str, str], path: str
) -> None:
    watch = planner(browser, place, viewport={"width": 360, "height": 740})
    watch.page.goto(path)

    faults = serious_faults(watch.page)
    widths = watch.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")

    watch.page.context.close()
    assert faults == []
    assert widths == [360, 360]
