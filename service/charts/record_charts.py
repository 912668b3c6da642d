"""Charts of what was forecast over time, and of the actuals."""

from collections.abc import Sequence
from textwrap import fill
from typing import Final

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from service.charts.canvas import COLOURS, svg
from service.charts.fan import Fan, months_ahead
from service.charts.fan_charts import axis_day, axis_moment, dots, month_days, quiet_tonnes
from service.language.choice import language
from service.language.formats import dated, percentage, separated
from service.language.phrases import gettext, ngettext
from service.live.publication import Publication
from service.wording import name_of, signed_tonnes, tonnes
from store.vocabulary import QUANTILE_COLUMNS, QUANTILES

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


_MONTHS: Final = 3
"""Months ahead whose earlier forecasts are drawn."""

EDGE_DAYS: Final = 20
"""Room at both ends of the axis of publications."""


def revisions_svg(publication: Publication, fan: Fan) -> str:
    """Return what each publication forecast for the next months; empty where only one did.

    Drawn once.
    """
    key = ("revisions", fan.destination, language())
    return publication.memo.make(key, lambda: _revised(publication, fan))


def _revised(publication: Publication, fan: Fan) -> str:
    rows = _revisions(publication, fan)
    if rows["as_of"].nunique() < 2:  # noqa: PLR2004 - one publication has nothing to be compared with
        return ""
    label = gettext(
        "What each publication forecast for %(name)s. %(months)s",
        name=name_of(fan.destination),
        months=_in_words(rows),
    )
    prefix = f"{fan.destination}-revisions"
    return svg(_draw_revisions, rows, prefix=prefix, label=label)


def _revisions(publication: Publication, fan: Fan) -> pd.DataFrame:
    """Return the forecasts of the next months by all publications, oldest first."""
    months = [f"{period:%Y-%m}" for period in months_ahead(fan)["period"][:_MONTHS]]
    rows = publication.published.forecasts
    own = rows.loc[rows["destination"].eq(fan.destination) & rows["period"].isin(months)]
    return own.sort_values(["period", "as_of"], ignore_index=True)


def _in_words(rows: pd.DataFrame) -> str:
    parts = []
    for period, own in rows.groupby("period"):
        first, last = own.iloc[0], own.iloc[-1]
        parts.append(
            gettext(
                "%(month)s: %(then)s t as of %(before)s, %(now)s t as of %(after)s.",
                month=dated(pd.Timestamp(str(period)), "long month"),
                then=tonnes(first["p50"]),
                before=dated(first["as_of"], "long day"),
                now=tonnes(last["p50"]),
                after=dated(last["as_of"], "long day"),
            )
        )
    return " ".join(parts)


def _draw_revisions(rows: pd.DataFrame) -> Figure:
    """Draw one panel for each month: median and 80% band by day of publication."""
    months = list(rows.groupby("period"))
    figure = Figure(figsize=(3.6, 1.5 * len(months)), layout="constrained")
    panels = figure.subplots(len(months), 1, squeeze=False, sharex=True).ravel()
    days = [axis_day(moment.tz_localize(None)) for moment in sorted(rows["as_of"].unique())]
    for axes, (period, own) in zip(panels, months, strict=True):
        month = dated(pd.Timestamp(str(period)), "long month")
        _draw_month(axes, own, gettext("%(month)s, tonnes", month=month))
    shown = {days[0], days[-1]} if len(days) > _MONTHS else set(days)
    panels[-1].set_xticks(sorted(shown))
    panels[-1].set_xlim(days[0] - EDGE_DAYS, days[-1] + EDGE_DAYS)
    panels[-1].set_xticklabels(
        [dated(pd.Timestamp(day, unit="D"), "day") for day in sorted(shown)], fontsize=8
    )
    return figure


def _draw_month(axes: Axes, own: pd.DataFrame, title: str) -> None:
    days = [axis_day(moment.tz_localize(None)) for moment in own["as_of"]]
    low, high = own["p50"] - own["p10"], own["p90"] - own["p50"]
    axes.errorbar(
        days, own["p50"], yerr=[low, high], color=COLOURS["median"], ecolor=COLOURS["band50"],
        elinewidth=3, marker="o", ms=4, lw=1.2, zorder=3,
    )  # fmt: skip
    quiet_tonnes(axes, most_ticks=4)
    axes.set_ylim(0.0, None)
    axes.tick_params(labelsize=8)
    axes.set_title(title, loc="left", fontsize=8.5, fontweight="bold")


MOST_PATHS: Final = 12
"""Publications drawn over the months with actuals; more hide each other."""

BEFORE: Final = 6
"""Known months drawn before the first one scored."""


