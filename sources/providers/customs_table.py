"""A customs download as a table: its headings, Chinese and English, and what their cells mean."""

import codecs
import csv
import gettext
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any, Final, cast

import pycountry
import yaml

from sources.files.csv_table import records
from store.errors import DataError
from store.partner_codes import partner_codes

UTF8: Final = "utf-8"

_KNOWN: Final = "UTF-8, UTF-16 nor GB18030"
"""To follow "is neither" in a message."""

_GB18030: Final = "gb18030"
_ASCII: Final = re.compile(r"[\x00-\x7f]+")
_SIGNS: Final = b"\xa3"
"""First byte of the last signs of GB2312; kana, Greek and Cyrillic letters follow."""
_FIRST: Final = b"\xb0"
_LAST: Final = b"\xd7"
"""First bytes of GB2312's first and last everyday characters."""
_METALS: Final = (b"\xee", b"\xef")
"""First bytes of the rarer characters of metals."""
_HANGUL: Final = b"\xc8"
"""First byte of the last syllables in Korea's encoding, whose first ones have ``_FIRST``."""
_TELLING: Final = 20
"""Different characters from which chance brings no Chinese text into so few first bytes."""
_ZEROS: Final = 0.1
"""Share of zero bytes from which a text has two bytes a character: digits and commas hold one."""


def encoding_of(blocks: Callable[[], Iterable[bytes]]) -> str:
    """Return the codec that all bytes of a text fit, judged by its mark and zero bytes, then tried.

    Args:
        blocks: Yields the bytes; called once for each codec tried and once before.

    Raises:
        UnicodeError: None fits; worded to follow a colon.
    """
    faults = []
    for encoding in likely_encodings(next(iter(blocks()), b"")):
        try:
            _check(encoding, blocks())
        except UnicodeError as err:
            faults.append(str(err))
        else:
            return encoding
    raise UnicodeError(faults[0])


def likely_encodings(start: bytes) -> tuple[str, ...]:
    """Return the codecs to try on a text that starts so, the likeliest first."""
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return ("utf-16",)
    low, high = start[1::2].count(0), start[::2].count(0)
    wide = ("utf-16-le" if low >= high else "utf-16-be",)
    return (*(wide if low + high > _ZEROS * len(start) else ()), UTF8, _GB18030)


def _check(encoding: str, blocks: Iterable[bytes]) -> None:
    """Refuse bytes that are no text of an encoding, naming the first."""
    decoder = codecs.getincrementaldecoder(encoding)()
    lines, letters = 1, Counter[str]()
    for block in chain(blocks, [b""]):
        try:
            text = decoder.decode(block, final=not block)
        except UnicodeDecodeError as err:
            lines += err.object[: err.start].count(b"\n")
            raise UnicodeError(f"byte 0x{err.object[err.start]:02x} on line {lines}") from err
        lines += block.count(b"\n")
        if encoding == _GB18030:
            letters.update(_ASCII.sub("", text))
    if letters and not _is_chinese(letters):
        raise UnicodeError("its characters are not those of Chinese texts")


def _is_chinese(letters: Counter[str]) -> bool:
    """Tell whether letters read as GB18030 are those of a Chinese text; nearly any bytes are some.

    Western, Cyrillic and other letters make rare characters: half must be signs, metals or GB2312's
    everyday ones, which lie in the order of their sound. Korean syllables make everyday ones of the
    first sounds alone.
    """
    leads = {letter: letter.encode("gb2312", "ignore")[:1] for letter in letters}
    everyday = sum(
        letters[one]
        for one, lead in leads.items()
        if b"" < lead <= _SIGNS or _FIRST <= lead <= _LAST or lead in _METALS
    )
    is_korean = len(leads) >= _TELLING and all(_FIRST <= one <= _HANGUL for one in leads.values())
    return 2 * everyday >= letters.total() and not is_korean


BAD_CHARACTER: Final = "\ufffd"
"""Stands for bytes that are no text."""

MOST_BAD: Final = 0.02
"""Share of characters that may be broken in a file that is read at all."""


def decoded(name: str, content: bytes) -> tuple[str, str]:
    """Return the text and its encoding; a few broken bytes do not spoil it.

    Raises:
        DataError: it is no text of a known encoding.
    """
    with suppress(UnicodeError):
        encoding = encoding_of(lambda: [content])
        return content.decode(encoding).removeprefix("\ufeff"), encoding
    texts = [(content.decode(one, errors="replace"), one) for one in likely_encodings(content)]
    text, encoding = min(texts, key=lambda found: found[0].count(BAD_CHARACTER))
    if text.count(BAD_CHARACTER) <= len(text) * MOST_BAD:
        return text, encoding
    raise DataError(
        f"{name} is neither {_KNOWN}. Expected a CSV download of China's customs. "
        "Download it anew, or save it as UTF-8; nothing was taken over."
    )


