"""The page of one destination: chart, why, months, history, files."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pandas as pd

from service import view
from service.answers import Answer
from service.fan import left_out_note
from service.names import name_of
from service.numbers import NBSP, tonnes
from service.publication import Publication
from service.queries.history import known_destination, months_of, titles
from service.web.fans import chart_svg, fan_of, report_of
from service.web.render import page

HISTORY_SHOWN: Final = 36
"""Months of history in the table; the CSV has all."""


@dataclass(frozen=True, slots=True)
class Reason:
    """What moved one month, in sentences."""

    month: str
    median: float
    """Tonnes."""
    sentences: tuple[str, ...]


def destination_page(publication: Publication, destination: str, now: pd.Timestamp) -> Answer:
    """Return the page of one destination.

    Raises:
        UnknownError: It is not forecast.
    """
    known_destination(publication, destination)
    report, fan = report_of(publication), fan_of(publication, destination)
    outlook = view.outlook_of(report, fan)
    rows = view.month_rows(report, fan)
    history = months_of(publication, destination)[-HISTORY_SHOWN:]
    return page(
        "destination.html.j2",
        publication,
        now=now,
        here=f"/destinations/{destination}",
        destination=destination,
        name=name_of(destination),
        headline=view.headline(outlook) if outlook else "No month ahead is forecast.",
        nowcast=view.nowcast(fan),
        outlook=outlook,
        fan=fan,
        chart=chart_svg(publication, destination),
        left_out=left_out_note(fan) if fan.left_out else "",
        rows=rows,
        hit_rate=rows[0].hit_rate if rows else float("nan"),
        reasons=reasons(rows, publication.meanings),
        history=history[::-1],
        others=titles(publication),
    )


def reasons(rows: tuple[view.MonthRow, ...], meanings: Mapping[str, str]) -> tuple[Reason, ...]:
    """Say of the next months what moved each most, in up to three sentences with numbers."""
    ahead = [row for row in rows if row.drivers and not row.past]
    return tuple(
        Reason(row.month, row.p50, tuple(_sentence(*driver, meanings) for driver in row.drivers))
        for row in ahead[: view.MONTHS_IN_HEADLINE]
    )


def _sentence(name: str, moved: float, meanings: Mapping[str, str]) -> str:
    """Say what one driver does to a month."""
    said = meanings.get(name, name.replace("_", " "))
    way = "raises" if moved > 0 else "lowers"
    return f"{said[:1].upper()}{said[1:]}: {way} it by {tonnes(abs(moved))}{NBSP}t."