def outcome_svg(publication: Publication, cells: pd.DataFrame, destination: str) -> str:
    """Return what was forecast of one destination and its actuals; empty where nothing is scored.

    Args:
        cells: As ``service.queries.track.cells_of``, those to be drawn; not modified.
    """
    own = cells.loc[cells["destination"] == destination]
    if own.empty:
        return ""
    panel = publication.snapshot.panel
    start = own["period"].min() - pd.DateOffset(months=BEFORE)
    known = panel.loc[panel["destination"].eq(destination) & panel["period"].ge(start)]
    inside = int(own["inside80"].sum())
    label = gettext(
        "%(name)s: %(count)s forecasts of published months, %(inside)s of them within the 80%% "
        "band. The tables below have the numbers.",
        name=name_of(destination),
        count=len(own),
        inside=inside,
    )
    return svg(
        _draw_outcome,
        own,
        known,
        name_of(destination),
        prefix=f"{destination}-outcome",
        label=label,
    )


def _draw_outcome(own: pd.DataFrame, known: pd.DataFrame, title: str) -> Figure:
    figure = Figure(figsize=(3.6, 2.1), layout="constrained")
    axes = figure.subplots()
    for _, path in list(own.sort_values("period").groupby("as_of"))[-MOST_PATHS:]:
        days = month_days(path)
        axes.vlines(days, path["p10"], path["p90"], color=COLOURS["band80"], lw=5, zorder=1)
        axes.plot(days, path["p50"], color=COLOURS["median"], marker="_", ms=6, lw=0.9, zorder=3)
    axes.plot(month_days(known), known["tonnes"], color=COLOURS["faint"], lw=1.1, zorder=2)
    actual = known.loc[known["kind"] == "observed"]
    axes.add_line(dots("observed", month_days(actual), actual["tonnes"], size=3.4))
    missed = own.loc[~own["inside80"].astype(bool)]
    axes.plot(
        month_days(missed), missed["tonnes"], ls="none", marker="X", ms=6,
        mfc=COLOURS["restrictive"], mec=COLOURS["paper"], zorder=5,
    )  # fmt: skip
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda day, _: dated(axis_moment(day), "month")))
    quiet_tonnes(axes, most_ticks=4)
    axes.set_ylim(0.0, None)
    axes.tick_params(labelsize=8)
    axes.set_title(
        gettext("%(name)s, tonnes a month", name=title), loc="left", fontsize=8.5, fontweight="bold"
    )
    return figure


def reliability_svg(cells: pd.DataFrame) -> str:
    """Return how often months fell below each published quantile; empty without cells.

    Args:
        cells: As ``service.queries.track.cells_of``; not modified.
    """
    if cells.empty:
        return ""
    below = [float((cells["tonnes"] <= cells[name]).mean()) for name in QUANTILE_COLUMNS]
    pairs = zip(QUANTILES, below, strict=True)
    words = gettext("; ").join(
        gettext(
            "%(share)s below the %(level)s quantile",
            share=percentage(f"{100 * share:.0f}"),
            level=percentage(f"{100 * level:.0f}"),
        )
        for level, share in pairs
    )
    label = ngettext(
        "Calibration over %(n)s forecast: %(shares)s.",
        "Calibration over %(n)s forecasts: %(shares)s.",
        len(cells),
        shares=words,
    )
    return svg(_draw_reliability, below, len(cells), prefix="reliability", label=label)


def _draw_reliability(below: list[float], count: int) -> Figure:
    figure = Figure(figsize=(3.6, 3.2), layout="constrained")
    axes = figure.subplots()
    axes.plot(
        [0, 1], [0, 1], color=COLOURS["muted"], lw=1.1, ls=(0, (4, 2)), label=gettext("perfect")
    )
    axes.plot(
        QUANTILES,
        below,
        color=COLOURS["median"],
        marker="o",
        ms=5,
        lw=1.4,
        label=gettext("published"),
    )
    axes.set_xlabel(gettext("chance forecast below a level"), fontsize=8)
    axes.set_ylabel(gettext("share that came below a level"), fontsize=8)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda share, _: percentage(f"{100 * share:.0f}")))
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.grid(color=COLOURS["grid"], linewidth=0.8)
    axes.tick_params(labelsize=8, length=0)
    axes.legend(frameon=False, fontsize=8, loc="upper left")
    title = ngettext(
        "Calibration, %(count)s forecast",
        "Calibration, %(count)s forecasts",
        count,
        count=separated(f"{count:,}"),
    )
    axes.set_title(title, loc="left", fontsize=8.5, fontweight="bold")
    return figure