def csv_lines(text: str) -> list[tuple[int, list[str] | str]]:
    """Return the records with the line each starts on; why it is broken instead of its cells."""
    first = text[: text.find("\n")] if "\n" in text else text
    mark = "\t" if first.count("\t") > first.count(",") else ","
    try:
        found = list(records("", text, mark=mark, remedy=""))
    except DataError:  # a quote is not closed; the customs write no line breaks within cells
        numbered = enumerate(text.splitlines(), start=1)
        return [(number, _broken(line) or _cells(line, mark)) for number, line in numbered]
    return [(number, _broken("".join(cells)) or cells) for number, cells in found]


def _broken(line: str) -> str:
    return "holds bytes that are no text" if BAD_CHARACTER in line else ""


def _cells(line: str, mark: str) -> list[str] | str:
    try:
        return next(csv.reader([line], delimiter=mark, strict=True), [])
    except csv.Error as err:
        return f"is no CSV: {err}"


_SCALES: Final = {
    "百万": 1e6, "万": 1e4, "千": 1e3, "million": 1e6, "thousand": 1e3, "1000": 1e3,
}  # fmt: skip
"""Multipliers of a unit of money, the longer first."""
_MONTH: Final = re.compile(
    r"(?P<year>(?:19|20)\d{2})\s*(?:[-/.年]\s*)?(?P<month>1[0-2]|0?[1-9])\s*月?(?![\d])"
)
_BRACKETS: Final = re.compile(r"[(\[](.*?)[)\]]")


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
    """Return the tonnes of each unit of weight."""
    return {unit: float(t) for t, units in customs_words()["tonnes"].items() for unit in units}


def heading_of(text: str) -> Heading:
    """Parse a heading."""
    plain = _plain(text)
    month = _MONTH.search(plain)
    rest = plain if month is None else (plain[: month.start()] + plain[month.end() :])
    rest = rest.strip(" -_/:,")
    period = f"{month['year']}-{int(month['month']):02d}" if month else ""
    meaning, unit, scale = _meaning(rest, wide=bool(period))
    return Heading(meaning, period, unit, scale)


def month_of(text: str) -> str:
    """Return ``YYYY-MM`` of a cell such as 202608, 2026-08 or 2026年8月.

    Raises:
        ValueError: it is no single month; worded to follow "is not".
    """
    match = _MONTH.fullmatch(_plain(text))
    if match is None:
        raise ValueError("one month (202608, 2026-08, 2026年8月)")
    return f"{match['year']}-{int(match['month']):02d}"


def amount_of(text: str) -> float | None:
    """Return a number with or without thousands separators; None where there is none.

    Raises:
        ValueError: it is no number; worded to follow "is not".
    """
    plain = _plain(text).replace(" ", "")
    if plain in {"", "-", "--", "—", "..", "n/a"}:
        return None
    if re.fullmatch(r"\d{1,3}(,\d{3})+(\.\d+)?|\d+(\.\d+)?", plain, re.ASCII) is None:
        raise ValueError("a plain number, with or without thousands separators")
    return float(plain.replace(",", ""))


def tonnes_of(unit: str) -> float:
    """Return the tonnes of a unit of weight.

    Raises:
        ValueError: it is no unit of weight; worded to follow "is not".
    """
    if (tonnes := _units().get(_plain(unit))) is None:
        raise ValueError("a unit of weight (千克, kg, 吨, t)")
    return tonnes


def _meaning(rest: str, *, wide: bool) -> tuple[str, str, float]:
    """Return the meaning of a heading, with its unit or scale."""
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


def _plain(text: str) -> str:
    """Return a text normalised for comparison: lower case, plain brackets, commas and spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).split()).lower()


LEADING: Final = 15
"""Lines, such as titles and query terms, that may precede the headings."""

_NEEDED: Final = ("commodity", "partner", "quantity")


@dataclass(frozen=True, slots=True)
class Column:
    """One column."""

    place: int
    title: str
    heading: Heading


@dataclass(frozen=True, slots=True)
class CustomsTable:
    """All lines below the headings."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]
    broken: tuple[tuple[int, str], ...] = ()
    """Lines that are no text or no CSV, each with the reason."""
    encoding: str = ""

    @property
    def lines(self) -> tuple["CustomsLine", ...]:
        return tuple(CustomsLine(self, number, cells) for number, cells in self.rows)

    def of(self, meaning: str) -> tuple[Column, ...]:
        """Return the columns of a meaning."""
        return tuple(column for column in self.columns if column.heading.meaning == meaning)


@dataclass(frozen=True, slots=True)
class CustomsLine:
    """One line; cells are found by their meaning."""

    table: CustomsTable
    number: int
    cells: tuple[str, ...]

    def text(self, meaning: str) -> str:
        """Return the first cell of a meaning that is filled, empty if there is none."""
        cells = (self.cells[column.place].strip() for column in self.table.of(meaning))
        return next((cell for cell in cells if cell), "")

    def title(self, meaning: str) -> str:
        """Return the heading of the first column of a meaning, empty if there is none."""
        return next((column.title for column in self.table.of(meaning)), "")


