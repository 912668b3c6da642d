"""What every source promises, checked on each bundled one."""

from pathlib import Path

import pandas as pd
import pytest

from sources.base import Source
from sources.bundled import bundled_sources
from store.batch import Batch
from store.database import open_store
from store.schemas import SCHEMAS, validate
from store.settings import PROJECT_ROOT
from store.tables import metadata, natural_key
from store.writing import write_batch

SOURCES = bundled_sources(PROJECT_ROOT / "data")


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.info.id)
class TestEverySource:
    def test_it_describes_itself(self, source: Source) -> None:
        info = source.info

        assert all((info.id, info.publication_lag, info.licence, info.cadence))
        assert source.load().source == info.id

    def test_it_has_a_data_card(self, source: Source) -> None:
        card = PROJECT_ROOT / "docs" / "data" / f"{source.info.id}.md"

        assert source.load().file_name in card.read_text(encoding="utf-8")

    def test_its_rows_meet_their_schema_without_coercion(self, source: Source) -> None:
        for name, frame in source.load().tables.items():
            pd.testing.assert_frame_equal(validate(frame, name, where="test"), frame)
            assert set(frame.columns) == set(SCHEMAS[name].columns)

    def test_its_rows_are_told_once(self, source: Source) -> None:
        for name, frame in source.load().tables.items():
            key = list(natural_key(metadata.tables[name]))

            assert frame[frame.duplicated(key)].empty

    def test_loading_again_gives_the_same(self, source: Source) -> None:
        one, other = source.load(), source.load()

        assert (one.sha256, one.ignored) == (other.sha256, other.ignored)
        for name, frame in one.tables.items():
            pd.testing.assert_frame_equal(frame, other.tables[name])

    def test_it_can_be_stored_twice_and_is_then_known(self, source: Source, tmp_path: Path) -> None:
        engine = open_store(f"sqlite:///{tmp_path / 'store.db'}")
        batch = Batch((source.load(),))

        first, again = write_batch(engine, batch), write_batch(engine, batch)

        assert first.total == sum(map(len, batch.files[0].tables.values()))
        assert (again.total, again.already_known) == (0, True)
        engine.dispose()
