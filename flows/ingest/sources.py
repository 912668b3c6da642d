"""What can be ingested: where the rows come from, and which months are fetched."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import pandas as pd

from flows.clock import utc_now
from flows.context.console import echo, track
from flows.context.stores import has_store, store_of
from sources.bundled.all_tables import load_bundled
from sources.http import MonthRange
from sources.providers import BY_CODE, live_source
from store.errors import DataError
from store.facts.batch import FileRows
from store.facts.reading import read_vintages
from store.settings import Settings
from store.vocabulary import HS6

FIRST_MONTH: Final = "2017-01"
"""First month fetched while the store holds nothing of a source."""

REVISED_MONTHS: Final = 24
"""Months fetched again each time, because providers revise them."""

Past = Literal["nothing", "source", "magnets"]
"""Which observations of the store a batch is held against: those of its source, all on magnets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestRequest:
    """One ingest to run."""

    place: str
    """Where new rows would be, for messages: "in the bundled tables", "at comtrade"."""
    receive: Callable[[pd.Timestamp], Sequence[FileRows]]
    """Fetch the rows; called with the moment of the ingest."""
    past: Past = "source"
    revises: bool = True
    """Whether a figure may change without a word on when: the change counts from the ingest, and
    what is unchanged is not written again."""


def bundled(settings: Settings) -> IngestRequest:
    """The request for the bundled tables."""

    def receive(_: pd.Timestamp) -> Sequence[FileRows]:
        return load_bundled(settings.data_dir).files

    return IngestRequest(
        place="in the bundled tables", receive=receive, past="nothing", revises=False
    )


def live(
    settings: Settings, name: str, span: MonthRange, *, codes: Sequence[str] = ()
) -> IngestRequest:
    """The request for months of a provider, of the magnets unless six-digit codes are named."""

    def receive(moment: pd.Timestamp) -> list[FileRows]:
        files = []
        for code in codes or [HS6]:
            source = live_source(name, settings, progress=track, commodity=code)
            if notice := source.notice(span):
                echo(f"          {notice}")
            files.append(source.fetch(span, ingested_at=moment))
        return files

    return IngestRequest(place=f"at {name} for {span}", receive=receive)


def by_hand(load: Callable[[pd.Timestamp], FileRows], place: str, *, past: Past) -> IngestRequest:
    """The request for a file or a figure that a person enters; ``place`` is as messages say."""
    return IngestRequest(place=place, receive=lambda moment: [load(moment)], past=past)


def months_to_fetch(
    settings: Settings,
    name: str,
    *,
    since: str | None,
    until: str | None,
    codes: Sequence[str] = (),
) -> MonthRange:
    """Months to fetch, all months if the store has no file of some code."""
    current = pd.Period(utc_now().tz_localize(None), "M")
    last = current if until is None else _month("--until", until)
    first = (
        _first_month(settings, name, codes, current) if since is None else _month("--since", since)
    )
    if first > current:
        raise DataError(
            f"--since {first} lies in the future. Expected {current} or earlier. Correct it."
        )
    return MonthRange(min(first, last) if since is None else first, last)


def _first_month(
    settings: Settings, name: str, codes: Sequence[str], current: pd.Period
) -> pd.Period:
    """Oldest month that sources still revise; the first of all if a code has no file yet."""
    if not has_store(settings):
        return pd.Period(FIRST_MONTH, "M")
    vintages = read_vintages(store_of(settings))
    files = vintages.loc[vintages["source"].eq(name), "file_name"]
    if name in BY_CODE:
        prefixes = [name if code == HS6 else f"{name} {code}" for code in codes or (HS6,)]
        is_stored = all(files.str.match(rf"{prefix} \d{{4}}-").any() for prefix in prefixes)
    else:
        is_stored = len(files) > 0
    return current - REVISED_MONTHS if is_stored else pd.Period(FIRST_MONTH, "M")


def _month(option: str, text: str) -> pd.Period:
    if not re.fullmatch(r"(19|20|21)\d{2}-(0[1-9]|1[0-2])", text, re.ASCII):
        raise DataError(f"{option} {text!r} is no month. Expected YYYY-MM, e.g. 2026-08.")
    return pd.Period(text, "M")
