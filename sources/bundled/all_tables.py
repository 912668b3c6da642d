"""The bundled tables, read together because some date others."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import ClassVar, Final
from urllib.parse import urlsplit

import pandas as pd

from sources.bundled.notation import COUNTRIES, parse_period
from sources.bundled.policy_events import PolicyEvents, TariffRates
from sources.bundled.published_figures import (
    COLUMNS,
    PublishedFigures,
    latest_by_address,
    read_figures,
)
from sources.bundled.release_calendar import ReleaseCalendar, ReleaseDates, latest_plausible_day
from sources.files.file_reader import Row, read_table
from store.facts.batch import Batch, FileRows
from store.schema.frames import typed_frame
from store.vocabulary import COMMODITY, ORIGIN, UNITS

_COLUMNS: Final = ("period", "rank_order", "source_url", "note")

_ORDER: Final = re.compile(r"([A-Z]{3}(?:>[A-Z]{3})+)(\s*\(.*\))?")
"""An order of country codes, perhaps with a reservation in brackets."""


@dataclass(frozen=True, slots=True)
class Rankings:
    """A table of published orders of destinations."""

    id: ClassVar = "rankings"
    path: Path
    calendar: ReleaseCalendar
    dated: Mapping[str, pd.Timestamp]
    """By source address, the day its figures were published; rankings carry none themselves."""

    def load(self) -> FileRows:
        """Read each order as observations ``lead_min_t``: the earlier is ahead by 0 t or more."""
        table = read_table(self.path, _COLUMNS)
        leads: list[dict[str, object]] = []
        ignored = []
        for row in table.rows:
            text = row.text("rank_order", required=True)
            if match := _ORDER.fullmatch(text):
                leads += self._leads(row, match[1].split(">"), usable=match[2] is None)
            else:
                ignored.append(f"line {row.line}: {text!r} is not an order such as DEU>USA>KOR")
        table.problems.raise_if_any()
        return FileRows(
            self.id,
            self.path.name,
            table.sha256,
            {"observations": typed_frame(leads, "observations")},
            tuple(ignored),
        )

    def _leads(self, row: Row, order: list[str], *, usable: bool) -> list[dict[str, object]]:
        period = row.parsed("period", parse_period)
        if not COUNTRIES.issuperset(order) or len(set(order)) < len(order):
            row.bad("rank_order", "an order of different ISO alpha-3 countries")
        if period is None:
            return []
        address = row.text("source_url", required=True)
        day = latest_plausible_day(
            "", period.last, self.calendar, otherwise=self.dated.get(address)
        )
        return [
            {
                "commodity": COMMODITY,
                "origin": ORIGIN,
                "destination": f"{ahead}-{behind}",
                "measure": "lead_min_t",
                "period_from": period.first,
                "period_to": period.last,
                "value": 0.0,
                "unit": UNITS["lead_min_t"],
                "half_width": 0.0,
                "kind": "reported",
                "usable": usable,
                "available_at": day.tz_localize("UTC"),
                "source": urlsplit(address).hostname or address,
                "source_url": address,
                "note": row.text("note"),
            }
            for ahead, behind in pairwise(order)
        ]


Bundled = ReleaseDates | PublishedFigures | Rankings | PolicyEvents | TariffRates


def bundled_sources(data_dir: Path) -> tuple[Bundled, ...]:
    """Every bundled source below ``data_dir``, ready to load."""
    releases = ReleaseDates(data_dir / "release_dates.csv")
    calendar = ReleaseCalendar.from_frame(releases.load().tables["release_calendar"])
    figures = data_dir / "published_figures.csv"
    dated = latest_by_address(read_figures(read_table(figures, COLUMNS)))
    return (
        releases,
        PublishedFigures(figures, calendar),
        Rankings(data_dir / "rankings.csv", calendar, dated),
        PublishedFigures(data_dir / "analog_figures.csv", calendar, materials=True),
        PublishedFigures(data_dir / "hs6_values.csv", calendar, materials=True),
        PublishedFigures(data_dir / "baci_hs6_yearly.csv", calendar, materials=True),
        PolicyEvents(data_dir / "policy_events.csv"),
        PolicyEvents(data_dir / "analog_events.csv", materials=True),
        TariffRates(data_dir / "tariff_rates.csv"),
    )


def load_bundled(data_dir: Path) -> Batch:
    """Rows of all bundled tables; nothing is written."""
    return Batch(tuple(source.load() for source in bundled_sources(data_dir)))
