"""Small multiples: the fan charts of many destinations in one picture."""

import math
from collections.abc import Sequence
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from service.charts.canvas import COLOURS, png, printable, svg
from service.charts.fan import Fan
from service.charts.plotting import (
    axis_day,
    axis_moment,
    fit_height,
    month_starts,
    plot_fan,
    plot_history,
    quiet_tonnes,
    shade_past,
)
from service.wording.goods import MAGNETS
from service.wording.names import name_of

OVERVIEW_TITLE: Final = f"China's exports of {MAGNETS} by destination, tonnes a month"

_ACROSS: Final = 4


def overview_png(fans: Sequence[Fan], *, title: str = OVERVIEW_TITLE) -> bytes:
    """Draw small multiples of destinations."""
    return png(lambda: _draw_overview(fans, title))


def overview_svg(fans: Sequence[Fan], *, label: str, title: str = OVERVIEW_TITLE) -> str:
    """Draw small multiples for a page; ``label`` is the alt text."""
    return svg(lambda: _draw_overview(fans, title), prefix="overview", label=label)


def _draw_overview(fans: Sequence[Fan], title: str) -> Figure:
    """Draw a small fan of every destination, each on its own scale."""
    rows = math.ceil(len(fans) / _ACROSS)
    figure = Figure(figsize=(12.0, 0.95 + 2.25 * rows), layout=None)
    grid = figure.subplots(rows, _ACROSS, squeeze=False).ravel()
    height = figure.get_figheight()
    figure.subplots_adjust(
        left=0.05, right=0.99, top=1 - 0.95 / height, bottom=0.32 / height, wspace=0.2, hspace=0.42
    )
    for axes, fan in zip(grid, fans, strict=False):
        _draw_small(axes, fan)
    for axes in grid[len(fans) :]:
        axes.set_visible(False)
    if fans:
        _write_overview_head(figure, fans[0], title, height=height)
    return figure


def _draw_small(axes: Axes, fan: Fan) -> None:
    """Draw one of the small multiples."""
    axes.set_xlim(axis_day(fan.start), axis_day(fan.end))
    axes.xaxis.set_major_locator(month_starts(fan, months=12))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda day, _: f"{axis_moment(day):%Y}"))
    axes.xaxis.set_minor_locator(month_starts(fan, months=3))
    quiet_tonnes(axes, most_ticks=4)
    axes.tick_params(labelsize=8)
    shade_past(axes, fan)
    plot_fan(axes, fan)
    plot_history(axes, fan, size=2.4)
    fit_height(axes, fan)
    axes.set_title(name_of(fan.destination), loc="left", fontsize=10, fontweight="bold", pad=5)


def _write_overview_head(figure: Figure, fan: Fan, title: str, *, height: float) -> None:
    """Say what all the small charts have in common."""
    figure.text(
        0.012,
        1 - 0.22 / height,
        printable(title),
        fontsize=14,
        fontweight="bold",
        va="center",
    )
    figure.text(
        0.012,
        1 - 0.49 / height,
        f"Forecast as of {fan.as_of:%-d %B %Y}: median with 50, 80 and 90 % bands. Filled dots "
        "observed, hollow dots derived, grey line estimated. Each chart has its own scale.",
        fontsize=9.5,
        va="center",
        color=COLOURS["muted"],
    )
