"""Files downloaded in a browser, recognised by their headings; layouts: ``downloads.yaml``."""

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final

import pandas as pd

from sources.bundled.notation import half_width
from sources.files.file_reader import Line, Problems, content_of, package_table, tables_of
from sources.providers.rows import (
    USUAL_LAG,
    comext_place,
    comtrade_place,
    observations,
    usual_moment,
)
from store.errors import DataError, first_few
from store.facts.batch import FileRows

LEADING: Final = 15
"""Lines, such as titles and query terms, that may precede the headings."""

_ENCODINGS: Final = ("utf-16", "utf-8-sig", "cp949", "big5", "latin-1")
_INDICATORS: Final = ["quantity_in_100kg", "value_in_euros"]
_MONTHS: Final = "jan feb mar apr may jun jul aug sep oct nov dec".split()  # noqa: SIM905

_NUMERIC: Final = re.compile(r"((?:19|20)\d{2})[-./年]?(1[0-2]|0[1-9])月?", re.ASCII)
_ROC: Final = re.compile(r"(\d{3})年(1[0-2]|0?[1-9])月", re.ASCII)
_NAMED: Final = re.compile(r"([a-z]{3})[a-z]*\.? ((?:19|20)\d{2})", re.ASCII)
_AMOUNT: Final = re.compile(
    r"(value|quantity|weight|wgt|mass|qty|dlr|usd|\$|금액|중량|수량|金額|美元|[臺台]幣|重量|數量)(?!.*code)"
)
"""Headings of amounts, in the languages of these files."""
_PART: Final = ["commodity", "destination", "period"]


def _comtrade_place(code: str) -> str:
    if not re.fullmatch(r"\d{1,3}", code, re.ASCII):
        raise ValueError("the code of a country (digits)")
    return comtrade_place(int(code))


_PLACES: Final[Mapping[str, Callable[[str], str]]] = {
    "comtrade": _comtrade_place,
    "comext": lambda code: comext_place(code.partition(":")[0].upper()),
}
"""Destinations by the code of a column."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What the columns of a file are, and which of its lines are ours."""

    source: str
    name: str
    place: str | Mapping[str, str]
    lag_days: int
    url: str
    period: str
    goods: str
    says: Mapping[str, str]
    codes: str
    measures: Mapping[str, Mapping[str, float]]
    prefix: str = ""
    """Begins the commodity of a line, whose code follows."""
    says_if_there: Mapping[str, str] = field(default_factory=dict)
    """As ``says``, of columns that a file may lack."""

    def fits(self, headings: Iterable[str]) -> bool:
        """Whether a table has a weight and every required column."""
        weight = "/".join(next(iter(self.measures.values())))
        place = self.place if isinstance(self.place, Mapping) else ()
        wanted = (*self.says, self.period, self.goods, weight, *place)
        return all(set(headings).intersection(names.split("/")) for names in wanted)

    def lines(self, table: pd.DataFrame) -> pd.DataFrame:
        """Table with commodity and month of each line, and why it is not ours."""
        codes = _column(self.goods, table).str.extract(r"^\W*([\d.]+)")[0].fillna("")
        codes = codes.str.replace(".", "").str[:10]
        months = _column(self.period, table).map(month_in)
        reasons = {"other goods": ~codes.str.fullmatch(self.codes)}
        optional = {name: text for name, text in self.says_if_there.items() if name in table}
        for names, pattern in {**self.says, **optional}.items():
            cells = _column(names, table)
            is_ours = cells.map(folded).str.strip("'\" ").str.fullmatch(pattern)
            reasons[f"another {cells.name}"] = ~is_ours
        reasons |= {"no single month": months.eq(""), "repeated": table.duplicated()}
        period = pd.to_datetime(months, format="%Y-%m", errors="coerce").astype("datetime64[us]")
        reason = first_reason(reasons)
        return table.assign(commodity=self.prefix + codes, period=period, why=reason)

    def unread(self, ours: pd.DataFrame) -> tuple[str, ...]:
        """Note on the columns of amounts in lines of ours that are not read, if any."""
        read = {name for units in self.measures.values() for name in units}
        names = [str(name) for name in ours.columns if name not in read]
        amounts = [
            name
            for name in names
            if _AMOUNT.search(name) and ours[name].str.contains("[1-9]").any()
        ]
        return (f"columns of amounts: {first_few(amounts)}",) if amounts else ()

    def read(
        self, ours: pd.DataFrame, problems: Problems, ingested_at: pd.Timestamp
    ) -> pd.DataFrame:
        """Observations in lines of ours, added up by code and month."""
        if isinstance(self.place, str):
            ours = ours.assign(destination=self.place)
        else:
            ((column, kind),) = self.place.items()
            ours = ours.assign(
                destination=problems.parsed(column, ours[column], _PLACES[kind])
            ).dropna(subset="destination")
        rows = pd.concat([self._amounts(ours, measure, problems) for measure in self.measures])
        problems.raise_if_any()
        moments = usual_moment(rows["period"], lag_days=self.lag_days, ingested_at=ingested_at)
        rows = rows.assign(available_at=moments, note=USUAL_LAG)
        return observations([rows], source=self.source, source_url=self.url)

    def _amounts(self, ours: pd.DataFrame, measure: str, problems: Problems) -> pd.DataFrame:
        """Amounts of a measure; zero is none, for a weight may be missing."""
        units = self.measures[measure]
        heading = next((heading for heading in units if heading in ours), None)
        if heading is None:
            return pd.DataFrame()
        amounts = amounts_of(heading, ours[heading], problems) * units[heading]
        cells = pd.concat([ours[_PART], amounts], axis=1)
        summed = cells[cells["value"] > 0].groupby(_PART, as_index=False)
        return summed.agg({"value": "sum", "half_width": "max"}).assign(measure=measure)


