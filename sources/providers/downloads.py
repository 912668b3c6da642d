"""Files that a browser gives, known by their headings; ``downloads.yaml`` has their layouts."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

import pandas as pd
import yaml

from sources.bundled.wording import half_width
from sources.files.csv_table import Problems, content_of
from sources.files.workbook import cells_of
from sources.providers.countries import comext_place, comtrade_place
from sources.providers.customs import LEADING, amount_of, folded
from sources.providers.rows import USUAL_LAG, observations, usual_moment
from store.errors import DataError, first_few
from store.facts.batch import FileRows

_MONTHS: Final = "jan feb mar apr may jun jul aug sep oct nov dec".split()  # noqa: SIM905
_PLACES: Final = {
    "comtrade": lambda code: comtrade_place(int(code)),
    "comext": lambda code: comext_place(code.partition(":")[0].upper()),
}
"""Destinations by the code of a column."""

_NUMERIC: Final = re.compile(r"((?:19|20)\d{2})[-./年]?(1[0-2]|0[1-9])月?")
_ROC: Final = re.compile(r"(\d{3})年(1[0-2]|0?[1-9])月")
_NAMED: Final = re.compile(r"([a-z]{3})[a-z]*\.? ((?:19|20)\d{2})")
_PART: Final = ["commodity", "destination", "period"]


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

    def fits(self, headings: Iterable[str]) -> bool:
        """Tell whether a table has a weight and every column that must be there."""
        weight = "/".join(next(iter(self.measures.values())))
        wanted = (*self.says, self.period, self.goods, weight)
        return all(set(headings).intersection(names.split("/")) for names in wanted)

    def lines(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return a table with commodity and month of each line, and why it is not ours."""
        codes = _column(self.goods, table).str.extract(r"^\W*([\d.]+)")[0].fillna("")
        codes = codes.str.replace(".", "").str[:10]
        months = _column(self.period, table).map(month_in)
        why = pd.Series("", index=table.index).mask(~codes.str.fullmatch(self.codes), "other goods")
        for names, pattern in self.says.items():
            cells = _column(names, table)
            is_ours = cells.map(folded).str.strip("'\" ").str.fullmatch(pattern)
            why = why.mask(why.eq("") & ~is_ours, f"another {cells.name}")
        why = why.mask(why.eq("") & months.eq(""), "no single month")
        why = why.mask(why.eq("") & table.drop(columns="line").duplicated(), "repeated")
        period = pd.to_datetime(months, format="%Y-%m", errors="coerce").astype("datetime64[us]")
        return table.assign(commodity=self.prefix + codes, period=period, why=why)

    def read(self, ours: pd.DataFrame, name: str, now: pd.Timestamp) -> pd.DataFrame:
        """Return the observations in lines of ours, added up by code and month."""
        if isinstance(self.place, str):
            ours = ours.assign(destination=self.place)
        else:
            ((column, kind),) = self.place.items()
            ours = ours.assign(destination=ours[column].map(_PLACES[kind]))
        rows = pd.concat([self._amounts(ours, measure, name) for measure in self.measures])
        known = usual_moment(rows["period"], lag_days=self.lag_days, now=now)
        rows = rows.assign(available_at=known, note=USUAL_LAG)
        return observations([rows], source=self.source, source_url=self.url)

    def _amounts(self, ours: pd.DataFrame, measure: str, name: str) -> pd.DataFrame:
        """Return the amounts of a measure; zero is none, for a weight may be missing."""
        units, problems = self.measures[measure], Problems(name)
        heading = next((one for one in units if one in ours), None)
        if heading is None:
            return pd.DataFrame()
        texts = ours.set_index("line")[heading]
        values = problems.parsed(heading, texts, amount_of).astype("float64")
        problems.raise_if_any()
        widths = texts.map(lambda text: half_width(text.replace(",", "").strip(), "pct"))
        amounts = pd.DataFrame({"value": values, "half_width": widths}) * units[heading]
        cells = pd.concat([ours.set_index("line")[_PART], amounts], axis=1)
        summed = cells[cells["value"] > 0].groupby(_PART, as_index=False)
        return summed.agg({"value": "sum", "half_width": "max"}).assign(measure=measure)


@cache
def layouts() -> tuple[Layout, ...]:
    """Return all layouts."""
    text = Path(__file__).with_name("downloads.yaml").read_text(encoding="utf-8")
    return tuple(Layout(**entry) for entry in yaml.safe_load(text))


