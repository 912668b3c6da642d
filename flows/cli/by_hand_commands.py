"""``magnetcast ingest customs | figure | figures | events | tariffs``: what a person hands in."""

from pathlib import Path
from typing import Annotated, Literal

import pandas as pd
from cyclopts import Parameter

from flows.cli.ingest_commands import take
from flows.context.stores import store_of
from flows.ingest.sources import by_hand
from sources.bundled.policy_events import PolicyEvents
from sources.bundled.published_figures import PublishedFigures
from sources.bundled.release_calendar import ReleaseCalendar
from sources.bundled.tariff_rates import TariffRates
from sources.bundled.typed_figure import TypedFigure
from sources.files.csv_table import parse_day
from sources.providers.customs import CustomsDownload
from store.errors import DataError
from store.facts.reading import read_calendar
from store.settings import Settings

Day = Annotated[
    str | None,
    Parameter(name="--published-on", help="Day it was published, YYYY-MM-DD."),
]


def customs(
    file: Path,
    /,
    *,
    published_on: Day = None,
    unit: Annotated[
        Literal["kg", "t"] | None, Parameter(help="Unit of weight, where the file tells none.")
    ] = None,
) -> None:
    """Load a CSV download of China's customs: exports of 85051110 by partner.

    Without --published-on each month counts from the customs' release of detail.

    Args:
        file: The download, UTF-8 or GB18030, with Chinese or English headings.
        published_on: Day it was published, YYYY-MM-DD.
        unit: Unit of weight, where the file tells none.
    """
    settings = Settings()
    calendar, day = calendar_of(settings), _day(published_on)
    take(
        settings,
        by_hand(
            lambda now: CustomsDownload(file, calendar, now, day, unit or ""),
            f"in {file.name}",
            past="source",
        ),
    )


def figure(
    *,
    period: Annotated[str, Parameter(help="Month, year or YYYY-MM..YYYY-MM it is about.")],
    destination: Annotated[str, Parameter(help="ISO alpha-3, WLD or EU27.")],
    tonnes: Annotated[str, Parameter(help="As printed: its digits say how exact it is.")],
    source: Annotated[str, Parameter(help="Address of the page, or who said so.")],
    published_on: Day = None,
    note: Annotated[str, Parameter(help="What else to know, e.g. 'about'.")] = "",
) -> None:
    """Load one published figure, typed in; without --published-on it counts from today."""
    settings = Settings()
    calendar = calendar_of(settings)
    take(
        settings,
        by_hand(
            lambda now: TypedFigure(
                period=period,
                destination=destination,
                tonnes=tonnes,
                source=source,
                published_on=published_on or "",
                note=note,
                calendar=calendar,
                now=now,
            ),
            f"in the figure of {destination} in {period}",
            past="magnets",
        ),
    )


def figures(file: Path, /) -> None:
    """Load a table of published figures, CSV or YAML, as data/published_figures.csv.

    Args:
        file: The table.
    """
    settings = Settings()
    calendar = calendar_of(settings)
    order = by_hand(lambda _: PublishedFigures(file, calendar), f"in {file.name}", past="magnets")
    take(settings, order)


def events(file: Path, /) -> None:
    """Load policy events, CSV or YAML, as data/policy_events.csv.

    Args:
        file: The table.
    """
    take(Settings(), by_hand(lambda _: PolicyEvents(file), f"in {file.name}", past="nothing"))


def tariffs(file: Path, /) -> None:
    """Load tariff steps, CSV or YAML, as data/tariff_rates.csv.

    Args:
        file: The table.
    """
    take(Settings(), by_hand(lambda _: TariffRates(file), f"in {file.name}", past="nothing"))


def calendar_of(settings: Settings) -> ReleaseCalendar:
    """Return the releases on record; the rule alone while the store knows none."""
    return ReleaseCalendar.from_frame(read_calendar(store_of(settings)))


def _day(text: str | None) -> pd.Timestamp | None:
    """Return a stated day.

    Raises:
        DataError: It is none.
    """
    if text is None:
        return None
    try:
        return parse_day(text)
    except ValueError as err:
        raise DataError(f"--published-on {text!r} is not {err}. Correct it.") from err