@cache
def layouts() -> tuple[Layout, ...]:
    """Layouts of ``downloads.yaml``."""
    return tuple(Layout(**entry) for entry in package_table("providers/downloads.yaml"))


def download(path: Path, ingested_at: pd.Timestamp) -> FileRows | None:
    """Rows of a file by the layout of its headings; None if no layout fits."""
    content, name = content_of(path), path.name
    refuse_other_file(name, content)
    problems = Problems(name)
    readings = (_table(lines, problems) for lines, _ in tables_of(name, content, _ENCODINGS))
    if (table := next((table for table in readings if table is not None), None)) is None:
        return None
    problems.raise_if_any()
    fitting = [(layout, layout.lines(table)) for layout in layouts() if layout.fits(table.columns)]
    layout, lines = max(fitting, key=lambda pair: pair[1]["why"].eq("").sum())
    ours, left_out = lines[lines["why"].eq("")], counts_of(lines["why"])
    if ours.empty:
        raise DataError(
            f"{name} has the headings of {layout.name} and no such line: {first_few(left_out)}. "
            f"Expected codes {layout.codes}, and lines that say {dict(layout.says)}. Ask the site "
            "for those; nothing was taken over."
        )
    left_out += layout.unread(ours)
    tables = {"observations": layout.read(ours, problems, ingested_at)}
    sha256, request = hashlib.sha256(content).hexdigest(), f"{layout.name}, in {name}"
    return FileRows(layout.source, name, sha256, tables, left_out, asked=request)


def refuse_other_file(name: str, content: bytes) -> None:
    """Refuse a file that another verb takes, by what it is."""
    start = content[:4_000].decode("utf-8", "replace").removeprefix("\ufeff")
    for entry in package_table("providers/other_files.yaml"):
        if match := re.search(entry["says"], start, re.IGNORECASE):
            kind = entry["is"].format(*(group or "no text" for group in match.groups()))
            raise DataError(
                f"{name} is {kind}. Expected a table of exports or imports as customs publish it. "
                f"{entry['do']} Nothing was taken over."
            )


def lines_below(
    lines: Sequence[Line], start: int, problems: Problems, *, width: int, least: int
) -> pd.DataFrame:
    """Cells below the headings in line ``start`` as text, by line number, a column a place.

    Lines of less than ``least`` or more than ``width`` cells are noted as problems; one cell alone
    may be a note.
    """
    rows = {}
    for number, cells in lines:
        filled = sum(map(bool, cells))
        if number <= start or not filled:
            continue
        if any(cells[width:]) or (len(cells) < least and filled > 1):
            problems.add(number, f"row: {len(cells)} cells for {width} headings: it may be cut")
        else:
            rows[number] = [*cells[:width], *[""] * (width - len(cells))]
    return pd.DataFrame.from_dict(rows, orient="index", columns=range(width), dtype="str")


