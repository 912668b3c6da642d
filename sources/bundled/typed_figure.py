"""One published figure entered by a user."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import pandas as pd

from sources.base import SourceInfo
from sources.bundled.published_figures import COLUMNS, PublishedFigures
from sources.bundled.release_calendar import ReleaseCalendar
from sources.files.csv_table import CsvTable, Problems, Row
from store.facts.batch import FileRows

WHERE: Final = "the figure typed in"
"""Used in messages in place of a file name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TypedFigure:
    """Tonnes to a destination in a month, from a published source."""

    period: str
    destination: str
    tonnes: str
    """As printed: the digits determine its rounding error."""
    source: str
    """Address of the page, or the name of the source."""
    published_on: str = ""
    """``YYYY-MM-DD``; empty means the day of entry."""
    note: str = ""
    calendar: ReleaseCalendar
    now: pd.Timestamp

    @property
    def info(self) -> SourceInfo:
        """Describe the source."""
        return SourceInfo(
            id="figures",
            publication_lag="none: known on the day it was published, else when it is typed in",
            licence="single facts, each with its address",
            cadence="by hand",
        )

    def load(self) -> FileRows:
        """Read the figure as one observation.

        Raises:
            DataError: parts of it are bad; names all of them.
        """
        cells = self._cells()
        content = json.dumps({**cells, "published_on": self.published_on}, ensure_ascii=False)
        digest = hashlib.sha256(content.encode()).hexdigest()
        row = Row(1, cells, Problems(WHERE))
        table = CsvTable(Path(WHERE), digest, (row,), row.problems)
        frame = PublishedFigures(Path(WHERE), self.calendar).rows_of(table)
        name = f"figure {self.period} {self.destination}"
        return FileRows(self.info.id, name, digest, {"observations": frame})

    def _cells(self) -> dict[str, str]:
        """Return the figure as a line of a table of figures."""
        parts = urlsplit(self.source)
        is_page = bool(parts.scheme and parts.netloc)
        return {
            **dict.fromkeys(COLUMNS, ""),
            "period": self.period,
            "destination": self.destination,
            "measure": "net_weight_t",
            "value": self.tonnes,
            "kind": "reported",
            "published_on": self.published_on or f"{self.now:%Y-%m-%d}",
            "source_url": self.source if is_page else "",
            "source_name": parts.netloc if is_page else self.source,
            "note": self.note,
        }
