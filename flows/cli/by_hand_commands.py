"""``magnetcast ingest customs | figure | figures | events | tariffs``: what a person enters."""

from pathlib import Path
from typing import Annotated, Literal

import pandas as pd
from cyclopts import Parameter

from flows.context.stores import store_of
from flows.ingest.sources import IngestRequest, by_hand
from sources.bundled.policy_events import PolicyEvents
from sources.bundled.published_figures import PublishedFigures, TypedFigure
from sources.bundled.release_calendar import ReleaseCalendar
from sources.bundled.tariff_rates import TariffRates
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
        Literal["kg", "t"] | None, Parameter(help="Unit of weight, if the file does not say.")
    ] = None,
) -> None:
    """Load a CSV download from China Customs: exports of 85051110 by partner.

    Without --published-on each month counts as known from the release of detailed figures.

    Args:
        file: The download, UTF-8 or GB18030, with Chinese or English headings.
        published_on: Day it was published, YYYY-MM-DD.
        unit: Unit of weight, if the file does not say.
    """
    settings = Settings()
    calendar, day = calendar_of(settings), _day(published_on)
    _ingest(
        settings,
        by_hand(
            lambda now: CustomsDownload(file, calendar, now, day, unit or ""),
            f"in {file.name}",
            past="source",
        ),
    )


def figure(
    *,
    period: Annotated[str, Parameter(help="Month, year or range YYYY-MM..YYYY-MM.")],
    destination: Annotated[str, Parameter(help="ISO alpha-3, WLD or EU27.")],
    tonnes: Annotated[str, Parameter(help="As printed: the number of digits sets its precision.")],
    source: Annotated[str, Parameter(help="Address of the page, or who said it.")],
    published_on: Day = None,
    note: Annotated[str, Parameter(help="Remark, e.g. 'about'.")] = "",
) -> None:
    """Load one published figure from the command line; known from today unless told otherwise."""
    settings = Settings()
    calendar = calendar_of(settings)
    _ingest(
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
    """Load a table of published figures (CSV or YAML, columns as data/published_figures.csv).

    Args:
        file: The table.
    """
    settings = Settings()
    calendar = calendar_of(settings)
    order = by_hand(lambda _: PublishedFigures(file, calendar), f"in {file.name}", past="magnets")
    _ingest(settings, order)


def events(file: Path, /) -> None:
    """Load policy events (CSV or YAML, columns as data/policy_events.csv).

    Args:
        file: The table.
    """
    _ingest(Settings(), by_hand(lambda _: PolicyEvents(file), f"in {file.name}", past="nothing"))


def tariffs(file: Path, /) -> None:
    """Load tariff steps (CSV or YAML, columns as data/tariff_rates.csv).

    Args:
        file: The table.
    """
    _ingest(Settings(), by_hand(lambda _: TariffRates(file), f"in {file.name}", past="nothing"))


def calendar_of(settings: Settings) -> ReleaseCalendar:
    """Return the releases on record; the rule alone while the store knows none."""
    return ReleaseCalendar.from_frame(read_calendar(store_of(settings)))


def _ingest(settings: Settings, request: IngestRequest) -> None:
    from flows.ingest.ingest import ingest_exclusively

    ingest_exclusively(settings, request)


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
