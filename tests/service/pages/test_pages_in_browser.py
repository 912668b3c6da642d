"""The pages in Debian's Chromium, served by a process of their own."""

import re

import pytest
from playwright.sync_api import Browser, expect

from publication.language.choice import DEFAULT, LANGUAGES
from tests.service.chromium_pages import PATIENCE_S, Watch, opened, serious_faults

pytestmark = pytest.mark.slow

PAGES = [
    "/", "/destinations/USA", "/what-if", "/needs", "/track-record", "/policy", "/data", "/status",
    "/docs", "/method", "/publications/2", "/nothing",
]  # fmt: skip


@pytest.mark.parametrize("path", PAGES)
def test_a_page_complains_of_nothing_has_no_serious_fault_and_fits_a_phone(
    watch: Watch, path: str
) -> None:
    answer = watch.page.goto(path)

    expected = 404 if path == "/nothing" else 200
    assert answer is not None
    assert answer.status == expected
    missing = [text for text in watch.complaints if "404 (Not Found)" not in text]
    assert missing == []
    assert len(watch.complaints) == (path == "/nothing")
    assert watch.hosts == {"127.0.0.1"}
    assert watch.page.context.cookies() == []
    assert serious_faults(watch.page) == []

    watch.page.set_viewport_size({"width": 360, "height": 740})
    widths = watch.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    cut, nameless = watch.page.evaluate(
        "[[...document.querySelectorAll('table.cards')]"
        ".filter(e => e.scrollWidth > e.parentElement.clientWidth).length,"
        " document.querySelectorAll('table.cards tbody :is(th, td):not([data-head])').length]"
    )
    assert widths == [360, 360]
    assert (cut, nameless) == (0, 0)


@pytest.mark.parametrize("code", [code for code in LANGUAGES if code != DEFAULT])
def test_a_translated_page_has_no_serious_fault_in_the_dark_and_fits_a_phone(
    browser: Browser, address: str, code: str
) -> None:
    phone = {"width": 360, "height": 740}
    watch = opened(browser, address, viewport=phone)
    found = {}
    for path in ("/needs", "/track-record"):
        watch.page.goto(f"{path}?lang={code}")
        wide = watch.page.evaluate("document.documentElement.scrollWidth")
        found[path] = (wide, serious_faults(watch.page, ["dark"]))
    watch.page.context.close()

    assert set(map(str, found.values())) == {"(360, [])"}, found


def test_pages_and_charts_follow_the_colour_scheme(browser: Browser, address: str) -> None:
    seen = {}
    for scheme in ("light", "dark"):
        watch = opened(browser, address, color_scheme=scheme)
        watch.page.goto("/destinations/USA")
        watch.page.locator("figure.fan").scroll_into_view_if_needed()
        watch.page.locator("figure.fan[data-drawn]").wait_for()
        seen[scheme] = watch.page.evaluate(
            "[getComputedStyle(document.body).backgroundColor,"
            " getComputedStyle(document.querySelector('svg [fill=\"var(--c-band80)\"]')).fill]"
        )
        watch.page.context.close()

    assert seen["light"] == ["rgb(255, 255, 254)", "rgb(166, 204, 230)"]
    assert seen["dark"] == ["rgb(23, 27, 32)", "rgb(38, 84, 120)"]


def test_the_keyboard_alone_reaches_content_and_search(watch: Watch) -> None:
    page = watch.page
    page.goto("/policy")

    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the content")).to_be_focused()
    # What is focused is drawn where it belongs in a later frame.
    page.wait_for_function("document.activeElement.getBoundingClientRect().left >= 0")
    page.keyboard.press("Enter")
    page.wait_for_url("**/policy#main")
    for _ in ("how old the forecast is", "the search"):
        page.keyboard.press("Tab")
    page.keyboard.type("fentanyl")
    page.keyboard.press("Enter")
    page.wait_for_url("**/policy?q=fentanyl&**")

    assert "matching events" in page.locator(".lead").inner_text()


def test_only_charts_on_screen_are_asked_for_and_a_phone_reads_them(
    browser: Browser, address: str
) -> None:
    watch = opened(browser, address, viewport={"width": 360, "height": 740})
    asked: list[str] = []
    watch.page.on("request", lambda one: asked.append(one.url.removeprefix(address)))
    watch.page.goto("/")
    first = watch.page.locator("figure.fan")
    first.scroll_into_view_if_needed()
    expect(first).to_have_attribute("data-drawn", "", timeout=1000 * PATIENCE_S)

    sizes = watch.page.evaluate(
        "[...document.querySelectorAll('figure.fan text')]"
        ".map(one => parseFloat(one.getAttribute('font-size')))"
    )
    charts = watch.page.locator("figure[data-chart]").count()
    assert min(sizes) >= 11
    assert len([one for one in asked if one.startswith("/charts/")]) < charts
    watch.page.context.close()
    assert watch.complaints == []


def test_a_month_says_what_is_known_of_it_and_the_reader_goes_back_to_2016(
    browser: Browser, address: str
) -> None:
    watch = opened(browser, address, has_touch=True)
    page = watch.page
    page.goto("/destinations/USA")
    figure = page.locator("figure.fan")
    figure.scroll_into_view_if_needed()
    expect(figure).to_have_attribute("data-drawn", "", timeout=1000 * PATIENCE_S)
    month = page.get_by_label("December 2026: median").first

    month.hover(force=True)
    words = page.locator("#vg-tooltip-element")
    expect(words).to_contain_text("December 2026: median")
    page.get_by_role("group", name="arrow keys").focus()
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("document.activeElement.ariaLabel") == words.inner_text()
    page.keyboard.press("Escape")
    expect(words).to_be_hidden()
    month.tap(force=True)
    expect(words).to_contain_text("December 2026: median")
    page.touchscreen.tap(5, 5)
    expect(words).to_be_hidden()
    page.get_by_label("Show the months since").select_option("Jan 2016")

    expect(
        page.locator("figure.fan text", has_text=re.compile("^2017$|^Jan2017$")).first
    ).to_be_visible()
    page.set_viewport_size({"width": 500, "height": 900})  # from four columns of a legend to one
    page.wait_for_timeout(500)
    legend = page.locator("figure.fan .role-legend").last.bounding_box()
    files = page.locator("figure.fan .files").bounding_box()
    page.context.close()
    assert legend["y"] + legend["height"] <= files["y"]
    assert watch.complaints == []
    assert watch.hosts == {"127.0.0.1"}


def test_without_a_script_the_picture_is_there(browser: Browser, address: str) -> None:
    watch = opened(browser, address, java_script_enabled=False)
    watch.page.goto("/destinations/USA?lang=de")
    picture = watch.page.locator("figure.fan img")

    picture.scroll_into_view_if_needed()
    watch.page.wait_for_function("document.querySelector('figure.fan img').naturalWidth > 0")
    words = picture.get_attribute("alt") or ""
    watch.page.context.close()

    assert words.startswith("Fächerdiagramm")
    assert watch.complaints == []
