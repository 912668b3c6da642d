"""Which destinations add up to which sums."""

from graphlib import CycleError, TopologicalSorter
from typing import Final

import pandas as pd

from store.errors import DataError

_COLUMNS: Final = ("destination", "part_of")

Parts = dict[str, tuple[str, ...]]
"""Parts of each sum: destinations and smaller sums."""


def sums_in(rows: pd.DataFrame, what: str) -> Parts:
    """Return the sums of a table, in its order; a destination reached in several ways counts once.

    Args:
        rows: ``destination, part_of``: the sums a destination is part of, in one row with ``;``
            between them or in several rows; a sum may itself be part of larger ones. Not modified.
        what: Names the table in messages.
    """
    if missing := set(_COLUMNS) - set(rows.columns):
        raise DataError(
            f"{what} has no column {', '.join(sorted(missing))}. Expected destination, part_of. "
            "Rename or add the column."
        )
    links = rows[list(_COLUMNS)].dropna().astype("str")
    pairs = links.assign(part_of=links["part_of"].str.split(";")).explode("part_of")
    pairs["part_of"] = pairs["part_of"].str.strip()
    named = pairs[pairs["part_of"].ne("")].drop_duplicates().groupby("part_of", sort=False)
    parts = {str(whole): tuple(names) for whole, names in named["destination"]}
    if len(rows) and not parts:
        raise DataError(
            f"{what} names no sum: all cells of part_of are empty. Expected the sums that "
            "destinations are part of. Fill them in, or leave the table out."
        )
    try:
        TopologicalSorter(parts).prepare()
    except CycleError as err:
        circle = " is part of ".join(err.args[1])
        raise DataError(
            f"Sums of {what} run in a circle: {circle}. Expected no sum to be part of itself. "
            "Remove one of these links."
        ) from err
    return parts
