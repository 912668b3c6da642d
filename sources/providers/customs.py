"""China Customs: tables of exports by partner, downloaded by hand as CSV."""

import gettext
import hashlib
import re
import unicodedata
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import ClassVar, Final, Literal

import pandas as pd
import pycountry

from sources.files.file_reader import Line, Problems, content_of, package_table, tables_of
from sources.providers.downloads import (
    LEADING,
    amounts_of,
    counts_of,
    first_reason,
    folded,
    lines_below,
    refuse_other_file,
)
from sources.providers.rows import not_after, observations
from store.errors import DataError, first_few
from store.facts.batch import FileRows
from store.facts.commodities import partner_codes
from store.release_calendar import ReleaseCalendar
from store.schema.frames import MOMENT_DTYPE
from store.vocabulary import COMMODITY, WORLD

TOTALS: Final = frozenset({"合计", "总计", "总值", "total", "grand total"})

Flow = Literal["export", "import"]

_COMPLETENESS: Final = 0.6
_ENCODINGS: Final = ("utf-16", "utf-16-le", "utf-8-sig", "gb18030")
_WORDS: Final = "providers/customs_words.yaml"
"""Words of customs: headings by meaning, units by tonnes, partners and regions."""

_SITE: Final = "http://stats.customs.gov.cn/"
_OTHERS: Final = "85051190"
"""Other metal magnets."""

_NEEDED: Final = ("commodity", "partner", "quantity")
_MEASURES: Final = {"quantity": "net_weight_t", "usd": "value_musd"}
"""Measure of each kind of amount."""

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
class Column:
    """One column, by its heading."""

    place: int
    title: str
    meaning: str
    """A heading of ``customs_words.yaml``, or empty where it is not known."""
    month: str = ""
    """``YYYY-MM`` in a table with one column per month."""
    unit: str = ""
    """Unit of weight within the heading, if any."""


@dataclass(frozen=True, slots=True)
class CustomsTable:
    """Lines below the headings, by their number, as text."""

    columns: tuple[Column, ...]
    cells: pd.DataFrame
    """One column a place."""

    def of(self, meaning: str) -> list[Column]:
        """Columns of a meaning."""
        return [column for column in self.columns if column.meaning == meaning]

    def text(self, meaning: str) -> pd.Series:
        """First cell of a meaning that is filled on each line, empty if there is none.

        Where totals lack their code, unit or month they have that of all others, if it is one.
        """
        cells = pd.Series("", index=self.cells.index, dtype="str")
        for column in self.of(meaning):
            cells = cells.mask(cells.eq(""), self.cells[column.place])
        is_open = self.is_total & (cells.eq("") | cells.str.lower().isin(TOTALS))
        shared = set(cells[~self.is_total]) - {""}
        is_one = meaning in {"commodity", "unit", "period"} and len(shared) == 1
        return cells.mask(is_open, next(iter(shared))) if is_one else cells

    def title(self, meaning: str) -> str:
        """Heading of the first column of a meaning, empty if there is none."""
        return next((column.title for column in self.of(meaning)), "")

    @property
    def is_total(self) -> pd.Series:
        is_word: pd.Series = self.cells.map(str.lower).isin(TOTALS).any(axis=1)
        return is_word


