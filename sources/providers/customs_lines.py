"""Lines of a customs download as amounts by partner and month; a bad line is refused alone."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar

import pandas as pd

from sources.bundled.wording import half_width, month
from sources.files.csv_table import Problems
from sources.providers.customs_partners import UnknownPartnerError, partner_place, residual_place
from sources.providers.customs_table import (
    Column,
    CustomsLine,
    CustomsTable,
    amount_of,
    month_of,
    tonnes_of,
)
from store.errors import DataError, first_few
from store.vocabulary import COMMODITY, WORLD

OTHERS: Final = "85051190"
"""Other metal magnets."""

TOTALS: Final = frozenset({"合计", "总计", "总值", "total", "grand total"})

MEASURES: Final = {"quantity": "net_weight_t", "usd": "value_musd", "cny": "value_mcny"}
"""Measure of each kind of amount; yuan are read for their price alone."""

CELL: Final = ["destination", "period", "measure"]

T = TypeVar("T")

_PART: Final = ["partner", "parts", "period", "measure"]
"""What names one amount of a download: parts are the texts of its columns that split a month."""


@dataclass(slots=True)
class CustomsLines:
    """What the lines of one download hold, and which of them are refused."""

    table: CustomsTable
    unit: str
    """Unit of weight if the file has none."""
    problems: Problems
    ignored: Counter[str] = field(default_factory=Counter)
    """Lines left out on purpose by reason."""
    unknown: dict[str, list[int]] = field(default_factory=dict)
    """Partners in no table, as messages name them, each with all its lines."""
    codes: Counter[str] = field(default_factory=Counter)
    """Lines by commodity code."""
    foreign: set[int] = field(default_factory=set)
    """Refused lines that are no exports of magnets, so that nothing is missing without them."""
    _amounts: list[tuple[object, ...]] = field(default_factory=list)

    def read(self) -> pd.DataFrame:
        """Return ``CELL``, value, half_width and ``line`` of every amount of a line not refused.

        A residual place stands for an unknown partner with a code; an amount that is repeated
        counts once.
        """
        names = ("commodity", "unit", "period")
        shared = {name: _shared(self.table, name) for name in names}
        for number, reason in self.table.broken:
            self.problems.add(number, reason)
        for raw in self.table.lines:
            line = _completed(raw, shared) if _is_total(raw) else raw
            if not self._is_left_out(line) and self._is_ours(line):
                self._read_line(line)
        columns = ["line", "destination", *_PART, "value", "half_width"]
        found = pd.DataFrame(self._amounts, columns=columns)
        found["period"] = pd.to_datetime(found["period"])
        self._refuse_contradictions(found)
        self._refuse_mixed_parts(found)
        kept = found[~found["line"].isin(self.problems.lines)]
        again = kept.duplicated([*_PART, "value"])
        self.ignored["repeated in the file"] += kept.loc[again, "line"].nunique()
        return kept[~again]

    @property
    def refused(self) -> tuple[str, ...]:
        """Return why lines are refused; an unknown partner once, with all its lines."""
        lines = [f"line {number}, {text}" for number, text in sorted(self.problems.found)]
        partners = [
            f"line{'s' * (len(numbers) > 1)} {', '.join(map(str, numbers))}, {text}"
            for text, numbers in self.unknown.items()
        ]
        return (*lines, *partners)

    @property
    def refused_lines(self) -> set[int]:
        """Return the numbers of the lines refused."""
        return self.problems.lines.union(*self.unknown.values())

    def raise_refused(self) -> None:
        """Raise one error for all lines refused, if there are any.

        Raises:
            DataError: there are.
        """
        if self.codes and COMMODITY not in self.codes:
            raise DataError(
                f"{self.problems.file} holds no line of {COMMODITY}; its codes are "
                f"{first_few(sorted(self.codes))}. Expected China's exports of {COMMODITY} alone: "
                f"the weight of other goods, such as {OTHERS} (other metal magnets), must not be "
                "mixed in. Ask the site for that code; nothing was taken over."
            )
        for text, numbers in self.unknown.items():
            for number in numbers:
                self.problems.add(number, text)
        self.problems.raise_if_any()

    def incomplete_months(self) -> set[pd.Timestamp] | None:
        """Return the months that lack a refused line; None for all, if one has no month."""
        months: set[pd.Timestamp] = set()
        if self.table.broken:
            return None
        for line in self.table.lines:
            if line.number not in self.refused_lines - self.foreign:
                continue
            wide = {column.heading.month for column in self.table.columns} - {""}
            try:
                named = wide or {month_of(line.text("period"))}
            except ValueError:
                return None
            months |= {month(text) for text in named}
        return months

    def _is_left_out(self, line: CustomsLine) -> bool:
        """Return whether a line is on purpose no amount, and count why."""
        titles = [column.title for column in self.table.columns]
        filled = sum(bool(cell.strip()) for cell in line.cells)
        if [cell.strip() for cell in line.cells][: len(titles)] == titles:
            reason = "headings once more"
        elif _is_total(line) and self.table.of("period") and not _is_month(line.text("period")):
            reason = "totals over several months"
        elif filled == 1 and not _is_total(line):
            reason = "notes below the table"
        else:
            return False
        self.ignored[reason] += 1
        return True

    def _is_ours(self, line: CustomsLine) -> bool:
        """Return whether a line is about exports of rare-earth magnets; note it if not."""
        code = "".join(line.text("commodity").split())
        self.codes[code] += 1
        title, flow = line.title("commodity"), line.text("flow").lower()
        if code != COMMODITY:
            problem = f"column {title!r}: {code!r} is not {COMMODITY}"
        elif "进口" in flow or "import" in flow:
            problem = f"column {line.title('flow')!r}: {flow!r} is not exports"
        else:
            return True
        self.problems.add(line.number, problem)
        self.foreign.add(line.number)
        return False

    def _read_line(self, line: CustomsLine) -> None:
        """Add the amounts of a line of ours, or note why it is refused."""
        name, code = line.text("partner"), line.text("partner_code")
        try:
            place = WORLD if _is_total(line) else partner_place(name, code)
        except UnknownPartnerError as err:
            title, shown = line.title("partner"), f"{code} {name}".strip()
            text = f"column {title!r}: {shown!r} is not {err}"
            self.unknown.setdefault(text, []).append(line.number)
            place = residual_place(code) or ""
        except ValueError as err:
            title = line.title("partner")
            self.problems.add(line.number, f"column {title!r}: {name!r} is not {err}")
            return
        if place is None:
            self.ignored["sums of regions"] += 1
            return
        parts = tuple(line.cells[column.place].strip() for column in self.table.of("split"))
        for period, measure, value, width in self._cells(line):
            partner = code or name or place
            found = (line.number, place, partner, parts, period, measure, value, width)
            self._amounts.append(found)

    def _cells(self, line: CustomsLine) -> list[tuple[str, str, float, float]]:
        """Return month, measure, value and half-width of the amounts of a line."""
        found = []
        for column in line.table.columns:
            if (measure := MEASURES.get(column.heading.meaning)) is None:
                continue
            try:
                cell = _amount(line, column, self.unit)
            except ValueError as err:
                self.problems.add(line.number, str(err))
                continue
            if cell is not None:
                found.append((cell[0], measure, *cell[1:]))
        return found

    def _refuse_contradictions(self, found: pd.DataFrame) -> None:
        """Refuse lines with different amounts for one partner, month and part."""
        distinct = found.drop_duplicates([*_PART, "value"])
        wrong = distinct[distinct.duplicated(_PART, keep=False)]
        for number, rows in wrong.groupby("line"):
            row = rows.iloc[0]
            self.problems.add(
                int(str(number)),
                f"{row['partner']} has several amounts for {row['period']:%Y-%m}, in the same "
                "columns; load each download for itself",
            )

    def _refuse_mixed_parts(self, found: pd.DataFrame) -> None:
        """Refuse months of a partner that are split on some lines and not, or otherwise, on more.

        They come from several downloads in one file, and their sum would count them twice.
        """
        filled = found["parts"].map(lambda parts: tuple(map(bool, parts)))
        kinds = found.assign(filled=filled).groupby(["partner", "period"])["filled"]
        for number in found.loc[kinds.transform("nunique") > 1, "line"].unique():
            self.problems.add(
                int(number),
                "its partner and month are split by other columns on other lines, so they would "
                "be counted twice; load each download for itself",
            )


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


def _amount(line: CustomsLine, column: Column, unit: str) -> tuple[str, float, float] | None:
    """Return first day of the month, value and half-width; None where the cell is empty."""
    text = line.cells[column.place]
    number = _parsed(column.title, text, amount_of)
    if number is None:
        return None
    period = column.heading.month or _parsed(line.title("period"), line.text("period"), month_of)
    if column.heading.meaning == "quantity" and number == 0:
        factor = 0.001  # nothing is nothing in any unit, and the customs write "?" for some
    elif column.heading.meaning == "quantity":
        named = column.heading.unit or line.text("unit") or unit
        factor = _parsed(line.title("unit") or column.title, named, tonnes_of)
    else:
        factor = column.heading.scale / 1e6
    plain = "".join(text.replace(",", "").split())
    return str(month(period).date()), number * factor, half_width(plain, "pct") * factor


def _parsed(title: str, text: str, parse: Callable[[str], T]) -> T:
    """Parse a cell; an error names its column."""
    try:
        return parse(text)
    except ValueError as err:
        raise ValueError(f"column {title!r}: {text.strip()!r} is not {err}") from err
