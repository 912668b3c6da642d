"""China Customs: tables of exports by partner, downloaded by hand as CSV."""

import codecs
import csv
import gettext
import hashlib
import io
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Final, Literal, TypeVar, cast

import pandas as pd
import pycountry
import yaml

from sources.bundled.release_calendar import ReleaseCalendar
from sources.bundled.wording import half_width, month
from sources.files.csv_table import Problems, content_of, records
from sources.files.workbook import WORKBOOK, mark_of, workbook_cells
from sources.providers.rows import not_after, observations
from store.errors import DataError, first_few
from store.facts.batch import FileRows
from store.partner_codes import partner_codes
from store.schema.frames import MOMENT_DTYPE
from store.vocabulary import COMMODITY, EU27, WORLD

T = TypeVar("T")

LEADING: Final = 15
"""Lines, such as titles and query terms, that may precede the headings."""

TOTALS: Final = frozenset({"合计", "总计", "总值", "total", "grand total"})

FULL_LIST: Final = 20
"""Partners in a month from which a list is complete, if small ones are among them..."""

SUM_NOTE: Final = "sum of"
"""Begins the note of a world that is the sum of its partners."""

SMALL_SHARE: Final = 1e-3
"""...whose month is at most this share of the sum."""

Flow = Literal["export", "import"]

_COMPLETENESS: Final = 0.6
_SITE: Final = "http://stats.customs.gov.cn/"
_OTHERS: Final = "85051190"
"""Other metal magnets."""

_NEEDED: Final = ("commodity", "partner", "quantity")
_MEASURES: Final = {"quantity": "net_weight_t", "usd": "value_musd"}
"""Measure of each kind of amount."""

_SCALES: Final = {
    "百万": 1e6, "万": 1e4, "千": 1e3, "million": 1e6, "thousand": 1e3, "1000": 1e3,
}  # fmt: skip
"""Multipliers of a unit of money, the longer first."""

_CELL: Final = ["destination", "period", "measure"]
_PART: Final = ["partner", "parts", "period", "measure"]
"""Columns that name one amount of a download: parts are the texts of the columns that split a
month, such as the customs regime."""