def first_reason(reasons: Mapping[str, "pd.Series[bool]"]) -> "pd.Series[str]":
    """Why each line is left out: the first reason that holds; empty if it is not."""
    first = pd.Series("", index=next(iter(reasons.values())).index, dtype="str")
    for reason, holds in reasons.items():
        first = first.mask(first.eq("") & holds, reason)
    return first


def counts_of(reasons: "pd.Series[str]") -> tuple[str, ...]:
    """How many lines were left out for each reason."""
    counts = Counter(reasons[reasons.ne("")])
    return tuple(f"{count} lines: {reason}" for reason, count in counts.items())


def amounts_of(title: str, texts: "pd.Series[str]", problems: Problems) -> pd.DataFrame:
    """Amounts of a column, NaN where there is none, and half their last digit, by line."""
    values = problems.parsed(title, texts, amount_of).astype("float64")
    plain = texts.str.replace(r"[,\s]", "", regex=True)
    widths = [half_width(text, "pct") for text in plain]
    return pd.DataFrame({"value": values, "half_width": widths}, dtype="float64")


def amount_of(text: str) -> float | None:
    """A number with or without thousands separators; None where there is none."""
    plain = folded(text).replace(" ", "")
    if plain in {"", "-", "--", "—", "..", "n/a"}:
        return None
    if re.fullmatch(r"\d{1,3}(,\d{3})+(\.\d+)?|\d+(\.\d+)?", plain, re.ASCII) is None:
        raise ValueError("a plain number, with or without thousands separators")
    return float(plain.replace(",", ""))


def folded(text: str) -> str:
    """A text normalised for comparison: lower case, plain brackets, commas and spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).split()).lower()


def _table(lines: Sequence[Line], problems: Problems) -> pd.DataFrame | None:
    """Lines below headings of a layout, as text; None where there are none."""
    for start, cells in lines[:LEADING]:
        headings = [folded(cell).removesuffix("(default member)").strip() for cell in cells]
        wide = [f"quantity2-{month}" for month in _MONTHS]
        added = ["month", "quantity2"] if {"year", *wide}.issubset(headings) else []
        if {"obs_value", "indicators"}.issubset(headings):
            added += _INDICATORS
        if not any(layout.fits([*headings, *added]) for layout in layouts()):
            continue
        width = len(headings)
        table = lines_below(lines, start, problems, width=width, least=width)
        table = table.set_axis(headings, axis=1).loc[:, ~pd.Index(headings).duplicated()]
        if "month" in added:
            return _long(table, wide)
        for measure in added:
            is_it = table["indicators"].str.lower().str.replace(r":.*", "", regex=True).eq(measure)
            table[measure] = table["obs_value"].where(is_it, "")
        return table
    return None


def _long(table: pd.DataFrame, wide: list[str]) -> pd.DataFrame:
    """One line per month; a month of zeros alone is not published yet."""
    parts = [
        table.drop(columns=wide).assign(month=table["year"] + f"-{n:02d}", quantity2=table[name])
        for n, name in enumerate(wide, start=1)
        if table[name].str.strip("0 ").ne("").any()
    ]
    return pd.concat(parts or [table.assign(month="", quantity2="")])


def month_in(text: str) -> str:
    """``YYYY-MM`` of a cell such as 202608, August 2026 or 115年08月, else an empty text."""
    words = folded(text)
    if match := _NUMERIC.fullmatch(words):
        return f"{match[1]}-{match[2]}"
    if match := _ROC.fullmatch(words):
        return f"{int(match[1]) + 1911}-{int(match[2]):02d}"
    if (match := _NAMED.fullmatch(words)) and match[1] in _MONTHS:
        return f"{match[2]}-{_MONTHS.index(match[1]) + 1:02d}"
    return ""


def _column(names: str, table: pd.DataFrame) -> pd.Series:
    return table[next(name for name in names.split("/") if name in table)]