def read_customs(name: str, content: bytes) -> CustomsTable:
    """Read a download.

    Args:
        content: its bytes, UTF-8 (with or without a mark), UTF-16 or GB18030.

    Raises:
        DataError: it is none of these, or has no line of headings with code, partner and quantity.
    """
    text, encoding = decoded(name, content)
    lines = csv_lines(text)
    start, columns = _headings(name, [(n, cells) for n, cells in lines if isinstance(cells, list)])
    amounts = {"quantity", "usd", "cny"}
    least = 1 + max(one.place for one in columns if one.heading.meaning in amounts)
    named = 1 + max(one.place for one in columns if one.title.strip())
    rows, broken = [], []
    for number, cells in lines:
        if number <= start:
            continue
        if isinstance(cells, str):
            broken.append((number, cells))
        elif any(cell.strip() for cell in cells[named:]) or (
            len(cells) < least and sum(bool(cell.strip()) for cell in cells) > 1
        ):
            found = f"row: {len(cells)} cells are not {named}, as in the headings"
            broken.append((number, found))
        elif any(cell.strip() for cell in cells):
            rows.append((number, (*cells, *[""] * (len(columns) - len(cells)))))
    return CustomsTable(columns, tuple(rows), tuple(broken), encoding)


def _headings(name: str, lines: list[tuple[int, list[str]]]) -> tuple[int, tuple[Column, ...]]:
    """Return the number of the line of headings, and the columns."""
    best: list[str] = []
    for number, cells in lines[:LEADING]:
        columns = _columns(cells)
        meanings = {column.heading.meaning for column in columns}
        if "partner_code" in meanings:
            meanings.add("partner")
        is_dated = "period" in meanings or any(column.heading.month for column in columns)
        if is_dated and meanings.issuperset(_NEEDED):
            return number, _without_names(columns)
        best = max(best, [m for m in (*_NEEDED, "period") if m in meanings], key=len)
    lacking = [m for m in (*_NEEDED, "period") if m not in best]
    raise DataError(
        f"No line of headings in the first {LEADING} of {name}: {', '.join(lacking)} not found. "
        "Expected those of the customs' query site, e.g. 数据年月, 商品编码, 贸易伙伴名称, "
        "第一数量, 第一计量单位, 美元, or in English, or a column a month. "
        "Ask the site for commodity codes and trading partners; nothing was taken over."
    )


def _columns(cells: list[str]) -> tuple[Column, ...]:
    return tuple(Column(place, cell.strip(), heading_of(cell)) for place, cell in enumerate(cells))


def _without_names(columns: tuple[Column, ...]) -> tuple[Column, ...]:
    """Keep one column of codes: next to "Commodity code", a column "Commodity" holds names."""
    codes = [column for column in columns if column.heading.meaning == "commodity"]
    if len(codes) == 1:
        return columns
    kept = next((c for c in codes if "code" in c.title.lower() or "编码" in c.title), codes[0])
    unread = Heading("commodity_name")
    return tuple(
        Column(c.place, c.title, unread) if c in codes and c is not kept else c for c in columns
    )


_CODE: Final = re.compile(r"\d{3}", re.ASCII)


class UnknownPartnerError(ValueError):
    """Neither code nor name is in the tables."""


def partner_place(name: str, code: str = "") -> str | None:
    """Return the place of a partner, by its code or else by its name; None for a sum of places.

    Args:
        name: Chinese or English, however spaced and punctuated; may be empty beside a code.
        code: 贸易伙伴编码, three digits; anything else is no code.

    Raises:
        UnknownPartnerError: The customs' table and ISO 3166 have neither.
        ValueError: Code and name are two different places; worded to follow "is not".
    """
    plain = _letters(name)
    if plain in _regions():
        return None
    by_code, by_name = _codes().get(code), _names().get(plain)
    if by_code is not None and by_name is not None and by_code != by_name:
        raise ValueError(f"the partner of code {code}, which is {by_code}")
    if (place := by_code or by_name) is None:
        raise UnknownPartnerError("a partner the customs name (in Chinese or English)")
    return place


def residual_place(code: str) -> str | None:
    """Return the place a code would have of its own; None if it is no code of the customs."""
    return f"C{code}" if _CODE.fullmatch(code) else None


@cache
def _codes() -> dict[str, str]:
    return {partner.code: partner.destination for partner in partner_codes()}


@cache
def _regions() -> frozenset[str]:
    return frozenset(map(_letters, customs_words()["regions"]))


@cache
def _names() -> dict[str, str]:
    """Return the places by name: of ISO 3166, of the customs' table, and other spellings."""
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
    """Return the letters and digits of a name, without accents and case."""
    letters = unicodedata.normalize("NFKD", text.replace("&", " and ")).casefold()
    return "".join(letter for letter in letters if letter.isalnum())
