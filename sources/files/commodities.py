"""Which commodities to forecast together, from a file."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sources.files.csv_table import Row, read_table, split_list
from store.errors import DataError

COLUMNS: Final = ("commodity", "group", "materials", "label")

ONE_GROUP: Final = "all"
"""Group of commodities without a group of their own."""

LONGEST: Final = 80
"""Characters of a label, a group or a material."""

_CODE: Final = re.compile(r"[A-Z]{0,2}\d{4,10}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Commodity:
    """One commodity to forecast."""

    code: str
    group: str
    """Commodities of one group share a model."""
    materials: tuple[str, ...]
    """Materials whose export controls affect it, as events name them, in lower case."""
    label: str
    """Its name beside the code; often empty."""


def read_commodities(path: Path) -> tuple[Commodity, ...]:
    """Return the commodities of a file, in its order.

    Args:
        path: CSV with ``COLUMNS``; all but the commodity may be empty, ``;`` between several
            materials.

    Raises:
        DataError: The file cannot be read, has other columns, no rows or bad cells; names lines.
    """
    table = read_table(path, COLUMNS)
    lines: dict[str, int] = {}
    found = []
    for row in table.rows:
        code = row.parsed("commodity", _code) or ""
        if (earlier := lines.setdefault(code, row.line)) != row.line:
            row.bad("commodity", f"new, for line {earlier} has it")
        found.append(_commodity(row, code))
    table.problems.raise_if_any()
    if not found:
        raise DataError(
            f"Commodities file {path.name} has no rows. Expected one a commodity. "
            "Fill it, or run without it."
        )
    return tuple(found)


def _commodity(row: Row, code: str) -> Commodity:
    return Commodity(
        code=code,
        group=row.parsed("group", _words) or ONE_GROUP,
        materials=row.parsed("materials", _materials) or (),
        label=row.parsed("label", _words) or "",
    )


def _materials(text: str) -> tuple[str, ...]:
    return tuple(_words(one) for one in split_list(text.lower()))


def _words(text: str) -> str:
    if len(text) > LONGEST or not all(one.isprintable() for one in text):
        raise ValueError(f"at most {LONGEST} printable characters on one line")
    return text


def _code(text: str) -> str:
    if not _CODE.fullmatch(text):
        raise ValueError("a code of 4 to 10 digits, e.g. 850511")
    return text
