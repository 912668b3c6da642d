"""Which commodities to forecast, from a file."""

import re
from pathlib import Path
from typing import Final

from sources.files.csv_table import read_table
from store.errors import DataError

COLUMNS: Final = ("commodity", "label")

LONGEST: Final = 80
"""Characters of a label."""

_CODE: Final = re.compile(r"[A-Z]{0,2}\d{4,10}", re.ASCII)


def read_commodities(path: Path) -> dict[str, str]:
    """Return the commodities of a CSV file, in its order, with their names, which may be empty.

    Raises:
        DataError: The file cannot be read, has other columns, no rows or bad cells; names lines.
    """
    table = read_table(path, COLUMNS)
    found: dict[str, str] = {}
    for row in table.rows:
        code = row.parsed("commodity", _code) or ""
        if code in found:
            row.bad("commodity", "new, for an earlier line has it")
        found[code] = row.parsed("label", _words) or ""
    table.problems.raise_if_any()
    if not found:
        raise DataError(
            f"Commodities file {path.name} has no rows. Expected one a commodity. "
            "Fill it, or run without it."
        )
    return found


def _words(text: str) -> str:
    if len(text) > LONGEST or not all(one.isprintable() for one in text):
        raise ValueError(f"at most {LONGEST} printable characters on one line")
    return text


def _code(text: str) -> str:
    if not _CODE.fullmatch(text):
        raise ValueError("a code of 4 to 10 digits, e.g. 850511")
    return text
