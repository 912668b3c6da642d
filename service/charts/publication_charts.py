"""Small multiples of many destinations, and the charts of a publication."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from service.charts.canvas import COLOURS, png, svg
from service.charts.fan import Fan, ReportInput, alt_text, make_fan
from service.charts.fan_charts import (
    axis_day,
    axis_moment,
    fan_png,
    fan_svg,
    fit_height,
    month_starts,
    phone_svg,
    plot_fan,
    plot_history,
    quiet_tonnes,
    shade_past,
)
from service.charts.markers import pick_steps
from service.language.choice import language
from service.language.formats import dated
from service.language.phrases import gettext, marked
from service.live.publication import MOST_IN_ORDER, Publication
from service.wording import name_of

_ACROSS: Final = 4
_ACROSS_PHONE: Final = 2


def overview_png(fans: Sequence[Fan], *, title: str) -> bytes:
    """Draw small multiples of destinations."""
    return png(_draw_overview, fans, title)


def overview_svg(fans: Sequence[Fan], *, label: str, title: str) -> str:
    """Draw small multiples for a page; ``label`` is the alt text."""
    return svg(_draw_overview, fans, title, prefix="overview", label=label)


def phone_overview_svg(fans: Sequence[Fan], *, label: str) -> str:
    """Draw small multiples two abreast, with fewer months, for a page that has the heading."""
    few = [fan.for_phones() for fan in fans]
    return svg(_draw_phone_overview, few, prefix="overview-phone", label=label)


def _draw_phone_overview(fans: Sequence[Fan]) -> Figure:
    """Draw a small fan of every destination on a narrow sheet."""
    rows = math.ceil(len(fans) / _ACROSS_PHONE)
    figure = Figure(figsize=(4.2, 1.75 * max(rows, 1)), layout="constrained")
    grid = figure.subplots(max(rows, 1), _ACROSS_PHONE, squeeze=False).ravel()
    for axes, fan in zip(grid, fans, strict=False):
        _draw_small(axes, fan)
        axes.set_title(name_of(fan.destination), loc="left", fontsize=8, fontweight="bold")
        axes.tick_params(labelsize=7)
    for axes in grid[len(fans) :]:
        axes.set_visible(False)
    return figure


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
        title,
        fontsize=14,
        fontweight="bold",
        va="center",
    )
    figure.text(
        0.012,
        1 - 0.49 / height,
        gettext(
            "Forecast as of %(day)s: median with 50, 80 and 90%% bands. Filled dots observed, "
            "hollow dots derived, dashed line estimated. Each chart has its own scale.",
            day=dated(fan.as_of, "long day"),
        ),
        fontsize=9.5,
        va="center",
        color=COLOURS["muted"],
    )


MOST_EARLIER: Final = 12
"""Earlier forecasts drawn behind; more hide the rest."""

OVERVIEW_ALT: Final = marked(
    "Small fan charts of every destination, each on its own scale; the table above has the numbers."
)

_LARGEST_ALT: Final = marked(
    "Small fan charts of the largest destinations and sums, each on its own scale; the table above "
    "has the numbers."
)


def fan_of(publication: Publication, destination: str) -> Fan:
    """Return what the chart of one destination shows; gathered once."""
    return publication.memo.make(
        ("fan", destination, language()), lambda: _fan(publication, destination)
    )


def chart_svg(publication: Publication, destination: str) -> str:
    """Return the chart for a page; drawn once."""
    fan = fan_of(publication, destination)
    return publication.memo.make(
        ("svg", destination, language()), lambda: fan_svg(fan, label=alt_text(fan))
    )


def phone_chart_svg(publication: Publication, destination: str) -> str:
    """Return the chart for a page on a phone; drawn once."""
    fan, label = fan_of(publication, destination), ("phone svg", destination, language())
    return publication.memo.make(label, lambda: phone_svg(fan, label=alt_text(fan)))


def chart_png(publication: Publication, destination: str) -> bytes:
    """Return the chart as a picture of its own; drawn once."""
    fan = fan_of(publication, destination)
    return publication.memo.make(("png", destination), lambda: fan_png(fan))


def small_charts(publication: Publication) -> tuple[str, str]:
    """Return the small charts of all destinations, or of the largest: wide, and for phones."""
    return publication.memo.make(("small", language()), lambda: _small(publication))


def _small(publication: Publication) -> tuple[str, str]:
    names: Sequence[str] = publication.destinations
    label = gettext(OVERVIEW_ALT)
    title = gettext(
        "China's exports of %(goods)s by destination, tonnes a month", goods=publication.goods
    )
    if publication.is_wide:
        size = publication.latest.groupby("destination")["p50"].sum()
        drawn = [str(name) for name in size.nlargest(MOST_IN_ORDER).index]
        label = gettext(_LARGEST_ALT)
        title = gettext(
            "China's exports of %(goods)s, tonnes a month: the %(drawn)s largest of %(all)s "
            "destinations and sums",
            goods=publication.goods,
            drawn=len(drawn),
            all=len(names),
        )
        names = drawn
    fans = [fan_of(publication, name) for name in names]
    wide = overview_svg(fans, label=label, title=title)
    return wide, phone_overview_svg(fans, label=label)


def _fan(publication: Publication, destination: str) -> Fan:
    snapshot = publication.snapshot
    report = ReportInput(
        commodity=publication.commodity,
        label=publication.published.labels.get(publication.commodity, ""),
        as_of=publication.as_of,
        cutoff=snapshot.cutoff,
        forecasts=publication.latest,
        panel=snapshot.panel,
        events=snapshot.ledger.events,
        scores=publication.scores_at(publication.as_of),
    )
    fan = make_fan(report, destination)
    steps = pick_steps(
        snapshot.ledger.tariffs,
        destination=destination,
        start=fan.start,
        end=fan.end,
        as_of=fan.as_of,
    )
    return replace(fan, earlier=_earlier(publication, fan), steps=steps)


def _earlier(publication: Publication, fan: Fan) -> tuple[pd.DataFrame, ...]:
    """Return the medians published before the newest forecast, oldest first."""
    rows = publication.published.forecasts
    own = rows.loc[rows["destination"] == fan.destination, ["as_of", "period", "p50"]]
    own = own.assign(period=pd.to_datetime(own["period"]))
    shown = own.loc[own["as_of"].lt(publication.as_of) & own["period"].between(fan.start, fan.end)]
    parts = [part.sort_values("period") for _, part in shown.groupby("as_of")]
    return tuple(parts[-MOST_EARLIER:])
