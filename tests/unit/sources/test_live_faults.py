"""Every live source against every misbehaviour of its provider."""

from collections.abc import Callable, Iterator
from functools import cache

import pandas as pd
import pytest

from sources.base import MonthRange
from sources.http import HttpSource
from sources.providers.live_sources import LIVE, live_source
from store.errors import SourceError
from store.facts.batch import FileRows
from store.settings import Settings
from tests.providers.answers import Fault
from tests.providers.server import Providers, at_once, small_world

Clean = Callable[[str], FileRows]

NOW = pd.Timestamp("2026-11-25T12:00", tz="UTC")
SPAN = MonthRange.of("2024-05", "2024-08")
PASSING = (Fault.TRUNCATED, Fault.DOUBLED)
REFUSED = {
    Fault.HTML: "sent an HTML page",
    Fault.RENAMED: "lacks",
    Fault.DOUBLED: r"twice|each once|failed 2 times",
}
"""Those of the connection alone are the client's: ``test_http.py``."""
PROVIDER = {"comtrade_mirror": "comtrade"}


def source(name: str, settings: Settings) -> HttpSource:
    return live_source(name, settings, at_once)


@pytest.fixture(scope="module")
def served() -> Iterator[Providers]:
    with Providers(small_world()) as providers:
        yield providers


@pytest.fixture
def providers(served: Providers) -> Providers:
    """Return the providers of all tests here, without faults and calls of earlier ones."""
    served.behave()
    served.calls.clear()
    return served


@pytest.fixture
def settings(live_settings: Settings) -> Settings:
    return live_settings.model_copy(update={"http_timeout_s": 1.0, "http_attempts": 2})


@pytest.fixture(scope="module")
def clean(served: Providers, tmp_path_factory: pytest.TempPathFactory) -> Clean:
    """Return what a source gives when nothing goes wrong."""
    settings = Settings(home=tmp_path_factory.mktemp("clean"), **served.urls())
    return cache(lambda name: source(name, settings).fetch(SPAN, ingested_at=NOW))


def assert_same(one: FileRows, other: FileRows) -> None:
    assert (one.source, one.file_name, one.ignored) == (
        other.source,
        other.file_name,
        other.ignored,
    )
    for name, frame in one.tables.items():
        pd.testing.assert_frame_equal(frame, other.tables[name])
    assert sum(map(len, one.tables.values())) > 0


@pytest.mark.parametrize("name", LIVE)
class TestEveryLiveSource:
    @pytest.mark.slow
    @pytest.mark.parametrize("fault", PASSING)
    def test_a_passing_fault_of_any_answer_changes_nothing(
        self, name: str, fault: Fault, providers: Providers, settings: Settings, clean: Clean
    ) -> None:
        expected = clean(name)
        for good in range(2):
            providers.misbehave(PROVIDER.get(name, name), fault, after=good)

        spoilt = source(name, settings).fetch(SPAN, ingested_at=NOW)

        assert_same(spoilt, expected)

    @pytest.mark.slow
    @pytest.mark.parametrize(("fault", "message"), REFUSED.items())
    def test_a_lasting_fault_is_refused_by_name(
        self, name: str, fault: Fault, message: str, providers: Providers, settings: Settings
    ) -> None:
        provider = PROVIDER.get(name, name)
        providers.misbehave(provider, fault, times=50)

        with pytest.raises(SourceError, match=message) as caught:
            source(name, settings).fetch(SPAN, ingested_at=NOW)

        assert provider in str(caught.value)

    @pytest.mark.slow
    def test_offline_it_gives_the_same(
        self, name: str, providers: Providers, settings: Settings
    ) -> None:
        online = source(name, settings).fetch(SPAN, ingested_at=NOW)
        calls = len(providers.calls)

        offline = settings.model_copy(update={"offline": True})
        replayed = source(name, offline).fetch(SPAN, ingested_at=NOW)

        assert_same(replayed, online)
        assert replayed.sha256 == online.sha256
        assert len(providers.calls) == calls

    @pytest.mark.slow
    def test_no_row_is_known_after_the_fetch(
        self, name: str, providers: Providers, settings: Settings
    ) -> None:
        early = pd.Timestamp("2024-07-03T08:00", tz="UTC")

        tables = source(name, settings).fetch(SPAN, ingested_at=early).tables

        dated = [frame["available_at"] for frame in tables.values() if "available_at" in frame]
        assert all((moments <= early).all() for moments in dated)
        assert providers.calls
