"""The fan chart of one destination."""

from dataclasses import dataclass
from typing import Final

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from service.charts.canvas import COLOURS, cut, png, svg
from service.charts.fan import Fan, left_out_note, status_of
from service.charts.markers import Marker
from service.charts.plotting import (
    BANDS,
    EARLIER_DASHES,
    SHAPES,
    STDERR_BAND,
    dots,
    fit_height,
    frame_axes,
    plot_earlier,
    plot_fan,
    plot_history,
    plot_markers,
    plot_steps,
    shade_past,
)
from service.language.acts import act_words
from service.language.formats import dated, separated
from service.language.phrases import gettext, marked
from service.wording import model_words, name_of

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
    line = Line2D([], [], color=COLOURS["faint"], lw=1.3)
    doubt = Patch(
        color=COLOURS["doubt"],
        label=gettext(
            "estimated month (±%(errors)s std. errors)", errors=separated(str(STDERR_BAND))
        ),
    )
    doubt.set_edgecolor(line.get_color())
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
