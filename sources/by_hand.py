"""What people bring: one figure typed in, or tables as CSV or YAML, in the bundled tables' columns.

A typed figure and a YAML file are turned into CSV first, so that all take the bundled tables' way.
"""

import csv
import hashlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import yaml

from store.errors import DataError, first_few

YAML: Final = (".yaml", ".yml")


def table_file(path: Path, columns: Sequence[str], *, folder: Path) -> Path:
    """Return a CSV file of a table: the file itself, or what a YAML file of its rows says.

    Args:
        path: CSV, or YAML: a list of mappings from column to value; columns left out are empty.
        columns: Columns of the table.
        folder: Where a CSV made from YAML is kept, named by its content.

    Raises:
        DataError: The YAML cannot be read, is no list of mappings, or has unknown columns.
    """
    if path.suffix.lower() not in YAML:
        return path
    rows = _entries(path)
    unknown = sorted({str(name) for row in rows for name in row} - set(columns))
    if unknown:
        raise DataError(
            f"Unknown columns in {path.name}: {first_few(unknown)}. Expected some of "
            f"{', '.join(columns)}. Correct the names; nothing was taken over."
        )
    return _kept(rows, columns, folder=folder, stem=path.stem)


def figure_file(cells: Mapping[str, str], columns: Sequence[str], *, folder: Path) -> Path:
    """Return a CSV file of one typed figure, named by what it says.

    Args:
        cells: By column; ``source_name`` is the host of ``source_url`` if left out.
        columns: Columns of the table.
        folder: Where it is kept.

    Raises:
        DataError: The source is no http(s) address.
    """
    address = urlsplit(cells["source_url"])
    if address.scheme not in {"http", "https"} or not address.hostname:
        raise DataError(
            f"--source {cells['source_url']!r} is no address. Expected where the figure can be "
            "looked up, such as https://example.org/report. Give its address."
        )
    row = {"source_name": address.hostname, **cells}
    stem = f"figure-{cells['period']}-{cells['destination']}".replace("/", "_")
    return _kept([row], columns, folder=folder, stem=stem)


def _entries(path: Path) -> list[Mapping[str, object]]:
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as err:
        raise DataError(
            f"Cannot read {path.name} ({err.strerror}) in {path.parent}. Expected a YAML file "
            "there. Give another path."
        ) from err
    except (yaml.YAMLError, UnicodeDecodeError) as err:
        raise DataError(
            f"{path.name} is not YAML: {err}. Expected a list of mappings from column to value. "
            "Correct it; nothing was taken over."
        ) from err
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found) or not found:
        raise DataError(
            f"{path.name} holds {type(found).__name__}, not rows. Expected a list of mappings from "
            "column to value, one a row. Begin each row with '- '; nothing was taken over."
        )
    return found


def _kept(
    rows: Sequence[Mapping[str, object]], columns: Sequence[str], *, folder: Path, stem: str
) -> Path:
    """Write rows as CSV and return the file."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(row.get(name)) for name in columns] for row in rows)
    content = text.getvalue().encode()
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{stem}-{hashlib.sha256(content).hexdigest()[:12]}.csv"
    file.write_bytes(content)
    return file


def _cell(value: object) -> str:
    """Print a value of YAML as a cell; lists are joined as the tables join them."""
    if isinstance(value, list):
        return ";".join(map(str, value))
    return "" if value is None else str(value)
