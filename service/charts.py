"""Fan charts of the destinations and the overview of them all."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator
from numpy.typing import ArrayLike
from scipy.optimize import isotonic_regression
from scipy.stats import norm

from service.canvas import COLOURS, png, printable, svg
from service.fan import Fan, left_out_note, status_of
from service.markers import Marker
from service.names import name_of
from store.vocabulary import QUANTILE_COLUMNS, QUANTILES

STDERR_BAND: Final = 1.28
"""Standard errors to either side of an estimated month; about 80 % for a normal error."""

BANDS: Final = (
    ("p05", "p95", "band90", "90 %"),
    ("p10", "p90", "band80", "80 %"),
    ("p25", "p75", "band50", "50 %"),
)
"""Lower, upper, colour and expected share of outcomes inside, in drawing order: widest first."""

MID_MONTH_DAYS: Final = 15
"""A month's tonnes are drawn in its middle, so an event of the 4th stands before them."""

_DOTS: Final = {"observed": "history", "derived": "paper"}
"""Fill of the dots by how a month is known; estimated months have none."""

_EPOCH: Final = pd.Timestamp("1970-01-01")
_A_DAY: Final = pd.Timedelta(days=1)
_ACROSS: Final = 4
_TWO_DIGITS: Final = 10
_CAPTION_CHARACTERS: Final = 130
_SHAPES: Final = {"restrictive": "v", "easing": "^"}
_NUMBER_SHIFT: Final = {"restrictive": 1.3, "easing": -2.6}


@dataclass(frozen=True, slots=True)
class _Sheet:
    """Inches of a fan chart: head, axes, foot and caption, stacked."""

    captions: int
    width: float = 10.0
    head: float = 1.2
    axes: float = 3.5
    foot: float = 1.22
    left: float = 0.8
    right: float = 0.2
    line: float = 0.19

    @property
    def below(self) -> float:
        """Return the inches under the axes."""
        return self.foot + (self.captions * self.line + 0.15 if self.captions else 0.0)

    @property
    def height(self) -> float:
        """Return the inches of the whole."""
        return self.head + self.axes + self.below

    def box(self) -> tuple[float, float, float, float]:
        """Return left, bottom, width and height of the axes as shares of the sheet."""
        across = (self.width - self.left - self.right) / self.width
        return self.left / self.width, self.below / self.height, across, self.axes / self.height


def fan_png(fan: Fan) -> bytes:
    """Draw one destination with its events listed beneath the plot."""
    return png(lambda: _draw_fan(fan, captions=True))


def fan_svg(fan: Fan, *, label: str) -> str:
    """Draw one destination for a page that lists the events itself; ``label`` is its alt text."""
    return svg(lambda: _draw_fan(fan, captions=False), prefix=fan.destination, label=label)


def overview_png(fans: Sequence[Fan]) -> bytes:
    """Draw small multiples of all destinations."""
    return png(lambda: _draw_overview(fans))


def overview_svg(fans: Sequence[Fan], *, label: str) -> str:
    """Draw small multiples for a page; ``label`` is the alt text."""
    return svg(lambda: _draw_overview(fans), prefix="overview", label=label)


def spread(positions: Sequence[float], *, gap: float, low: float, high: float) -> list[float]:
    """Move sorted positions as little as possible so that neighbours keep ``gap`` between them.

    Least squares under an order constraint, solved exactly. With more positions than fit between
    ``low`` and ``high`` the gap shrinks to what fits.
    """
    count = len(positions)
    if not count:
        return []
    step = min(gap, (high - low) / max(count - 1, 1))
    offsets = np.arange(count) * step
    placed = isotonic_regression(np.asarray(positions) - offsets).x
    return list(np.clip(placed, low, high - offsets[-1]) + offsets)


def _draw_fan(fan: Fan, *, captions: bool) -> Figure:
    """Draw the whole sheet of one destination."""
    sheet = _Sheet(captions=_caption_count(fan) if captions else 0)
    figure = Figure(figsize=(sheet.width, sheet.height))
    axes = figure.add_axes(sheet.box())
    _frame_axes(axes, fan)
    _shade_past(axes, fan)
    _plot_fan(axes, fan)
    _plot_history(axes, fan)
    _fit_height(axes, fan)
    _plot_markers(axes, fan, width=sheet.width * sheet.box()[2])
    _write_head(figure, fan, sheet)
    _write_status(figure, fan, sheet)
    _write_legend(figure, fan, sheet)
    if captions:
        _write_captions(figure, fan, sheet)
    return figure


