"""TradeData.csv of Comtrade Plus as a browser saves it, and what customs tables share with it."""

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import pandas as pd

from sources.bundled.notation import half_width
from sources.files.file_reader import Line, Problems, content_of, package_table, tables_of
from sources.providers.rows import USUAL_LAG, comtrade_place, observations, usual_moment
from store.errors import DataError, first_few
from store.facts.batch import FileRows
from store.vocabulary import HS6

LEADING: Final = 15
"""Lines, such as titles and query terms, that may precede the headings."""

_ENCODINGS: Final = ("utf-16", "utf-8-sig", "latin-1")
_SOURCE: Final = "comtrade"
_URL: Final = "https://comtradeplus.un.org/"
_LAG_DAYS: Final = 180
"""Usual lag after the month's end. Source: docs/data/comtrade.md."""

_NAME: Final = "exports of 850511, reported by China (Comtrade Plus, TradeData.csv)"
_SAYS: Final[Mapping[str, str]] = {
    "reportercode": "156", "flowcode": "x", "partner2code": "0", "customscode": "c00",
    "motcode": "0",
}  # fmt: skip
"""What a line of ours says: exports of China, all procedures and modes of transport together."""

_MEASURES: Final[Mapping[str, tuple[str, float]]] = {
    "net_weight_t": ("netwgt", 1e-3),
    "value_musd": ("primaryvalue", 1e-6),
}
"""Column of each measure, and what one unit of it is."""

_HEADINGS: Final = {*_SAYS, "period", "cmdcode", "partnercode", "netwgt"}
_CELL: Final = ["destination", "period"]


def download(path: Path, ingested_at: pd.Timestamp) -> FileRows | None:
    """Rows of a TradeData.csv; None if the file has other headings."""
    content, name = content_of(path), path.name
    refuse_other_file(name, content)
    problems = Problems(name)
    readings = (_table(lines, problems) for lines, _ in tables_of(name, content, _ENCODINGS))
    if (table := next((table for table in readings if table is not None), None)) is None:
        return None
    problems.raise_if_any()
    months = pd.to_datetime(table["period"], format="%Y%m", errors="coerce")
    others = {
        f"another {column}": table[column].map(folded).ne(text) for column, text in _SAYS.items()
    }
    reasons = first_reason(
        {
            "other goods": table["cmdcode"].ne(HS6),
            **others,
            "no single month": ~table["period"].str.fullmatch(r"\d{6}") | months.isna(),
            "repeated": table.duplicated(),
        }
    )
    ours, left_out = reasons.eq(""), counts_of(reasons)
    if not ours.any():
        raise DataError(
            f"{name} has the headings of {_NAME} and no such line: {first_few(left_out)}. "
            f"Expected code {HS6}, and lines that say {dict(_SAYS)}. Ask the site for those; "
            "nothing was taken over."
        )
    lines = table[ours].assign(period=months[ours].astype("datetime64[us]"))
    tables = {"observations": _observations(lines, problems, ingested_at)}
    sha256, request = hashlib.sha256(content).hexdigest(), f"{_NAME}, in {name}"
    return FileRows(_SOURCE, name, sha256, tables, left_out, asked=request)


def _observations(
    lines: pd.DataFrame, problems: Problems, ingested_at: pd.Timestamp
) -> pd.DataFrame:
    """Weights and values of lines, added up by partner and month; zero is none."""
    lines = lines.assign(destination=problems.parsed("partnercode", lines["partnercode"], _place))
    parts = []
    for measure, (heading, unit) in _MEASURES.items():
        if heading in lines:
            amounts = amounts_of(heading, lines[heading], problems) * unit
            cells = pd.concat([lines[_CELL], amounts], axis=1)
            summed = cells[cells["value"] > 0].groupby(_CELL, as_index=False)
            parts.append(summed.agg({"value": "sum", "half_width": "max"}).assign(measure=measure))
    problems.raise_if_any()
    rows = pd.concat(parts)
    moments = usual_moment(rows["period"], lag_days=_LAG_DAYS, ingested_at=ingested_at)
    rows = rows.assign(commodity=HS6, available_at=moments, note=USUAL_LAG)
    return observations([rows], source=_SOURCE, source_url=_URL)


def _place(code: str) -> str:
    if not re.fullmatch(r"\d{1,3}", code, re.ASCII):
        raise ValueError("the code of a country (digits)")
    return comtrade_place(int(code))


def refuse_other_file(name: str, content: bytes) -> None:
    """Refuse a file that another verb takes, by what it is."""
    start = content[:4_000].decode("utf-8", "replace").removeprefix("\ufeff")
    for entry in package_table("providers/other_files.yaml"):
        if re.search(entry["says"], start, re.IGNORECASE):
            raise DataError(
                f"{name} is {entry['is']}. Expected a table of exports as customs publish it. "
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
    """A number with or without thousands separators; None where there is none.

    Examples:
        >>> amount_of("1,234.5"), amount_of("-")
        (1234.5, None)
    """
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
    """Lines below the headings, as text; None where there are none."""
    for start, cells in lines[:LEADING]:
        headings = [folded(cell) for cell in cells]
        if _HEADINGS.issubset(headings):
            width = len(headings)
            table = lines_below(lines, start, problems, width=width, least=width)
            return table.set_axis(headings, axis=1).loc[:, ~pd.Index(headings).duplicated()]
    return None
