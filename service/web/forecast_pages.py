"""The page of one destination, which is the first page too, and files for spreadsheets."""

import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Final

import pandas as pd
from sqlalchemy import Engine

from service.api.forecast_routes import EXPLAINED_COLUMNS, document_of, flat_parts
from service.charts.fan import Fan, fan_of
from service.http.responses import TEXT, Answer, Record, answer_of
from service.live.documents import FILE_COLUMNS, by_months, flat_rows
from service.live.live_publication import PlanningState
from service.live.publication import Publication
from service.planning.alerts import digest_feed
from service.queries.destination_months import (
    MonthRow,
    known_destination,
    month_rows,
    months_of,
    normal_month,
    sums_of,
    titles,
)
from service.queries.explanation_sentences import explanation, forecast_sentences
from service.queries.freshness import basis_words
from service.queries.listings import listing, unreported
from service.queries.needs import need_documents
from service.queries.row_models import HistoryMonth, columns_of
from service.web.briefing import Briefing, briefing_of, slump_of
from service.web.median_change import change_of
from service.web.page_charts import PageChart, page_chart, small_charts
from service.web.render import OTHERS, FormErrors, as_text, block_of, page
from service.words import home_of, name_of

HISTORY_SHOWN: Final = 36
"""Months of history in the table; the CSV has all."""


def destination_page(
    publication: Publication,
    read_at: pd.Timestamp,
    planning: PlanningState,
    destination: str,
    refused: FormErrors | None = None,
    *,
    home: str = "",
) -> Answer:
    """Page of one destination, with forecasts by others beside the medians.

    Args:
        refused: A forecast by somebody else that was not accepted, to be shown again.
        home: Fields of the address, where this is the first page: it lists all destinations too.

    Raises:
        UnknownError: It is not forecast.
    """
    known_destination(publication, destination)
    history = months_of(publication, destination, moment=publication.as_of)[-HISTORY_SHOWN:]
    start = home_of(publication.commodity)
    values = forecast_values(publication, destination, read_at, has_all=bool(home))
    month, rivals = values["briefing"].month, planning.rivals_of(publication.commodity, destination)
    values["rivals"] = by_months(rivals)
    if month is not None:
        values["needs"] = [
            need
            for need in need_documents(publication, planning, read_at)
            if need["destination"] == destination
            and need["period_from"] <= month.period <= need["period_to"]
        ]
    return page(
        "destination.html.j2",
        publication,
        read_at=read_at,
        address=f"{start}/" if home else f"{start}/destinations/{destination}",
        kept="" if home == HOME else home,
        **values,
        revisions=page_chart(publication, "revisions", destination),
        today=f"{read_at:%Y-%m-%d}",
        history=history[::-1],
        others=titles(publication),
        refused=refused,
    )


def digest(publication: Publication, read_at: pd.Timestamp, destination: str, form: str) -> Answer:
    """First answer of a destination's page as plain text for e-mail, or as a feed of it."""
    briefing = briefing_of(publication, fan_of(publication, destination), read_at)
    values = _answer_of(publication, destination, briefing, read_at)
    answer = block_of("destination.html.j2", "answer", publication, chart=None, **values)
    html = page("digest.html.j2", publication, read_at=read_at, address="", answer=answer)
    text = answer_of(as_text(html.body.decode()).encode(), TEXT)
    return text if form == "txt" else digest_feed(text, publication, destination)


def _answer_of(
    publication: Publication, destination: str, briefing: Briefing, read_at: pd.Timestamp
) -> dict[str, object]:
    return {
        "destination": destination,
        "basis": basis_words(publication.bases.get(destination)),
        "briefing": briefing,
        "unreported": unreported(publication, read_at),
        "usual": normal_month(publication, destination),
        "needs": (),
        "rivals": {},
    }


def forecast_values(
    publication: Publication, destination: str, read_at: pd.Timestamp, *, has_all: bool
) -> dict[str, Any]:
    """Template values of a page or report about the forecast of one destination.

    Args:
        has_all: Whether all destinations are listed too.
    """
    fan = fan_of(publication, destination)
    briefing = briefing_of(publication, fan, read_at)
    return {
        **_answer_of(publication, destination, briefing, read_at),
        "name": name_of(destination),
        "fan": fan,
        "chart": page_chart(publication, "fan", destination),
        "rows": month_rows(fan),
        "sums": sums_of(publication, (destination,)),
        "causes": causes_of(fan, briefing.month),
        "parts": _parts(publication, fan, briefing.month),
        "lines": _lines(publication, read_at) if has_all else [],
        "charts": list(small_charts(publication)) if has_all else [],
    }


HOME: Final = "/"
"""The first page as it opens by itself."""


