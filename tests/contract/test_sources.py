import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

import pandas as pd
import pytest
from pydantic import SecretStr

from sources.bundled.all_tables import load_bundled
from sources.http import HttpSource, MonthRange
from sources.providers import LIVE, live_source
from store.database import open_store
from store.errors import SourceError
from store.facts.batch import Batch, FileRows
from store.facts.writing import write_batch
from store.schema.database_tables import metadata, natural_key
from store.schema.frame_schemas import SCHEMAS, validate
from store.settings import PROJECT_ROOT, Settings
from tests.providers.answers import Fault
from tests.providers.server import Providers, at_once, small_world

FILES = load_bundled(PROJECT_ROOT / "data").files
CARDS = [path.read_text("utf-8") for path in (PROJECT_ROOT / "docs" / "data").glob("[a-z]*.md")]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.source)
class TestEverySource:
    def test_it_has_a_data_card(self, file: FileRows) -> None:
        parts = "\n## ".join(CARDS).split("\n## ")
        [section] = [part for part in parts if f"Source id `{file.source}`" in part]

        assert file.file_name in section
        assert "**Provenance" in section

    def test_its_rows_meet_their_schema_without_coercion_each_once(self, file: FileRows) -> None:
        for name, frame in file.tables.items():
            pd.testing.assert_frame_equal(validate(frame, name, where="test"), frame)
            assert set(frame.columns) == set(SCHEMAS[name].columns)
            assert not frame.duplicated(list(natural_key(metadata.tables[name]))).any()


LIVE_TABLES = {"observations", "tariff_steps", "proposals"}
NOW = pd.Timestamp("2026-11-25T12:00", tz="UTC")
SPAN = MonthRange.of("2024-01", "2025-06")
FEW = MonthRange.of("2024-05", "2024-08")
ASKED = {
    "comtrade": "exports of 850511, reported by China",
    "hts": "the rates of 8505.11.00 today",
    "federal_register": '"permanent magnets" China',
    "mofcom": "China's commerce ministry on rare earths, magnets and other minerals",
    "gacc": "China's customs on rare earths, magnets and other minerals",
    "white_house": "presidential actions on magnets, or on duties and China",
    "cbp": "messages of US customs on magnets, or on duties and China",
}
"""What the months follow, or how it ends."""


PASSING = (Fault.TRUNCATED, Fault.DOUBLED)
REFUSED = {
    Fault.HTML: "sent an HTML page",
    Fault.RENAMED: "lacks|answers without",
    Fault.DOUBLED: r"twice|each once|failed 2 times",
}
"""Faults that last; those of the connection alone are the client's: ``test_http.py``."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings of providers that nobody spoils."""
    with Providers(small_world()) as providers:
        home = tmp_path_factory.mktemp("served")
        yield Settings(home=home, comtrade_key=SecretStr("comtrade-4711"), **providers.urls())


@pytest.fixture(scope="module")
def shared() -> Iterator[Providers]:
    with Providers(small_world()) as providers:
        yield providers


@pytest.fixture(scope="module")
def clean(shared: Providers, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], FileRows]:
    """Return what a live source gives in four months when nothing goes wrong."""
    settings = Settings(home=tmp_path_factory.mktemp("clean"), **shared.urls())
    return cache(lambda name: live_source(name, settings, at_once).fetch(FEW, ingested_at=NOW))


def assert_same(file: FileRows, other: FileRows) -> None:
    assert replace(file, sha256="", tables={}) == replace(other, sha256="", tables={})
    for name, frame in file.tables.items():
        pd.testing.assert_frame_equal(frame, other.tables[name])
    assert sum(map(len, file.tables.values())) > 0


@pytest.fixture(scope="module")
def fetched(served: Settings) -> Callable[[str], FileRows]:
    """Return what a live source gives, fetched once."""
    return cache(lambda name: live_source(name, served).fetch(SPAN, ingested_at=NOW))


