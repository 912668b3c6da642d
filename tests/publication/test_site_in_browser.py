import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from publication.language.phrases import LANGUAGES
from publication.pages.render import folder_of
from tests.publication.chromium_pages import PATIENCE_S, opened, serious_faults

pytestmark = pytest.mark.slow

PAGES = [
    "index", "destinations/USA", "what-if", "stock", "track-record", "policy", "data",
    "publications", "planning", "goods", "embed/USA", "publications/85051110/2/index",
]  # fmt: skip


def address_of(site: Path, name: str) -> str:
    return (site.resolve() / f"{name}.html").as_uri()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_opens_from_its_file_without_a_complaint_or_fault(
    browser: Browser, site: Path, name: str
) -> None:
    watch = opened(browser, "")
    watch.page.goto(address_of(site, name))

    assert watch.complaints == []
    assert watch.hosts <= {"", None}
    assert serious_faults(watch.page) == []
    watch.page.context.close()


MEASURES = """() => {
  const root = document.documentElement, boxed = "table:is(.cards, .outlook)";
  return [
    root.scrollWidth > innerWidth,
    document.querySelectorAll(`${boxed}.cards tbody :is(th, td):not([data-head])`).length,
    [...document.querySelectorAll(boxed)]
      .filter((table) => table.scrollWidth > table.parentElement.clientWidth).length,
  ];
}"""
A4 = 718
"""Pixels between its margins."""


@pytest.mark.parametrize("code", LANGUAGES)
def test_pages_fit_window_phone_and_paper(browser: Browser, site: Path, code: str) -> None:
    watch, faults = opened(browser, ""), {}
    for name in PAGES[:-1]:
        watch.page.emulate_media(media="screen")
        watch.page.set_viewport_size({"width": 1280, "height": 900})
        watch.page.goto(address_of(site, f"{folder_of(code)}{name}"))
        if name in {"index", "destinations/USA"}:
            watch.page.locator("figure.fan").scroll_into_view_if_needed()
            watch.page.locator("figure.fan figcaption").wait_for(state="attached")
        for width in (1280, 390, 360, A4):
            watch.page.emulate_media(media="print" if width == A4 else "screen")
            watch.page.set_viewport_size({"width": width, "height": 900})
            cut = watch.page.evaluate(MEASURES)
            if any(cut):
                faults[name, width] = cut
        if name in {"index", "planning", "track-record"}:
            faults |= {(name, fault): 0 for fault in serious_faults(watch.page, ["dark"])}
    watch.page.context.close()

    assert faults == {}


def test_the_list_of_destinations_sorts_by_each_column_by_pointer_and_keyboard(
    browser: Browser, site: Path
) -> None:
    watch = opened(browser, "")
    watch.page.goto(address_of(site, "index"))
    heads = watch.page.locator(".outlook th[scope=col]:has(button)")

    def shown(at: int) -> list[str | float]:
        """Return what a reader sees in a column: names, or the first number of a cell."""
        cells = watch.page.locator(f".outlook tbody tr > :nth-child({at + 1})").all_inner_texts()
        if at == 0:
            return [cell.split("\n")[0] for cell in cells]
        cells = [cell.replace(",", "").replace("\N{MINUS SIGN}", "-") for cell in cells]
        return [
            0 if "under" in c else float((re.findall(r"-?[\d.]+", c) or ["-inf"])[0]) for c in cells
        ]

    assert heads.count() == 5
    for head in heads.all():
        at = head.evaluate("head => head.cellIndex")
        head.get_by_role("button").click()
        clicked, first = shown(at), head.get_attribute("aria-sort")
        head.get_by_role("button").press("Enter")
        assert clicked == sorted(clicked, reverse=at > 0)
        assert shown(at) == sorted(clicked, reverse=at == 0)
        assert {first, head.get_attribute("aria-sort")} == {"ascending", "descending"}
        assert watch.page.locator("[aria-sort]").count() == 1
    watch.page.context.close()


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_chart_is_drawn_from_the_file_and_a_month_says_what_is_known_of_it(
    browser: Browser, site: Path, code: str
) -> None:
    watch = opened(browser, "", has_touch=True)
    watch.page.goto(address_of(site, f"{folder_of(code)}destinations/USA"))
    figure = watch.page.locator("figure.fan")
    figure.scroll_into_view_if_needed()
    figure.locator("figcaption").wait_for()
    assert figure.locator(".still").count() == 0

    month = figure.locator('[role="graphics-symbol"][aria-label*="2026"]:not(.mark-text)').last
    month.hover(force=True)
    expect(watch.page.locator("#vg-tooltip-element")).to_be_visible()
    for form in ("PNG", "SVG", "CSV"):
        with watch.page.expect_download() as saved:
            figure.get_by_text(form, exact=True).click()
        assert saved.value.suggested_filename.endswith(f".{form.lower()}")
    watch.page.context.close()
    assert watch.complaints == []


def test_without_a_script_the_picture_and_the_days_are_there(browser: Browser, site: Path) -> None:
    watch = opened(browser, "", java_script_enabled=False)
    watch.page.goto(address_of(site, "de/destinations/USA"))
    picture = watch.page.locator("figure.fan img")

    picture.scroll_into_view_if_needed()
    watch.page.wait_for_function("document.querySelector('figure.fan img').naturalWidth > 0")
    words = picture.get_attribute("alt") or ""
    watch.page.context.close()

    assert words.startswith("Fächerdiagramm")
    assert watch.complaints == []


def test_a_page_of_the_past_says_so_from_its_day_on(browser: Browser, site: Path) -> None:
    shown = {}
    for day in ("2026-11-26", "2027-06-01"):
        watch = opened(browser, "")
        watch.page.clock.set_fixed_time(f"{day}T12:00:00Z")
        watch.page.goto(address_of(site, "index"))
        shown[day] = watch.page.locator("[data-from]:not([hidden])").count()
        watch.page.context.close()

    assert shown["2026-11-26"] == 0
    assert shown["2027-06-01"] > 0


def test_the_keyboard_alone_reaches_content_and_the_months_of_a_chart(
    browser: Browser, site: Path
) -> None:
    watch = opened(browser, "")
    page = watch.page
    page.goto(address_of(site, "destinations/USA"))
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**/USA.html#main")
    figure = page.locator("figure.fan")
    figure.scroll_into_view_if_needed()
    figure.locator("svg.marks").wait_for(timeout=1000 * PATIENCE_S)
    figure.get_by_role("group", name="arrow keys").focus()
    page.keyboard.press("ArrowLeft")

    assert page.evaluate("document.activeElement.ariaLabel")
    expect(page.locator("#vg-tooltip-element")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#vg-tooltip-element")).to_be_hidden()
    page.context.close()


def test_pages_and_charts_follow_the_colour_scheme(browser: Browser, site: Path) -> None:
    brightness = {}
    for scheme in ("light", "dark"):
        watch = opened(browser, "", color_scheme=scheme)
        watch.page.goto(address_of(site, "destinations/USA"))
        watch.page.locator("figure.fan").scroll_into_view_if_needed()
        watch.page.locator("figure.fan svg.marks").wait_for()
        colours = watch.page.evaluate(
            "[getComputedStyle(document.body).backgroundColor,"
            " getComputedStyle(document.querySelector('svg [fill=\"var(--c-band80)\"]')).fill]"
        )
        watch.page.context.close()
        brightness[scheme] = [sum(map(int, re.findall(r"\d+", colour))) for colour in colours]

    light, dark = brightness["light"], brightness["dark"]
    assert light[0] > light[1] > dark[1] > dark[0]