def _frame_axes(axes: Axes, fan: Fan) -> None:
    """Set the time axis, the tonnes axis and a quiet grid."""
    axes.set_xlim(_day(fan.start), _day(fan.end))
    axes.xaxis.set_major_locator(_starts(fan, months=3))
    axes.xaxis.set_major_formatter(FuncFormatter(_month_label))
    axes.xaxis.set_minor_locator(_starts(fan, months=1))
    axes.tick_params(axis="x", which="minor", length=2, color=COLOURS["faint"])
    axes.tick_params(axis="x", which="major", length=5)
    axes.set_ylabel("tonnes a month")
    _quiet_tonnes(axes, most_ticks=7)


def _quiet_tonnes(axes: Axes, *, most_ticks: int) -> None:
    """Count tonnes with thousands separators over a light grid."""
    axes.yaxis.set_major_locator(MaxNLocator(most_ticks, integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda tonnes, _: f"{tonnes:,.0f}"))
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", color=COLOURS["grid"], linewidth=0.8)
    axes.spines["left"].set_visible(False)
    axes.set_axisbelow(True)


def _month_label(day: float, _: int) -> str:
    """Name the month, and the year beneath January."""
    moment = _moment(day)
    return f"{moment:%b}\n{moment:%Y}" if moment.month == 1 else f"{moment:%b}"


def _shade_past(axes: Axes, fan: Fan) -> None:
    """Shade what was past but unpublished at ``as_of`` and mark the cutoff."""
    if fan.as_of > fan.cutoff_end:
        axes.axvspan(_day(fan.cutoff_end), _day(fan.as_of), color=COLOURS["past"], lw=0, zorder=0.1)
    axes.axvline(_day(fan.cutoff_end), color=COLOURS["muted"], lw=1.1, ls=(0, (5, 3)), zorder=2)


def _plot_fan(axes: Axes, fan: Fan) -> None:
    """Draw the bands, widest first, and the median; they grow out of the last known month."""
    rows = _with_bridge(fan)
    if rows.empty:
        return
    days = _days(rows)
    for order, (low, high, colour, _) in enumerate(BANDS):
        axes.fill_between(
            days, rows[low], rows[high], color=COLOURS[colour], lw=0, zorder=1 + order / 10
        )
    axes.plot(days, rows["p50"], color=COLOURS["median"], lw=2, zorder=3)


def _with_bridge(fan: Fan) -> pd.DataFrame:
    """Put the month before the first forecast in front of it, with its own uncertainty."""
    columns = ["period", *QUANTILE_COLUMNS]
    rows = fan.forecast[columns]
    if rows.empty or fan.history.empty:
        return rows
    last = fan.history.iloc[-1]
    if last["period"] + pd.DateOffset(months=1) != rows["period"].iloc[0]:
        return rows
    error = 0.0 if pd.isna(last["stderr_t"]) else float(last["stderr_t"])
    levels = np.maximum(float(last["tonnes"]) + error * norm.ppf(QUANTILES), 0.0)
    bridge = pd.DataFrame([[last["period"], *levels]], columns=columns)
    return pd.concat([bridge, rows], ignore_index=True)


def _plot_history(axes: Axes, fan: Fan, *, size: float = 4.6) -> None:
    """Draw months by how they are known: dots where figures exist, a line and doubt elsewhere."""
    if fan.history.empty:
        return
    rows = _every_month(fan.history)
    days, error = _days(rows), STDERR_BAND * rows["stderr_t"].fillna(0.0)
    low, high = (rows["tonnes"] - error).clip(lower=0.0), rows["tonnes"] + error
    axes.fill_between(days, low, high, color=COLOURS["doubt"], lw=0, zorder=1.5)
    axes.plot(days, rows["tonnes"], color=COLOURS["faint"], lw=1.3, zorder=2.5)
    for kind in _DOTS:
        known = (rows["kind"] == kind).to_numpy()
        axes.add_line(
            _dots(kind, np.asarray(days)[known], rows["tonnes"].to_numpy()[known], size=size)
        )


def _dots(
    kind: str, days: ArrayLike, tonnes: ArrayLike, *, size: float = 4.6, label: str = ""
) -> Line2D:
    """Return the dots of one kind of month."""
    ink, face = COLOURS["history"], COLOURS[_DOTS[kind]]
    return Line2D(
        days, tonnes, ls="none", marker="o", ms=size, mec=ink, mfc=face, zorder=4, label=label
    )


def _every_month(history: pd.DataFrame) -> pd.DataFrame:
    """Give a missing month an empty row, so that the line breaks there."""
    months = pd.date_range(history["period"].min(), history["period"].max(), freq="MS")
    return history.set_index("period").reindex(months).rename_axis("period").reset_index()


