"""The chart of a scenario: both forecasts in one fan, and the difference beneath."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from service.charts.canvas import COLOURS, svg
from service.charts.fan import Fan
from service.charts.fan_charts import (
    dots,
    frame_axes,
    month_days,
    plot_history,
    quiet_tonnes,
    shade_past,
    with_bridge,
)
from service.language.phrases import gettext
from service.scenarios import SIDES
from store.vocabulary import QUANTILE_COLUMNS

SEEN_THROUGH: Final = 0.6
_LINES: Final = {"base": "median", "scenario": "scenario"}
FILLS: Final = {"base": "band80", "scenario": "scenario80"}


@dataclass(frozen=True, slots=True)
class Pair:
    """Both forecasts of one destination."""

    fan: Fan
    """As published, with the history."""
    table: pd.DataFrame
    """Rows of the answer about it, ``period`` as a naive first of the month."""
    base_label: str

    def side(self, name: str) -> Fan:
        """Return one of the two as a fan."""
        numbers = {level: self.table[f"{name}_{level}"] for level in QUANTILE_COLUMNS}
        return replace(self.fan, forecast=self.table[["period"]].assign(**numbers))


def paired_svg(pair: Pair, *, label: str) -> str:
    """Draw both for a page; ``label`` is the alt text."""
    return svg(_draw, pair, _WIDE, prefix="what-if", label=label)


def phone_paired_svg(pair: Pair, *, label: str, name: str = "what-if-phone") -> str:
    """Draw both on a narrow sheet, with few months of history.

    Args:
        name: Begins the ids within; another for each chart of a page.
    """
    few = replace(pair, fan=pair.fan.for_phones())
    return svg(_draw, few, _PHONE, prefix=name, label=label)


Box = tuple[float, float, float, float]
"""Left, bottom, width and height as shares of the sheet."""


@dataclass(frozen=True, slots=True)
class _PairedSheet:
    """Where what stands."""

    inches: tuple[float, float]
    upper: Box
    lower: Box
    legend_columns: int
    letters: float


_WIDE: Final = _PairedSheet((10.0, 6.4), (0.08, 0.45, 0.9, 0.52), (0.08, 0.14, 0.9, 0.22), 4, 8.5)
_PHONE: Final = _PairedSheet((4.2, 5.6), (0.17, 0.52, 0.81, 0.46), (0.17, 0.24, 0.81, 0.2), 2, 7.0)


def _draw(pair: Pair, sheet: _PairedSheet) -> Figure:
    figure = Figure(figsize=sheet.inches)
    upper, lower = figure.add_axes(sheet.upper), figure.add_axes(sheet.lower)
    frame_axes(upper, pair.fan)
    shade_past(upper, pair.fan)
    plot_history(upper, pair.fan)
    for name in SIDES:
        _plot_side(upper, pair.side(name), name)
    tops = [pair.table[f"{name}_p90"].max() for name in SIDES] + [
        part["tonnes"].max() for part in (pair.fan.history, pair.fan.later)
    ]
    upper.set_ylim(0.0, 1.08 * float(np.nanmax([*tops, 1.0])))
    frame_axes(lower, pair.fan)
    shade_past(lower, pair.fan)
    _plot_difference(lower, pair.table)
    figure.legend(
        handles=_entries(pair), loc="lower left", bbox_to_anchor=(0.01, 0.0),
        ncols=sheet.legend_columns, frameon=False, fontsize=sheet.letters, columnspacing=1.2,
        handlelength=2.0, borderpad=0.2,
    )  # fmt: skip
    return figure


def _plot_side(axes: Axes, fan: Fan, name: str) -> None:
    """Draw the 80% band and the median of one of the two."""
    rows = with_bridge(fan)
    days, order = month_days(rows), SIDES.index(name)
    axes.fill_between(
        days, rows["p10"], rows["p90"], color=COLOURS[FILLS[name]], lw=0, zorder=1 + order / 10,
        alpha=SEEN_THROUGH,
    )  # fmt: skip
    for edge in ("p10", "p90"):
        axes.plot(days, rows[edge], color=COLOURS[_LINES[name]], lw=0.7, zorder=2 + order / 10)
    dashes = (0, (4, 2)) if name == "base" else "solid"
    axes.plot(
        days, rows["p50"], color=COLOURS[_LINES[name]], lw=2, ls=dashes, zorder=3 + order / 10
    )


def _plot_difference(axes: Axes, table: pd.DataFrame) -> None:
    """Draw the difference with its own band around zero."""
    days = month_days(table)
    low, middle, high = (table[f"difference_{name}"] for name in ("p10", "mean", "p90"))
    axes.fill_between(days, low, high, color=COLOURS["scenario80"], lw=0, alpha=SEEN_THROUGH)
    axes.plot(days, middle, color=COLOURS["scenario"], lw=2)
    axes.axhline(0.0, color=COLOURS["muted"], lw=1.0)
    edge = float(np.abs([low, high]).max())
    if edge < 1.0:  # less than a tonne: a quiet line, with -1, 0 and 1 beside it
        axes.set_ylim(-1.1, 1.1)
    else:
        bottom, top = min(float(low.min()), -0.1 * edge), max(float(high.max()), 0.1 * edge)
        axes.set_ylim(1.1 * bottom, 1.1 * top)
    quiet_tonnes(axes, most_ticks=4)
    axes.set_ylabel(gettext("difference, t"))


def _entries(pair: Pair) -> list[Artist]:
    """Explain every mark."""
    found: list[Artist] = []
    for name in SIDES:
        side = pair.base_label if name == "base" else gettext("scenario")
        dashes = (0, (4, 2)) if name == "base" else "solid"
        ink = COLOURS[_LINES[name]]
        found.append(
            Line2D([], [], color=ink, lw=2, ls=dashes, label=gettext("%(side)s, median", side=side))
        )
        found.append(
            Patch(
                facecolor=COLOURS[FILLS[name]], edgecolor=ink, alpha=SEEN_THROUGH,
                label=gettext("%(side)s, 80%% band", side=side),
            )
        )  # fmt: skip
    found += [dots("observed", [], [], label=gettext("observed month"))]
    found += [dots("derived", [], [], label=gettext("derived month"))]
    found.append(Line2D([], [], color=COLOURS["faint"], lw=1.3, label=gettext("estimated month")))
    if pair.fan.as_of > pair.fan.cutoff_end:
        found.append(Patch(color=COLOURS["past"], label=gettext("past, not yet published")))
    return found
