"""A customs download as a table: decoded, with the heading line found and columns identified."""

import codecs
from dataclasses import dataclass
from typing import Final

from sources.files.csv_table import records
from sources.providers.customs_headings import Heading, heading_of
from store.errors import DataError

ENCODINGS: Final = ("utf-8", "gb18030")
"""Tried in turn; nearly any bytes are valid GB18030, so the headings decide."""

LEADING: Final = 15
"""Lines, such as titles and query terms, that may precede the headings."""

_NEEDED: Final = ("commodity", "partner", "quantity")


@dataclass(frozen=True, slots=True)
class Column:
    """One column."""

    place: int
    title: str
    heading: Heading


@dataclass(frozen=True, slots=True)
class CustomsTable:
    """All lines below the headings."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]

    @property
    def lines(self) -> tuple["CustomsLine", ...]:
        """Return the lines with their number in the file."""
        return tuple(CustomsLine(self, number, cells) for number, cells in self.rows)

    def of(self, meaning: str) -> tuple[Column, ...]:
        """Return the columns of a meaning."""
        return tuple(column for column in self.columns if column.heading.meaning == meaning)


@dataclass(frozen=True, slots=True)
class CustomsLine:
    """One line; cells are found by their meaning."""

    table: CustomsTable
    number: int
    cells: tuple[str, ...]

    def text(self, meaning: str) -> str:
        """Return the first cell of a meaning that is filled, empty if there is none."""
        cells = (self.cells[column.place].strip() for column in self.table.of(meaning))
        return next((cell for cell in cells if cell), "")

    def title(self, meaning: str) -> str:
        """Return the heading of the first column of a meaning, empty if there is none."""
        return next((column.title for column in self.table.of(meaning)), "")


def read_customs(name: str, content: bytes) -> CustomsTable:
    """Read a download.

    Args:
        name: of the file, for messages.
        content: its bytes, UTF-8 (with or without a mark) or GB18030.

    Raises:
        DataError: it is neither, or has no line of headings with code, partner and quantity.
    """
    lines = _lines(name, _decoded(name, content))
    start, columns = _headings(name, lines)
    rows = []
    for number, cells in lines[start + 1 :]:
        if any(cell.strip() for cell in cells):
            rows.append((number, (*cells, *[""] * (len(columns) - len(cells)))))
    return CustomsTable(columns, tuple(rows))


def _decoded(name: str, content: bytes) -> str:
    """Decode by the byte order mark, or by the first encoding that fits."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16")
    for encoding in ENCODINGS:
        try:
            return content.decode(encoding).removeprefix("\ufeff")
        except UnicodeDecodeError:
            continue
    raise DataError(
        f"{name} is neither UTF-8 nor GB18030. Expected a CSV download of China's customs. "
        "Download it anew, or save it as UTF-8; nothing was taken over."
    )


def _lines(name: str, text: str) -> list[tuple[int, list[str]]]:
    """Return the records with the line each starts on."""
    first = text[: text.find("\n")] if "\n" in text else text
    mark = "\t" if first.count("\t") > first.count(",") else ","
    return list(records(name, text, mark=mark, remedy="Download it anew"))


def _headings(name: str, lines: list[tuple[int, list[str]]]) -> tuple[int, tuple[Column, ...]]:
    """Find the line of headings."""
    best: list[str] = []
    for place, (_, cells) in enumerate(lines[:LEADING]):
        columns = _columns(cells)
        meanings = {column.heading.meaning for column in columns}
        is_dated = "period" in meanings or any(column.heading.month for column in columns)
        if is_dated and meanings.issuperset(_NEEDED):
            return place, _without_names(columns)
        best = max(best, [m for m in (*_NEEDED, "period") if m in meanings], key=len)
    lacking = [m for m in (*_NEEDED, "period") if m not in best]
    raise DataError(
        f"No line of headings in the first {LEADING} of {name}: {', '.join(lacking)} not found. "
        "Expected those of the customs' query site, e.g. 数据年月, 商品编码, 贸易伙伴名称, "
        "第一数量, 第一计量单位, 美元, or in English, or a column a month. "
        "Ask the site for commodity codes and trading partners; nothing was taken over."
    )


def _columns(cells: list[str]) -> tuple[Column, ...]:
    """Parse one line as headings."""
    return tuple(Column(place, cell.strip(), heading_of(cell)) for place, cell in enumerate(cells))


def _without_names(columns: tuple[Column, ...]) -> tuple[Column, ...]:
    """Keep one column of codes: next to "Commodity code", a column "Commodity" holds names."""
    codes = [column for column in columns if column.heading.meaning == "commodity"]
    if len(codes) == 1:
        return columns
    kept = next((c for c in codes if "code" in c.title.lower() or "编码" in c.title), codes[0])
    unread = Heading("commodity_name")
    return tuple(
        Column(c.place, c.title, unread) if c in codes and c is not kept else c for c in columns
    )