def causes_of(fan: Fan, month: MonthRow | None) -> list[str]:
    """Explain the median of a month by the parts that add up to it, as far as published."""
    if month is None:
        return []
    records = fan.forecast.to_dict("records")
    stored = next(row for row in records if f"{row['period']:%Y-%m}" == month.period)
    if not isinstance(parts := stored.get("contributions"), str) or not parts:
        return []
    # The heading has the median.
    return forecast_sentences(fan.destination, month.period, json.loads(parts))[1:]


def _parts(publication: Publication, fan: Fan, month: MonthRow | None) -> PageChart | None:
    """Waterfall of the median, drawn for the month after ``as_of`` only."""
    if month is None or month.period != f"{publication.as_of + pd.offsets.MonthBegin():%Y-%m}":
        return None
    return page_chart(publication, "parts", fan.destination)


def _lines(publication: Publication, read_at: pd.Timestamp) -> list[Record]:
    """One row per destination of the table of all; the largest first if there are many."""
    today, bases = f"{read_at:%Y-%m}", publication.bases
    lines: list[Record] = [
        {
            "destination": name,
            "months": month_rows(replace(fan, forecast=ahead.iloc[:MONTHS_LISTED])),
            "status": fan.status,
            "past": fan.history["tonnes"].dropna().tail(_SPARK_MONTHS).tolist(),
            "ahead": fan.ahead["p50"].tolist(),
            "before": change_of(publication, name, f"{ahead['period'].min():%Y-%m}").before
            if len(ahead)
            else 0.0,
            "slump": slump_of(publication, fan, today),
            "basis": basis_words(bases.get(name)),
        }
        for name in publication.destinations
        for fan in [fan_of(publication, name)]
        for ahead in [fan.forecast[fan.forecast["period"] > today]]
    ]
    if publication.is_wide:
        lines.sort(key=lambda line: -sum(row.p50 for row in line["months"]))
    return lines


MONTHS_LISTED: Final = 3
_SPARK_MONTHS: Final = 24


def goods_page(publication: Publication, read_at: pd.Timestamp, engine: Engine) -> Answer:
    """Page of the other commodities, each with the address of its pages.

    Args:
        publication: The newest publication of the magnets.
    """
    commodities = [
        {**row, "home": home_of(row["commodity"])}
        for row in listing(publication, engine)
        if row["commodity"] != publication.commodity
    ]
    return page(
        "goods.html.j2", publication, read_at=read_at, address=OTHERS[0], others=commodities
    )


XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

_OPTIONS: Final = {
    "in_memory": True,
    # Text from data stays text.
    "strings_to_formulas": False,
    "strings_to_urls": False,
}
_WIDTH: Final = 12


def workbook(publication: Publication, destination: str, planning: PlanningState) -> bytes:
    """Forecast and the history of one destination as a spreadsheet.

    Forecasts by others have a column of their own. No text in it is read as a formula or a link.
    The same publication and forecasts by others give the same bytes.

    Raises:
        UnknownError: It is not forecast.
    """
    known_destination(publication, destination)
    document = document_of(publication, planning, publication.as_of, destination)
    past = months_of(publication, destination, moment=publication.as_of)
    parts = flat_parts(explanation(publication, destination, publication.as_of, None))
    sheets: list[tuple[str, Iterable[Record], Sequence[str]]] = [
        ("Forecast", flat_rows(document), FILE_COLUMNS),
        ("History", past, columns_of(HistoryMonth)),
        ("Drivers", parts, EXPLAINED_COLUMNS),
        ("About", _about(document), ("what", "value")),
    ]
    buffer = io.BytesIO()
    with pd.ExcelWriter(
        buffer, engine="xlsxwriter", date_format="yyyy-mm", datetime_format="yyyy-mm-dd hh:mm",
        engine_kwargs={"options": _OPTIONS},
    ) as writer:  # fmt: skip
        created = publication.as_of.to_pydatetime().replace(tzinfo=None)
        writer.book.set_properties({"created": created})
        for name, rows, columns in sheets:
            table = pd.DataFrame(rows, columns=list(columns))
            for column in {*_MONTHS, *_MOMENTS} & {*columns}:
                moments = pd.to_datetime(table[column]).dt.tz_localize(None)
                table[column] = moments.dt.date if column in _MONTHS else moments
            table.to_excel(writer, sheet_name=name, index=False, freeze_panes=(1, 0))
            writer.sheets[name].set_column(0, len(columns) - 1, _WIDTH)
    return buffer.getvalue()


def _about(document: Record) -> list[Record]:
    names = ("name", "commodity", "unit", "as_of", "cutoff", "model", "status", "data_vintage")
    return [{"what": name, "value": document[name]} for name in names]


_MONTHS: Final = ("period", "cutoff")
_MOMENTS: Final = ("as_of", "available_at")
"""Columns that are dates in a spreadsheet."""
