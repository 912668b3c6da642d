"""Guards: plausibility checks of a batch before anything is stored.

Nothing here changes or repairs a row, and stored rows are not checked again. Each objection is one
text that says what is wrong, where, what was expected and what to do. Correct tables raise none,
however short, sparse or volatile.
"""

import pandas as pd

from sources.base import SourceInfo
from sources.checks.cells import mark_new, month_cells
from sources.checks.row_guards import broken_schemas, duplicates, impossible_dates, mixed_keys
from sources.checks.series_guards import flat_lines, missing_cells, repeated_months, world_mismatch
from sources.checks.unit_guards import units
from store.facts.batch import FileRows


def objections(
    file: FileRows, *, known: pd.DataFrame, info: SourceInfo, now: pd.Timestamp
) -> tuple[str, ...]:
    """Return the objections to a batch; empty if there are none.

    Args:
        file: rows as the source made them; not modified.
        known: stored observations of that source, all versions; not modified.
        info: the properties of the source.
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
        new = mark_new(old, month_cells(file.tables["observations"]))
        found += units(file, new, old)
        found += flat_lines(file, new, old)
        found += repeated_months(file, new, old)
        found += world_mismatch(file, new, info)
        found += missing_cells(file, new, old, info)
    return tuple(found)
