"""Published figures: what reports state about exports, one statement per row."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import pandas as pd

from sources.bundled.notation import Period, half_width, parse_destination, parse_period
from sources.bundled.release_calendar import latest_plausible_day, stated_day
from sources.files.file_reader import Problems, Row, Table, read_table
from store.facts.batch import FileRows
from store.numbers import plain_number
from store.release_calendar import ReleaseCalendar
from store.vocabulary import COMMODITY, MEASURES, ORIGIN, UNITS

Record = dict[str, object]

COLUMNS: Final = (
    "period", "destination", "measure", "value", "kind", "derivation", "published_on",
    "source_url", "source_name", "note",
)  # fmt: skip

UNUSABLE: Final = "DO NOT USE"
"""Mark, in a note, of a row kept for the record only."""

FIGURE_MEASURES: Final = frozenset(MEASURES) - {"lead_min_t"}
"""Measures a report states about a destination; leads come from rankings."""

_LOWEST: Final = {"yoy_pct": -100.0, "mom_pct": -100.0}
_HIGHEST: Final = {"share_pct": 100.0, "mirror_import_share_pct": 100.0}


@dataclass(frozen=True, slots=True)
class Figure:
    """One statement, parsed."""

    row: Row
    commodity: str
    destination: str
    measure: str
    value: float
    kind: str
    period: Period
    published_on: str
    source_url: str

    @property
    def identity(self) -> tuple[object, ...]:
        return (
            self.commodity, self.destination, self.measure, self.kind, self.period,
            self.published_on, self.source_url or self.row.cells["source_name"],
        )  # fmt: skip


def published_figures(
    path: Path, calendar: ReleaseCalendar, *, materials: bool = False
) -> FileRows:
    """Published figures on magnets or, with a column ``material``, on other minerals."""
    table = read_table(path, (*COLUMNS, "material") if materials else COLUMNS)
    return table.file(path.stem, "observations", _observations(read_figures(table), calendar))


def read_figures(table: Table) -> list[Figure]:
    """Parse every line of a table of figures; duplicate lines count once."""
    figures: dict[tuple[object, ...], Figure] = {}
    for row in table.rows:
        if (figure := _figure(row)) is None:
            continue
        first = figures.setdefault(figure.identity, figure)
        if first.value != figure.value:
            row.bad("value", f"{first.row.cells['value']!r}, as line {first.row.line} has it")
    table.problems.raise_if_any()
    return list(figures.values())


def latest_by_address(figures: Iterable[Figure]) -> dict[str, pd.Timestamp]:
    """By source address, the latest day stated for any of its figures."""
    latest: dict[str, pd.Timestamp] = {}
    for figure in figures:
        day = stated_day(figure.published_on)
        if day is not None and figure.source_url:
            latest[figure.source_url] = max(day, latest.get(figure.source_url, day))
    return latest


def _figure(row: Row) -> Figure | None:
    measure = row.choice("measure", FIGURE_MEASURES)
    value = row.number(
        "value", low=_LOWEST.get(measure, 0.0), high=_HIGHEST.get(measure, float("inf"))
    )
    kind = row.choice("kind", ("reported", "derived"))
    destination = row.parsed("destination", parse_destination)
    period = row.parsed("period", parse_period)
    row.parsed("published_on", stated_day)
    has_material = "material" in row.cells
    commodity = row.text("material", required=True) if has_material else COMMODITY
    if period is None or destination is None or row.line in row.problems.lines:
        return None
    return Figure(
        row, commodity, destination, measure, value, kind, period,
        row.text("published_on"), row.text("source_url"),
    )  # fmt: skip


def _observations(figures: list[Figure], calendar: ReleaseCalendar) -> list[Record]:
    addresses = latest_by_address(figures)
    inputs = _latest_inputs(figures, calendar)
    rows = []
    for figure in figures:
        if figure.kind == "derived":
            days = [inputs[place] for place in _places(figure) if place in inputs]
            otherwise = max(days, default=None)
        else:
            otherwise = addresses.get(figure.source_url)
        day = latest_plausible_day(
            figure.published_on, figure.period.last, calendar, otherwise=otherwise
        )
        rows.append(_observation(figure, day))
    return rows


def _places(figure: Figure) -> list[tuple[str, str, int]]:
    years = range(figure.period.first.year, figure.period.last.year + 1)
    return [(figure.commodity, figure.destination, year) for year in years]


def _latest_inputs(
    figures: list[Figure], calendar: ReleaseCalendar
) -> dict[tuple[str, str, int], pd.Timestamp]:
    """Day of the last dated figure by series and year: an undated derived one is no older."""
    latest: dict[tuple[str, str, int], pd.Timestamp] = {}
    for figure in figures:
        if figure.published_on:
            day = latest_plausible_day(figure.published_on, figure.period.last, calendar)
            for place in _places(figure):
                latest[place] = max(day, latest.get(place, day))
    return latest


def _observation(figure: Figure, day: pd.Timestamp) -> Record:
    row, unit = figure.row, UNITS[figure.measure]
    note, derivation = row.text("note"), row.text("derivation")
    return {
        "commodity": figure.commodity,
        "origin": ORIGIN,
        "destination": figure.destination,
        "measure": figure.measure,
        "period_from": figure.period.first,
        "period_to": figure.period.last,
        "value": figure.value,
        "unit": unit,
        "half_width": half_width(row.text("value"), unit, note),
        "kind": figure.kind,
        "usable": UNUSABLE not in note,
        "available_at": day.tz_localize("UTC"),
        "source": row.text("source_name"),
        "source_url": figure.source_url,
        "note": "; ".join(filter(None, (note, derivation and f"= {derivation}"))),
    }


WHERE: Final = "the figure typed in"
"""Used in messages in place of a file name."""


def typed_figure(
    *,
    period: str,
    destination: str,
    tonnes: str,
    source: str,
    calendar: ReleaseCalendar,
    ingested_at: pd.Timestamp,
    published_on: str = "",
    note: str = "",
) -> FileRows:
    """Tonnes to a destination in a month, from a published source, as one observation.

    Args:
        tonnes: As printed: the digits determine its rounding error.
        source: Address of the page, or the name of the source.
        published_on: ``YYYY-MM-DD``; empty means the day of ``ingested_at``.
    """
    site = _site(source)
    cells = {
        **dict.fromkeys(COLUMNS, ""),
        "period": period,
        "destination": destination,
        "measure": "net_weight_t",
        "value": tonnes,
        "kind": "reported",
        "published_on": published_on or f"{ingested_at:%Y-%m-%d}",
        "source_url": source if site else "",
        "source_name": site or source,
        "note": note,
    }
    content = json.dumps({**cells, "published_on": published_on}, ensure_ascii=False)
    digest = hashlib.sha256(content.encode()).hexdigest()
    row = Row(1, cells, Problems(WHERE), plain_number)
    table = Table(digest, (row,), row.problems)
    file = table.file("figures", "observations", _observations(read_figures(table), calendar))
    return replace(file, file_name=f"figure {period} {destination}")


def _site(source: str) -> str:
    try:
        parts = urlsplit(source)
    except ValueError:  # as for http://[::1
        return ""
    return parts.netloc if parts.scheme else ""
