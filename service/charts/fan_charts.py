"""The fan chart of one destination."""

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

from service.charts.canvas import COLOURS, cut, png, svg
from service.charts.fan import Fan, left_out_note, status_of
from service.charts.markers import Marker
from service.language.acts import act_words
from service.language.formats import dated, separated
from service.language.phrases import gettext, marked
from service.wording import model_words, name_of
from store.publications.basis import STDERR_BAND
from store.vocabulary import QUANTILE_COLUMNS, QUANTILES

BANDS: Final = (
    ("p05", "p95", "band90", "90%"),
    ("p10", "p90", "band80", "80%"),
    ("p25", "p75", "band50", "50%"),
)
"""Lower, upper, colour and expected share of outcomes inside, in drawing order: widest first."""

MID_MONTH_DAYS: Final = 15
"""A month's tonnes are drawn in its middle, so an event of the 4th stands before them."""

_DOTS: Final = {"observed": "history", "derived": "paper"}
"""Fill of the dots by how a month is known; estimated months have none."""

_EPOCH: Final = pd.Timestamp("1970-01-01")
_A_DAY: Final = pd.Timedelta(days=1)
_TWO_DIGITS: Final = 10
EARLIER_DASHES: Final = (0, (4, 2))
ESTIMATED_DASHES: Final = (0, (2.5, 1.5))
SHAPES: Final = {"restrictive": "v", "easing": "^"}
_NUMBER_SHIFT: Final = {"restrictive": 1.3, "easing": -2.6}


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


def frame_axes(axes: Axes, fan: Fan) -> None:
    """Set the time axis, the tonnes axis and a quiet grid."""
    axes.set_xlim(axis_day(fan.start), axis_day(fan.end))
    axes.xaxis.set_major_locator(month_starts(fan, months=3))
    axes.xaxis.set_major_formatter(FuncFormatter(_month_label))
    axes.xaxis.set_minor_locator(month_starts(fan, months=1))
    axes.tick_params(axis="x", which="minor", length=2, color=COLOURS["faint"])
    axes.tick_params(axis="x", which="major", length=5)
    axes.set_ylabel(gettext("tonnes a month"))
    quiet_tonnes(axes, most_ticks=7)


def quiet_tonnes(axes: Axes, *, most_ticks: int) -> None:
    """Count tonnes with thousands separators over a light grid."""
    axes.yaxis.set_major_locator(MaxNLocator(most_ticks, integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda tonnes, _: separated(f"{tonnes:,.0f}")))
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", color=COLOURS["grid"], linewidth=0.8)
    axes.spines["left"].set_visible(False)
    axes.set_axisbelow(True)


def _month_label(day: float, _: int) -> str:
    """Name the month, and the year beneath January."""
    moment = axis_moment(day)
    month = dated(moment, "bare month")
    return f"{month}\n{moment:%Y}" if moment.month == 1 else month


def shade_past(axes: Axes, fan: Fan) -> None:
    """Shade what was past but unpublished at ``as_of`` and mark the cutoff."""
    if fan.as_of > fan.cutoff_end:
        axes.axvspan(
            axis_day(fan.cutoff_end), axis_day(fan.as_of), color=COLOURS["past"], lw=0, zorder=0.1
        )
    axes.axvline(axis_day(fan.cutoff_end), color=COLOURS["muted"], lw=1.1, ls=(0, (5, 3)), zorder=2)


def plot_fan(axes: Axes, fan: Fan) -> None:
    """Draw the bands, widest first, and the median; they grow out of the last known month."""
    rows = with_bridge(fan)
    if rows.empty:
        return
    days = month_days(rows)
    for order, (low, high, colour, _) in enumerate(BANDS):
        axes.fill_between(
            days, rows[low], rows[high], color=COLOURS[colour], lw=0, zorder=1 + order / 10
        )
    axes.plot(days, rows["p50"], color=COLOURS["median"], lw=2, zorder=3)


def plot_earlier(axes: Axes, fan: Fan) -> None:
    """Draw the medians published before as thin lines behind everything that is known now."""
    for rows in fan.earlier:
        axes.plot(
            month_days(rows),
            rows["p50"],
            color=COLOURS["earlier"],
            lw=1.0,
            ls=EARLIER_DASHES,
            zorder=2.2,
        )


def plot_steps(axes: Axes, fan: Fan, *, width: float) -> None:
    """Put a letter on the time axis for each day on which a tariff changed, apart from others."""
    over = axes.get_xaxis_transform()
    low, high = axes.get_xlim()
    days = [float(axis_day(step.when)) for step in fan.steps]
    places = spread(days, gap=0.16 * (high - low) / width, low=low, high=high)
    for step, place in zip(fan.steps, places, strict=True):
        axes.annotate(
            step.letter,
            (place, 0.0),
            xycoords=over,
            xytext=(0, 7),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=6.5,
            fontweight="bold",
            color=COLOURS["paper"],
            bbox={"boxstyle": "square,pad=0.25", "fc": COLOURS["tariff"], "ec": "none"},
            zorder=5,
        )


