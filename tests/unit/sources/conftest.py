"""Fetching from the served providers."""

from collections.abc import Callable

import pandas as pd
import pytest

from sources.http import MonthRange
from sources.providers import live_source
from store.facts.batch import FileRows
from store.settings import Settings
from tests.providers.server import at_once

Fetch = Callable[..., FileRows]


@pytest.fixture
def fetch(live_settings: Settings) -> Fetch:
    """Return a function that fetches months of a live source, perhaps with other settings."""

    def fetched(
        name: str, first: str, last: str = "", at: str = "2026-11-25T12:00", **changes: object
    ) -> FileRows:
        settings = live_settings.model_copy(update=changes)
        moment = pd.Timestamp(at, tz="UTC")
        span = MonthRange.of(first, last or first)
        return live_source(name, settings, at_once).fetch(span, ingested_at=moment)

    return fetched