_BOTH: Final = re.compile(r"进出口|imports? ?(/|&|and) ?exports?|exports? ?(/|&|and) ?imports?")
_IMPORTS: Final = re.compile(r"进口|(?<![a-z])imports?(?![a-z])")
_EXPORTS: Final = re.compile(r"出口|(?<![a-z])exports?(?![a-z])")
_MONTH: Final = re.compile(
    r"(?P<year>(?:19|20)\d{2})\s*(?:[-/.年]\s*)?(?P<month>1[0-2]|0?[1-9])\s*月?(?![\d])"
)
_BRACKETS: Final = re.compile(r"[(\[](.*?)[)\]]")
_CODE: Final = re.compile(r"\d{3}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Heading:
    """What a column holds."""

    meaning: str
    """A heading of ``customs_words.yaml``, or empty where it is not known."""
    month: str = ""
    """``YYYY-MM`` in a table with one column per month."""
    unit: str = ""
    """Unit of weight within the heading, if any."""
    scale: float = 1.0
    """Multiplier of the currency."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column."""

    place: int
    title: str
    heading: Heading


@dataclass(frozen=True, slots=True)
class CustomsLine:
    """One line; cells are found by their meaning."""

    columns: tuple[Column, ...]
    number: int
    cells: tuple[str, ...]

    def of(self, meaning: str) -> tuple[Column, ...]:
        """Return the columns of a meaning."""
        return tuple(column for column in self.columns if column.heading.meaning == meaning)

    def text(self, meaning: str) -> str:
        """Return the first cell of a meaning that is filled, empty if there is none."""
        cells = (self.cells[column.place] for column in self.of(meaning))
        return next((cell for cell in cells if cell), "")

    def title(self, meaning: str) -> str:
        """Return the heading of the first column of a meaning, empty if there is none."""
        return next((column.title for column in self.of(meaning)), "")

    @property
    def is_total(self) -> bool:
        return any(cell.lower() in TOTALS for cell in self.cells)


@dataclass(frozen=True, slots=True)
class CustomsDownload:
    """One file from the customs query site, in rows or with one column per month."""

    id: ClassVar = "customs"

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
    is_partial: bool = False
    """Some partners were asked for, however many: their sum is not the world."""

    def load(self) -> FileRows:
        """Read weights in tonnes and values in dollars by partner and month."""
        content = content_of(self.path)
        text, encoding = decoded(self.path.name, content)
        problems = Problems(self.path.name)
        lines = _lines(self.path.name, text, problems)
        self._check(lines)
        reasons = {line.number: _left_out(line) for line in lines}
        ignored = Counter(filter(None, reasons.values()))
        ours = [line for line in lines if not reasons[line.number]]
        _refuse_other_goods(self.path.name, lines, ours)
        _refuse_yuan(self.path.name, lines)
        amounts = _amounts(ours, self.unit, problems)
        _note_contradictions(amounts, problems)
        problems.raise_if_any()
        again = amounts.duplicated([*_PART, "value"])
        ignored["repeated in the file"] = amounts.loc[again, "line"].nunique()
        return FileRows(
            self.id,
            self.path.name,
            hashlib.sha256(content).hexdigest(),
            {"observations": self._rows(amounts[~again])},
            tuple(f"{count} lines: {why}" for why, count in ignored.items() if count),
            encoding=encoding,
            asked=self._asked(),
            completeness=_COMPLETENESS,
        )

    def _asked(self) -> str:
        published = self.published_on
        stated = [
            f"all of it published on {published:%Y-%m-%d}" if published is not None else "",
            f"weights in {self.unit}" if self.unit else "",
            "some partners" if self.is_partial else "",
        ]
        return ", ".join([f"{self.flow}s in {self.path.name}", *filter(None, stated)])

    def _check(self, lines: list[CustomsLine]) -> None:
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
        weights = lines[0].of("quantity") if lines and not lines[0].of("unit") else ()
        if not self.unit and (bare := [c.title for c in weights if not c.heading.unit]):
            raise DataError(
                f"No unit of weight in {self.path.name}: column {bare[0]!r} names none. "
                "Expected a column of units (千克, kg, 吨, t) or a heading as 'Quantity (kg)'. "
                "State it with --unit kg or --unit t; customs count magnets in kilograms."
            )

    def _rows(self, amounts: pd.DataFrame) -> pd.DataFrame:
        # Customs count kilograms and dollars: a month split otherwise is rounded no more for it.
        cells = amounts.groupby(_CELL, as_index=False).agg({"value": "sum", "half_width": "max"})
        parts = [cells] if self.is_partial else [cells, _worlds(cells)]
        frames = [self._dated(part) for part in parts]
        return observations(frames, source=self.id, source_url=_SITE)

    def _dated(self, cells: pd.DataFrame) -> pd.DataFrame:
        if self.published_on is not None:
            days = pd.Series(self.published_on, index=cells.index)
        else:
            days = cells["period"].map(self.calendar.released_on)
        moments = pd.to_datetime(days).dt.tz_localize("UTC").astype(MOMENT_DTYPE)
        return cells.assign(commodity=COMMODITY, available_at=not_after(moments, self.now))


def decoded(name: str, content: bytes) -> tuple[str, str]:
    """Return the text and its encoding: UTF-16, UTF-8 or GB18030; of a workbook its first sheet."""
    if content.startswith(WORKBOOK):
        out = io.StringIO()
        csv.writer(out).writerows(workbook_cells(name, content))
        return out.getvalue(), "xlsx"
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        likely: tuple[str, ...] = ("utf-16",)
    else:
        likely = ("utf-16-le",) if b"\0" in content else ("utf-8", "gb18030")
    faults = []
    for encoding in likely:
        try:
            return content.decode(encoding).removeprefix("\ufeff"), encoding
        except UnicodeDecodeError as err:
            faults.append(content[: err.start].count(b"\n") + 1)
    raise DataError(
        f"{name} is neither UTF-8, UTF-16 nor GB18030: line {max(faults)} holds bytes that are no "
        "text. Expected a CSV download of China's customs. Download it anew, or save it as UTF-8; "
        "nothing was taken over."
    )


def _lines(name: str, text: str, problems: Problems) -> list[CustomsLine]:
    """Return the lines below the headings; one of another width is noted as a problem."""
    raw = _cells(name, text)
    start, columns = _headings(name, raw)
    _refuse_imports(name, [cells for n, cells in raw if n <= start or sum(map(bool, cells)) == 1])
    least = 1 + max(one.place for one in columns if one.heading.meaning in _MEASURES)
    width = 1 + max(one.place for one in columns if one.title)
    lines = []
    for number, cells in raw:
        filled = sum(map(bool, cells))
        if number <= start or not filled:
            continue
        if any(cells[width:]) or (len(cells) < least and filled > 1):
            problems.add(number, f"row: {len(cells)} cells are not {width}, as in the headings")
        else:
            empty = [""] * (len(columns) - len(cells))
            lines.append(CustomsLine(columns, number, (*cells, *empty)))
    return _with_totals_completed(lines)


def _cells(name: str, text: str) -> list[tuple[int, tuple[str, ...]]]:
    return [
        (number, tuple(cell.strip() for cell in cells))
        for number, cells in records(name, text, mark=mark_of(text), remedy="Correct the quoting")
    ]


def refuse_other_table(path: Path) -> None:
    """Refuse a file without headings of customs."""
    _headings(path.name, _cells(path.name, decoded(path.name, content_of(path))[0]))


def _refuse_imports(name: str, lines: list[tuple[str, ...]]) -> None:
    """Refuse a file whose titles, headings or notes, or else its name, tell of imports alone."""
    for said, where in (
        (" ".join(map(" ".join, lines)), "titles, headings or notes"),
        (name, "name"),
    ):
        words = _BOTH.sub("", folded(said))
        if _EXPORTS.search(words):
            return
        if found := _IMPORTS.search(words):
            raise DataError(
                f"{name} says {found[0]!r} in its {where}. Expected exports of China (出口), as "
                "--flow states. Ask the site for exports and load that file, or correct the word; "
                "nothing was taken over."
            )


def _headings(
    name: str, lines: list[tuple[int, tuple[str, ...]]]
) -> tuple[int, tuple[Column, ...]]:
    best: list[str] = []
    for number, cells in lines[:LEADING]:
        columns = tuple(Column(place, cell, heading_of(cell)) for place, cell in enumerate(cells))
        meanings = {column.heading.meaning for column in columns}
        if "partner_code" in meanings:
            meanings.add("partner")
        if any(column.heading.month for column in columns):
            meanings.add("period")
        if meanings.issuperset((*_NEEDED, "period")):
            return number, _without_names(columns)
        best = max(best, [m for m in (*_NEEDED, "period") if m in meanings], key=len)
    lacking = [m for m in (*_NEEDED, "period") if m not in best]
    raise DataError(
        f"No line of headings in the first {LEADING} of {name}: {', '.join(lacking)} not found. "
        "Expected those of the customs' query site, e.g. 数据年月, 商品编码, 贸易伙伴名称, "
        "第一数量, 第一计量单位, 美元, or in English, or a column a month. "
        "Ask the site for commodity codes and trading partners; for files of other offices see "
        "docs/data/downloads.md. Nothing was taken over."
    )


def _without_names(columns: tuple[Column, ...]) -> tuple[Column, ...]:
    """Keep one column of codes: next to "Commodity code", a column "Commodity" holds names."""
    codes = [column for column in columns if column.heading.meaning == "commodity"]
    kept = next((c for c in codes if "code" in c.title.lower() or "编码" in c.title), codes[0])
    unread = Heading("commodity_name")
    return tuple(replace(c, heading=unread) if c in codes and c is not kept else c for c in columns)


def _with_totals_completed(lines: list[CustomsLine]) -> list[CustomsLine]:
    """Fill the empty cells of lines of totals with the values that all others share."""
    shared: dict[int, str] = {}
    for meaning in ("commodity", "unit", "period"):
        for column in lines[0].of(meaning)[:1] if lines else ():
            texts = {line.cells[column.place] for line in lines if not line.is_total} - {""}
            if len(texts) == 1:
                shared[column.place] = texts.pop()
    return [
        replace(line, cells=(*_completed(line.cells, shared), next(iter(TOTALS))))
        if line.is_total
        else line
        for line in lines
    ]


def _completed(cells: tuple[str, ...], shared: Mapping[int, str]) -> Iterator[str]:
    for place, cell in enumerate(cells):
        is_open = not cell or cell.lower() in TOTALS
        yield shared.get(place, cell) if is_open else cell


def _left_out(line: CustomsLine) -> str:
    """Return why a line is no amount of exports of magnets; empty if it is one."""
    titles = tuple(column.title for column in line.columns)
    flow = line.text("flow").lower()
    if line.cells[: len(titles)] == titles:
        return "headings once more"
    if line.is_total and line.of("period") and not _is_month(line.text("period")):
        return "totals over several months"
    if sum(map(bool, line.cells)) == 1:
        return "notes below the table"
    if _code_of(line) != COMMODITY:
        return f"other goods than {COMMODITY}"
    return "imports" if "进口" in flow or "import" in flow else ""


def _code_of(line: CustomsLine) -> str:
    return "".join(line.text("commodity").split())


def _is_month(text: str) -> bool:
    try:
        month_of(text)
    except ValueError:
        return False
    return True


def _refuse_other_goods(name: str, lines: list[CustomsLine], ours: list[CustomsLine]) -> None:
    codes = sorted({code for line in lines if (code := _code_of(line)).isdigit()})
    if codes and not ours:
        raise DataError(
            f"{name} holds no line of exports of {COMMODITY}; its codes are {first_few(codes)}. "
            f"Expected China's exports of {COMMODITY} alone: the weight of other goods, such as "
            f"{_OTHERS} (other metal magnets), must not be mixed in. Ask the site for that code; "
            "nothing was taken over."
        )


def _refuse_yuan(name: str, lines: list[CustomsLine]) -> None:
    if lines and lines[0].of("cny") and not lines[0].of("usd"):
        raise DataError(
            f"{name} has values in yuan alone. Expected dollars, in which prices are checked. Ask "
            "the site for US dollars (美元); nothing was taken over."
        )


def _amounts(lines: list[CustomsLine], unit: str, problems: Problems) -> pd.DataFrame:
    """Return line, destination, ``_PART``, value and half_width of every amount.

    What cannot be read is noted as a problem. An unknown partner with a code is a residual place.
    """
    found: list[tuple[object, ...]] = []
    for line in lines:
        name, code = line.text("partner"), line.text("partner_code")
        try:
            place = WORLD if line.is_total else partner_place(name, code)
        except ValueError as err:
            shown = f"{code} {name}".strip()
            problems.add(line.number, f"column {line.title('partner')!r}: {shown!r} is not {err}")
            continue
        if place is None:  # a sum of others
            continue
        parts = tuple(line.cells[column.place] for column in line.of("split"))
        for column in line.columns:
            if (measure := _MEASURES.get(column.heading.meaning)) is None:
                continue
            try:
                amount = _amount(line, column, unit)
            except ValueError as err:
                problems.add(line.number, str(err))
                continue
            if amount is not None:
                period, *values = amount
                named = (line.number, place, code or name or place, parts, period, measure)
                found.append((*named, *values))
    columns = ["line", "destination", *_PART, "value", "half_width"]
    amounts = pd.DataFrame(found, columns=columns)
    return amounts.assign(period=pd.to_datetime(amounts["period"]))


def _note_contradictions(amounts: pd.DataFrame, problems: Problems) -> None:
    """Note lines of several downloads in one file that give a month of a partner twice.

    Their amounts differ, or a month is split on some lines and not, or otherwise, on more.
    """
    distinct = amounts.drop_duplicates([*_PART, "value"])
    several = set(distinct.loc[distinct.duplicated(_PART, keep=False), "line"])
    filled = amounts["parts"].map(lambda parts: tuple(map(bool, parts)))
    kinds = amounts.assign(filled=filled).groupby(["partner", "period"])["filled"]
    mixed = set(amounts.loc[kinds.transform("nunique") > 1, "line"])
    for number in several | mixed:
        row = amounts[amounts["line"].eq(number)].iloc[0]
        problems.add(
            number,
            f"{row['partner']} has several amounts for {row['period']:%Y-%m}, in the same columns "
            "or split by others; load each download for itself",
        )


def _amount(line: CustomsLine, column: Column, unit: str) -> tuple[str, float, float] | None:
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
    try:
        return parse(text)
    except ValueError as err:
        raise ValueError(f"column {title!r}: {text!r} is not {err}") from err


def _worlds(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the world of the months that list all partners and state no total."""
    months = cells[~cells["destination"].isin([WORLD, EU27])].groupby(["period", "measure"])
    total = (
        months[["value", "half_width"]]
        .sum()
        .assign(partners=months.size(), smallest=months["value"].min())
    )
    total = total.loc[total["smallest"] <= SMALL_SHARE * total["value"]].reset_index()
    stated = cells.loc[cells["destination"].eq(WORLD), "period"]
    full = total[total["partners"].ge(FULL_LIST) & ~total["period"].isin(stated)]
    notes = [f"{SUM_NOTE} {count} partners" for count in full["partners"]]
    return full.drop(columns=["partners", "smallest"]).assign(destination=WORLD, note=notes)


@cache
def customs_words() -> dict[str, Any]:
    """Return the words of customs: headings by meaning, units by tonnes, partners and regions."""
    text = Path(__file__).with_name("customs_words.yaml").read_text(encoding="utf-8")
    return cast("dict[str, Any]", yaml.safe_load(text))


@cache
def _meanings() -> dict[str, str]:
    headings = customs_words()["headings"]
    return {word: meaning for meaning, words in headings.items() for word in words}


@cache
def _units() -> dict[str, float]:
    return {unit: float(t) for t, units in customs_words()["tonnes"].items() for unit in units}


def heading_of(text: str) -> Heading:
    """Parse a heading."""
    plain = folded(text)
    month = _MONTH.search(plain)
    rest = plain if month is None else (plain[: month.start()] + plain[month.end() :])
    rest = rest.strip(" -_/:,")
    period = f"{month['year']}-{int(month['month']):02d}" if month else ""
    meaning, unit, scale = _meaning(rest, wide=bool(period))
    return Heading(meaning, period, unit, scale)


def _meaning(rest: str, *, wide: bool) -> tuple[str, str, float]:
    if wide and (not rest or rest in _units()):
        return "quantity", rest, 1.0
    if (found := _meanings().get(rest)) is not None:
        return found, "", 1.0
    inside = " ".join(_BRACKETS.findall(rest))
    outside = _BRACKETS.sub("", rest).strip()
    if inside in _units():
        return _meanings().get(outside) or "", inside, 1.0
    scale = next((words for words in _SCALES if words in rest), "")
    bare = (rest.replace(scale, ""), inside.replace(scale, ""), outside.replace(scale, ""))
    money = next(
        (name for text in bare if (name := _meanings().get(text.strip())) in {"usd", "cny"}), None
    )
    return money or "", "", _SCALES.get(scale, 1.0)


def month_of(text: str) -> str:
    """Return ``YYYY-MM`` of a cell such as 202608, 2026-08 or 2026年8月."""
    match = _MONTH.fullmatch(folded(text))
    if match is None:
        raise ValueError("one month (202608, 2026-08, 2026年8月)")
    return f"{match['year']}-{int(match['month']):02d}"


def amount_of(text: str) -> float | None:
    """Return a number with or without thousands separators; None where there is none."""
    plain = folded(text).replace(" ", "")
    if plain in {"", "-", "--", "—", "..", "n/a"}:
        return None
    if re.fullmatch(r"\d{1,3}(,\d{3})+(\.\d+)?|\d+(\.\d+)?", plain, re.ASCII) is None:
        raise ValueError("a plain number, with or without thousands separators")
    return float(plain.replace(",", ""))


def tonnes_of(unit: str) -> float:
    """Return the tonnes of a unit of weight."""
    if (tonnes := _units().get(folded(unit))) is None:
        raise ValueError("a unit of weight (千克, kg, 吨, t)")
    return tonnes


def folded(text: str) -> str:
    """Return a text normalised for comparison: lower case, plain brackets, commas and spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).split()).lower()


