"""The overview of a commodity, the page of one destination, and files for spreadsheets."""

import io
import json
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pandas as pd
import xlsxwriter
from xlsxwriter.worksheet import Worksheet

from service.charts.fan import Fan, left_out_note
from service.charts.publication_charts import fan_of
from service.http.responses import Answer, Record
from service.language.choice import DEFAULT, in_language
from service.language.phrases import gettext
from service.live.documents import FILE_COLUMNS, flat_rows, forecast_document, with_overrides
from service.live.live import PlanningState
from service.live.publication import Publication
from service.queries.basis import basis_sentence, basis_words
from service.queries.explain import forecast_sentences
from service.queries.history import known_destination, months_of, titles
from service.queries.models import HistoryMonth, columns_of
from service.queries.sums import copula_at, sums_of
from service.report import view
from service.web.briefing import briefing_of
from service.web.drawn import Drawn, drawn, small_charts
from service.web.render import OTHERS, FormErrors, page
from service.wording import NBSP, home_of, name_of, signed_tonnes

HISTORY_SHOWN: Final = 36
"""Months of history in the table; the CSV has all."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why the median of one month is what it is, in sentences."""

    month: str
    median: float
    """Tonnes."""
    sentences: tuple[str, ...]
    is_english: bool = False
    """The sentences are English whatever the page's language: names of drivers have no other."""
    picture: Drawn | None = None
    """The parts of the first month as a waterfall."""


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
    fan = fan_of(publication, destination)
    copula = copula_at(publication)
    outlook = view.outlook_of(fan, copula)
    rows = view.month_rows(fan)
    overrides = planning.newest_overrides(publication.commodity, destination, publication.as_of)
    history = months_of(publication, destination)[-HISTORY_SHOWN:]
    basis = publication.snapshot.bases.get(destination)
    return page(
        "destination.html.j2",
        publication,
        now=now,
        here=f"{home_of(publication.commodity)}/destinations/{destination}",
        destination=destination,
        name=name_of(destination),
        headline=view.headline(outlook) if outlook else gettext("No month ahead is forecast."),
        published_to=basis_sentence(basis) if publication.is_magnets else "",
        nowcast=view.nowcast(fan, copula),
        outlook=outlook,
        briefing=briefing_of(publication, fan),
        revisions=drawn(publication, "revisions", destination),
        fan=fan,
        chart=drawn(publication, "fan", destination),
        left_out=left_out_note(fan) if fan.left_out else "",
        rows=rows,
        overrides=overrides,
        months=list(zip(fan.forecast["period"], rows, strict=True)),
        sums=sums_of(publication, (destination,)),
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
        Reason(
            row.month,
            row.p50,
            _sentences(fan.destination, record, row, publication.meanings),
            not _has_parts(record),
            None if number else drawn(publication, "parts", fan.destination),
        )
        for number, (row, record) in enumerate(ahead[: view.MONTHS_IN_HEADLINE])
    ]
    return [reason for reason in found if reason.sentences]


def _sentences(
    destination: str,
    record: Mapping[Hashable, object],
    row: view.MonthRow,
    meanings: Mapping[str, str],
) -> tuple[str, ...]:
    """Return the sentences of one month; none where neither parts nor drivers were published."""
    if _has_parts(record):
        period = f"{record['period']:%Y-%m}"
        _median, *causes = forecast_sentences(destination, period, _parts(record))
        return tuple(causes)  # the heading has the median
    with in_language(DEFAULT):
        return tuple(_driver_sentence(name, tonnes, meanings) for name, tonnes in row.drivers)


def _has_parts(record: Mapping[Hashable, object]) -> bool:
    return bool(record.get("contributions")) and isinstance(record["contributions"], str)


def _parts(record: Mapping[Hashable, object]) -> dict[str, float]:
    parts: dict[str, float] = json.loads(str(record["contributions"]))
    return parts


def _driver_sentence(name: str, effect: float, meanings: Mapping[str, str]) -> str:
    """Return what one driver does to a month."""
    meaning = meanings.get(name, name.replace("_", " "))
    return f"{meaning[:1].upper()}{meaning[1:]}: {signed_tonnes(effect)}{NBSP}t."


