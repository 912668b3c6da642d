"""China Customs: tables of exports by partner, downloaded by hand as CSV."""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Final, Literal, TypeVar

import pandas as pd

from sources.base import SourceInfo
from sources.bundled.release_calendar import ReleaseCalendar
from sources.bundled.wording import half_width, month
from sources.files.csv_table import Problems, content_of
from sources.providers.customs_table import (
    Column,
    CustomsLine,
    CustomsTable,
    UnknownPartnerError,
    amount_of,
    month_of,
    partner_place,
    read_customs,
    residual_place,
    tonnes_of,
)
from sources.providers.rows import not_after, observations
from store.errors import DataError, first_few
from store.facts.batch import FileRows, RefusedLines
from store.schema.frames import MOMENT_DTYPE
from store.vocabulary import COMMODITY, EU27, ORIGIN, WORLD

_OTHERS: Final = "85051190"
"""Other metal magnets."""

TOTALS: Final = frozenset({"合计", "总计", "总值", "total", "grand total"})

_MEASURES: Final = {"quantity": "net_weight_t", "usd": "value_musd", "cny": "value_mcny"}
"""Measure of each kind of amount; yuan are read for their price alone."""

_CELL: Final = ["destination", "period", "measure"]

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
        """Return ``_CELL``, value, half_width and ``line`` of every amount of a line not refused.

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
        lines = [f"line {number}, {text}" for number, text in sorted(self.problems.found)]
        partners = [
            f"line{'s' * (len(numbers) > 1)} {', '.join(map(str, numbers))}, {text}"
            for text, numbers in self.unknown.items()
        ]
        return (*lines, *partners)

    @property
    def refused_lines(self) -> set[int]:
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
                f"the weight of other goods, such as {_OTHERS} (other metal magnets), must not be "
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
            if (measure := _MEASURES.get(column.heading.meaning)) is None:
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


_SITE: Final = "http://stats.customs.gov.cn/"

Flow = Literal["export", "import"]

FULL_LIST: Final = 20
"""Partners in a month from which their sum is taken as the world where the file has no total."""

YUAN_PER_TONNE: Final = (7_000.0, 35_000_000.0)
"""Bounds of a price in yuan: the dollars of ``sources.checks`` at seven yuan."""


@dataclass(frozen=True, slots=True)
class CustomsDownload:
    """One file from the customs query site, in rows or with one column per month."""

    info: ClassVar = SourceInfo("customs", completeness=0.6)

    path: Path
    calendar: ReleaseCalendar
    now: pd.Timestamp
    """The moment of the ingest: no row is dated later."""
    flow: Flow
    """What was asked of the site; its files do not say."""
    published_on: pd.Timestamp | None = None
    """The day all of it was published; without it the release calendar is used."""
    unit: str = ""
    """Unit of weight if the file has none."""

    def load(self) -> FileRows:
        """Read weights in tonnes and values in dollars by partner and month.

        Lines that cannot be read are refused alone; the world of their months is then not usable.

        Raises:
            DataError: the file is not a customs table of exports, or no line of it can be read.
        """
        content = content_of(self.path)
        table = read_customs(self.path.name, content)
        self._check(table)
        lines = CustomsLines(table, self.unit, Problems(self.path.name))
        amounts = lines.read()
        self._check_yuan(amounts)
        is_unknown = amounts["line"].isin(lines.refused_lines)
        if is_unknown.all():
            lines.raise_refused()
        known = self._rows(amounts[~is_unknown], lines.incomplete_months())
        digest = hashlib.sha256(content + "\n".join(lines.refused).encode()).hexdigest()
        return FileRows(
            self.info.id,
            self.path.name,
            digest,
            {"observations": known},
            self._ignored(table, lines),
            self._refused(amounts, lines),
            encoding=table.encoding,
            asked=self._asked(),
        )

    def _asked(self) -> str:
        """Return the file and what a person stated of it."""
        published = self.published_on
        stated = [
            f"all of it published on {published:%Y-%m-%d}" if published is not None else "",
            f"weights in {self.unit}" if self.unit else "",
        ]
        return ", ".join([f"{self.flow}s in {self.path.name}", *filter(None, stated)])

    def _refused(self, amounts: pd.DataFrame, lines: CustomsLines) -> RefusedLines | None:
        """Return the lines refused; those of unknown partners with a code can be released."""
        if not lines.refused:
            return None
        is_named = amounts["destination"].ne("")
        is_unknown = amounts["line"].isin(lines.refused_lines)
        lacking: set[pd.Timestamp] | None = set()
        if lines.problems.lines - lines.foreign or not is_named.all():
            lacking = None
        every = self._rows(amounts[is_named], lacking)
        own = set(amounts.loc[is_named & is_unknown, "destination"])
        rows = every[every["destination"].isin({*own, WORLD} if own else set())]
        tables = {"observations": rows.reset_index(drop=True)} if own else {}
        return RefusedLines(len(lines.refused_lines), lines.refused, tables)

    def _ignored(self, table: CustomsTable, lines: CustomsLines) -> tuple[str, ...]:
        """Describe what was left out on purpose."""
        counts = {reason: count for reason, count in lines.ignored.items() if count}
        if table.of("cny") and not table.of("usd"):
            counts["amounts in yuan, for values are kept in dollars"] = len(table.lines)
        return tuple(f"{count} lines: {reason}" for reason, count in counts.items())

    def _check(self, table: CustomsTable) -> None:
        """Refuse imports, a stated day in the future and a table without a unit of weight."""
        if self.flow != "export":
            raise DataError(
                f"{self.path.name} holds imports, as --flow states. Expected exports of China, "
                "which are what is forecast. Ask the site for exports (出口) and load that file; "
                "nothing was taken over."
            )
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

    def _check_yuan(self, amounts: pd.DataFrame) -> None:
        """Refuse a price in yuan that no magnet has; prices in dollars are checked as any other."""
        sums = amounts.pivot_table(index="line", columns="measure", values="value", aggfunc="sum")
        if not {"net_weight_t", "value_mcny"}.issubset(sums.columns):
            return
        prices = 1e6 * sums["value_mcny"] / sums["net_weight_t"].where(sums["net_weight_t"] > 0)
        price, (low, high) = prices.median(), YUAN_PER_TONNE
        if price < low or price > high:
            raise DataError(
                f"{self.path.name} has {price:,.0f} yuan a tonne on its median line. Expected "
                f"{low:,.0f} to {high:,.0f}; magnets cost about 350,000. It is of another "
                "commodity, or its unit of weight is wrong. Look at the query, or correct --unit; "
                "nothing was taken over."
            )

    def _rows(self, amounts: pd.DataFrame, lacking: set[pd.Timestamp] | None) -> pd.DataFrame:
        """Return rows of ``observations``; the world is not usable in months that lack lines."""
        ours = amounts[amounts["measure"].ne("value_mcny")]
        cells = ours.groupby(_CELL, as_index=False)[["value", "half_width"]].sum()
        worlds = _sums(cells)
        frames = [self._dated(part) for part in (cells, worlds)]
        rows = observations(frames, origin=ORIGIN, source=self.info.id, source_url=_SITE)
        is_world = rows["destination"].eq(WORLD)
        is_lacking = is_world & (rows["period_from"].isin(lacking) if lacking is not None else True)
        is_sum = rows["note"].ne("")
        return rows.assign(
            usable=~is_lacking,
            kind=rows["kind"].mask(is_sum, "derived"),
            note=rows["note"].mask(is_lacking, "incomplete: lines of the download are refused"),
        )

    def _dated(self, cells: pd.DataFrame) -> pd.DataFrame:
        if self.published_on is not None:
            days = pd.Series(self.published_on, index=cells.index)
        else:
            days = cells["period"].map(self.calendar.released_on)
        moments = pd.to_datetime(days).dt.tz_localize("UTC").astype(MOMENT_DTYPE)
        return cells.assign(commodity=COMMODITY, available_at=not_after(moments, self.now))


def _sums(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the world of the months that list many partners and state no total."""
    months = cells[~cells["destination"].isin([WORLD, EU27])].groupby(["period", "measure"])
    total = months[["value", "half_width"]].sum().assign(partners=months.size()).reset_index()
    stated = cells.loc[cells["destination"].eq(WORLD), "period"]
    full = total[total["partners"].ge(FULL_LIST) & ~total["period"].isin(stated)]
    notes = [f"sum of {count} partners" for count in full["partners"]]
    return full.drop(columns="partners").assign(destination=WORLD, note=notes)
