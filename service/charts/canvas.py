"""Ink and paper for charts: colours, fonts, and the same bytes every time."""

import html
import io
import re
import threading
from collections.abc import Callable
from textwrap import shorten
from typing import Any, Final, Literal

import matplotlib as mpl
from matplotlib.backends import backend_svg
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import RendererSVG
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.text import Text
from matplotlib.typing import RcKeyType

from service.charts.fonts import OWN, families, glyphs, png_language, without_boxes
from service.charts.kept import kept
from service.language.choice import in_language, language

_DPI: Final = 160

COLOURS: Final[dict[str, str]] = {
    "ink": "#1b1f24",
    "muted": "#57606a",
    "grid": "#e3e6ea",
    "paper": "#fffffe",
    "past": "#f7f0dd",
    "band90": "#d5e7f4",
    "band80": "#a6cce6",
    "band50": "#69abd7",
    "median": "#00507d",
    "history": "#34393f",
    "faint": "#9aa3ad",
    "doubt": "#dcdfe3",
    "restrictive": "#d55e00",
    "easing": "#009e73",
    "earlier": "#8a4a76",
    "tariff": "#6b5300",
    "scenario": "#9a2257",
    "scenario80": "#edbdd0",
}
"""Okabe-Ito hues and tints, all different, so that a page can swap each for a darker twin."""

DARK_COLOURS: Final[dict[str, str]] = {
    "ink": "#e6e9ed",
    "muted": "#a3adb8",
    "grid": "#2e353d",
    "paper": "#171b20",
    "past": "#2c281c",
    "band90": "#1d3447",
    "band80": "#265478",
    "band50": "#3579a9",
    "median": "#b5defa",
    "history": "#d5dae0",
    "faint": "#77828d",
    "doubt": "#39414a",
    "restrictive": "#e8762c",
    "easing": "#1cb88b",
    "earlier": "#d99ac3",
    "tariff": "#d8b94a",
    "scenario": "#ff8fbb",
    "scenario80": "#6b2546",
}
"""The same names for a dark page."""

_STYLE: Final[dict[RcKeyType, Any]] = {
    "font.family": OWN,
    "font.size": 9.5,
    "axes.edgecolor": COLOURS["muted"],
    "axes.facecolor": COLOURS["paper"],
    "axes.labelcolor": COLOURS["ink"],
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.facecolor": COLOURS["paper"],
    "legend.labelcolor": COLOURS["ink"],
    "savefig.facecolor": COLOURS["paper"],
    "text.color": COLOURS["ink"],
    "text.parse_math": False,
    "xtick.color": COLOURS["ink"],
    "ytick.color": COLOURS["ink"],
    "svg.fonttype": "none",
    "svg.hashsalt": "magnetcast",
}
_DRAWING: Final = threading.Lock()
"""The style of matplotlib belongs to the whole process: one thread draws at a time."""

_UNDATED: Final = {"Date": None, "Creator": None, "Format": None, "Type": None}


def png(draw: Callable[..., Figure], *content: object) -> bytes:
    """Return the picture ``draw(*content)`` makes, without a date or a version inside.

    It is in the language in use, or in English where no installed font has the characters.
    """
    code = png_language()

    def drawn() -> bytes:
        buffer = io.BytesIO()
        style: dict[RcKeyType, Any] = {**_STYLE, "font.family": families(code)}
        with _DRAWING, in_language(code), mpl.rc_context(style):
            figure = draw(*content)
            FigureCanvasAgg(figure)
            for text in figure.findobj(Text):
                without_boxes(text)
            figure.savefig(buffer, format="png", dpi=_DPI, metadata={"Software": None})
        return buffer.getvalue()

    return kept(drawn, "png", draw.__module__, draw.__qualname__, code, content)


