"""The cells of a table as a browser gives it: a workbook, or text in some encoding."""

import csv
import io
import re
import zipfile
from collections.abc import Iterator
from typing import Final
from xml.etree import ElementTree as ET

from store.errors import DataError

_SHEET: Final = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_STRINGS: Final = "xl/sharedStrings.xml"
_ENCODINGS: Final = ("utf-8-sig", "cp949", "big5", "latin-1")
WORKBOOK: Final = b"PK\x03\x04"
"""Begins a workbook (.xlsx)."""

_MOST_COLUMNS: Final = 1_000


def cells_of(name: str, content: bytes) -> Iterator[list[list[str]]]:
    """Yield the cells of a table, once in each encoding that it may have."""
    if content.startswith(WORKBOOK):
        yield workbook_cells(name, content)
        return
    for encoding in ("utf-16",) if content[:2] in {b"\xff\xfe", b"\xfe\xff"} else _ENCODINGS:
        text = content.decode(encoding, "replace")
        if "\ufffd" not in text:
            yield list(csv.reader(io.StringIO(text, newline=""), delimiter=mark_of(text)))


def mark_of(text: str) -> str:
    """Return what stands between the cells of the first lines: commas, semicolons or tabs."""
    return max(",;\t", key="\n".join(text.split("\n", 15)[:15]).count)


def workbook_cells(name: str, content: bytes) -> list[list[str]]:
    """Return the cells of the first sheet of a workbook as they are written in it."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as book:
            parts = book.namelist()
            shared = _parsed(book, _STRINGS).iter(f"{_SHEET}si") if _STRINGS in parts else ()
            texts = [_text(one) for one in shared]
            sheet = min(one for one in parts if one.startswith("xl/worksheets/sheet"))
            rows = [_row(row, texts) for row in _parsed(book, sheet).iter(f"{_SHEET}row")]
            width = max(map(len, rows), default=0)  # Excel writes no empty cells at the end
            return [row + [""] * (width - len(row)) for row in rows]
    except (zipfile.BadZipFile, ET.ParseError, KeyError, ValueError, IndexError) as err:
        raise DataError(
            f"{name} is no workbook that can be read: {err}. Expected a table as .xlsx or CSV. "
            "Download it anew, or save it as CSV; nothing was taken over."
        ) from err


def _parsed(book: zipfile.ZipFile, name: str) -> ET.Element:
    return ET.fromstring(book.read(name))  # noqa: S314  # expat caps what entities grow to


def _text(part: ET.Element) -> str:
    return "".join(text.text or "" for text in part.iter(f"{_SHEET}t"))


def _row(row: ET.Element, texts: list[str]) -> list[str]:
    cells: list[str] = []
    for cell in row.iter(f"{_SHEET}c"):
        place = 0
        for letter in re.sub(r"[^A-Z]", "", cell.get("r", "")):
            place = 26 * place + ord(letter) - 64
        if place > _MOST_COLUMNS:
            raise ValueError(f"it has a cell {cell.get('r')}, far from the others")
        cells += [""] * (place - 1 - len(cells))
        value, kind = cell.findtext(f"{_SHEET}v") or "", cell.get("t", "n")
        if kind == "s":
            value = texts[int(value)]
        elif kind == "inlineStr":
            value = _text(cell)
        cells.append(value)
    return cells