@pytest.mark.parametrize("name", LIVE)
class TestEveryLiveSource:
    @pytest.fixture
    def live(self, name: str, live_settings: Settings) -> HttpSource:
        return live_source(name, live_settings, at_once)

    @pytest.fixture
    def tables(self, name: str, fetched: Callable[[str], FileRows]) -> Mapping[str, pd.DataFrame]:
        return fetched(name).tables

    def test_it_states_what_was_asked_for(
        self, name: str, fetched: Callable[[str], FileRows]
    ) -> None:
        assert fetched(name).source == name
        assert fetched(name).asked.endswith(f"{ASKED[name]}, 2024-01..2025-06")

    def test_it_has_a_data_card_with_its_address(self, name: str) -> None:
        [card] = [
            one for one in CARDS if re.search(rf"^(Sources? .*|\| )`{name}`", one, re.MULTILINE)
        ]
        facts = ("licence", "publication lag", "revisions")

        address = Settings.model_fields[f"{name}_url"].default
        assert f"MAGNETCAST_{name.upper()}_URL" in card
        assert address is None or address in card
        if f" {' | '.join(facts)} |" in card:  # a card of several sources has a row for each
            assert re.search(rf"^\| `{name}` (\| [^|]+ ){{4}}\|$", card, re.MULTILINE)
        else:
            assert all(f"\n| {fact} | " in card for fact in facts)

    def test_its_rows_meet_their_schema_without_coercion(
        self, tables: Mapping[str, pd.DataFrame]
    ) -> None:
        assert set(tables) <= LIVE_TABLES
        for name, frame in tables.items():
            pd.testing.assert_frame_equal(validate(frame, name, where="test"), frame)
            assert set(frame.columns) == set(SCHEMAS[name].columns)

    def test_its_months_were_asked_for_and_are_known_once_over(
        self, tables: Mapping[str, pd.DataFrame]
    ) -> None:
        for frame in tables.values():
            for column in frame.columns.intersection(["period", "period_from", "period_to"]):
                assert frame[column].between(SPAN.begin, SPAN.end).all()
            for column in frame.columns.intersection(["period", "period_to"]):
                ends = (frame[column] + pd.offsets.MonthEnd(0)).dt.tz_localize("UTC")
                assert (frame["available_at"] >= ends).all()

    def test_nothing_states_when_it_was_fetched_from_where_with_what(
        self, tables: Mapping[str, pd.DataFrame], served: Settings
    ) -> None:
        for frame in tables.values():
            for column in frame.columns.intersection(["source_url", "url"]):
                assert frame[column].str.startswith("http").all()
                assert not frame[column].str.contains("key=|period=").any()
        assert served.http_cache_dir.is_dir()

    @pytest.mark.slow
    def test_it_can_be_stored_twice_and_is_then_known(
        self, live: HttpSource, tmp_path: Path
    ) -> None:
        engine = open_store(f"sqlite:///{tmp_path / 'store.db'}")
        result = {"ingested_at": NOW, "revises": True}
        span, later = MonthRange.of("2025-01", "2025-06"), NOW + pd.Timedelta(days=1)

        first, again, next_day = (
            write_batch(engine, Batch((live.fetch(span, ingested_at=now),)), **result)
            for now in (NOW, NOW, later)
        )

        assert first.total > 0
        assert (again.total, again.already_known, next_day.total) == (0, True, 0)
        engine.dispose()


@pytest.mark.slow
@pytest.mark.parametrize("name", LIVE)
class TestEveryLiveSourceInTrouble:
    @pytest.fixture
    def providers(self, shared: Providers) -> Providers:
        shared.behave()
        shared.calls.clear()
        return shared

    @pytest.fixture
    def live(self, name: str, providers: Providers, tmp_path: Path) -> HttpSource:
        settings = Settings(home=tmp_path, http_timeout_s=1, http_attempts=2, **providers.urls())
        return live_source(name, settings, at_once)

    @pytest.mark.parametrize("fault", PASSING)
    def test_a_passing_fault_of_any_answer_changes_nothing(
        self, live: HttpSource, fault: Fault, providers: Providers, clean: Callable[[str], FileRows]
    ) -> None:
        expected = clean(live.id)
        for good in range(2):
            providers.misbehave(live.provider, fault, after=good)

        assert_same(live.fetch(FEW, ingested_at=NOW), expected)

    @pytest.mark.parametrize(("fault", "message"), REFUSED.items())
    def test_a_lasting_fault_is_refused_by_name(
        self, live: HttpSource, fault: Fault, message: str, providers: Providers
    ) -> None:
        providers.misbehave(live.provider, fault, times=50)

        with pytest.raises(SourceError, match=message) as caught:
            live.fetch(FEW, ingested_at=NOW)

        assert live.provider in str(caught.value)

    def test_offline_it_gives_the_same(self, live: HttpSource, providers: Providers) -> None:
        online = live.fetch(FEW, ingested_at=NOW)
        calls = len(providers.calls)

        offline = replace(live, settings=live.settings.model_copy(update={"offline": True}))
        replayed = offline.fetch(FEW, ingested_at=NOW)

        assert_same(replayed, online)
        assert replayed.sha256 == online.sha256
        assert len(providers.calls) == calls

    def test_no_row_is_known_after_the_fetch(self, live: HttpSource, providers: Providers) -> None:
        early = pd.Timestamp("2024-07-03T08:00", tz="UTC")

        tables = live.fetch(FEW, ingested_at=early).tables

        dated = [frame["available_at"] for frame in tables.values() if "available_at" in frame]
        assert all((moments <= early).all() for moments in dated)
        assert providers.calls
