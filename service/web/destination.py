"""The page of one destination: chart, drivers, months, history, files."""

import json
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Final

import pandas as pd

from service.charts.fan import Fan, left_out_note
from service.charts.publication_charts import chart_svg, fan_of, report_of
from service.http.responses import Answer
from service.live.publication import Publication
from service.planning.planning_state import PlanningState
from service.queries.history import known_destination, months_of, titles
from service.report import view
from service.report.why import forecast_sentences
from service.web.forms import FormErrors
from service.web.render import page
from service.wording.goods import home_of
from service.wording.names import name_of
from service.wording.numbers import NBSP, signed_tonnes

HISTORY_SHOWN: Final = 36
"""Months of history in the table; the CSV has all."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why the median of one month is what it is, in sentences."""

    month: str
    median: float
    """Tonnes."""
    sentences: tuple[str, ...]


def destination_page(
    publication: Publication,
    destination: str,
    now: pd.Timestamp,
    planning: PlanningState,
    refused: FormErrors | None = None,
) -> Answer:
    """Return the page of one destination, with overrides beside the medians.

    ``refused`` is an override that was not accepted, to be shown again.

    Raises:
        UnknownError: It is not forecast.
    """
    known_destination(publication, destination)
    report, fan = report_of(publication), fan_of(publication, destination)
    outlook = view.outlook_of(report, fan)
    rows = view.month_rows(report, fan)
    overrides = planning.newest_overrides(publication.commodity, destination, publication.as_of)
    history = months_of(publication, destination)[-HISTORY_SHOWN:]
    return page(
        "destination.html.j2",
        publication,
        now=now,
        here=f"{home_of(publication.commodity)}/destinations/{destination}",
        destination=destination,
        name=name_of(destination),
        headline=view.headline(outlook) if outlook else "No month ahead is forecast.",
        nowcast=view.nowcast(fan),
        outlook=outlook,
        fan=fan,
        chart=chart_svg(publication, destination),
        left_out=left_out_note(fan) if fan.left_out else "",
        rows=rows,
        overrides={f"{pd.Timestamp(month):%b %Y}": row for month, row in overrides.items()},
        months=list(zip(fan.forecast["period"], rows, strict=True)),
        hit_rate=rows[0].hit_rate if rows else float("nan"),
        reasons=reasons(publication, fan, rows),
        exact=bool(fan.forecast["contributions"].notna().all()),
        history=history[::-1],
        others=titles(publication),
        refused=refused,
    )


def reasons(publication: Publication, fan: Fan, rows: tuple[view.MonthRow, ...]) -> list[Reason]:
    """Explain the medians of the next months in sentences with numbers.

    From the parts that add up to the median where they were published, else from the drivers.
    """
    months = zip(rows, fan.forecast.to_dict("records"), strict=True)
    ahead = [(row, record) for row, record in months if not row.past]
    found = [
        Reason(row.month, row.p50, _sentences(fan.destination, record, row, publication.meanings))
        for row, record in ahead[: view.MONTHS_IN_HEADLINE]
    ]
    return [reason for reason in found if reason.sentences]


def _sentences(
    destination: str,
    record: Mapping[Hashable, object],
    row: view.MonthRow,
    meanings: Mapping[str, str],
) -> tuple[str, ...]:
    """Return the sentences of one month; none where neither parts nor drivers were published."""
    parts = record.get("contributions")
    if isinstance(parts, str) and parts:
        period = f"{record['period']:%Y-%m}"
        return tuple(forecast_sentences(destination, period, json.loads(parts)))
    return tuple(_driver_sentence(name, tonnes, meanings) for name, tonnes in row.drivers)


def _driver_sentence(name: str, effect: float, meanings: Mapping[str, str]) -> str:
    """Return what one driver does to a month."""
    meaning = meanings.get(name, name.replace("_", " "))
    return f"{meaning[:1].upper()}{meaning[1:]}: {signed_tonnes(effect)}{NBSP}t."
