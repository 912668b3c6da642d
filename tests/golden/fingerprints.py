"""Numbers that must not move unnoticed: two sums of each column of a table, in a committed file.

A test that fails names the column. If the numbers were meant to move, ``make golden`` writes them
anew, and the commit says why.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

FOLDER: Final = Path(__file__).parent
WRITE: Final = "MAGNETCAST_GOLDEN"
"""Variable that lets the files be written instead of compared."""

TOLERANCE: Final = 3e-6
"""Share of a sum; wheels of another Python differ by 4e-7 in sums of what controls take."""

LEAST: Final = 0.01
"""Sums below it count as that."""


def fingerprint(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the mean of each column, and one in which each row has a weight of its own.

    Of texts it is the start of their digest.
    """
    rows = []
    for table, frame in tables.items():
        for name in frame:
            column = frame[name]
            if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
                values = column.to_numpy(dtype=np.float64, na_value=np.nan)
                known = np.isfinite(values)
                weight = 1.0 + np.arange(len(values)) * 0.6180339887 % 1.0
                share = np.where(known, values, 0.0) / max(known.sum(), 1)
                rows.append((table, str(name), int(known.sum()), share.sum(), share @ weight))
            else:
                text = "\n".join(map(str, column))
                digest = int(hashlib.sha256(text.encode()).hexdigest()[:8], 16)
                rows.append((table, str(name), int(column.notna().sum()), digest, digest))
    return pd.DataFrame(rows, columns=["table", "column", "known", "mean", "weighted"])


def flat(document: object) -> pd.DataFrame:
    """Return the leaves of a document: numbers, and all else as text."""
    leaves = list(_leaves(document))
    numbers = [leaf if isinstance(leaf, int | float) else np.nan for leaf in leaves]
    texts = ["" if isinstance(leaf, int | float) else str(leaf) for leaf in leaves]
    return pd.DataFrame({"numbers": np.array(numbers, dtype=np.float64), "texts": texts})


def _leaves(document: object) -> Iterator[object]:
    if isinstance(document, Mapping):
        for name, value in sorted(document.items()):
            yield name
            yield from _leaves(value)
    elif isinstance(document, list | tuple | np.ndarray):
        for value in document:
            yield from _leaves(value)
    else:
        yield document


def hold(case: str, tables: Mapping[str, pd.DataFrame]) -> None:
    """Compare tables with the committed numbers of a case, or write those."""
    path, found = FOLDER / f"{case}.csv", fingerprint(tables)
    if os.environ.get(WRITE):
        found.to_csv(path, index=False, lineterminator="\n", float_format="%.12g")
        return
    key = ["table", "column"]
    both = pd.read_csv(path).merge(found, on=key, how="outer", suffixes=("_before", ""))
    scale = both[["mean_before", "weighted_before"]].abs().max(axis=1).clip(lower=LEAST)
    moved = both["known_before"].ne(both["known"])
    for name in ("mean", "weighted"):
        moved |= ~(both[name] - both[f"{name}_before"]).abs().le(TOLERANCE * scale)
    assert both.loc[moved, key].to_numpy().tolist() == [], "`make golden` writes them anew"