def _day(moment: pd.Timestamp) -> float:
    """Count days since 1970, as the axis does."""
    return (moment - _EPOCH) / _A_DAY


def _moment(day: float) -> pd.Timestamp:
    """Return the moment of a position on the axis."""
    return _EPOCH + day * _A_DAY


def _days(rows: pd.DataFrame) -> list[float]:
    """Return the middle of each month as a position on the axis."""
    return [_day(period) + MID_MONTH_DAYS for period in rows["period"]]


def _starts(fan: Fan, *, months: int) -> FixedLocator:
    """Tick the first of every month, quarter or year on the axis."""
    firsts = pd.date_range(fan.start, fan.end, freq="MS")
    return FixedLocator([_day(first) for first in firsts if (first.month - 1) % months == 0])


def _fit_height(axes: Axes, fan: Fan) -> None:
    """Start at zero and leave some air above the tallest band or month."""
    tops = [fan.forecast["p95"].max(), fan.history["tonnes"].max()]
    tallest = max((float(top) for top in tops if pd.notna(top)), default=0.0)
    axes.set_ylim(0.0, 1.06 * tallest or 1.0)


def _plot_markers(axes: Axes, fan: Fan, *, width: float) -> None:
    """Put numbered shapes in a lane above the plot, apart from each other, tied to their days."""
    days = [float(_day(marker.when)) for marker in fan.markers]
    low, high = axes.get_xlim()
    an_inch = (high - low) / width
    places = spread(days, gap=0.29 * an_inch, low=low + 0.1 * an_inch, high=high - 0.1 * an_inch)
    for marker, day, place in zip(fan.markers, days, places, strict=True):
        _plot_marker(axes, marker, day=day, place=place)


def _plot_marker(axes: Axes, marker: Marker, *, day: float, place: float) -> None:
    """Draw one event: a hairline at its day, a leader, a shape, its number."""
    colour = COLOURS[marker.direction]
    over = axes.get_xaxis_transform()
    axes.axvline(day, color=colour, lw=0.8, alpha=0.55, ls=(0, (1, 2)), zorder=0.5)
    axes.plot([day, place], [1.0, 1.055], color=colour, lw=0.8, transform=over, clip_on=False)
    axes.plot(
        [place],
        [1.1],
        marker=_SHAPES[marker.direction],
        ms=16,
        mew=1.2,
        mec=colour,
        mfc=colour if marker.in_force else COLOURS["paper"],
        transform=over,
        clip_on=False,
    )
    axes.annotate(
        str(marker.number),
        (place, 1.1),
        xycoords=over,
        xytext=(0, _NUMBER_SHIFT[marker.direction]),
        textcoords="offset points",
        ha="center",
        va="center",
        fontsize=7 if marker.number < _TWO_DIGITS else 6.3,
        fontweight="bold",
        color=COLOURS["paper"] if marker.in_force else COLOURS["ink"],
        annotation_clip=False,
    )


def _write_head(figure: Figure, fan: Fan, sheet: _Sheet) -> None:
    """Say which destination, as of when and what the bands are."""
    figure.text(
        0.022,
        1 - 0.24 / sheet.height,
        f"{name_of(fan.destination)}: rare-earth magnets from China",
        fontsize=14,
        fontweight="bold",
        va="center",
    )
    figure.text(
        0.022,
        1 - 0.51 / sheet.height,
        f"Forecast as of {fan.as_of:%-d %B %Y}. The line is the median; the bands should hold "
        "50, 80 and 90 % of outcomes.",
        fontsize=9.5,
        va="center",
        color=COLOURS["muted"],
    )


def _write_status(figure: Figure, fan: Fan, sheet: _Sheet) -> None:
    """Say so when another than the champion made the forecast."""
    status = status_of(fan)
    if status != "champion":
        figure.text(
            1 - sheet.right / sheet.width,
            1 - 0.24 / sheet.height,
            printable(status, width=64),
            fontsize=9,
            fontweight="bold",
            ha="right",
            va="center",
            color=COLOURS["restrictive"],
        )


def _write_legend(figure: Figure, fan: Fan, sheet: _Sheet) -> None:
    """Explain every mark beneath the plot, where it can cover nothing."""
    entries = [*_forecast_entries(), *_history_entries(), *_time_entries(fan), *_event_entries(fan)]
    figure.legend(
        handles=entries,
        loc="upper left",
        bbox_to_anchor=(0.012, (sheet.below - 0.45) / sheet.height),
        ncols=4,
        frameon=False,
        fontsize=8.5,
        columnspacing=1.6,
        handlelength=2.0,
        borderpad=0.2,
    )