def with_bridge(fan: Fan) -> pd.DataFrame:
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


def plot_history(axes: Axes, fan: Fan, *, size: float = 4.6) -> None:
    """Draw the months up to the cutoff; of later ones those that figures settle, as dots alone."""
    if len(fan.history):
        plot_months(axes, _every_month(fan.history))
    plot_dots(axes, pd.concat([fan.history, fan.later]), size=size)


def plot_months(axes: Axes, rows: pd.DataFrame) -> None:
    """Draw a line through months, dashed to and from estimated ones, with their doubt."""
    days, error = month_days(rows), STDERR_BAND * rows["stderr_t"].fillna(0.0)
    low, high = (rows["tonnes"] - error).clip(lower=0.0), rows["tonnes"] + error
    axes.fill_between(days, low, high, color=COLOURS["doubt"], lw=0, zorder=1.5)
    settled = rows["tonnes"].where(rows["kind"] != "estimated")
    for tonnes, dashes in ((rows["tonnes"], ESTIMATED_DASHES), (settled, "-")):
        axes.plot(days, tonnes, color=COLOURS["faint"], lw=1.3, ls=dashes, zorder=2.5)


def plot_dots(axes: Axes, rows: pd.DataFrame, *, size: float) -> None:
    """Draw a dot for each month that figures settle, hollow where they do so together."""
    for kind in _DOTS:
        own = rows.loc[rows["kind"] == kind]
        axes.add_line(dots(kind, month_days(own), own["tonnes"], size=size))


