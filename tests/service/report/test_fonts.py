"""PNG charts never show boxes: a language without a font is drawn in English."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from service.charts import fonts
from service.charts.fan import make_fan
from service.charts.fan_charts import fan_png
from service.language.choice import in_language
from service.report.report import render_page, write_report
from tests.service.builders import make_events, make_small_report
from tests.service.report.test_table_report import make_table_report

pytestmark = pytest.mark.slow


@pytest.fixture
def no_font(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let no font be installed but matplotlib's own."""
    monkeypatch.setattr(fonts, "findSystemFonts", list)
    fonts.font_of.cache_clear()
    yield
    fonts.font_of.cache_clear()


@pytest.mark.usefixtures("no_font")
def test_without_a_font_a_chart_is_in_english_and_the_page_names_it(tmp_path: Path) -> None:
    report = make_table_report(label="gallium")
    english = write_report(report, tmp_path / "en").with_name("overview.png")

    with in_language("ja"):
        page = write_report(report, tmp_path / "ja")

    assert page.with_name("overview.png").read_bytes() == english.read_bytes()
    assert 'class="note">PNG' in page.read_text(encoding="utf-8")


@pytest.mark.usefixtures("no_font")
@pytest.mark.parametrize("code", ["ko", "zh"])
def test_without_a_font_the_language_of_charts_is_english_and_a_page_says_so(code: str) -> None:
    with in_language(code):
        assert fonts.png_language() == "en"
        assert 'class="note">PNG' in render_page(make_small_report())


@pytest.mark.usefixtures("no_font")
def test_german_needs_no_other_font() -> None:
    with in_language("de"):
        assert fonts.png_language() == "de"
        assert "PNG-Diagramme sind auf Englisch" not in render_page(make_small_report())


def test_with_a_font_a_chart_is_in_its_language_and_has_no_box() -> None:
    if fonts.font_of("zh") is None:
        pytest.skip("no installed font has Chinese characters")
    fan = make_fan(make_small_report(), "WLD")
    english = fan_png(fan)

    with in_language("zh"):  # a missing glyph is a warning of matplotlib, so an error here
        assert fan_png(fan) != english


def test_a_character_that_no_font_has_is_a_question_mark() -> None:
    given = make_small_report(events=make_events().assign(summary="磁 \U0001f9f2 \ue000"))

    assert fan_png(make_fan(given, "WLD")).startswith(b"\x89PNG")
