"""The staircase: how the error of a month's estimate falls with each release after its end."""

from collections.abc import Mapping
from typing import Final

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from models.evaluation.plots import AIM, GREY, NEAR_AIM, OTHER_COLOURS, OWN_COLOUR

TAIL_DAYS: Final = 8
"""How far the last step is drawn."""


def staircase_plot(steps: pd.DataFrame, releases: Mapping[int, str]) -> Figure:
    """Return the chart of error and coverage by days since the month's end.

    Args:
        steps: One row a way and release: ``way`` (the product's own first), ``days``, ``error``
            (median, relative) and ``coverage`` (share within the 80% band).
        releases: What comes out on which day after the month's end.
    """
    figure = Figure(figsize=(10, 6.4), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    ways = list(dict.fromkeys(steps["way"]))
    for way, colour in zip(ways, (OWN_COLOUR, *OTHER_COLOURS), strict=False):
        part = steps.loc[steps["way"] == way].sort_values("days")
        is_own = way == ways[0]
        for axes, column in ((above, "error"), (below, "coverage")):
            _stairs(axes, part["days"], part[column], colour=colour, label=way, is_own=is_own)
    above.set(ylabel="median error of the month's cells", ylim=(0, None))
    below.axhspan(*NEAR_AIM, color="#e9ecef", zorder=0)
    below.axhline(AIM, color=GREY, linewidth=1, linestyle="--", zorder=1)
    below.set(ylabel="within the 80% band", ylim=(0, 1.02), xlabel="days since the month's end")
    for axes in (above, below):
        axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        axes.grid(axis="y", alpha=0.3)
        axes.set_axisbelow(True)
    _name_releases(above, below, releases)
    above.legend(frameon=False, loc="upper right")
    return figure


def _stairs(
    axes: Axes, days: pd.Series, values: pd.Series, *, colour: str, label: str, is_own: bool
) -> None:
    """Draw a step that holds from its release to the next."""
    edges = [*days, days.iloc[-1] + TAIL_DAYS]
    axes.stairs(
        values,
        edges,
        baseline=None,
        color=colour,
        label=label,
        linewidth=2.5 if is_own else 1.6,
        zorder=3 if is_own else 2,
    )


def _name_releases(above: Axes, below: Axes, releases: Mapping[int, str]) -> None:
    """Mark each release with a line and its name over the chart."""
    for day, name in releases.items():
        for axes in (above, below):
            axes.axvline(day, color=GREY, linewidth=0.7, linestyle=":", zorder=0)
        above.annotate(
            name,
            (day, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(0, 4),
            textcoords="offset points",
            rotation=35,
            fontsize=8,
        )
    below.set_xticks(list(releases))
