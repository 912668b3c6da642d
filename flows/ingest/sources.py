"""What can be ingested: where the rows come from, and how they are taken."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import pandas as pd

from sources.base import Source, SourceInfo
from sources.bundled.all_tables import bundled_sources
from sources.providers.month_range import MonthRange
from sources.providers.registry import coded_source, live_source
from store.facts.batch import FileRows
from store.settings import Settings

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
    """Where news would be, as messages say: "in the bundled tables", "at comtrade"."""
    receive: Callable[[pd.Timestamp], Sequence[ReceivedRows]]
    """Get the rows; is told the moment of the ingest."""
    past: Past = "source"
    skip_unchanged: bool = True
    revises: bool = True
    """Whether a figure may change without a word on when: the change counts from the ingest."""


def bundled(settings: Settings) -> IngestRequest:
    """Return the order of the bundled tables."""

    def receive(_: pd.Timestamp) -> list[ReceivedRows]:
        return [ReceivedRows(s.info, s.load()) for s in bundled_sources(settings.data_dir)]

    return IngestRequest(
        place="in the bundled tables",
        receive=receive,
        past="nothing",
        skip_unchanged=False,
        revises=False,
    )


def live(
    settings: Settings, name: str, span: MonthRange, *, codes: Sequence[str] = ()
) -> IngestRequest:
    """Return the order of a provider's months.

    Args:
        settings: Where the provider is.
        name: Its id.
        span: The months.
        codes: Six-digit codes, of a provider that tells of any; of magnets if none is named.
    """

    def receive(now: pd.Timestamp) -> list[ReceivedRows]:
        sources = [coded_source(name, settings, code) for code in codes]
        return [
            ReceivedRows(source.info, source.fetch(span, now=now))
            for source in sources or [live_source(name, settings)]
        ]

    return IngestRequest(place=f"at {name} for {span}", receive=receive)


def by_hand(make: Callable[[pd.Timestamp], Source], place: str, *, past: Past) -> IngestRequest:
    """Return the order of a file or a figure that a person hands in.

    Args:
        make: Makes the source, told the moment of the ingest.
        place: Where it comes from, as messages say.
        past: What it is held against.
    """

    def receive(now: pd.Timestamp) -> list[ReceivedRows]:
        source = make(now)
        return [ReceivedRows(source.info, source.load())]

    return IngestRequest(place=place, receive=receive, past=past)
