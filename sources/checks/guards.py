"""Guards: what speaks against taking over a batch, before anything is stored.

Nothing here changes or repairs a row, and what the store has taken is not judged again. Each
objection is one text that says what is wrong, where, what was expected and what to do. Honest
tables raise none, however short, sparse or volatile.
"""

import pandas as pd

from sources.base import SourceInfo
from sources.checks.cells import marked, month_cells
from sources.checks.row_guards import broken_schemas, duplicates, impossible_dates, mixed_keys
from sources.checks.series_guards import flat_lines, incomplete, repeated_months, world_apart
from sources.checks.unit_guards import units
from store.facts.batch import FileRows


def objections(
    file: FileRows, *, known: pd.DataFrame, info: SourceInfo, now: pd.Timestamp
) -> tuple[str, ...]:
    """Return what speaks against a batch; empty where nothing does.

    Args:
        file: rows as the source made them; not modified.
        known: observations of that source the store holds, all versions; not modified.
        info: what the source promises.
        now: the moment of the ingest (UTC).
    """
    if broken := broken_schemas(file):
        return tuple(broken)
    found = [
        *duplicates(file),
        *impossible_dates(file, now=now),
        *mixed_keys(file, known=known),
    ]
    if "observations" in file.tables and len(file.tables["observations"]):
        old = month_cells(known)
        new = marked(old, month_cells(file.tables["observations"]))
        found += units(file, new, old)
        found += flat_lines(file, new, old)
        found += repeated_months(file, new, old)
        found += world_apart(file, new, info)
        found += incomplete(file, new, old, info)
    return tuple(found)
