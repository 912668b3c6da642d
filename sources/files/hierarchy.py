"""Which destinations add up to which sums."""

from collections.abc import Collection
from graphlib import CycleError, TopologicalSorter
from typing import Final

import pandas as pd

from store.errors import DataError

_COLUMNS: Final = ("destination", "part_of")

Parts = dict[str, tuple[str, ...]]
"""Parts of each sum: destinations and smaller sums."""


def sums_in(rows: pd.DataFrame, table: str, *, left_out: Collection[str] = ()) -> Parts:
    """Sums of a table, in its order; a destination reached in several ways counts once.

    Args:
        rows: ``destination, part_of``: the sums a destination is part of, in one row with ``;``
            between them or in several rows; a sum may itself be part of larger ones. Not modified.
        table: Names the table in messages.
        left_out: Destinations that cannot be used: never parts of a sum, and a sum without other
            parts is left out with them.
    """
    if missing := set(_COLUMNS) - set(rows.columns):
        raise DataError(
            f"{table} has no column {', '.join(sorted(missing))}. Expected destination, part_of. "
            "Rename or add the column."
        )
    links = rows[list(_COLUMNS)].dropna().astype("str")
    pairs = links.assign(part_of=links["part_of"].str.split(";")).explode("part_of")
    pairs["part_of"] = pairs["part_of"].str.strip()
    named = pairs[pairs["part_of"].ne("")].drop_duplicates().groupby("part_of", sort=False)
    parts = {str(total): tuple(names) for total, names in named["destination"]}
    if len(rows) and not parts:
        raise DataError(
            f"{table} names no sum: all cells of part_of are empty. Expected the sums that "
            "destinations are part of. Fill them in, or leave the table out."
        )
    try:
        smaller_first = list(TopologicalSorter(parts).static_order())
    except CycleError as err:
        circle = " is part of ".join(err.args[1])
        raise DataError(
            f"Sums of {table} run in a circle: {circle}. Expected no sum to be part of itself. "
            "Remove one of these links."
        ) from err
    used: Parts = {}
    for name in smaller_first:
        inner = (part for part in parts.get(name, ()) if part in used or part not in parts)
        if members := tuple(part for part in inner if part not in left_out or part in used):
            used[name] = members
    return {name: used[name] for name in parts if name in used}