@dataclass(frozen=True, slots=True)
class CustomsDownload:
    """One file from the customs query site, in rows or with one column per month."""

    id: ClassVar = "customs"

    path: Path
    calendar: ReleaseCalendar
    ingested_at: pd.Timestamp
    """Moment of the ingest: no row is dated later."""
    flow: Flow
    """Direction of trade requested from the site; its files do not say."""
    published_on: pd.Timestamp | None = None
    """Day all of it was published; without it the release calendar is used."""
    unit: str = ""
    """Unit of weight if the file has none."""
    is_partial: bool = False
    """Whether only some partners were requested: their sum is not the world."""
    is_complete: bool = False
    """Whether a person says that all partners are in it: their sum is the world."""

    def load(self) -> FileRows:
        """Read weights in tonnes and values in dollars by partner and month."""
        content, problems = content_of(self.path), Problems(self.path.name)
        lines, encoding = _lines(self.path.name, content)
        table = _table(self.path.name, lines, problems)
        self._check(table)
        reasons = _left_out(table)
        _refuse_others(self.path.name, table, reasons)
        amounts = _amounts(table, reasons.index[reasons.eq("")], self.unit, problems)
        _note_contradictions(amounts, problems)
        problems.raise_if_any()
        again = amounts.duplicated([*_PART, "value"])
        repeats = amounts.loc[again, "line"].nunique()
        ignored = (f"{repeats} lines: repeated in the file",) if repeats else ()
        return FileRows(
            self.id,
            self.path.name,
            hashlib.sha256(content).hexdigest(),
            {"observations": self._rows(amounts[~again])},
            (*counts_of(reasons), *ignored),
            encoding=encoding,
            asked=self._asked(),
            completeness=_COMPLETENESS,
            lists_partners=not self.is_partial,
            is_complete=self.is_complete,
        )

    def _asked(self) -> str:
        published = self.published_on
        options = [
            f"all of it published on {published:%Y-%m-%d}" if published is not None else "",
            f"weights in {self.unit}" if self.unit else "",
            "some partners" if self.is_partial else "",
            "all partners" if self.is_complete else "",
        ]
        return ", ".join([f"{self.flow}s in {self.path.name}", *filter(None, options)])

    def _check(self, table: CustomsTable) -> None:
        if self.is_partial and self.is_complete:
            raise DataError(
                f"--partial and --complete are both given for {self.path.name}. Expected one: "
                "whether partners are missing in the file. Leave the other out."
            )
        if self.flow != "export":
            raise DataError(
                f"{self.path.name} holds imports, as --flow states. Expected exports of China, "
                "which are what is forecast. Ask the site for exports (出口) and load that file; "
                "nothing was taken over."
            )
        if (
            self.published_on is not None
            and self.published_on.tz_localize("UTC") > self.ingested_at
        ):
            raise DataError(
                f"--published-on {self.published_on:%Y-%m-%d} lies in the future, for "
                f"{self.path.name}. Expected {self.ingested_at:%Y-%m-%d} or earlier. Correct it."
            )
        weights = [] if table.of("unit") else table.of("quantity")
        if not self.unit and (bare := [c.title for c in weights if not c.unit]):
            raise DataError(
                f"No unit of weight in {self.path.name}: column {bare[0]!r} names none. "
                "Expected a column of units (千克, kg, 吨, t) or a heading as 'Quantity (kg)'. "
                "State it with --unit kg or --unit t; customs count magnets in kilograms."
            )

    def _rows(self, amounts: pd.DataFrame) -> pd.DataFrame:
        # Customs count kilograms and dollars: a month split otherwise is rounded no more for it.
        cells = amounts.groupby(_CELL, as_index=False).agg({"value": "sum", "half_width": "max"})
        if self.published_on is not None:
            days = pd.Series(self.published_on, index=cells.index)
        else:
            days = cells["period"].map(self.calendar.released_on)
        moments = pd.to_datetime(days).dt.tz_localize("UTC").astype(MOMENT_DTYPE)
        dated = cells.assign(commodity=COMMODITY, available_at=not_after(moments, self.ingested_at))
        return observations([dated], source=self.id, source_url=_SITE)


def _lines(name: str, content: bytes) -> tuple[list[Line], str]:
    refuse_other_file(name, content)
    return next(tables_of(name, content, _ENCODINGS))


def _table(name: str, lines: list[Line], problems: Problems) -> CustomsTable:
    """Lines below the headings; one of another width is noted as a problem."""
    start, columns = _headings(name, lines)
    _refuse_imports(name, [cells for n, cells in lines if n <= start or sum(map(bool, cells)) == 1])
    least = 1 + max(column.place for column in columns if column.meaning in _MEASURES)
    width = 1 + max(column.place for column in columns if column.title)
    cells = lines_below(lines, start, problems, width=width, least=least)
    return CustomsTable(columns[:width], cells)


