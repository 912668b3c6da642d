"""The backtest of one destination, drawn: what was forecast by months ahead, and what came."""

from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from models.evaluation.scores import HORIZON_GROUPS
from service.charts.canvas import COLOURS, svg
from service.charts.plotting import dots, quiet_tonnes
from service.language.formats import dated, separated
from service.language.phrases import gettext
from service.wording import name_of

ROOM: Final = 0.84
"""Share of a month's place that its forecasts take, side by side."""

MOST_LABELS: Final = 5
"""Months named below the picture."""


def replay_svg(cells: pd.DataFrame, destination: str) -> str:
    """Return the forecasts of one destination at past origins, and what came.

    Args:
        cells: As ``store.publications.backtests.CELL_COLUMNS``, some of the destination; not
            modified.
        destination: A code.
    """
    own = cells.loc[cells["destination"] == destination]
    cutoffs, periods = (pd.DatetimeIndex(own[name]) for name in ("cutoff", "period"))
    rows = own.assign(
        period=periods,
        horizon=12 * (periods.year - cutoffs.year) + periods.month - cutoffs.month,
        inside80=own["tonnes"].between(own["p10"], own["p90"]),
    )
    label = gettext(
        "Backtest, %(name)s. Forecasts of known months within the 80%% band: %(shares)s.",
        name=name_of(destination),
        shares=gettext("; ").join(_share(*group) for group in _groups(rows)),
    )
    drawn = (rows, name_of(destination))
    return svg(_draw, *drawn, prefix=f"{destination}-replay", label=label)


def _groups(rows: pd.DataFrame) -> list[tuple[int, int, pd.DataFrame]]:
    """Return first and last month ahead and the forecasts of each group that has any."""
    found = []
    for first, last in HORIZON_GROUPS:
        own = rows.loc[rows["horizon"].between(first, last)]
        if len(own):
            found.append((first, min(last, int(rows["horizon"].max())), own))
    return found


def _share(first: int, last: int, own: pd.DataFrame) -> str:
    return gettext(
        "%(first)s to %(last)s months ahead: %(inside)s of %(count)s inside",
        first=first,
        last=last,
        inside=separated(f"{int(own['inside80'].sum()):,}"),
        count=separated(f"{len(own):,}"),
    )


def _draw(rows: pd.DataFrame, title: str) -> Figure:
    """Draw one panel for each group of horizons, over the months that are known."""
    groups, months = _groups(rows), sorted(rows["period"].unique())
    figure = Figure(figsize=(3.6, 0.5 + 1.1 * len(groups)), layout="constrained")
    panels = figure.subplots(len(groups), 1, squeeze=False, sharex=True, sharey=True).ravel()
    for axes, group in zip(panels, groups, strict=True):
        for place, month in enumerate(months):
            own = group[2]
            _draw_month(axes, place, own.loc[own["period"] == month])
        quiet_tonnes(axes, most_ticks=3)
        axes.tick_params(labelsize=8)
        axes.set_title(_share(*group), loc="left", fontsize=8)
    shown = range(0, len(months), -(-len(months) // MOST_LABELS))
    panels[0].set(xlim=(-0.5, len(months) - 0.5), ylim=(0.0, None))
    panels[-1].set_xticks(list(shown), [dated(months[place], "month") for place in shown])
    heading = gettext("%(name)s, tonnes a month", name=title)
    figure.suptitle(heading, x=0.02, ha="left", fontsize=8.5, fontweight="bold")
    return figure


def _draw_month(axes: Axes, place: int, own: pd.DataFrame) -> None:
    """Draw the forecasts of one month side by side, oldest first, and the figure across them."""
    if own.empty:
        return
    own = own.sort_values("cutoff", kind="stable")
    width = ROOM / len(own)
    at = place + width * (0.5 + np.arange(len(own))) - ROOM / 2
    axes.bar(at, own["p90"] - own["p10"], 0.8 * width, own["p10"], color=COLOURS["band80"])
    inks = np.where(own["inside80"], COLOURS["median"], COLOURS["restrictive"])
    axes.hlines(own["p50"], at - width / 2, at + width / 2, colors=inks.tolist(), lw=1.6, zorder=3)
    axes.add_line(dots("observed", [place], [own["tonnes"].iloc[0]], size=3.4))
