"""The pictures of the track record: errors, coverage, calibration; backtest and record apart."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from models.evaluation.scores import HORIZON_GROUPS, Coverage
from service.charts.canvas import COLOURS, cut, svg
from service.charts.fan_charts import dots, quiet_tonnes
from service.charts.record_charts import outcome_svg, reliability_svg
from service.language.formats import dated, percentage, separated
from service.language.phrases import gettext, marked, ngettext
from service.live.publication import MOST_IN_ORDER, Publication
from service.queries import track
from service.queries.track import TrackScore
from service.report.backtest_view import YARDSTICKS, ScoreRow
from service.wording import name_of, scope_name

ROOM: Final = 0.84
"""Share of a month's place that its forecasts take, side by side."""

MOST_LABELS: Final = 5
"""Months named below the picture."""


def replay_svg(cells: pd.DataFrame, destination: str) -> str:
    """Return the forecasts of one destination at past origins, and the actuals.

    Args:
        cells: As ``store.publications.published.CELL_COLUMNS``, some of the destination; not
            modified.
    """
    own = cells.loc[cells["destination"] == destination]
    cutoffs, periods = (pd.DatetimeIndex(own[name]) for name in ("cutoff", "period"))
    rows = own.assign(
        period=periods,
        horizon=12 * (periods.year - cutoffs.year) + periods.month - cutoffs.month,
        inside80=own["tonnes"].between(own["p10"], own["p90"]),
    )
    label = gettext(
        "Backtest, %(name)s. Forecasts of published months within the 80%% band: %(shares)s.",
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


_WIDTH: Final = 3.6
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
    return svg(_draw_dot_plots, plot, prefix=plot.name, label=plot.label)


def _draw_dot_plots(plot: DotPlot) -> Figure:
    height = _FRAME + _LINE * len(plot.rows)
    figure = Figure(figsize=(_WIDTH, height), layout="constrained")
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


_SERIES = ("magnetcast", marked("seasonal naive"), marked("last value"))
_BAND = 0.8
"""Share of months that should come in within the band drawn."""


@dataclass(frozen=True, slots=True)
class TrackPictures:
    """Drawings for the page; empty text where there is nothing to draw."""

    outcomes: tuple[str, ...]
    """What was forecast and the actuals, by destination."""
    errors_by_lead: str
    errors_by_destination: str
    coverage_by_lead: str
    calibration: str
    replayed: tuple[str, ...]
    """What the backtest forecast and the actuals, by destination."""
    backtest_errors: str
    backtest_coverage: str


def pictures_of(
    publication: Publication,
    cells: pd.DataFrame,
    replay: Sequence[ScoreRow],
    held_before: Sequence[Coverage],
) -> TrackPictures:
    """Return the pictures.

    Args:
        cells: Scored months that are shown, as ``track.cells_of``; not modified.
        replay: Scores of the newest backtest, of our model and the simple rules.
    """
    names = _drawn(publication, cells)
    replayed = publication.published.cells
    held = track.coverage(cells, [])
    return TrackPictures(
        outcomes=tuple(outcome_svg(publication, cells, name) for name in names),
        errors_by_lead=_errors("lead", gettext("Error by months ahead"), track.by_horizon(cells)),
        errors_by_destination=_errors(
            "destination", gettext("Error by destination"), track.by_destination(cells, names)
        ),
        coverage_by_lead=_coverage("held", held[0].coverage if held else ()),
        calibration=reliability_svg(cells),
        replayed=tuple(replay_svg(replayed, name) for name in _drawn(publication, replayed)),
        backtest_errors=_backtest(replay),
        backtest_coverage=_coverage("backtest-held", held_before),
    )


def _drawn(publication: Publication, cells: pd.DataFrame) -> list[str]:
    """Return the destinations of some cells, the largest where there are too many to draw."""
    names = [name for name in publication.destinations if name in set(cells["destination"])]
    if publication.is_wide:
        largest = publication.latest.groupby("destination")["p50"].sum().nlargest(MOST_IN_ORDER)
        names = [name for name in names if name in largest.index]
    return names


def _errors(name: str, axis: str, scores: Sequence[TrackScore]) -> str:
    rows = tuple(
        DotRow(
            name_of(one.what)
            if name == "destination"
            else gettext("month %(number)s", number=one.what),
            (one.wape, one.seasonal_naive, one.last_value),
            one.cells,
        )
        for one in scores
        if one.cells
    )
    return dot_plot_svg(DotPlot(name, axis, _series(), rows))


def _coverage(name: str, groups: Sequence[Coverage]) -> str:
    rows = tuple(
        DotRow(
            gettext("months %(first)s to %(last)s", first=one.horizon_from, last=one.horizon_to),
            (one.pooled_share,),
            one.pooled_forecasts,
        )
        for one in groups
        if one.pooled_forecasts
    )
    axis = gettext("Inside the 80%% band, by months ahead")
    return dot_plot_svg(DotPlot(name, axis, _series()[:1], rows, target=_BAND))


def _backtest(replay: Sequence[ScoreRow]) -> str:
    """Draw the errors of all scopes, each model's side by side."""
    rows: dict[str, dict[str, ScoreRow]] = {}
    for one in replay:
        name = YARDSTICKS[one.model] if one.yardstick else _SERIES[0]
        rows.setdefault(one.scope, {}).setdefault(name, one)
    drawn = tuple(
        DotRow(
            scope_name(scope),
            tuple(models[name].wape if name in models else float("nan") for name in _SERIES),
            max(one.cells for one in models.values()),
        )
        for scope, models in rows.items()
    )
    months = next((one.months for one in replay), "")
    axis = gettext("Error, months %(months)s ahead together", months=months)
    return dot_plot_svg(DotPlot("backtest", axis, _series(), drawn))


def _series() -> tuple[str, ...]:
    return tuple(map(gettext, _SERIES))