def refuse_other_table(path: Path) -> None:
    """Refuse a file without headings of customs."""
    _headings(path.name, _lines(path.name, content_of(path))[0])


def _refuse_imports(name: str, lines: list[list[str]]) -> None:
    """Refuse a file whose titles, headings or notes, or else its name, tell of imports alone."""
    for text, where in (
        (" ".join(map(" ".join, lines)), "titles, headings or notes"),
        (name, "name"),
    ):
        words = _BOTH.sub("", folded(text))
        if _EXPORTS.search(words):
            return
        if match := _IMPORTS.search(words):
            raise DataError(
                f"{name} says {match[0]!r} in its {where}. Expected exports of China (出口), as "
                "--flow states. Ask the site for exports and load that file, or correct the word; "
                "nothing was taken over."
            )


def _headings(name: str, lines: list[tuple[int, list[str]]]) -> tuple[int, tuple[Column, ...]]:
    best: list[str] = []
    for number, cells in lines[:LEADING]:
        columns = tuple(_column(place, title) for place, title in enumerate(cells))
        meanings = {column.meaning for column in columns}
        if "partner_code" in meanings:
            meanings.add("partner")
        if any(column.month for column in columns):
            meanings.add("period")
        if meanings.issuperset((*_NEEDED, "period")):
            return number, _without_names(columns)
        best = max(best, [m for m in (*_NEEDED, "period") if m in meanings], key=len)
    lacking = [m for m in (*_NEEDED, "period") if m not in best]
    raise DataError(
        f"No line of headings in the first {LEADING} of {name}: {', '.join(lacking)} not found. "
        "Expected those of the customs' query site, e.g. 数据年月, 商品编码, 贸易伙伴名称, "
        "第一数量, 第一计量单位, 美元, or in English, or a column a month. "
        "Ask the site for commodity codes and trading partners; a TradeData.csv of UN "
        "Comtrade is read by `magnetcast ingest FILE`. Nothing was taken over."
    )


def _without_names(columns: tuple[Column, ...]) -> tuple[Column, ...]:
    """Keep one column of codes: next to "Commodity code", a column "Commodity" holds names."""
    codes = [column for column in columns if column.meaning == "commodity"]
    named = next((c for c in codes if "code" in c.title.lower() or "编码" in c.title), codes[0])
    return tuple(replace(c, meaning="") if c in codes and c is not named else c for c in columns)


def _left_out(table: CustomsTable) -> pd.Series:
    """Why each line is left out; empty if it is an amount of exports of magnets."""
    is_month = pd.Series(bool(table.of("period")), index=table.cells.index)
    is_month &= table.text("period").map(folded).str.fullmatch(_MONTH)
    titles = [column.title for column in table.columns]
    reasons = {
        "headings once more": table.cells.eq(titles).all(axis=1),
        "totals over several months": table.is_total & bool(table.of("period")) & ~is_month,
        "notes below the table": (table.cells != "").sum(axis=1).eq(1),
        f"other goods than {COMMODITY}": _codes_of(table).ne(COMMODITY),
        "imports": table.text("flow").str.lower().str.contains("进口|import"),
    }
    return first_reason(reasons)


def _codes_of(table: CustomsTable) -> pd.Series:
    return table.text("commodity").str.replace(r"\s", "", regex=True)


def _refuse_others(name: str, table: CustomsTable, reasons: pd.Series) -> None:
    codes = sorted({code for code in _codes_of(table) if code.isdigit()})
    if codes and reasons.ne("").all():
        raise DataError(
            f"{name} holds no line of exports of {COMMODITY}; its codes are {first_few(codes)}. "
            f"Expected China's exports of {COMMODITY} alone: the weight of other goods, such as "
            f"{_OTHERS} (other metal magnets), must not be mixed in. Ask the site for that code; "
            "nothing was taken over."
        )
    if table.of("cny") and not table.of("usd"):
        raise DataError(
            f"{name} has values in yuan alone. Expected dollars, in which prices are checked. Ask "
            "the site for US dollars (美元); nothing was taken over."
        )


