"""What a source hands to the store, and what the store reports back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import pandas as pd

SUM_NOTE: Final = "sum of"
"""Begins the note of a world that is the sum of its partners."""


@dataclass(frozen=True, slots=True)
class FileRows:
    """All rows read from one file of one source, by table."""

    source: str
    file_name: str
    sha256: str
    tables: Mapping[str, pd.DataFrame]
    ignored: tuple[str, ...] = ()
    """Lines left out on purpose, each with its reason."""
    encoding: str = ""
    """Of its text; empty where it was not looked for."""
    asked: str = ""
    """What was asked for, as readers are shown it; empty where the file's name is all there is."""
    lists_partners: bool = False
    """Whether a month's partners may be all there are, so that their sum is the world."""
    is_complete: bool = False
    """Whether a person says that they are all there are."""
    world: tuple[str, ...] = ()
    """For which months that sum is the world's total, and for which not and why."""
    completeness: float | None = None
    """Least share of the last vintage's cells that a new one must hold; None for no minimum."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Files written together: all of them or none."""

    files: tuple[FileRows, ...]

    def frame(self, table: str) -> pd.DataFrame:
        """The rows of all files for ``table``, in file order."""
        parts = [file.tables[table] for file in self.files if table in file.tables]
        return pd.concat(parts, ignore_index=True)


@dataclass(frozen=True, slots=True)
class WriteReport:
    """How many rows of a batch were new."""

    rows_written: Mapping[str, int] = field(default_factory=dict)
    """New rows by table; rows already in the store are not counted."""
    already_known: bool = False
    """Whether the bytes of every file were ingested before, so that nothing was done."""
    vintage_ids: tuple[int, ...] = ()

    @property
    def total(self) -> int:
        return sum(self.rows_written.values())
