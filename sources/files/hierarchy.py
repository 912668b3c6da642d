"""Which destinations add up to which sums."""

from collections.abc import Collection, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Final

import pandas as pd

from store.errors import DataError

_COLUMNS: Final = ("destination", "part_of")

Parts = dict[str, tuple[str, ...]]
"""Parts of each sum: destinations and smaller sums."""


def sums_in(rows: pd.DataFrame, what: str, *, left_out: Collection[str] = ()) -> Parts:
    """Return the sums of a table, in its order; a destination reached in several ways counts once.

    Args:
        rows: ``destination, part_of``: the sums a destination is part of, in one row with ``;``
            between them or in several rows; a sum may itself be part of larger ones. Not modified.
        what: Names the table in messages.
        left_out: Destinations that cannot be used: never parts of a sum, and a sum without other
            parts is left out with them.
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
    order = _smaller_first(parts, what)
    kept: Parts = {}
    for name in order:
        inner = (one for one in parts.get(name, ()) if one in kept or one not in parts)
        if own := tuple(one for one in inner if one not in left_out or one in kept):
            kept[name] = own
    return {name: kept[name] for name in parts if name in kept}


def _smaller_first(parts: Mapping[str, Sequence[str]], what: str) -> list[str]:
    try:
        return list(TopologicalSorter(parts).static_order())
    except CycleError as err:
        circle = " is part of ".join(err.args[1])
        raise DataError(
            f"Sums of {what} run in a circle: {circle}. Expected no sum to be part of itself. "
            "Remove one of these links."
        ) from err
