"""The attribution of one event: its numbers for display, and its chart."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter

from service.charts.canvas import COLOURS, cut, png
from service.charts.plotting import (
    MID_MONTH_DAYS,
    STDERR_BAND,
    axis_day,
    axis_moment,
    dots,
    quiet_tonnes,
)
from service.wording import name_of

AS_OF = "as_of"
SYNTHETIC = "synthetic"
LESS_HIT = "less_hit"
OTHERS = "OTHERS"
MORE_HIT = "MORE_HIT"
REMAINDERS = ("EU27_REST", "ROW")


@dataclass(frozen=True, slots=True)
class AttributionView:
    """The attribution of one event; dates are naive."""

    event_id: str
    summary: str
    announced: pd.Timestamp
    as_of: pd.Timestamp
    named: str
    """Whom the act names."""
    whole: str
    """The series that is all it touches."""
    hits_all: bool
    fall: int
    """Months of the fall from the announcement's on; 0 if nothing stands out."""
    late: tuple[int, int, int]
    """Months the data were late: before the event, least and most at the fake dates."""
    depth: tuple[float, int, int]
    """What the fall took in months of the path; its rank; calm fake dates and one."""
    companions: tuple[str, ...]
    """Other strong acts of these months that touch the same destinations."""
    table: pd.DataFrame
    totals: pd.DataFrame
    weights: pd.DataFrame
    fit_error: float
    past: pd.DataFrame
    """The panel's months from a year before the event on."""

    @property
    def eve(self) -> pd.Timestamp:
        """Return the day before the announcement, on which the path was foreseen."""
        return self.announced - pd.Timedelta(days=1)

    def total(self, destination: str, way: str, part: str) -> pd.Series | None:
        """Return one row of the totals, None where there is none; ``fall`` is the first part."""
        rows = self.totals
        first = rows["part"].isin(["fall", "first"]) if part == "fall" else rows["part"] == part
        one = rows.loc[(rows["destination"] == destination) & (rows["way"] == way) & first]
        return None if one.empty else one.iloc[0]

    def largest(self, role: str, count: int, *, named: bool = False) -> list[str]:
        """Return destinations of a role (no sums) that differ most from their path at first.

        Args:
            role: hit or other.
            count: How many at most.
            named: Leave out the remainders of the world and of the European Union.
        """
        sums = ("WLD", "EU27", "HIT", OTHERS, MORE_HIT, *(REMAINDERS if named else ()))
        rows = self.totals.loc[
            (self.totals["way"] == AS_OF)
            & (self.totals["role"] == role)
            & self.totals["part"].isin(["fall", "first"])
            & ~self.totals["destination"].isin(sums)
        ]
        order = rows["missing_t"].abs().sort_values(ascending=False, kind="stable").index
        return [str(name) for name in rows.loc[order, "destination"][:count]]

    def main(self, count: int) -> list[str]:
        """Return the series most worth a look: what was hit, the world, what was not."""
        wanted = ["WLD", self.whole, *self.largest("hit", count, named=True)]
        if (self.table["destination"] == OTHERS).any():
            hit = self.largest("hit", 1, named=True)
            wanted = [self.whole, OTHERS, "WLD", *hit, *self.largest("other", 2, named=True)]
        return list(dict.fromkeys(wanted))[:count]


def called(destination: str) -> str:
    """Return a series in words, also those made for one event."""
    made = {
        "HIT": "the destinations hit",
        OTHERS: "the other destinations",
        MORE_HIT: "the destinations hit more",
    }
    return made.get(destination) or ("the world" if destination == "WLD" else name_of(destination))


def months_in_words(first: str, last: str) -> str:
    """Return ``2025-04`` to ``2025-06`` as April-June 2025."""
    start, end = pd.Timestamp(first), pd.Timestamp(last)
    if start == end:
        return f"{start:%B %Y}"
    if start.year == end.year:
        return f"{start:%B}-{end:%B %Y}"
    return f"{start:%B %Y}-{end:%B %Y}"


MOST_COLUMNS: Final = 4
WIDTH: Final = 3.1
HEIGHT: Final = 6.9
LETTERS_AN_INCH: Final = 13


def attribution_png(view: AttributionView) -> bytes:
    """Draw the world, what the event touched and the destinations furthest from their paths."""
    return png(_draw, view)


def _draw(view: AttributionView) -> Figure:
    names = view.main(MOST_COLUMNS)
    figure = Figure(figsize=(WIDTH * len(names) + 0.55, HEIGHT))
    grid = figure.subplots(2, len(names), squeeze=False, sharex="col", height_ratios=(3, 2))
    width, height = figure.get_size_inches()
    figure.subplots_adjust(
        left=0.85 / width, right=1 - 0.15 / width, top=1 - 1.05 / height, bottom=0.95 / height,
        wspace=0.26, hspace=0.2,
    )  # fmt: skip
    for column, name in enumerate(names):
        _draw_path(grid[0, column], view, name)
        _draw_sum(grid[1, column], view, name)
    grid[0, 0].set_ylabel("tonnes a month")
    grid[1, 0].set_ylabel("missing since then, tonnes")
    _write_head(figure, view, width=width, height=height)
    _write_legend(figure, view)
    return figure


