"""China Customs: tables of exports by partner, downloaded by hand as CSV."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final, TypeVar

import pandas as pd

from sources.base import SourceInfo
from sources.bundled.release_calendar import ReleaseCalendar
from sources.bundled.wording import half_width, month
from sources.files.csv_table import Problems, content_of
from sources.providers.countries import partner_place
from sources.providers.customs_table import (
    Column,
    CustomsLine,
    CustomsTable,
    amount_of,
    month_of,
    read_customs,
    tonnes_of,
)
from sources.providers.rows import not_after, observations
from store.errors import DataError
from store.facts.batch import FileRows
from store.schema.frames import MOMENT_DTYPE
from store.vocabulary import COMMODITY, ORIGIN, WORLD

SITE: Final = "http://stats.customs.gov.cn/"

OTHERS: Final = "85051190"
"""Other metal magnets."""

TOTALS: Final = frozenset({"合计", "总计", "总值", "total", "grand total"})

T = TypeVar("T")

_MEASURES: Final = {"quantity": "net_weight_t", "usd": "value_musd"}
_CELL: Final = ["destination", "period", "measure"]


@dataclass(frozen=True, slots=True)
class CustomsDownload:
    """One file from the customs query site, in rows or with one column per month."""

    info: ClassVar = SourceInfo("customs", completeness=0.6)

    path: Path
    calendar: ReleaseCalendar
    now: pd.Timestamp
    """The moment of the ingest: no row is dated later."""
    published_on: pd.Timestamp | None = None
    """The day all of it was published; without it the release calendar is used."""
    unit: str = ""
    """Unit of weight if the file has none."""

    def load(self) -> FileRows:
        """Read weights in tonnes and values in dollars by partner and month.

        Raises:
            DataError: the file is not a customs table, or rows are bad; names all of them.
        """
        content = content_of(self.path)
        table = read_customs(self.path.name, content)
        self._check(table)
        problems = Problems(self.path.name)
        cells, ignored = _cells(table, self.unit, problems)
        problems.raise_if_any()
        frame = observations(
            [self._dated(cells)], origin=ORIGIN, source=self.info.id, source_url=SITE
        )
        digest = hashlib.sha256(content).hexdigest()
        return FileRows(self.info.id, self.path.name, digest, {"observations": frame}, ignored)

    def _check(self, table: CustomsTable) -> None:
        """Refuse a stated day in the future and a table without a unit of weight."""
        if self.published_on is not None and self.published_on.tz_localize("UTC") > self.now:
            raise DataError(
                f"--published-on {self.published_on:%Y-%m-%d} lies in the future, for "
                f"{self.path.name}. Expected {self.now:%Y-%m-%d} or earlier. Correct it."
            )
        untold = [c for c in table.of("quantity") if not c.heading.unit]
        if untold and not self.unit and not table.of("unit"):
            raise DataError(
                f"No unit of weight in {self.path.name}: column {untold[0].title!r} tells none. "
                "Expected a column of units (千克, kg, 吨, t) or a heading as 'Quantity (kg)'. "
                "Say it with --unit kg or --unit t; customs count magnets in kilograms."
            )

    def _dated(self, cells: pd.DataFrame) -> pd.DataFrame:
        if self.published_on is not None:
            days = pd.Series(self.published_on, index=cells.index)
        else:
            days = cells["period"].map(self.calendar.released_on)
        moments = pd.to_datetime(days).dt.tz_localize("UTC").astype(MOMENT_DTYPE)
        return cells.assign(commodity=COMMODITY, available_at=not_after(moments, self.now))


def _cells(
    table: CustomsTable, unit: str, problems: Problems
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return one row per cell, and descriptions of what was left out."""
    left_out: dict[str, int] = {}
    rows = []
    shared = {name: _shared(table, name) for name in ("commodity", "unit", "period")}
    for raw in table.lines:
        line = _completed(raw, shared) if _is_total(raw) else raw
        place = _place(line, problems, left_out)
        if place is not None and _is_ours(line, problems):
            rows += _amounts(line, place, unit, problems)
    if table.of("cny") and not table.of("usd"):
        left_out["amounts in yuan, for values are kept in dollars"] = len(table.lines)
    frame = pd.DataFrame(rows, columns=[*_CELL, "value", "half_width"])
    frame["period"] = pd.to_datetime(frame["period"])
    if table.of("split"):
        frame = frame.groupby(_CELL, as_index=False, sort=False).sum()
    ignored = tuple(f"{count} lines: {what}" for what, count in left_out.items())
    return frame, ignored


