"""A median as a waterfall: from the average of the last year, cause by cause, to the forecast."""

from collections.abc import Sequence
from textwrap import fill
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from service.charts.canvas import COLOURS, svg
from service.language.formats import separated
from service.language.phrases import gettext
from service.wording import signed_tonnes, tonnes

_LINE: Final = 0.34
_LETTERS: Final = 24
_FRAME: Final = 0.55

Step = tuple[str, float]
"""Words and tonnes."""


def waterfall_svg(start: Step, steps: Sequence[Step], end: str, *, prefix: str) -> str:
    """Return the picture of a sum: where it starts, what is added, and where it ends."""
    total = start[1] + sum(value for _, value in steps)
    parts = gettext("; ").join(f"{words}: {signed_tonnes(value)} t" for words, value in steps)
    label = gettext(
        "Waterfall. %(start)s: %(level)s t; %(parts)s; %(end)s: %(total)s t.",
        start=start[0],
        level=tonnes(start[1]),
        parts=parts,
        end=end,
        total=tonnes(total),
    )
    return svg(_draw, start, steps, (end, total), prefix=prefix, label=label)


def _draw(start: Step, steps: Sequence[Step], end: Step) -> Figure:
    """Draw the sums as dots and each step as a bar from where the last one ended."""
    figure = Figure(figsize=(3.9, _FRAME + _LINE * (len(steps) + 2)), layout="constrained")
    axes = figure.subplots()
    _sum(axes, 0, start[1], "history")
    reached = start[1]
    for place, (_, value) in enumerate(steps, start=1):
        axes.plot([reached] * 2, [place - 1, place], color=COLOURS["muted"], lw=0.8, zorder=1)
        colour = COLOURS["easing" if value > 0 else "restrictive"]
        axes.barh(place, value, left=reached, height=0.6, color=colour, zorder=2)
        _write(axes, place, max(reached, reached + value), signed_tonnes(value))
        reached += value
    axes.plot([reached] * 2, [len(steps), len(steps) + 1], color=COLOURS["muted"], lw=0.8, zorder=1)
    _sum(axes, len(steps) + 1, end[1], "median")
    words = [_wrapped(text) for text, _ in (start, *steps, end)]
    axes.set_yticks(range(len(words)), words)
    axes.set_ylim(len(words) - 0.4, -0.6)
    axes.use_sticky_edges = False  # else a sum at the end of a bar is cut off
    axes.margins(x=0.16)
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: separated(f"{value:,.0f}")))
    axes.tick_params(labelsize=8, length=0)
    axes.grid(axis="x", color=COLOURS["grid"], linewidth=0.8)
    axes.spines["left"].set_visible(False)
    axes.set_axisbelow(True)
    return figure


def _wrapped(words: str) -> str:
    """Return words on lines that fit; those without spaces are twice as wide."""
    return fill(words, _LETTERS if words.isascii() or " " in words.strip() else _LETTERS // 2)


def _sum(axes: Axes, place: int, value: float, colour: str) -> None:
    axes.plot([value], [place], marker="o", ms=7, color=COLOURS[colour], zorder=3)
    _write(axes, place, value, f"{tonnes(value)} t")


def _write(axes: Axes, place: int, right: float, words: str) -> None:
    axes.annotate(
        words, (right, place), xytext=(6, 0), textcoords="offset points", va="center", fontsize=8
    )
