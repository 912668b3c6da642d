"""Dot plots of shares: one line a row, one mark a series, the number of months at the end."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from service.charts.canvas import COLOURS, cut, svg
from service.language.formats import percentage, separated
from service.language.phrases import gettext, ngettext

WIDTH: Final = 3.6
"""Inches; a phone shows it whole, a wide page two abreast."""

_LINE: Final = 0.27
_FRAME: Final = 1.05
_MARKS: Final = (("o", "median", "median"), ("D", "earlier", "paper"), ("s", "tariff", "paper"))
"""Shape, edge and fill of the series, in order."""


@dataclass(frozen=True, slots=True)
class DotRow:
    """One row: shares by series, NaN where there is none."""

    label: str
    shares: tuple[float, ...]
    months: int


@dataclass(frozen=True, slots=True)
class DotPlot:
    """Shares of some rows, side by side."""

    name: str
    """Names the picture within its page."""
    axis: str
    """What is shown."""
    series: tuple[str, ...]
    rows: tuple[DotRow, ...]
    target: float | None = None
    """Share that would be right, drawn as a line."""

    @property
    def label(self) -> str:
        """Return the picture in words."""
        parts = (
            ngettext(
                "%(label)s: %(shares)s (%(n)s month)",
                "%(label)s: %(shares)s (%(n)s months)",
                row.months,
                label=row.label,
                shares=", ".join(_named(self.series, row.shares)),
            )
            for row in self.rows
        )
        return f"{self.axis}. {gettext('; ').join(parts)}."


def _named(series: Sequence[str], shares: Sequence[float]) -> list[str]:
    pairs = zip(series, shares, strict=True)
    return [
        f"{name} {percentage(f'{100 * share:.0f}')}"
        for name, share in pairs
        if math.isfinite(share)
    ]


def dot_plot_svg(plot: DotPlot) -> str:
    """Return the picture; empty without rows."""
    if not plot.rows:
        return ""
    return svg(_draw, plot, prefix=plot.name, label=plot.label)


def _draw(plot: DotPlot) -> Figure:
    height = _FRAME + _LINE * len(plot.rows)
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    axes = figure.subplots()
    places = range(len(plot.rows))
    for place, row in zip(places, plot.rows, strict=True):
        if known := [share for share in row.shares if math.isfinite(share)]:
            axes.plot([min(known), max(known)], [place] * 2, color=COLOURS["faint"], lw=1, zorder=2)
    for number, (name, mark) in enumerate(zip(plot.series, _MARKS, strict=False)):
        shape, edge, fill = mark
        axes.plot(
            [row.shares[number] for row in plot.rows], places, ls="none", marker=shape, ms=6,
            mec=COLOURS[edge], mfc=COLOURS[fill], label=name, zorder=3,
        )  # fmt: skip
    if plot.target is not None:
        label = gettext("should be %(share)s", share=percentage(f"{100 * plot.target:.0f}"))
        axes.axvline(plot.target, color=COLOURS["muted"], lw=1.1, ls=(0, (4, 2)), label=label)
    _frame(axes, plot)
    # Over the labels too: beside them some languages have no room for it.
    figure.suptitle(plot.axis, x=0.02, ha="left", fontsize=8.5, fontweight="bold")
    figure.legend(
        *axes.get_legend_handles_labels(), loc="outside lower left", ncols=3, frameon=False,
        fontsize=8, handletextpad=0.3, columnspacing=1.0,
    )  # fmt: skip
    return figure


def _frame(axes: Axes, plot: DotPlot) -> None:
    axes.set_yticks(range(len(plot.rows)), [cut(row.label, width=22) for row in plot.rows])
    axes.set_ylim(len(plot.rows) - 0.4, -0.6)
    axes.set_xlim(0.0, None if plot.target is None else 1.0)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda share, _: percentage(f"{100 * share:.0f}")))
    axes.tick_params(labelsize=8, length=0)
    axes.grid(axis="x", color=COLOURS["grid"], linewidth=0.8)
    axes.spines["left"].set_visible(False)
    axes.set_axisbelow(True)
    numbers = axes.secondary_yaxis("right")
    numbers.set_yticks(range(len(plot.rows)), [separated(f"{row.months:,}") for row in plot.rows])
    numbers.tick_params(labelsize=8, length=0, labelcolor=COLOURS["muted"])
    numbers.spines["right"].set_visible(False)
    numbers.set_ylabel(gettext("months scored"), fontsize=8, color=COLOURS["muted"])
