"""The bundled tables, read together because some date others."""

import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import pandas as pd

from sources.bundled.notation import COUNTRIES, parse_period
from sources.bundled.policy_events import policy_events, tariff_rates
from sources.bundled.published_figures import (
    COLUMNS,
    latest_by_address,
    published_figures,
    read_figures,
)
from sources.bundled.release_calendar import latest_plausible_day, release_dates
from sources.files.file_reader import Row, read_table
from store.facts.batch import Batch, FileRows
from store.release_calendar import ReleaseCalendar
from store.vocabulary import COMMODITY, ORIGIN, UNITS

_COLUMNS: Final = ("period", "rank_order", "source_url", "note")

_ORDER: Final = re.compile(r"([A-Z]{3}(?:>[A-Z]{3})+)(\s*\(.*\))?")
"""An order of country codes, perhaps with a reservation in brackets."""


def rankings(path: Path, calendar: ReleaseCalendar, dated: Mapping[str, pd.Timestamp]) -> FileRows:
    """Published orders of destinations, as ``lead_min_t``: the earlier is ahead by 0 t or more.

    Args:
        dated: By source address, the day its figures were published; rankings carry none.
    """
    table = read_table(path, _COLUMNS)
    leads: list[dict[str, object]] = []
    ignored = []
    for row in table.rows:
        text = row.text("rank_order", required=True)
        if match := _ORDER.fullmatch(text):
            day = dated.get(row.text("source_url")), calendar
            leads += _leads(row, match[1].split(">"), *day, usable=match[2] is None)
        else:
            ignored.append(f"line {row.line}: {text!r} is not an order such as DEU>USA>KOR")
    return table.file("rankings", "observations", leads, tuple(ignored))


def _leads(
    row: Row,
    order: list[str],
    dated: pd.Timestamp | None,
    calendar: ReleaseCalendar,
    *,
    usable: bool,
) -> list[dict[str, object]]:
    period = row.parsed("period", parse_period)
    if not COUNTRIES.issuperset(order) or len(set(order)) < len(order):
        row.bad("rank_order", "an order of different ISO alpha-3 countries")
    if period is None:
        return []
    address = row.text("source_url", required=True)
    day = latest_plausible_day("", period.last, calendar, otherwise=dated)
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


def load_bundled(data_dir: Path) -> Batch:
    """Rows of all bundled tables; nothing is written."""
    releases = release_dates(data_dir / "release_dates.csv")
    calendar = ReleaseCalendar.from_frame(releases.tables["release_calendar"])
    figures = data_dir / "published_figures.csv"
    dated = latest_by_address(read_figures(read_table(figures, COLUMNS)))
    return Batch(
        (
            releases,
            published_figures(figures, calendar),
            rankings(data_dir / "rankings.csv", calendar, dated),
            *(
                published_figures(data_dir / f"{name}.csv", calendar, materials=True)
                for name in ("analog_figures", "hs6_values", "baci_hs6_yearly")
            ),
            policy_events(data_dir / "policy_events.csv"),
            policy_events(data_dir / "analog_events.csv", materials=True),
            tariff_rates(data_dir / "tariff_rates.csv"),
        )
    )
