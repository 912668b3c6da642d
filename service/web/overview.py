"""The overview: every destination, the next three months, against the year before."""

from dataclasses import dataclass

import pandas as pd

from service import view
from service.answers import Answer
from service.inputs import ReportInput
from service.names import name_of
from service.publication import Publication
from service.web.destination import reasons
from service.web.fans import fan_of, report_of, small_charts
from service.web.render import page


@dataclass(frozen=True, slots=True)
class Line:
    """What the overview says of one destination."""

    outlook: view.Outlook
    months: tuple[view.MonthRow, ...]


def overview(publication: Publication, now: pd.Timestamp) -> Answer:
    """Return the overview."""
    report = report_of(publication)
    lines = [
        line for name in publication.destinations if (line := _line(publication, report, name))
    ]
    world = fan_of(publication, publication.destinations[0])
    rows = view.month_rows(report, world)
    reason = next(iter(reasons(publication, world, rows)), None)
    # The sentence that names month and median again is left out.
    opening = f"{name_of(world.destination)}, "
    moved = [said for said in reason.sentences if not said.startswith(opening)] if reason else []
    return page(
        "overview.html.j2",
        publication,
        now=now,
        here="/",
        lines=lines,
        headline=view.headline(lines[0].outlook) if lines else "No month ahead is forecast.",
        outlook=lines[0].outlook if lines else None,
        hit_rate=rows[0].hit_rate if rows else float("nan"),
        reason=reason,
        moved=moved,
        nowcast=view.nowcast(world),
        charts=small_charts(publication),
    )


def _line(publication: Publication, report: ReportInput, destination: str) -> Line | None:
    fan = fan_of(publication, destination)
    outlook = view.outlook_of(report, fan)
    if outlook is None:
        return None
    ahead = [row for row in view.month_rows(report, fan) if not row.past]
    return Line(outlook, tuple(ahead[: view.MONTHS_IN_HEADLINE]))
