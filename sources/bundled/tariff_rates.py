"""Tariffs as versions of steps: which rate was announced, and when its end was known."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

from sources.base import SourceInfo
from sources.bundled.policy_events import latest_of
from sources.bundled.wording import COUNTRIES
from sources.files.csv_table import Row
from sources.files.levers import HIGHEST_RATE_PCT
from sources.files.yaml_table import read_rows
from store.facts.batch import FileRows
from store.schema.frames import typed_frame
from store.vocabulary import EU27

COLUMNS: Final = (
    "importer", "origin", "component", "rate_pct", "effective_from", "effective_to",
    "announced_on", "end_known_on", "legal_reference", "product_scope", "source_url", "confidence",
    "note",
)  # fmt: skip

TOTAL: Final = "TOTAL_"
"""Prefix of components that are sums of others; such lines are not loaded."""

_IMPORTERS: Final = COUNTRIES | {EU27}

_KEY: Final = ("importer", "origin", "component", "product_scope", "effective_from")

_WORDS: Final = ("legal_reference", "source_url", "note")

Record = dict[str, object]


@dataclass(frozen=True, slots=True)
class TariffRates:
    """A table of tariff components of importers."""

    info: ClassVar = SourceInfo("tariff_rates")
    path: Path

    def load(self) -> FileRows:
        """Read the components, one row per version; sums are skipped."""
        table = read_rows(self.path, COLUMNS)
        first_lines: dict[tuple[str, ...], int] = {}
        versions: list[Record] = []
        sums = 0
        for row in table.rows:
            if row.text("component", required=True).startswith(TOTAL):
                sums += 1
                continue
            _refuse_twice(row, first_lines)
            versions += _versions(row)
        table.problems.raise_if_any()
        frame = typed_frame(versions, "tariff_steps")
        ignored = (f"{sums} lines {TOTAL}*: sums of other lines",) if sums else ()
        return FileRows(
            self.info.id, self.path.name, table.sha256, {"tariff_steps": frame}, ignored
        )


def _versions(row: Row) -> list[Record]:
    """Build the versions of one step: its announcement and, if later, the one with its end.

    A step without an announcement is known from its first day.
    """
    begin, end = row.interval("effective_from", "effective_to")
    row.text("effective_from", required=True)
    announced, end_known = row.day("announced_on"), row.day("end_known_on")
    step = _step(row)
    known = announced if announced is not None else begin
    if known is None or begin is None:
        return []
    end_from = latest_of(known, end_known, end)
    moments = sorted({known, *filter(None, (end_from,))})
    return [
        {
            **step,
            "effective_from": begin,
            "effective_to": end if end_from is not None and end_from <= moment else None,
            "announced_on": announced,
            "available_at": moment.tz_localize("UTC"),
        }
        for moment in moments
    ]


def _step(row: Row) -> Record:
    """Build the columns of a step that are known from its announcement."""
    return {
        "importer": row.choice("importer", _IMPORTERS),
        "origin": row.choice("origin", COUNTRIES),
        "component": row.text("component"),
        "product_scope": row.text("product_scope", required=True),
        "rate_pct": row.number("rate_pct", low=0, high=HIGHEST_RATE_PCT, empty=True),
        "confidence": row.choice("confidence", ("high", "medium", "low")),
        **{name: row.text(name) for name in _WORDS},
    }


def _refuse_twice(row: Row, first_lines: dict[tuple[str, ...], int]) -> None:
    """Note a step that repeats an earlier line."""
    step = tuple(row.text(name) for name in _KEY)
    if (earlier := first_lines.setdefault(step, row.line)) != row.line:
        row.bad("effective_from", f"new for this component and scope, for line {earlier} has it")
