"""Export controls on the series of a panel, from a file: which series, and from when."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sources.files.csv_table import Row, read_table, split_list
from store.errors import DataError

COLUMNS: Final = (
    "event_id", "announced_on", "effective_from", "effective_to", "end_known_on", "instrument",
    "destinations", "share", "materials",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class PanelControl:
    """One control on some series of a panel."""

    event_id: str
    announced_on: pd.Timestamp
    effective_from: pd.Timestamp
    effective_to: pd.Timestamp | None
    """Last day in force, None if open."""
    end_known_on: pd.Timestamp | None
    """Day from which the end is known."""
    instrument: str
    share: float
    """Share of the affected series' trade that its wording covers."""
    materials: tuple[str, ...]
    """Materials of the series, as figures on other controls name them."""
    hit: NDArray[np.bool_]
    """Which series of the panel it affects."""

    def end_at(self, day: pd.Timestamp) -> pd.Timestamp | None:
        """Return its last day as known on a day, or None."""
        known = self.end_known_on is not None and self.end_known_on <= day
        return self.effective_to if known else None


def read_controls(
    path: Path, series: Sequence[str], *, instruments: Collection[str]
) -> tuple[PanelControl, ...]:
    """Return the controls of a file, in its order.

    Args:
        path: CSV with ``COLUMNS``. ``destinations`` names series of the panel, ``;`` between
            several, ``*`` for any letters; ``share`` is above 0 and at most 1; ``effective_to`` may
            be empty, and without ``end_known_on`` is known from the announcement; ``materials`` may
            be empty.
        series: Names of the panel's series.
        instruments: Allowed instruments.

    Raises:
        DataError: The file cannot be read, has other columns, no rows or bad cells; names lines.
    """
    table = read_table(path, COLUMNS)
    lines: dict[str, int] = {}
    found = []
    for row in table.rows:
        name = row.text("event_id", required=True)
        if (earlier := lines.setdefault(name, row.line)) != row.line:
            row.bad("event_id", f"new, for line {earlier} has it")
        found.append(_control(row, series, instruments))
    table.problems.raise_if_any()
    if not found:
        raise DataError(
            f"Controls file {path.name} has no rows. Expected one a control. "
            "Fill it, or forecast without it."
        )
    return tuple(one for one in found if one is not None)


def _control(row: Row, series: Sequence[str], instruments: Collection[str]) -> PanelControl | None:
    """Return the control of a row; None where a day is missing, which is noted."""
    announced = row.day("announced_on", required=True)
    row.day("effective_from", required=True)
    begin, end = row.interval("effective_from", "effective_to")
    end_known = row.day("end_known_on")
    if announced is None or begin is None:
        return None
    return PanelControl(
        event_id=row.text("event_id"),
        announced_on=announced,
        effective_from=begin,
        effective_to=end,
        end_known_on=None if end is None else max(end_known or announced, announced),
        instrument=row.choice("instrument", instruments),
        share=_share(row),
        materials=split_list(row.text("materials")),
        hit=_hit(row, series),
    )


def _share(row: Row) -> float:
    share = row.number("share", low=0.0, high=1.0)
    if share == 0.0:
        row.bad("share", "above 0")
    return share


def _hit(row: Row, series: Sequence[str]) -> NDArray[np.bool_]:
    """Return which series a row names; unknown names are noted."""
    hit = np.zeros(len(series), dtype=bool)
    for name in split_list(row.text("destinations", required=True)):
        matched = np.array([_matches(one, name) for one in series])
        if not matched.any():
            row.bad("destinations", f"of the panel: it has no {name!r}")
        hit |= matched
    return hit


def _matches(series: str, name: str) -> bool:
    """Return whether a name, in which ``*`` matches any letters, is that of a series."""
    return fnmatchcase(series, name.replace("[", "[[]").replace("?", "[?]"))
