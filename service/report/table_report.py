"""The report on a full partner table: one lean page on all destinations, and the forecast file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pandas as pd

from service.charts.canvas import COLOURS, DARK_COLOURS
from service.charts.fan import HISTORY_MONTHS, Fan, ReportInput
from service.charts.publication_charts import overview_png, overview_svg
from service.report import view
from service.report.backtest_view import ALL, score_rows
from service.report.report import PAGE, fresh_folder
from service.templating import environment
from service.wording import words_of
from store.vocabulary import EU27, FORECAST_COLUMNS, WORLD

CHARTS: Final = 16
"""Destinations drawn: the sums and the largest."""

YEAR: Final = 12
NAN: Final = float("nan")
_ALT: Final = "Small fan charts of the largest destinations; the table below has the numbers."


@dataclass(frozen=True, slots=True)
class TableReport:
    """What is published of one table, ready to be shown; nothing in here is modified."""

    commodity: str
    as_of: pd.Timestamp
    cutoff: str
    """Last month known, ``YYYY-MM``."""
    forecasts: pd.DataFrame
    """``FORECAST_COLUMNS`` and perhaps band_hit_rate."""
    history: pd.DataFrame
    """destination, period, tonnes of the known months."""
    scores: pd.DataFrame
    """As a backtest has them; may be empty."""
    notes: tuple[str, ...]
    model_version: str
    data_vintage: str
    pictures: bool = True
    """Whether it is drawn, or holds the numbers alone."""
    label: str = ""
    """Label of the commodity; empty where none is known."""

    @property
    def goods(self) -> str:
        """Return the commodity in words."""
        return words_of(self.commodity, {self.commodity: self.label})

    def as_input(self) -> ReportInput:
        """Return the same in the form of the planners' report."""
        known = self.history.assign(stderr_t=0.0, kind="observed", available_at=self.as_of)
        return ReportInput(
            as_of=self.as_of,
            cutoff=self.cutoff,
            forecasts=self.forecasts,
            panel=known,
            events=pd.DataFrame(),
            scores=self.scores,
            suspicious=pd.DataFrame(),
            unknowns=list(self.notes),
            model_version=self.model_version,
            data_vintage=self.data_vintage,
        )


@dataclass(frozen=True, slots=True)
class TableLine:
    """What the page shows of one destination."""

    outlook: view.Outlook
    last_year: float
    """Tonnes of the last twelve known months."""
    hit_rate: float
    """Coverage of its 80 % band in the backtest, NaN where that is not known."""


def write_table_report(report: TableReport, folder: Path) -> Path:
    """Write the report and return the path of its page.

    Beside it lie ``forecasts.csv``, ``scores.csv`` and, if it is drawn, ``overview.png``. The whole
    is put in its place at the end; the same input gives the same bytes.

    Args:
        report: What to show; not modified.
        folder: The report's own folder; a report already there is replaced.

    Raises:
        DataError: ``folder`` holds other things.
    """
    fans = fans_of(report)
    charts = fans[:CHARTS]
    title = f"China's exports of {report.goods}: the largest destinations, tonnes a month"
    with fresh_folder(folder) as fresh:
        table = report.forecasts[list(FORECAST_COLUMNS)]
        table.to_csv(fresh / "forecasts.csv", index=False, lineterminator="\n")
        report.scores.to_csv(fresh / "scores.csv", index=False, lineterminator="\n")
        overview = ""
        if report.pictures:
            (fresh / "overview.png").write_bytes(overview_png(charts, title=title))
            overview = overview_svg(charts, label=_ALT, title=title)
        (fresh / PAGE).write_text(_page(report, fans, overview), encoding="utf-8")
    return folder / PAGE


def by_size(report: TableReport) -> list[str]:
    """Return the destinations forecast: world, EU27, then by tonnes of the last known year."""
    size = last_year(report)
    found = sorted(
        set(report.forecasts["destination"]), key=lambda name: (-size.get(name, 0), name)
    )
    sums = [name for name in (WORLD, EU27) if name in found]
    return sums + [name for name in found if name not in sums]


def last_year(report: TableReport) -> "pd.Series[float]":
    """Return by destination the tonnes of the twelve months up to the cutoff."""
    cutoff = pd.Timestamp(f"{report.cutoff}-01")
    recent = report.history["period"] > cutoff - pd.DateOffset(months=YEAR)
    return report.history.loc[recent].groupby("destination")["tonnes"].sum()


def fans_of(report: TableReport) -> list[Fan]:
    """Return what the charts of all destinations show, in the order of ``by_size``."""
    given = report.as_input()
    months = report.forecasts.assign(period=pd.to_datetime(report.forecasts["period"]))
    ahead = dict(list(months.sort_values("period").groupby("destination")))
    behind = dict(list(given.panel.sort_values("period").groupby("destination")))
    start = given.cutoff_end - pd.DateOffset(months=HISTORY_MONTHS)
    return [
        Fan(
            destination=name,
            as_of=given.as_of_date,
            cutoff_end=given.cutoff_end,
            history=behind[name].loc[behind[name]["period"] >= start],
            forecast=ahead[name],
            markers=(),
            left_out=0,
        )
        for name in by_size(report)
    ]


def _page(report: TableReport, fans: Sequence[Fan], overview: str) -> str:
    lines = _lines(report, fans)
    scores = report.scores
    if len(scores):
        scores = scores.loc[scores["scope"].isin([ALL, WORLD])]
    template = environment().get_template("table.html.j2")
    return template.render(
        report=report,
        lines=lines,
        headline=view.headline(lines[0].outlook) if lines else "No month ahead is forecast.",
        count=len({fan.destination for fan in fans} - {WORLD, EU27}),
        overview=overview,
        scores=score_rows(scores),
        colours=COLOURS,
        dark_colours=DARK_COLOURS,
    )


def _lines(report: TableReport, fans: Sequence[Fan]) -> list[TableLine]:
    given, size = report.as_input(), last_year(report)
    lines = []
    for fan in fans:
        outlook = view.outlook_of(given, fan)
        rate = (
            float(fan.forecast["band_hit_rate"].iloc[0]) if "band_hit_rate" in fan.forecast else NAN
        )
        if outlook is not None:
            lines.append(TableLine(outlook, float(size.get(fan.destination, 0.0)), rate))
    return lines
