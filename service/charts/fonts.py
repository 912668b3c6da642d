"""Fonts of PNG charts: matplotlib's own, and an installed one for characters that it lacks.

SVG charts need none, for a reader's browser has its own.
"""

from functools import cache
from typing import Final

from matplotlib.font_manager import findfont, findSystemFonts, fontManager
from matplotlib.ft2font import FT2Font
from matplotlib.text import Text

from service.language.choice import DEFAULT, language
from service.language.phrases import catalogue_of

OWN: Final = "DejaVu Sans"
"""Comes with matplotlib; it has no Chinese, Japanese or Korean."""

REGIONS: Final = {"ja": "JP", "ko": "KR", "zh": "SC"}
"""How families with glyphs of one region end; characters look different in each."""


def png_language() -> str:
    """Return the language in use, or English where no installed font has its characters."""
    return DEFAULT if font_of(language()) is None else language()


def families(code: str) -> list[str]:
    """Return the font families that draw a language, each for what those before it lack."""
    return list(dict.fromkeys((OWN, font_of(code) or OWN)))


@cache
def font_of(code: str) -> str | None:
    """Return the family of a font with all characters of a language; None without one."""
    needed = _characters(code) - glyphs(OWN)
    if not needed:
        return OWN
    found = {path: font for path in findSystemFonts() if (font := _opened(path))}
    fitting = [path for path, font in found.items() if needed <= set(font.get_charmap())]
    if not fitting:
        return None
    best = min(fitting, key=lambda path: _order(found[path], code))
    family = found[best].family_name
    for path in (path for path in fitting if found[path].family_name == family):
        fontManager.addfont(path)  # those installed since matplotlib listed them are unknown to it
    return family


def _opened(path: str) -> FT2Font | None:
    try:
        return FT2Font(path)
    except (OSError, RuntimeError):  # damaged, or of a kind that FreeType cannot read
        return None


def _characters(code: str) -> set[int]:
    """Return the characters of the catalogue of a language; English has those of matplotlib."""
    if code == DEFAULT:
        return set()
    written = (one.string for one in catalogue_of(code) if one.id and one.string)
    return {ord(char) for text in written for part in [*text] for char in part}


def _order(font: FT2Font, code: str) -> tuple[bool, bool, str]:
    """Put families of the language's region first, then those without serifs."""
    name = font.family_name
    return not name.endswith(REGIONS.get(code, "")), "Serif" in name or "Mincho" in name, name


@cache
def glyphs(family: str) -> frozenset[int]:
    """Return the characters that a family has."""
    return frozenset(FT2Font(findfont(family)).get_charmap())


def without_boxes(text: Text) -> None:
    """Put ``?`` for what none of a text's fonts can draw, which would be drawn as a box."""
    known = frozenset[int]().union(*map(glyphs, text.get_fontfamily()))
    shown = text.get_text()
    text.set_text("".join(char if ord(char) in known or char == "\n" else "?" for char in shown))