def partner_place(name: str, code: str = "") -> str | None:
    """Return the place of a partner, by its code or else by its name; None for a sum of places.

    A code of three digits that is in no table is a residual place of its own, ``C987``, which the
    checks of a batch hold for a person.

    Args:
        name: Chinese or English, however spaced and punctuated; may be empty beside a code.
        code: 贸易伙伴编码, three digits; anything else is no code.
    """
    plain = _letters(name)
    plain = plain if plain in _names() else plain.removeprefix("the").removesuffix("the")
    if plain in _regions():
        return None
    by_code, by_name = _codes().get(code), _names().get(plain)
    if by_code is not None and by_name is not None and by_code != by_name:
        raise ValueError(f"the partner of code {code}, which is {by_code}")
    place = by_code or by_name or (f"C{code}" if _CODE.fullmatch(code) else None)
    if place is None:
        raise ValueError("a partner the customs name (in Chinese or English)")
    return place


@cache
def _codes() -> dict[str, str]:
    return {partner.code: partner.destination for partner in partner_codes()}


@cache
def _regions() -> frozenset[str]:
    return frozenset(map(_letters, customs_words()["regions"]))


@cache
def _names() -> dict[str, str]:
    chinese = gettext.translation("iso3166-1", pycountry.LOCALES_DIR, languages=["zh_CN"])
    found: dict[str, str] = {}
    for country in pycountry.countries:
        english = {getattr(country, n, country.name) for n in ("common_name", "official_name")}
        english |= {country.alpha_3, country.name}
        for name in [*english, *(chinese.gettext(name) for name in english)]:
            found[_letters(name)] = country.alpha_3
    for partner in partner_codes():
        found |= {_letters(n): partner.destination for n in (partner.name_zh, partner.name_en)}
    for place, words in customs_words()["partners"].items():
        found |= {_letters(name): place for name in words}
    return found


def _letters(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text.replace("&", " and ")).casefold()
    return "".join(letter for letter in letters if letter.isalnum())