def _caption_count(fan: Fan) -> int:
    """Count the lines beneath the plot: a heading, the events, a note on those left out."""
    return 1 + len(fan.markers) + bool(fan.left_out) if fan.markers else 0


def _write_captions(figure: Figure, fan: Fan, sheet: _Sheet) -> None:
    """List the marked events beneath the plot."""
    if not fan.markers:
        return
    lines = [("", "", "Policy events marked above"), *map(_caption, fan.markers)]
    if fan.left_out:
        lines.append(("", "", left_out_note(fan)))
    for place, (number, day, text) in enumerate(lines):
        up = (sheet.line * (len(lines) - place) - 0.04) / sheet.height
        left = 0.137 if number else 0.022
        weight = "bold" if place == 0 else "normal"
        figure.text(0.042, up, number, fontsize=8, va="center", ha="right", fontweight="bold")
        figure.text(0.052, up, day, fontsize=8, va="center", color=COLOURS["muted"])
        figure.text(left, up, text, fontsize=8, va="center", fontweight=weight)


def _caption(marker: Marker) -> tuple[str, str, str]:
    """Return number, day and text of one event, the text cut to a line."""
    text = printable(f"{marker.symbol} {marker.state}: {marker.title}", width=_CAPTION_CHARACTERS)
    return str(marker.number), f"{marker.when:%-d %b %Y}", text


def _forecast_entries() -> list[Artist]:
    """Explain the median and the bands."""
    median = Line2D([], [], color=COLOURS["median"], lw=2, label="forecast, median")
    bands = [
        Patch(color=COLOURS[colour], label=f"{share} band ({low}-{high})")
        for low, high, colour, share in reversed(BANDS)
    ]
    return [median, *bands]


def _history_entries() -> list[Artist]:
    """Explain how well each past month is known."""
    line = Line2D([], [], color=COLOURS["faint"], lw=1.3)
    doubt = Patch(color=COLOURS["doubt"], label=f"estimated month (±{STDERR_BAND} std. errors)")
    doubt.set_edgecolor(line.get_color())
    return [
        _dots("observed", [], [], label="observed month"),
        _dots("derived", [], [], label="derived from other figures"),
        doubt,
    ]


def _time_entries(fan: Fan) -> list[Artist]:
    """Explain the cutoff line and the shading, where there is any."""
    last_known = fan.cutoff_end - pd.DateOffset(months=1)
    cutoff = Line2D(
        [],
        [],
        color=COLOURS["muted"],
        lw=1.1,
        ls=(0, (5, 3)),
        label=f"cutoff, end of {last_known:%b %Y}",
    )
    past = Patch(color=COLOURS["past"], label="past, not yet published")
    return [cutoff, past] if fan.as_of > fan.cutoff_end else [cutoff]


def _event_entries(fan: Fan) -> list[Artist]:
    """Explain the shapes that occur on this chart."""
    states = sorted({(m.direction, m.in_force) for m in fan.markers}, reverse=True)
    return [_event_entry(direction, in_force=in_force) for direction, in_force in states]


def _event_entry(direction: str, *, in_force: bool) -> Line2D:
    """Explain one shape; hollow means that it did not bind on the day of the forecast."""
    colour = COLOURS[direction]
    return Line2D(
        [],
        [],
        ls="none",
        marker=_SHAPES[direction],
        ms=9,
        mec=colour,
        mfc=colour if in_force else COLOURS["paper"],
        label=f"{direction} event" if in_force else f"{direction}, not (yet) in force",
    )


def _draw_overview(fans: Sequence[Fan]) -> Figure:
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
        _write_overview_head(figure, fans[0], height=height)
    return figure


def _draw_small(axes: Axes, fan: Fan) -> None:
    """Draw one of the small multiples."""
    axes.set_xlim(_day(fan.start), _day(fan.end))
    axes.xaxis.set_major_locator(_starts(fan, months=12))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda day, _: f"{_moment(day):%Y}"))
    axes.xaxis.set_minor_locator(_starts(fan, months=3))
    _quiet_tonnes(axes, most_ticks=4)
    axes.tick_params(labelsize=8)
    _shade_past(axes, fan)
    _plot_fan(axes, fan)
    _plot_history(axes, fan, size=2.4)
    _fit_height(axes, fan)
    axes.set_title(name_of(fan.destination), loc="left", fontsize=10, fontweight="bold", pad=5)


def _write_overview_head(figure: Figure, fan: Fan, *, height: float) -> None:
    """Say what all the small charts have in common."""
    figure.text(
        0.012,
        1 - 0.22 / height,
        "China's exports of rare-earth magnets by destination, tonnes a month",
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
