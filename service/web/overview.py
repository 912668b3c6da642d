"""The overview of one commodity, and the list of the other commodities."""

from dataclasses import dataclass, replace

import pandas as pd

from service.charts.publication_charts import fan_of, report_of, small_charts
from service.http.responses import Answer, Record
from service.live.publication import Publication
from service.report import view
from service.report.inputs import ReportInput
from service.web.destination import reasons
from service.web.render import OTHERS, page
from service.wording.goods import home_of
from service.wording.names import name_of


@dataclass(frozen=True, slots=True)
class OverviewLine:
    """What the overview shows of one destination."""

    outlook: view.Outlook
    months: tuple[view.MonthRow, ...]


def overview(publication: Publication, now: pd.Timestamp) -> Answer:
    """Return the overview."""
    report = report_of(publication)
    # Each destination gets its own rows only: there may be hundreds.
    panels = dict(list(report.panel.groupby("destination")))
    reports = {
        name: replace(report, panel=panels.get(name, report.panel.iloc[:0]))
        for name in publication.destinations
    }
    found = [_line(publication, own, name) for name, own in reports.items()]
    lines = [line for line in found if line is not None]
    if not publication.is_magnets:
        lines.sort(key=lambda line: -line.outlook.middle)
    world = fan_of(publication, publication.destinations[0])
    outlook = view.outlook_of(reports[world.destination], world)
    rows = view.month_rows(reports[world.destination], world)
    reason = next(iter(reasons(publication, world, rows)), None)
    # The sentence that repeats month and median is left out.
    opening = f"{name_of(world.destination)}, "
    moved = [text for text in reason.sentences if not text.startswith(opening)] if reason else []
    return page(
        "overview.html.j2",
        publication,
        now=now,
        here=f"{home_of(publication.commodity)}/",
        lines=lines,
        headline=view.headline(outlook) if outlook else "No month ahead is forecast.",
        outlook=outlook,
        hit_rate=rows[0].hit_rate if rows else float("nan"),
        reason=reason,
        moved=moved,
        nowcast=view.nowcast(world),
        charts=small_charts(publication),
    )


def goods_page(publication: Publication, now: pd.Timestamp, rows: list[Record]) -> Answer:
    """Return the list, each commodity with the address of its pages.

    Args:
        publication: The newest publication of the magnets.
        now: The moment of the request.
        rows: As ``queries.commodities.listing``.
    """
    others = [
        {**row, "home": home_of(row["commodity"])}
        for row in rows
        if row["commodity"] != publication.commodity
    ]
    return page("goods.html.j2", publication, now=now, here=OTHERS[0], others=others)


def _line(publication: Publication, report: ReportInput, destination: str) -> OverviewLine | None:
    fan = fan_of(publication, destination)
    outlook = view.outlook_of(report, fan)
    if outlook is None:
        return None
    ahead = [row for row in view.month_rows(report, fan) if not row.past]
    return OverviewLine(outlook, tuple(ahead[: view.MONTHS_IN_HEADLINE]))
