"""The cells of a table as a browser gives it: a workbook, or text in some encoding."""

import csv
import io
import re
import zipfile
from collections.abc import Iterator, Mapping
from typing import Final
from xml.parsers import expat

import numpy as np

from store.errors import DataError

_ENCODINGS: Final = ("utf-8-sig", "cp949", "big5", "latin-1")
WORKBOOK: Final = b"PK\x03\x04"
"""Begins a workbook (.xlsx)."""

_CELL: Final = re.compile(r"([A-Z]{1,3})([0-9]{1,7})")
_MOST_CELLS: Final = 5_000_000
"""Cells from the first to the farthest of a sheet: the empty ones between take memory too."""


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
    """Return the cells of the first sheet of a workbook, numbers in plain digits."""
    from python_calamine import CalamineError, load_workbook  # noqa: PLC0415 - of magnetcast[ops]

    try:
        _check_sheets(name, content)
        rows = (
            load_workbook(io.BytesIO(content))
            .get_sheet_by_index(0)
            .to_python(skip_empty_area=False)
        )
    except DataError:
        raise
    except (CalamineError, zipfile.BadZipFile, expat.ExpatError, OSError, ValueError) as err:
        raise DataError(
            f"{name} is no workbook that can be read: {err}. Expected a table as .xlsx or CSV. "
            "Download it anew, or save it as CSV; nothing was taken over."
        ) from err
    return [[_text(cell) for cell in row] for row in rows]


def _text(cell: object) -> str:
    return np.format_float_positional(cell, trim="-") if isinstance(cell, float) else str(cell)


def _check_sheets(name: str, content: bytes) -> None:
    """Refuse errors, which calamine gives as empty cells, and cells too far off for memory."""
    lines = columns = 1

    def begin(tag: str, values: Mapping[str, str]) -> None:
        nonlocal lines, columns
        if tag.rpartition(":")[2] != "c" or "r" not in values:
            return
        place = values["r"]
        if values.get("t") == "e":
            raise DataError(
                f"{name} has an error such as #DIV/0! in cell {place}. Expected text or a number. "
                "Correct the cell, or save the table alone as CSV; nothing was taken over."
            )
        found = _CELL.fullmatch(place)
        if found:
            lines, columns = max(lines, int(found[2])), max(columns, _number(found[1]))
        if not found or lines * columns > _MOST_CELLS:
            raise DataError(
                f"{name} has a cell {place}, far from the others. Expected a table of at most "
                f"{_MOST_CELLS:,} cells. Delete that cell, or save the table alone as CSV; nothing "
                "was taken over."
            )

    with zipfile.ZipFile(io.BytesIO(content)) as book:
        for part in book.namelist():
            if part.startswith("xl/worksheets/") and part.endswith(".xml"):
                parser = expat.ParserCreate()
                parser.StartElementHandler = begin
                parser.ParseFile(book.open(part))


def _number(letters: str) -> int:
    """Return the number of a column, of A 1."""
    return int(sum(26**place * (ord(one) - 64) for place, one in enumerate(reversed(letters))))