def _amounts(table: CustomsTable, ours: pd.Index, unit: str, problems: Problems) -> pd.DataFrame:
    """Line, destination, ``_PART``, value and half_width of every amount on our lines.

    Unreadable cells are noted as problems. An unknown partner with a code is a residual place.
    """
    places = _places(table, ours, problems)
    names, codes = (table.text(meaning)[places.index] for meaning in ("partner", "partner_code"))
    parts = table.cells.loc[places.index, [column.place for column in table.of("split")]]
    lines = pd.DataFrame(
        {
            "line": places.index,
            "destination": places,
            "partner": codes.mask(codes.eq(""), names).mask(codes.eq("") & names.eq(""), places),
            "code": codes,
            "parts": [tuple(texts) for texts in parts.to_numpy().tolist()],
        }
    )
    frames = []
    for column in (column for column in table.columns if column.meaning in _MEASURES):
        texts = table.cells.loc[places.index, column.place]
        numbers = amounts_of(column.title, texts, problems).dropna()
        month = pd.Series(column.month, numbers.index, dtype="str")
        months = month if column.month else table.text("period")[numbers.index]
        factors = pd.Series(1e-6, numbers.index)
        if column.meaning == "quantity":
            _note_other_units(column, table, numbers["value"], problems)
            units = pd.Series(column.unit, numbers.index, dtype="str")
            units = units.where(units.ne(""), table.text("unit")).replace("", unit)
            # Nothing is nothing in any unit, and the customs write "?" for some.
            units = units.mask(numbers["value"].eq(0), "kg")
            factors = problems.parsed(table.title("unit") or column.title, units, tonnes_of)
        amounts = lines.join(numbers.mul(factors.astype("float64"), axis=0)).assign(
            measure=_MEASURES[column.meaning],
            period=problems.parsed(table.title("period"), months, month_of),
        )
        frames.append(amounts.dropna())
    amounts = pd.concat(frames, ignore_index=True)
    return amounts.assign(period=pd.to_datetime(amounts["period"], format="%Y-%m"))


def _places(table: CustomsTable, ours: pd.Index, problems: Problems) -> pd.Series:
    """Destination of each of our lines; sums of places have none."""
    places: dict[int, str | None] = {}
    names, codes, is_total = table.text("partner"), table.text("partner_code"), table.is_total
    for line in ours.tolist():
        name, code = names[line], codes[line]
        try:
            places[line] = WORLD if is_total[line] else partner_place(name, code)
        except ValueError as err:
            shown = f"{code} {name}".strip()
            problems.add(line, f"column {table.title('partner')!r}: {shown!r} is not {err}")
    return pd.Series(places, dtype="object").dropna()


def _note_other_units(
    column: Column, table: CustomsTable, values: "pd.Series[float]", problems: Problems
) -> None:
    """Note lines whose cell of units contradicts the unit within a heading."""
    for line, unit in table.text("unit")[values.index[values.ne(0)]].items():
        tonnes = _units().get(folded(unit))
        if column.unit and tonnes is not None and tonnes != tonnes_of(column.unit):
            title = table.title("unit")
            text = f"column {title!r}: {unit!r} is not the unit of column {column.title!r}"
            problems.add(int(str(line)), text)