def download(path: Path, now: pd.Timestamp) -> FileRows | None:
    """Read a file by the layout of its headings; None if they are of none."""
    content, name = content_of(path), path.name
    found = (_table(name, lines) for lines in _readings(name, content))
    table = next((one for one in found if one is not None), None)
    if table is None:
        return None
    fitting = [(one, one.lines(table)) for one in layouts() if one.fits(table.columns)]
    layout, lines = max(fitting, key=lambda pair: pair[1]["why"].eq("").sum())
    ours, others = lines[lines["why"].eq("")], Counter(lines.loc[lines["why"].ne(""), "why"])
    left_out = tuple(f"{count} lines: {why}" for why, count in others.items())
    if ours.empty:
        raise DataError(
            f"{name} has the headings of {layout.name}, and no such line: {first_few(left_out)}. "
            f"Expected codes {layout.codes}, and lines that say {dict(layout.says)}. Ask the site "
            "for those; nothing was taken over."
        )
    tables = {"observations": layout.read(ours, name, now)}
    sha256, asked = hashlib.sha256(content).hexdigest(), f"{layout.name}, in {name}"
    return FileRows(layout.source, name, sha256, tables, left_out, asked=asked)


def _readings(name: str, content: bytes) -> Iterator[list[list[str]]]:
    if b"<item>" not in content and not content.lstrip().startswith(b"{"):
        yield from cells_of(name, content)
        return
    try:
        if b"<item>" in content:
            items = ET.fromstring(content).iter("item")  # noqa: S314  # expat caps entities
            records = [{part.tag: part.text or "" for part in item} for item in items]
        else:
            records = json.loads(content)["value"]
        frame = pd.DataFrame(records).astype("str")
    except (ValueError, TypeError, KeyError, ET.ParseError) as err:
        raise DataError(
            f"{name} cannot be read: {err}. Expected a whole file. Download it anew; nothing was "
            "taken over."
        ) from err
    yield [list(frame.columns), *frame.to_numpy().tolist()]


def _table(name: str, lines: list[list[str]]) -> pd.DataFrame | None:
    """Return the lines below headings that are known, as text; None where there are none."""
    for number, cells in enumerate(lines[:LEADING], start=1):
        headings = [folded(cell) for cell in cells]
        wide = [f"quantity2-{month}" for month in _MONTHS]
        added = ["line", *(["month", "quantity2"] if wide[0] in headings else [])]
        if "obs_value" in headings:
            added += ["quantity_in_100kg", "value_in_euros"]
        if not any(layout.fits([*headings, *added]) for layout in layouts()):
            continue
        for place, row in enumerate(lines[number:], start=number + 1):
            if sum(map(bool, row)) > 1 and len(row) < len(headings):
                raise DataError(
                    f"{name} has {len(row)} cells on line {place}. Expected {len(headings)}, as in "
                    "the headings: it may be cut. Download it anew; nothing was taken over."
                )
        rows = [
            (*cells[: len(headings)], place)
            for place, cells in enumerate(lines[number:], start=number + 1)
            if len(cells) >= len(headings) and any(cells)
        ]
        table = pd.DataFrame(rows, columns=[*headings, "line"])
        table = table.loc[:, ~table.columns.duplicated()]
        if "month" in added:
            return _long(table, wide)
        for measure in added[1:]:
            is_it = table["indicators"].str.upper().str.partition(":")[0].eq(measure.upper())
            table[measure] = table["obs_value"].where(is_it, "")
        return table
    return None


def _long(table: pd.DataFrame, wide: list[str]) -> pd.DataFrame:
    """Return a line a month; a month of zeros alone is still to come."""
    parts = [
        table.drop(columns=wide).assign(month=table["year"] + f"-{n:02d}", quantity2=table[name])
        for n, name in enumerate(wide, start=1)
        if table[name].str.strip("0 ").ne("").any()
    ]
    return pd.concat(parts or [table.assign(month="", quantity2="")], ignore_index=True)


def month_in(text: str) -> str:
    """Return ``YYYY-MM`` of a cell such as 202608, August 2026 or 115年08月, else nothing."""
    words = folded(text)
    if found := _NUMERIC.fullmatch(words):
        return f"{found[1]}-{found[2]}"
    if found := _ROC.fullmatch(words):
        return f"{int(found[1]) + 1911}-{int(found[2]):02d}"
    if (found := _NAMED.fullmatch(words)) and found[1] in _MONTHS:
        return f"{found[2]}-{_MONTHS.index(found[1]) + 1:02d}"
    return ""


def _column(names: str, table: pd.DataFrame) -> pd.Series:
    return table[next(name for name in names.split("/") if name in table)]
