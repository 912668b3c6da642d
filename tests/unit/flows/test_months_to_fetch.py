from pathlib import Path

import pandas as pd
import pytest

from flows.context.stores import made_store
from flows.ingest import sources
from flows.ingest.sources import months_to_fetch
from store.errors import DataError
from store.facts.batch import Batch, FileRows
from store.facts.writing import write_batch
from store.settings import Settings
from tests.data.store_builders import make_observations


@pytest.fixture(autouse=True)
def in_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "utc_now", lambda: pd.Timestamp("2026-05-20", tz="UTC"))


def fetched(home: Path, *names: str) -> Settings:
    """Return settings of a home that holds files of these names."""
    settings = Settings(home=home)
    files = [
        FileRows(
            name.split()[0], name, str(place) * 64,
            {"observations": make_observations({"value": 1.0 + place, "note": name,
                                                "available_at": f"2025-08-2{place}"})},
        )
        for place, name in enumerate(names)
    ]  # fmt: skip
    write_batch(made_store(settings), Batch(tuple(files)))
    return settings


@pytest.mark.parametrize(
    ("files", "name", "codes", "first"),
    [
        (["comtrade 2020-01..2025-12"], "comtrade", (), "2024-05"),
        (["comtrade 2020-01..2025-12"], "census", (), "2017-01"),
        (["comtrade 2020-01..2025-12"], "comtrade", ("850519",), "2017-01"),
        (["comtrade 850519 2020-01..2025-12"], "comtrade", ("850519",), "2024-05"),
        (["comtrade 850519 2020-01..2025-12"], "comtrade", ("850519", "850511"), "2017-01"),
        (["hts 2020-01..2025-12"], "hts", (), "2024-05"),
    ],
)
def test_all_months_are_asked_for_and_then_those_that_are_revised_yet(
    tmp_path: Path, files: list[str], name: str, codes: tuple[str, ...], first: str
) -> None:
    span = months_to_fetch(fetched(tmp_path, *files), name, since=None, until=None, codes=codes)

    assert str(span) == f"{first}..2026-05"


def test_months_that_are_named_are_taken(tmp_path: Path) -> None:
    settings = fetched(tmp_path, "comtrade 2020-01..2025-12")

    def span(since: str | None, until: str | None) -> str:
        return str(months_to_fetch(settings, "comtrade", since=since, until=until))

    assert span("2021-03", None) == "2021-03..2026-05"
    assert span(None, "2023-02") == "2023-02"
    assert span("2026-05", "2026-05") == "2026-05"
    with pytest.raises(DataError, match="--since 2026-06 lies in the future"):
        span("2026-06", None)


def test_a_home_without_a_store_asks_for_all(tmp_path: Path) -> None:
    span = months_to_fetch(Settings(home=tmp_path), "comtrade", since=None, until="2026-04")

    assert str(span) == "2017-01..2026-04"
