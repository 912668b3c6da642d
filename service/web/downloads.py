"""Files of a forecast for spreadsheets; the API has the CSV and the JSON."""

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import xlsxwriter
from xlsxwriter.worksheet import Worksheet

from service.http.responses import Record
from service.live.publication import Publication
from service.planning.planning_state import PlanningState
from service.queries.documents import (
    OVERRIDE_COLUMNS,
    flat_rows,
    forecast_document,
    with_overrides,
)
from service.queries.history import HISTORY_COLUMNS, known_destination, months_of
from store.vocabulary import FORECAST_COLUMNS

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
    document = forecast_document(publication.latest, destination, publication.meanings)
    overrides = planning.newest_overrides(publication.commodity, destination, publication.as_of)
    document = with_overrides(document, overrides)
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, _OPTIONS) as book:
        book.set_properties({"created": publication.as_of.to_pydatetime().replace(tzinfo=None)})
        columns = ("as_of", *FORECAST_COLUMNS, *OVERRIDE_COLUMNS)
        _fill(book.add_worksheet("Forecast"), flat_rows(document), columns)
        past = months_of(publication, destination)
        _fill(book.add_worksheet("History"), past, HISTORY_COLUMNS)
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