@dataclass(frozen=True, slots=True)
class OverviewLine:
    """What the overview shows of one destination."""

    outlook: view.Outlook
    months: tuple[view.MonthRow, ...]
    basis: str
    """To which month it is published, in a few words; empty for tables of other commodities."""


def overview(publication: Publication, now: pd.Timestamp) -> Answer:
    """Return the overview; of many destinations the largest come first."""
    copula = copula_at(publication)
    fans = [fan_of(publication, name) for name in publication.destinations]
    outlooks = [(fan, view.outlook_of(fan, copula)) for fan in fans]
    bases = publication.snapshot.bases if publication.is_magnets else {}
    lines = [
        _line(fan, outlook, basis_words(bases.get(fan.destination)))
        for fan, outlook in outlooks
        if outlook is not None
    ]
    if publication.is_wide:
        lines.sort(key=lambda line: -line.outlook.middle)
    world, outlook = outlooks[0]
    rows = view.month_rows(world)
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
        headline=view.headline(outlook) if outlook else gettext("No month ahead is forecast."),
        outlook=outlook,
        briefing=briefing_of(publication, world),
        revisions=drawn(publication, "revisions", world.destination),
        destination=world.destination,
        chart=drawn(publication, "fan", world.destination),
        name=name_of(world.destination),
        reason=reason,
        moved=moved,
        nowcast=view.nowcast(world, copula),
        charts=list(small_charts(publication)),
    )


def _line(fan: Fan, outlook: view.Outlook, basis: str) -> OverviewLine:
    ahead = [row for row in view.month_rows(fan) if not row.past]
    return OverviewLine(outlook, tuple(ahead[: view.MONTHS_IN_HEADLINE]), basis)


def goods_page(publication: Publication, now: pd.Timestamp, rows: list[Record]) -> Answer:
    """Return the list, each commodity with the address of its pages.

    Args:
        publication: The newest publication of the magnets.
        rows: As ``queries.commodities.listing``.
    """
    others = [
        {**row, "home": home_of(row["commodity"])}
        for row in rows
        if row["commodity"] != publication.commodity
    ]
    return page("goods.html.j2", publication, now=now, here=OTHERS[0], others=others)


XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

_OPTIONS: Final = {
    "in_memory": True,
    # Text from data stays text.
    "strings_to_formulas": False,
    "strings_to_urls": False,
}
_WIDTH: Final = 12


def workbook(publication: Publication, destination: str, planning: PlanningState) -> bytes:
    """Return the forecast and the history of one destination as a spreadsheet.

    Overrides have columns of their own. No text in it is read as a formula or a link. The same
    publication and overrides give the same bytes.

    Raises:
        UnknownError: It is not forecast.
    """
    known_destination(publication, destination)
    scores = publication.scores_at(publication.as_of)
    basis = publication.snapshot.bases.get(destination)
    document = forecast_document(
        publication.latest, destination, publication.meanings, scores, basis
    )
    overrides = planning.newest_overrides(publication.commodity, destination, publication.as_of)
    document = with_overrides(document, overrides)
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, _OPTIONS) as book:
        book.set_properties({"created": publication.as_of.to_pydatetime().replace(tzinfo=None)})
        _fill(book.add_worksheet("Forecast"), flat_rows(document), FILE_COLUMNS)
        past = months_of(publication, destination)
        _fill(book.add_worksheet("History"), past, columns_of(HistoryMonth))
        _fill(book.add_worksheet("About"), _about(document), ("what", "value"))
    return buffer.getvalue()


def _about(document: Record) -> list[Record]:
    names = ("name", "commodity", "unit", "as_of", "cutoff", "model", "status", "data_vintage")
    return [{"what": name, "value": document[name]} for name in names]


def _fill(sheet: Worksheet, rows: Iterable[Mapping[str, object]], columns: Sequence[str]) -> None:
    """Write rows below a frozen header."""
    sheet.set_column(0, len(columns) - 1, _WIDTH)
    sheet.freeze_panes(1, 0)
    for place, name in enumerate(columns):
        sheet.write_string(0, place, name)
    for line, row in enumerate(rows, start=1):
        for place, name in enumerate(columns):
            _write(sheet, line, place, row[name])


def _write(sheet: Worksheet, line: int, place: int, value: object) -> None:
    if isinstance(value, int | float):
        sheet.write_number(line, place, value)
    elif value is not None:
        sheet.write_string(line, place, str(value))
