"""Policy events as versions: what was known of each act, and from when."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pandas as pd

from sources.base import SourceInfo
from sources.bundled.wording import parse_areas
from sources.files.csv_table import Row
from sources.files.yaml_table import read_rows
from store.facts.batch import FileRows
from store.schema.frames import typed_frame
from store.vocabulary import INSTRUMENTS

_WORDS: Final = (
    "issuer", "legal_reference", "products", "summary", "source_urls", "note",
)  # fmt: skip

COLUMNS: Final = (
    "event_id", "announced_on", "effective_from", "effective_to", "suspended_from", "suspended_to",
    "end_known_on", "suspension_known_on", "instrument", "direction", "severity", "destinations",
    "confidence", "evidence", *_WORDS,
)  # fmt: skip

Record = dict[str, object]


@dataclass(frozen=True, slots=True)
class PolicyEvents:
    """A table of acts on magnets or, with a column ``material``, on other minerals."""

    path: Path
    materials: bool = False

    @property
    def info(self) -> SourceInfo:
        """Describe the source."""
        return SourceInfo("analog_events" if self.materials else "policy_events")

    def load(self) -> FileRows:
        """Read the events, one row per version."""
        table = read_rows(self.path, (*COLUMNS, "material") if self.materials else COLUMNS)
        first_lines: dict[str, int] = {}
        versions: list[Record] = []
        for row in table.rows:
            name = row.text("event_id", required=True)
            if (earlier := first_lines.setdefault(name, row.line)) != row.line:
                row.bad("event_id", f"new, for line {earlier} has it")
            versions += _versions(row)
        table.problems.raise_if_any()
        name = self.info.id
        frame = typed_frame(versions, name)
        return FileRows(name, self.path.name, table.sha256, {name: frame})


def latest_of(
    announced: pd.Timestamp, known: pd.Timestamp | None, last_day: pd.Timestamp | None
) -> pd.Timestamp | None:
    """Return when an end was known: as stated, else on its last day, never before announcement."""
    day = known if known is not None else last_day
    return None if day is None else max(day, announced)


def _versions(row: Row) -> list[Record]:
    """Build the versions of one act: its announcement, then each later change of its dates."""
    announced = row.day("announced_on", required=True)
    begin, end = row.interval("effective_from", "effective_to")
    suspended, resumed = row.interval("suspended_from", "suspended_to")
    end_known, suspension_known = row.day("end_known_on"), row.day("suspension_known_on")
    act = _act(row)
    if announced is None:
        return []
    end_from = latest_of(announced, end_known, end)
    suspension_from = latest_of(announced, suspension_known, suspended)
    moments = sorted({announced, *filter(None, (end_from, suspension_from))})
    versions = []
    for moment in moments:
        ended = end_from is not None and end_from <= moment
        halted = suspension_from is not None and suspension_from <= moment
        versions.append(
            {
                **act,
                "available_at": moment.tz_localize("UTC"),
                "announced_on": announced,
                "effective_from": begin,
                "effective_to": end if ended else None,
                "suspended_from": suspended if halted else None,
                "suspended_to": resumed if halted else None,
            }
        )
    return versions


def _act(row: Row) -> Record:
    """Build the columns of an act that are known from its announcement."""
    words = {name: row.text(name) for name in _WORDS}
    if "material" in row.cells:
        words["material"] = row.text("material", required=True)
    severity = row.choice("severity", ("0", "1", "2", "3"))
    return {
        "event_id": row.text("event_id"),
        "instrument": row.choice("instrument", INSTRUMENTS),
        "direction": row.choice("direction", ("restrictive", "easing", "neutral")),
        "severity": int(severity) if severity.isdigit() else -1,
        "destinations": row.parsed("destinations", parse_areas),
        "confidence": row.choice("confidence", ("high", "medium", "low")),
        "evidence": row.choice("evidence", ("primary", "secondary", "background", "scheduled")),
        **words,
    }
