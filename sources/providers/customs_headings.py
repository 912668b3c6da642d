"""Headings of China customs downloads, Chinese and English, and what their cells mean."""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

HEADINGS: Final = {
    "period": (
        "数据年月", "年月", "月份", "日期", "时间", "统计年月",
        "date", "date of data", "data date", "month", "year-month", "period", "year/month",
    ),
    "commodity": (
        "商品编码", "商品代码", "编码", "税号", "hs编码",
        "commodity code", "hs code", "code", "commodity", "product code",
    ),
    "commodity_name": (
        "商品名称", "商品", "品名", "commodity name", "description", "commodity description",
        "product",
    ),
    "partner_code": (
        "贸易伙伴编码", "贸易伙伴代码", "国家编码", "国别编码", "国别代码", "国家(地区)编码",
        "trading partner code", "partner code", "country code", "trade partner code",
    ),
    "partner": (
        "贸易伙伴名称", "贸易伙伴", "国家名称", "国家", "国别", "国家(地区)", "最终目的国(地区)",
        "trading partner", "partner", "country", "country/region", "destination",
        "trading partner name", "partner name", "trade partner",
    ),
    "quantity": (
        "第一数量", "数量", "第1数量", "法定数量", "重量", "净重",
        "quantity", "first quantity", "quantity 1", "1st quantity", "weight", "net weight",
    ),
    "unit": (
        "第一计量单位", "计量单位", "第一单位", "单位", "unit", "first unit", "quantity unit",
        "unit 1", "unit of measurement", "1st unit",
    ),
    "quantity_2": (
        "第二数量", "supplementary quantity", "supplimentary quantity", "second quantity",
        "quantity 2",
    ),
    "unit_2": (
        "第二计量单位", "第二单位", "supplementary unit", "supplimentary unit", "second unit",
        "unit 2",
    ),
    "usd": (
        "美元", "金额(美元)", "美元值", "出口美元", "us dollar", "usd", "value (usd)", "us dollars",
        "value(usd)", "value in usd", "value, us dollar",
    ),
    "cny": (
        "人民币", "金额(人民币)", "人民币元", "rmb", "cny", "renminbi", "renminbi yuan", "yuan",
        "value (cny)", "value in cny",
    ),
    "split": (
        "贸易方式", "贸易方式名称", "注册地", "注册地名称", "收发货人注册地", "贸易方式编码",
        "注册地编码", "trade mode", "trade mode code", "registered place",
        "registration place", "customs regime", "trade mode name", "registration place code",
    ),
    "flow": ("进出口", "进出口类型", "贸易流向", "flow", "import/export", "trade flow"),
}  # fmt: skip
"""Headings by meaning; ``split`` columns divide a partner's month into parts."""

TONNES: Final = {
    "千克": 0.001, "公斤": 0.001, "kg": 0.001, "kgs": 0.001, "kilogram": 0.001, "kilograms": 0.001,
    "kilo": 0.001, "吨": 1.0, "公吨": 1.0, "t": 1.0, "ton": 1.0, "tons": 1.0, "tonne": 1.0,
    "tonnes": 1.0, "metric ton": 1.0, "metric tons": 1.0, "mt": 1.0,
}  # fmt: skip
"""Tonnes of a unit of weight."""

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
    """A key of ``HEADINGS``, or empty where it is not known."""
    month: str = ""
    """``YYYY-MM`` in a table with one column per month."""
    unit: str = ""
    """Unit of weight within the heading, if any."""
    scale: float = 1.0
    """Multiplier of the currency."""


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
    if (tonnes := TONNES.get(_plain(unit))) is None:
        raise ValueError("a unit of weight (千克, kg, 吨, t)")
    return tonnes


def _meaning(rest: str, *, wide: bool) -> tuple[str, str, float]:
    """Return the meaning of a heading, with its unit or scale."""
    if wide and (not rest or rest in TONNES):
        return "quantity", rest, 1.0
    if (found := _named(rest)) is not None:
        return found, "", 1.0
    inside = " ".join(_BRACKETS.findall(rest))
    outside = _BRACKETS.sub("", rest).strip()
    if inside in TONNES:
        return _named(outside) or "", inside, 1.0
    scale = next((words for words in _SCALES if words in rest), "")
    bare = (rest.replace(scale, ""), inside.replace(scale, ""), outside.replace(scale, ""))
    money = next((name for text in bare if (name := _named(text.strip())) in {"usd", "cny"}), None)
    return money or "", "", _SCALES.get(scale, 1.0)


def _named(text: str) -> str | None:
    """Return the meaning of a known heading."""
    return next((meaning for meaning, words in HEADINGS.items() if text in words), None)


def _plain(text: str) -> str:
    """Return a text normalised for comparison: lower case, plain brackets, commas and spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).split()).lower()