def _draw_path(axes: Axes, view: AttributionView, name: str) -> None:
    """Draw what came, by how it is known, over the path without the event and its band."""
    rows = _rows(view, name)
    days = _days(rows)
    if rows["without_p10"].notna().all():
        axes.fill_between(
            days, rows["without_p10"], rows["without_p90"], color=COLOURS["band80"], lw=0, zorder=1
        )
    axes.plot(days, rows["without_p50"], color=COLOURS["median"], lw=2, zorder=3)
    if rows["synthetic_t"].notna().any():
        axes.plot(
            days, rows["synthetic_t"], color=COLOURS["easing"], lw=1.6, ls=(0, (4, 2)), zorder=3
        )
    _draw_months(axes, view, name)
    _mark_event(axes, view)
    quiet_tonnes(axes, most_ticks=6)
    axes.set_ylim(0.0, None)
    title = called(name)
    axes.set_title(title[0].upper() + title[1:], loc="left", fontsize=10.5, fontweight="bold")


def _draw_months(axes: Axes, view: AttributionView, name: str) -> None:
    """Draw the months as they came, a year before the event and after it."""
    past = view.past.loc[view.past["destination"] == name]
    rows = past if len(past) else _summed(_rows(view, name))
    days, error = np.array(_days(rows)), STDERR_BAND * rows["stderr_t"].to_numpy()
    came = rows["tonnes"].to_numpy()
    low, high = np.maximum(came - error, 0.0), came + error
    axes.fill_between(days, low, high, color=COLOURS["doubt"], lw=0, zorder=1.5, alpha=0.8)
    axes.plot(days, came, color=COLOURS["history"], lw=1.3, zorder=3.5)
    for kind in ("observed", "derived"):
        known = (rows["kind"] == kind).to_numpy()
        axes.add_line(dots(kind, days[known], came[known], size=3.8))


def _draw_sum(axes: Axes, view: AttributionView, name: str) -> None:
    """Draw what is missing since the event, cumulated, with its placebo band."""
    rows = _rows(view, name)
    days = _days(rows)
    low, high = rows["cumulated_p10"], rows["cumulated_p90"]
    axes.fill_between(days, low, high, color=COLOURS["past"], lw=0, zorder=1)
    axes.plot(days, low, days, high, color=COLOURS["faint"], lw=0.8, zorder=2)
    axes.plot(days, rows["cumulated_t"], color=COLOURS["restrictive"], lw=2, zorder=3)
    axes.axhline(0.0, color=COLOURS["ink"], lw=0.9, zorder=2.5)
    _mark_event(axes, view)
    quiet_tonnes(axes, most_ticks=6)
    firsts = pd.date_range(view.past["period"].min(), rows["period"].max() + "-01", freq="MS")
    axes.xaxis.set_major_locator(
        FixedLocator([axis_day(first) for first in firsts if first.month in (1, 7)])
    )
    axes.xaxis.set_major_formatter(FuncFormatter(_month_label))
    axes.set_xlim(axis_day(firsts[0]), axis_day(firsts[-1] + pd.DateOffset(months=1)))


def _mark_event(axes: Axes, view: AttributionView) -> None:
    axes.axvline(
        axis_day(view.announced), color=COLOURS["restrictive"], lw=1.0, ls=(0, (1, 2)), zorder=2
    )


def _write_head(figure: Figure, view: AttributionView, *, width: float, height: float) -> None:
    """Say which event, and what the two rows are."""
    letters = int(width * LETTERS_AN_INCH)
    lines = (
        (0.2, f"{view.event_id}: with it and without it", 13.5, "bold", "ink"),
        (0.45, f"Announced {view.announced:%-d %B %Y}. {view.summary}", 9.0, "normal", "muted"),
        (
            0.65,
            (
                f"Above: months as known on {view.as_of:%-d %B %Y} and the path foreseen the day "
                "before the announcement. Below: path less what came, summed up."
            ),
            9.0,
            "normal",
            "muted",
        ),
    )
    for inches, text, size, weight, colour in lines:
        figure.text(
            0.15 / width,
            1 - inches / height,
            cut(text, width=letters if weight == "normal" else 90),
            fontsize=size,
            fontweight=weight,
            va="center",
            color=COLOURS[colour],
        )


def _write_legend(figure: Figure, view: AttributionView) -> None:
    entries: list[Artist] = [
        dots("observed", [], [], label="observed month"),
        dots("derived", [], [], label="derived from other figures"),
        Patch(color=COLOURS["doubt"], label=f"estimated (±{STDERR_BAND} std. errors)"),
        Line2D([], [], color=COLOURS["median"], lw=2, label="path without the event"),
        Patch(color=COLOURS["band80"], label="80% band of the forecast"),
        Line2D([], [], color=COLOURS["restrictive"], lw=2, label="missing against the path"),
        Patch(fc=COLOURS["past"], ec=COLOURS["faint"], label="80% band from fake dates"),
    ]
    if view.table["synthetic_t"].notna().any():
        label = "remade from those hit less" if view.hits_all else "synthetic control"
        line = Line2D([], [], color=COLOURS["easing"], lw=1.6, ls=(0, (4, 2)), label=label)
        entries.append(line)
    figure.legend(
        handles=entries, loc="lower left", bbox_to_anchor=(0.005, 0.0), ncols=4, frameon=False,
        fontsize=8.5, columnspacing=1.6, handlelength=2.0,
    )  # fmt: skip


def _rows(view: AttributionView, name: str) -> pd.DataFrame:
    return view.table.loc[view.table["destination"] == name]


def _summed(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the months of a sum made for the event in the columns of the panel."""
    names = {"actual_t": "tonnes", "actual_stderr_t": "stderr_t"}
    return rows[["period", "kind", *names]].rename(columns=names)


def _days(rows: pd.DataFrame) -> list[float]:
    return [axis_day(pd.Timestamp(period)) + MID_MONTH_DAYS for period in rows["period"]]


def _month_label(day: float, _: int) -> str:
    moment = axis_moment(day)
    return f"{moment:%b}\n{moment:%Y}"
