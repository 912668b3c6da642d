"""The cells of a table as a browser gives it: a workbook, or text in some encoding."""

import csv
import io
from collections.abc import Iterator
from typing import Final

from store.errors import DataError

_ENCODINGS: Final = ("utf-8-sig", "cp949", "big5", "latin-1")
WORKBOOK: Final = b"PK\x03\x04"
"""Begins a workbook (.xlsx)."""


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
        rows = (
            load_workbook(io.BytesIO(content))
            .get_sheet_by_index(0)
            .to_python(skip_empty_area=False)
        )
    except (CalamineError, OSError, ValueError) as err:
        raise DataError(
            f"{name} is no workbook that can be read: {err}. Expected a table as .xlsx or CSV. "
            "Download it anew, or save it as CSV; nothing was taken over."
        ) from err
    return [[_text(cell) for cell in row] for row in rows]


def _text(cell: object) -> str:
    is_whole = isinstance(cell, float) and cell.is_integer()
    return f"{cell:.0f}" if is_whole else str(cell)