def _note_contradictions(amounts: pd.DataFrame, problems: Problems) -> None:
    """Note lines that give a month of a destination twice, unless codes or parts differ."""
    distinct = amounts.drop_duplicates([*_PART, "value"])
    cell = ["destination", "parts", "period", "measure"]
    is_unnamed = distinct.groupby(cell)["code"].transform("min").eq("")
    several = distinct[
        distinct.duplicated(_PART, keep=False)
        | (is_unnamed & distinct.duplicated(cell, keep=False))
    ]
    filled = amounts["parts"].map(lambda parts: tuple(map(bool, parts)))
    kinds = amounts.assign(filled=filled).groupby(["destination", "period"])["filled"]
    mixed = amounts[kinds.transform("nunique") > 1]
    for row in pd.concat([several, mixed]).drop_duplicates("line").to_dict("records"):
        problems.add(
            row["line"],
            f"{row['partner']} has several amounts for {row['period']:%Y-%m}, under this name or "
            f"another of {row['destination']}, in the same columns or split by others; load each "
            "download for itself",
        )


@cache
def _meanings() -> dict[str, str]:
    headings = package_table(_WORDS)["headings"]
    return {word: meaning for meaning, words in headings.items() for word in words}


@cache
def _units() -> dict[str, float]:
    return {
        unit: float(t) for t, units in package_table(_WORDS)["tonnes"].items() for unit in units
    }


def _column(place: int, title: str) -> Column:
    plain = folded(title)
    month = _MONTH.search(plain)
    rest = plain if month is None else (plain[: month.start()] + plain[month.end() :])
    rest = rest.strip(" -_/:,")
    period = f"{month['year']}-{int(month['month']):02d}" if month else ""
    inside, outside = " ".join(_BRACKETS.findall(rest)), _BRACKETS.sub("", rest).strip()
    if period and (not rest or rest in _units()):
        return Column(place, title, "quantity", period, rest)
    if rest not in _meanings() and inside in _units():
        return Column(place, title, _meanings().get(outside, ""), period, inside)
    money = (_meanings().get(part, "") for part in (inside, outside))
    currency = next((meaning for meaning in money if meaning in {"usd", "cny"}), "")
    return Column(place, title, _meanings().get(rest, currency), period)


def month_of(text: str) -> str:
    """``YYYY-MM`` of a cell such as 202608, 2026-08 or 2026年8月.

    Examples:
        >>> month_of("2026年8月"), month_of("202608")
        ('2026-08', '2026-08')
    """
    match = _MONTH.fullmatch(folded(text))
    if match is None:
        raise ValueError("one month (202608, 2026-08, 2026年8月)")
    return f"{match['year']}-{int(match['month']):02d}"


def tonnes_of(unit: str) -> float:
    """Tonnes of a unit of weight.

    Examples:
        >>> tonnes_of("千克"), tonnes_of("t")
        (0.001, 1.0)
    """
    if (tonnes := _units().get(folded(unit))) is None:
        raise ValueError("a unit of weight (千克, kg, 吨, t)")
    return tonnes


def partner_place(name: str, code: str = "") -> str | None:
    """Place of a partner, by its code or else by its name; None for a sum of places.

    A code of three digits that is in no table is a residual place of its own, ``C987``, which the
    checks of a batch hold for a person.

    Args:
        name: Chinese or English, however spaced and punctuated; may be empty beside a code.
        code: 贸易伙伴编码, three digits; anything else is no code.

    Examples:
        >>> partner_place("美国"), partner_place("Germany"), partner_place("", "987")
        ('USA', 'DEU', 'C987')
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
    return frozenset(map(_letters, package_table(_WORDS)["regions"]))


@cache
def _names() -> dict[str, str]:
    chinese = gettext.translation("iso3166-1", pycountry.LOCALES_DIR, languages=["zh_CN"])
    places: dict[str, str] = {}
    for country in pycountry.countries:
        english = {getattr(country, n, country.name) for n in ("common_name", "official_name")}
        english |= {country.alpha_3, country.name}
        for name in [*english, *(chinese.gettext(name) for name in english)]:
            places[_letters(name)] = country.alpha_3
    for partner in partner_codes():
        places |= {_letters(n): partner.destination for n in (partner.name_zh, partner.name_en)}
    for place, words in package_table(_WORDS)["partners"].items():
        places |= {_letters(name): place for name in words}
    return places


def _letters(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text.replace("&", " and ")).casefold()
    return "".join(letter for letter in letters if letter.isalnum())