def dots(
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


def axis_day(moment: pd.Timestamp) -> float:
    """Count days since 1970, as the axis does."""
    return (moment - _EPOCH) / _A_DAY


def axis_moment(day: float) -> pd.Timestamp:
    """Return the moment of a position on the axis."""
    return _EPOCH + day * _A_DAY


def month_days(rows: pd.DataFrame) -> list[float]:
    """Return the middle of each month as a position on the axis."""
    return [axis_day(pd.Timestamp(period)) + MID_MONTH_DAYS for period in rows["period"]]


def month_starts(fan: Fan, *, months: int) -> FixedLocator:
    """Tick the first of every month, quarter or year on the axis."""
    firsts = pd.date_range(fan.start, fan.end, freq="MS")
    return FixedLocator([axis_day(first) for first in firsts if (first.month - 1) % months == 0])


def fit_height(axes: Axes, fan: Fan) -> None:
    """Start at zero and leave some air above the tallest band or month."""
    drawn = (fan.forecast["p95"], fan.history["tonnes"], fan.later["tonnes"])
    tops = [numbers.max() for numbers in drawn]
    tallest = max((float(top) for top in tops if pd.notna(top)), default=0.0)
    axes.set_ylim(0.0, 1.06 * tallest or 1.0)


def plot_markers(axes: Axes, fan: Fan, *, width: float) -> None:
    """Put numbered shapes in a lane above the plot, apart from each other, tied to their days."""
    days = [float(axis_day(marker.when)) for marker in fan.markers]
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
        marker=SHAPES[marker.direction],
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


_CAPTION_CHARACTERS: Final = 130


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
    legend_columns: int = 4
    is_titled: bool = True

    @property
    def below(self) -> float:
        return self.foot + (self.captions * self.line + 0.15 if self.captions else 0.0)

    @property
    def height(self) -> float:
        return self.head + self.axes + self.below

    def box(self) -> tuple[float, float, float, float]:
        """Return left, bottom, width and height of the axes as shares of the sheet."""
        across = (self.width - self.left - self.right) / self.width
        return self.left / self.width, self.below / self.height, across, self.axes / self.height


_PHONE: Final = _Sheet(
    0, width=4.2, head=0.5, axes=2.6, foot=1.95, left=0.7, right=0.08, legend_columns=2,
    is_titled=False,
)  # fmt: skip


def fan_png(fan: Fan) -> bytes:
    """Draw one destination with its events listed beneath the plot."""
    return png(_draw_fan, fan, _Sheet(_caption_count(fan)))


def fan_svg(fan: Fan, *, label: str) -> str:
    """Draw one destination for a page that lists the events itself; ``label`` is its alt text."""
    return svg(_draw_fan, fan, _Sheet(0), prefix=fan.destination, label=label)


def phone_svg(fan: Fan, *, label: str) -> str:
    """Draw a narrow chart for a page that has the heading itself."""
    few = fan.for_phones()
    return svg(_draw_fan, few, _PHONE, prefix=f"{fan.destination}-phone", label=label)


def _draw_fan(fan: Fan, sheet: _Sheet) -> Figure:
    figure = Figure(figsize=(sheet.width, sheet.height))
    axes = figure.add_axes(sheet.box())
    frame_axes(axes, fan)
    shade_past(axes, fan)
    plot_fan(axes, fan)
    plot_earlier(axes, fan)
    plot_history(axes, fan)
    fit_height(axes, fan)
    plot_steps(axes, fan, width=sheet.width * sheet.box()[2])
    plot_markers(axes, fan, width=sheet.width * sheet.box()[2])
    if sheet.is_titled:
        _write_head(figure, fan, sheet)
        _write_status(figure, fan, sheet)
    _write_legend(figure, fan, sheet)
    if sheet.captions:
        _write_captions(figure, fan, sheet)
    return figure


def _write_head(figure: Figure, fan: Fan, sheet: _Sheet) -> None:
    """Say which destination, as of when and what the bands are."""
    figure.text(
        0.022,
        1 - 0.24 / sheet.height,
        gettext("%(name)s: %(goods)s from China", name=name_of(fan.destination), goods=fan.goods),
        fontsize=14,
        fontweight="bold",
        va="center",
    )
    figure.text(
        0.022,
        1 - 0.51 / sheet.height,
        gettext(
            "Forecast as of %(day)s. The line is the median; the bands should hold 50, 80 and 90%% "
            "of outcomes.",
            day=dated(fan.as_of, "long day"),
        ),
        fontsize=9.5,
        va="center",
        color=COLOURS["muted"],
    )


def _write_status(figure: Figure, fan: Fan, sheet: _Sheet) -> None:
    """Say so when another than the champion made the forecast."""
    status = status_of(fan.forecast)
    if status != "champion":
        figure.text(
            1 - sheet.right / sheet.width,
            1 - 0.24 / sheet.height,
            cut(gettext("; ").join(map(model_words, status.split("; "))), width=64),
            fontsize=9,
            fontweight="bold",
            ha="right",
            va="center",
            color=COLOURS["restrictive"],
        )


def _write_legend(figure: Figure, fan: Fan, sheet: _Sheet) -> None:
    """Explain every mark beneath the plot, where it can cover nothing."""
    entries = [
        *_forecast_entries(),
        *_history_entries(),
        *_time_entries(fan),
        *_event_entries(fan),
        *_context_entries(fan),
    ]
    figure.legend(
        handles=entries,
        loc="upper left",
        bbox_to_anchor=(0.012, (sheet.below - 0.45) / sheet.height),
        ncols=sheet.legend_columns,
        frameon=False,
        fontsize=8.5 if sheet.is_titled else 7,
        columnspacing=1.6 if sheet.is_titled else 0.8,
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
    lines = [("", "", gettext("Policy events marked above")), *map(_caption, fan.markers)]
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
    text = cut(
        f"{marker.symbol} {marker.state}: {act_words(marker.title)}", width=_CAPTION_CHARACTERS
    )
    return str(marker.number), dated(marker.when, "day"), text


def _forecast_entries() -> list[Artist]:
    """Explain the median and the bands."""
    median = Line2D([], [], color=COLOURS["median"], lw=2, label=gettext("forecast, median"))
    bands = [
        Patch(
            color=COLOURS[colour],
            label=gettext("%(share)s band (%(low)s-%(high)s)", share=share, low=low, high=high),
        )
        for low, high, colour, share in reversed(BANDS)
    ]
    return [median, *bands]


def _history_entries() -> list[Artist]:
    """Explain how well each past month is known."""
    doubt = Patch(
        color=COLOURS["doubt"],
        label=gettext(
            "estimated month (±%(errors)s std. errors)", errors=separated(str(STDERR_BAND))
        ),
    )
    doubt.set_edgecolor(COLOURS["faint"])
    doubt.set_linestyle(ESTIMATED_DASHES)
    return [
        dots("observed", [], [], label=gettext("observed month")),
        dots("derived", [], [], label=gettext("derived from other figures")),
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
        label=gettext("cutoff, end of %(month)s", month=dated(last_known, "month")),
    )
    past = Patch(color=COLOURS["past"], label=gettext("past, not yet published"))
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
        marker=SHAPES[direction],
        ms=9,
        mec=colour,
        mfc=colour if in_force else COLOURS["paper"],
        label=gettext(_LEGEND[direction, in_force]),
    )


_LEGEND: Final = {
    ("restrictive", True): marked("restrictive event"),
    ("restrictive", False): marked("restrictive, not (yet) in force"),
    ("easing", True): marked("easing event"),
    ("easing", False): marked("easing, not (yet) in force"),
}


def _context_entries(fan: Fan) -> list[Artist]:
    """Explain earlier forecasts and tariff steps, where there are any."""
    entries: list[Artist] = []
    if fan.earlier:
        label = gettext("medians published before")
        ink = COLOURS["earlier"]
        entries.append(Line2D([], [], label=label, color=ink, lw=1.0, ls=EARLIER_DASHES))
    if fan.steps:
        entries.append(
            Patch(color=COLOURS["tariff"], label=gettext("tariff step (listed on the page)"))
        )
    return entries
