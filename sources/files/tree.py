"""Which destinations add up to which sums, from a mapping file or the panel itself."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Final

import pandas as pd

from sources.files.csv_table import CsvTable, read_table, split_list
from store.errors import DataError, first_few

_COLUMNS: Final = ("destination", "part_of")

Parts = dict[str, tuple[str, ...]]
"""Parts of each sum: destinations and smaller sums."""

_Link = tuple[int, str, str]
"""Line, part and sum."""


def read_tree(path: Path, series: Sequence[str], *, left_out: Collection[str] = ()) -> Parts:
    """Return the sums of a mapping file.

    Args:
        path: CSV with ``destination, part_of``: one row for each destination and sum it is part of;
            ``A;B`` stands for two rows. A sum may itself be part of larger ones.
        left_out: Destinations of the panel that cannot be used: never parts of a sum, though they
            may be sums.

    Returns:
        The parts of each sum, in the order of the file; a sum without parts is left out. A
        destination that a sum reaches in several ways (by country and by product) counts once.
    """
    if not path.is_file():
        raise DataError(
            f"Mapping file {path} does not exist. Expected a CSV file with {', '.join(_COLUMNS)}. "
            "Check the path."
        )
    table = read_table(path, _COLUMNS)
    pairs = _pairs(table)
    _note_unknown(table, pairs, known={*series, *left_out})
    _note_twice(table, pairs)
    table.problems.raise_if_any()
    if not pairs:
        raise DataError(
            f"Mapping file {path.name} has no rows. Expected one for each destination and sum it "
            "is part of. Fill it, or forecast without it."
        )
    parts = _parts(((part, whole) for _, part, whole in pairs), path.name)
    return _usable(parts, set(series)) if left_out else parts


def tree_of_panel(rows: pd.DataFrame, *, file: str = "the panel") -> Parts | None:
    """Return the sums given in a panel's column ``part_of``.

    Args:
        rows: Rows of the file with ``destination`` and perhaps ``part_of``: the sums
            a destination is part of, ``;`` between several, empty for none, the same in all its
            rows; not modified.

    Returns:
        By sum its parts, as ``read_tree`` does; None if there is no such column or nothing in it.
    """
    if "part_of" not in rows.columns:
        return None
    links = rows[list(_COLUMNS)].drop_duplicates().fillna("").astype(str)
    links = links.assign(part_of=links["part_of"].str.strip()).drop_duplicates()
    _check_constant(links, file)
    lists = {
        str(name): split_list(text)
        for name, text in zip(links["destination"], links["part_of"], strict=True)
    }
    twice = [name for name, wholes in lists.items() if len(set(wholes)) < len(wholes)]
    if twice:
        raise DataError(
            f"Column part_of of {file} names a sum twice for {first_few(twice)}. Expected each sum "
            "once. Remove the second."
        )
    pairs = ((name, whole) for name, wholes in lists.items() for whole in wholes)
    return _parts(pairs, file) or None


def _pairs(table: CsvTable) -> list[_Link]:
    pairs = []
    for row in table.rows:
        part, wholes = row.text("destination", required=True), split_list(row.text("part_of"))
        if not wholes:
            row.bad("part_of", "filled")
        if part:
            pairs += [(row.line, part, whole) for whole in wholes]
    return pairs


def _note_unknown(table: CsvTable, pairs: Sequence[_Link], *, known: set[str]) -> None:
    wholes = {whole for _, _, whole in pairs}
    for line, part, _ in pairs:
        if part not in known and part not in wholes:
            expected = "a destination of the panel nor a sum of this file"
            table.problems.add(line, f"column 'destination': {part!r} is not {expected}")


def _note_twice(table: CsvTable, pairs: Sequence[_Link]) -> None:
    first: dict[tuple[str, str], int] = {}
    for line, part, whole in pairs:
        if (part, whole) in first:
            before = first[part, whole]
            table.problems.add(line, f"{part!r} is part of {whole!r} already in line {before}")
        first.setdefault((part, whole), line)


def _check_constant(links: pd.DataFrame, file: str) -> None:
    unsteady = links.loc[links["destination"].duplicated(keep=False)].groupby("destination")
    if names := [
        f"{name} ({' and '.join(repr(text) for text in group['part_of'])})"
        for name, group in unsteady
    ]:
        raise DataError(
            f"Column part_of of {file} changes within {first_few(names)}. Expected the same sums "
            "in every row of a destination. Correct those rows."
        )


def _parts(pairs: Iterable[tuple[str, str]], file: str) -> Parts:
    parts: dict[str, list[str]] = {}
    for part, whole in pairs:
        parts.setdefault(whole, []).append(part)
    _check_order(parts, file)
    return {whole: tuple(names) for whole, names in parts.items()}


def _usable(parts: Parts, series: set[str]) -> Parts:
    """Return the sums without parts that are neither a series nor a sum."""
    kept: Parts = {}
    for name in TopologicalSorter(parts).static_order():
        inner = tuple(part for part in parts.get(name, ()) if part in kept or part in series)
        if inner:
            kept[name] = inner
    return {name: kept[name] for name in parts if name in kept}


def _check_order(parts: Mapping[str, Sequence[str]], file: str) -> None:
    try:
        TopologicalSorter(parts).prepare()
    except CycleError as err:
        circle = " is part of ".join(err.args[1])
        raise DataError(
            f"Sums of {file} run in a circle: {circle}. Expected no sum to be part of itself. "
            "Remove one of these links."
        ) from err
