"""What can be ingested: where the rows come from, and how they are taken."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

import pandas as pd

from flows.clock import utc_now
from flows.context.stores import has_store, store_of
from sources.base import MonthRange, Source, SourceInfo
from sources.bundled.all_tables import bundled_sources
from sources.bundled.wording import parse_period
from sources.providers.registry import BY_CODE, coded_source, live_source
from store.errors import DataError
from store.facts.batch import FileRows
from store.facts.reading import read_vintages
from store.settings import Settings
from store.vocabulary import HS6

BUNDLED: Final = "in the bundled tables"
"""Place of the bundled tables, for messages."""

FIRST_MONTH: Final = "2017-01"
"""First month fetched while the store holds nothing of a source."""

REVISED_MONTHS: Final = 24
"""Months fetched again each time, because providers revise them."""

Past = Literal["nothing", "source", "magnets"]
"""Which observations of the store a batch is held against: those of its source, all on magnets."""


class ReceivedRows(NamedTuple):
    """Rows at hand, and what their source promises of them."""

    info: SourceInfo
    file: FileRows


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestRequest:
    """One ingest to be made."""

    place: str
    """Where new rows would be, for messages: "in the bundled tables", "at comtrade"."""
    receive: Callable[[pd.Timestamp], Sequence[ReceivedRows]]
    """Fetch the rows; called with the moment of the ingest."""
    past: Past = "source"
    revises: bool = True
    """Whether a figure may change without a word on when: the change counts from the ingest, and
    what is unchanged is not written again."""


def bundled(settings: Settings) -> IngestRequest:
    """Return the request for the bundled tables."""

    def receive(_: pd.Timestamp) -> list[ReceivedRows]:
        return [ReceivedRows(s.info, s.load()) for s in bundled_sources(settings.data_dir)]

    return IngestRequest(
        place=BUNDLED,
        receive=receive,
        past="nothing",
        revises=False,
    )


def live(
    settings: Settings, name: str, span: MonthRange, *, codes: Sequence[str] = ()
) -> IngestRequest:
    """Return the request for months of a provider.

    Args:
        settings: Where the provider is.
        name: Its id.
        span: The months.
        codes: Six-digit codes, if the provider has any; magnets if none is named.
    """

    def receive(now: pd.Timestamp) -> list[ReceivedRows]:
        sources = [coded_source(name, settings, code) for code in codes]
        return [
            ReceivedRows(source.info, source.fetch(span, now=now))
            for source in sources or [live_source(name, settings)]
        ]

    return IngestRequest(place=f"at {name} for {span}", receive=receive)


def by_hand(make: Callable[[pd.Timestamp], Source], place: str, *, past: Past) -> IngestRequest:
    """Return the request for a file or a figure that a person enters.

    Args:
        make: Makes the source from the moment of the ingest.
        place: Where it comes from, as messages say.
        past: What it is held against.
    """

    def receive(now: pd.Timestamp) -> list[ReceivedRows]:
        source = make(now)
        return [ReceivedRows(source.info, source.load())]

    return IngestRequest(place=place, receive=receive, past=past)


def months_to_fetch(
    settings: Settings,
    name: str,
    *,
    since: str | None,
    until: str | None,
    codes: Sequence[str] = (),
) -> MonthRange:
    """Return the months to fetch; all of them where the store holds nothing of some code.

    Raises:
        DataError: A month is none, or the last lies before the first.
    """
    this = pd.Period(utc_now().tz_localize(None), "M")
    last = this if until is None else _month("--until", until)
    first = _usual_first(settings, name, codes, this) if since is None else _month("--since", since)
    if first > this:
        raise DataError(
            f"--since {first} lies in the future. Expected {this} or earlier. Correct it."
        )
    try:
        return MonthRange(min(first, last) if since is None else first, last)
    except ValueError as err:
        raise DataError(str(err)) from err


def _usual_first(settings: Settings, name: str, codes: Sequence[str], this: pd.Period) -> pd.Period:
    if not has_store(settings):
        return pd.Period(FIRST_MONTH, "M")
    vintages = read_vintages(store_of(settings))
    files = vintages.loc[vintages["source"].eq(name), "file_name"]
    if name in BY_CODE:
        begins = [name if code == HS6 else f"{name} {code}" for code in codes or (HS6,)]
        known = all(files.str.match(rf"{begin} \d{{4}}-").any() for begin in begins)
    else:
        known = len(files) > 0
    return this - REVISED_MONTHS if known else pd.Period(FIRST_MONTH, "M")


def _month(option: str, text: str) -> pd.Period:
    try:
        period = parse_period(text)
    except ValueError:
        period = None
    if period is None or period.first != period.last:
        raise DataError(f"{option} {text!r} is no month. Expected YYYY-MM, e.g. 2026-08.")
    return pd.Period(period.first, "M")
