"""The bundled tables, read together because some date others."""

from pathlib import Path

from sources.base import Source
from sources.bundled.policy_events import PolicyEvents, TariffRates
from sources.bundled.published_figures import (
    COLUMNS,
    PublishedFigures,
    latest_by_address,
    read_figures,
)
from sources.bundled.rankings import Rankings
from sources.bundled.release_calendar import ReleaseCalendar, ReleaseDates
from sources.files.csv_table import read_table
from store.facts.batch import Batch


def bundled_sources(data_dir: Path) -> tuple[Source, ...]:
    """Return every bundled source below ``data_dir``, ready to load.

    Raises:
        DataError: the tables that date others are bad.
    """
    releases = ReleaseDates(data_dir / "release_dates.csv")
    calendar = ReleaseCalendar.from_frame(releases.load().tables["release_calendar"])
    figures = data_dir / "published_figures.csv"
    dated = latest_by_address(read_figures(read_table(figures, COLUMNS)))
    return (
        releases,
        PublishedFigures(figures, calendar),
        Rankings(data_dir / "rankings.csv", calendar, dated),
        PublishedFigures(data_dir / "analog_figures.csv", calendar, materials=True),
        PolicyEvents(data_dir / "policy_events.csv"),
        PolicyEvents(data_dir / "analog_events.csv", materials=True),
        TariffRates(data_dir / "tariff_rates.csv"),
    )


def load_bundled(data_dir: Path) -> Batch:
    """Read all bundled tables; nothing is written.

    Raises:
        DataError: a table is missing or has bad rows; names all of that table.
    """
    return Batch(tuple(source.load() for source in bundled_sources(data_dir)))