def svg(draw: Callable[..., Figure], *content: object, prefix: str, label: str) -> str:
    """Return an inline ``<svg>`` whose colours are the page's variables ``--c-NAME``.

    It has no ``style``, so a page that allows none inline shows it all the same.

    Args:
        prefix: Put before every id, for many pictures live in one page.
    """

    def drawn() -> str:
        buffer = io.StringIO()
        with _DRAWING, mpl.rc_context(_STYLE):
            draw(*content).savefig(buffer, format="svg", metadata=_UNDATED)
        text = buffer.getvalue()
        own = _own_ids(text[text.index("<svg") :], prefix=prefix)
        return _labelled(_attributed(_themed(own)), label=label)

    return kept(drawn, draw.__module__, draw.__qualname__, language(), content, prefix, label)


def cut(text: str, *, width: int) -> str:
    """Return text cut at a word where it is wider than ``width`` letters.

    Characters of Chinese, Japanese and Korean are as wide as two; the first two have no spaces.
    """
    if text.isascii() or language() not in ("ja", "ko", "zh"):
        return shorten(text, width=width, placeholder=" …")
    width //= 2
    if language() == "ko":
        return shorten(text, width=width, placeholder=" …")
    return text if len(text) <= width else f"{text[: width - 1]}…"


class _Renderer(RendererSVG):
    """Measures what the charts' font has not as wide as the browser's font will draw it."""

    def get_text_width_height_descent(
        self,
        s: str,
        prop: FontProperties,
        ismath: bool | Literal["TeX"],  # noqa: FBT001 - as there
    ) -> tuple[float, float, float]:
        measured = "".join(char if ord(char) in glyphs(OWN) else _AS_WIDE for char in s)
        found: tuple[float, float, float] = super().get_text_width_height_descent(  # type: ignore[no-untyped-call]
            measured, prop, ismath
        )
        return found


_AS_WIDE: Final = "\N{EM DASH}"
"""As wide as a character of Chinese, Japanese or Korean."""

backend_svg.RendererSVG = _Renderer  # type: ignore[misc]  # no other way to choose one


def _own_ids(text: str, *, prefix: str) -> str:
    renamed = re.sub(r'\bid="', f'id="{prefix}-', text)
    return re.sub(r'(url\(#|href="#)', rf"\g<1>{prefix}-", renamed)


def _themed(text: str) -> str:
    """Replace each colour by the page's variable of that name."""
    for name, colour in COLOURS.items():
        text = text.replace(colour, f"var(--c-{name})")
    return re.sub(r"\s*<(metadata|style)\b.*?</\1>", "", text, flags=re.DOTALL)


def _attributed(text: str) -> str:
    """Replace ``style`` by attributes."""
    return re.sub(r'style="([^"]*)"', lambda found: _attributes(found.group(1)), text)


def _attributes(style: str) -> str:
    """Turn declarations into attributes; ``font`` has none of its own and is taken apart."""
    pairs: list[tuple[str, str]] = []
    for declaration in filter(None, map(str.strip, style.split(";"))):
        name, value = (part.strip() for part in declaration.split(":", 1))
        pairs += _font(value) if name == "font" else [(name, value)]
    return " ".join(f'{name}="{value}"' for name, value in pairs)


def _font(value: str) -> list[tuple[str, str]]:
    """Take ``[weight] size family`` apart."""
    found = re.fullmatch(r"(?:(\S+) )?([\d.]+px) (.+)", value)
    if found is None:
        raise ValueError(f"font {value!r} of a drawing is not understood. Expected weight, size.")
    weight, size, family = found.groups()
    heavy = [("font-weight", weight)] if weight else []
    return [*heavy, ("font-size", size), ("font-family", family)]


def _labelled(text: str, *, label: str) -> str:
    """Give the picture a role and a label, and let the page decide its size."""
    bare = re.sub(r'(<svg\b[^>]*?)\s(?:width|height)="[^"]*"', r"\1", text, count=1)
    bare = re.sub(r'(<svg\b[^>]*?)\s(?:width|height)="[^"]*"', r"\1", bare, count=1)
    return bare.replace("<svg", f'<svg role="img" aria-label="{html.escape(label)}"', 1)