def _place(line: CustomsLine, problems: Problems, left_out: dict[str, int]) -> str | None:
    """Return the destination of a line; None where it is left out or bad."""
    if _is_total(line):
        if not line.table.of("period") or _is_month(line.text("period")):
            return WORLD
        reason = "totals over several months"
    elif sum(bool(cell.strip()) for cell in line.cells) == 1:
        reason = "notes below the table"
    else:
        name, reason = line.text("partner"), "sums of regions"
        try:
            place = partner_place(name)
        except ValueError as err:
            problems.add(line.number, f"column {line.title('partner')!r}: {name!r} is not {err}")
            return None
        if place is not None:
            return place
    left_out[reason] = left_out.get(reason, 0) + 1
    return None


def _is_total(line: CustomsLine) -> bool:
    """Return whether a line is the sum of the others."""
    return any(cell.strip().lower() in TOTALS for cell in line.cells)


def _is_month(text: str) -> bool:
    try:
        month_of(text)
    except ValueError:
        return False
    return True


def _shared(table: CustomsTable, meaning: str) -> str:
    """Return the value all lines but totals share in a column; empty where they differ."""
    texts = {line.text(meaning) for line in table.lines if not _is_total(line)} - {""}
    return texts.pop() if len(texts) == 1 else ""


def _completed(line: CustomsLine, shared: Mapping[str, str]) -> CustomsLine:
    """Fill the empty cells of a line of totals with the values all others share."""
    cells = list(line.cells)
    for meaning, text in shared.items():
        for column in line.table.of(meaning)[:1]:
            if not cells[column.place].strip() or cells[column.place].strip().lower() in TOTALS:
                cells[column.place] = text
    if not any(cell.strip().lower() in TOTALS for cell in cells):
        cells = [*cells, next(iter(sorted(TOTALS)))]
    return CustomsLine(line.table, line.number, tuple(cells))


def _is_ours(line: CustomsLine, problems: Problems) -> bool:
    """Return whether a line is about exports of rare-earth magnets; note it if not."""
    code = "".join(line.text("commodity").split())
    title = line.title("commodity")
    if code == OTHERS:
        problems.add(
            line.number,
            f"column {title!r}: {code} is other metal magnets, whose weight must not be mixed in; "
            f"query {COMMODITY} alone",
        )
    elif code != COMMODITY:
        problems.add(line.number, f"column {title!r}: {code!r} is not {COMMODITY}")
    flow = line.text("flow").lower()
    if "进口" in flow or "import" in flow:
        problems.add(line.number, f"column {line.title('flow')!r}: {flow!r} is not exports")
    return problems.lines.isdisjoint({line.number})


def _amounts(
    line: CustomsLine, place: str, unit: str, problems: Problems
) -> list[tuple[str, str, str, float, float]]:
    """Return the amounts of a line, each a destination, month, measure, value and half-width."""
    found = []
    for column in line.table.columns:
        measure = _MEASURES.get(column.heading.meaning)
        if measure is None:
            continue
        try:
            cell = _amount(line, column, unit)
        except ValueError as err:
            problems.add(line.number, str(err))
            continue
        if cell is not None:
            found.append((place, cell[0], measure, cell[1], cell[2]))
    return found


def _amount(line: CustomsLine, column: Column, unit: str) -> tuple[str, float, float] | None:
    """Return first day of the month, value and half-width; None where the cell is empty."""
    text = line.cells[column.place]
    number = _parsed(column.title, text, amount_of)
    if number is None:
        return None
    period = column.heading.month or _parsed(line.title("period"), line.text("period"), month_of)
    if column.heading.meaning == "usd":
        factor = column.heading.scale / 1e6
    else:
        named = column.heading.unit or line.text("unit") or unit
        factor = _parsed(line.title("unit") or column.title, named, tonnes_of)
    plain = "".join(text.replace(",", "").split())
    return str(month(period).date()), number * factor, half_width(plain, "pct") * factor


def _parsed(title: str, text: str, parse: Callable[[str], T]) -> T:
    """Parse a cell; an error names its column."""
    try:
        return parse(text)
    except ValueError as err:
        raise ValueError(f"column {title!r}: {text.strip()!r} is not {err}") from err
