"""A home left by commit 816d883 opens, is upgraded and answers (tests/data/old_home)."""

import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
from starlette.testclient import TestClient

from flows.backup.restore import restore, settings_into
from flows.context.stores import store_of
from flows.monitoring.status import health_report
from flows.publishing.panels import store_missing_panels
from models.registry import model_store
from store.archive.archive_file import extract_archive
from store.archive.database_copies import copy_database
from store.database import open_store
from store.planning.overrides import read_planning
from store.publications.integrity import read_publications, tampered
from store.settings import PROJECT_ROOT, Settings
from tests.data.builders import at
from tests.data.registry_builders import champion_model
from tests.service.stores import make_app

Call = Callable[..., tuple[int, str, str]]

ARCHIVE = PROJECT_ROOT / "tests" / "data" / "old_home" / "old_home.tar.zst"
REVISION = "0011"
"""Of the schema at that commit."""

PUBLISHED = [
    ("85051110", "2020-04-22", "published", 144, "4cb7cc86bda9"),
    ("85051110", "2020-05-22", "published", 144, "37098946def4"),
    ("85051110", "2020-06-22", "held", 144, "93724a5c467d"),
    ("850511", "2024-12-26", "published", 336, "ef91a1dc5031"),
    ("811292", "2024-02-26", "published", 312, "4d9ce4992a58"),
    ("250410", "2024-02-26", "published", 312, "f4c9f59d2001"),
]  # fmt: skip
"""Commodity, moment, state, rows and digest of each, as that commit listed them."""


@pytest.fixture(scope="module")
def old_home(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The home, restored and upgraded; only read."""
    settings = settings_into(Settings(), tmp_path_factory.mktemp("old") / "home")
    restore(settings, ARCHIVE)
    store_missing_panels(store_of(settings))  # as `magnetcast serve` does before it begins
    return settings


@pytest.fixture
def there(old_home: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Point the environment of this test at the home."""
    for name in ("home", "tracking_uri", "artifact_dir"):
        monkeypatch.setenv(f"MAGNETCAST_{name.upper()}", str(getattr(old_home, name)))
    return old_home


@pytest.fixture(scope="module")
def client(old_home: Settings) -> Iterator[TestClient]:
    app = make_app(store_of(old_home), examine=partial(health_report, old_home))
    with TestClient(app, raise_server_exceptions=False) as opened:
        yield opened


def test_an_old_database_is_upgraded_where_it_lies_and_loses_no_row(tmp_path: Path) -> None:
    manifest = extract_archive(ARCHIVE, tmp_path / "archive")
    shutil.move(tmp_path / "archive" / "database", tmp_path / "magnetcast.db")
    url = f"sqlite:///{tmp_path / 'magnetcast.db'}"

    open_store(url).dispose()

    before, now = manifest["database"], copy_database(url, tmp_path / "copy")
    fresh = f"sqlite:///{tmp_path / 'fresh.db'}"
    open_store(fresh).dispose()
    assert before["revision"] == REVISION
    assert now.revision == copy_database(fresh, tmp_path / "fresh").revision >= REVISION
    assert {name: now.rows.get(name) for name in before["rows"]} == before["rows"]


@pytest.mark.slow
def test_status_reports_what_was_published(there: Settings, magnetcast: Call) -> None:
    code, out, _ = magnetcast("status")

    assert code == 1
    for expected in (
        "2020-05-22 00:00 UTC.",
        "250410: forecast as of 2024-02-26, 2024-02 to 2025-01, champion.",
        "811292: forecast as of 2024-02-26, 2024-02 to 2025-01, champion.",
        "850511: forecast as of 2024-12-26, 2024-12 to 2025-11, champion.",
        "Champion: version 3, magnetcast-ce73e51d-e194dfd8-20200622.",
        "WARNING held: publication 3 as of 2020-06-22 (85051110) is held",
    ):
        assert expected in out
    assert "tampered" not in out
    assert model_store.load(there, 3).card == champion_model(there).card


@pytest.mark.usefixtures("there")
def test_publications_are_listed_with_the_digests_they_had(
    magnetcast: Call, tmp_path: Path
) -> None:
    out = tmp_path / "list.csv"

    code, _, _ = magnetcast("publications", "list", "--format", "csv", "--out", str(out))

    assert code == 0
    listed = pd.read_csv(out, dtype={"commodity": str})
    rows = listed[["commodity", "as_of", "state", "rows", "sha256"]].itertuples(index=False)
    assert [(*row[:1], row[1][:10], *row[2:4], row[4][:12]) for row in rows] == PUBLISHED
    assert magnetcast("publications", "verify")[0] == 0


@pytest.mark.slow
@pytest.mark.usefixtures("there")
@pytest.mark.parametrize(
    ("commodity", "day"), [row[:2] for row in PUBLISHED if row[2] == "published"]
)
def test_an_old_publication_is_made_again_on_any_processor(
    commodity: str, day: str, magnetcast: Call, tmp_path: Path
) -> None:
    own = () if commodity == "85051110" else ("--commodity", commodity)

    code, _, err = magnetcast("replay", "--as-of", day, *own, "--out", str(tmp_path / "again.csv"))

    assert code == 0, err
    assert "bit for bit" in err or "the same but for rounding" in err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", "2020-05-22"),
        ("/destinations/USA", "United States"),
        ("/track-record", "seasonal"),
        ("/policy", "2025"),
        ("/goods", "gallium"),
        ("/goods/850511", "850511"),
        ("/goods/850511/destinations/USA", "United States"),
        ("/goods/811292/track-record", "gallium"),
        ("/data", "torn.csv"),
        ("/status", "publication 3 as of 2020-06-22"),
        ("/needs", "motors"),
    ],
)
def test_the_pages_answer(client: TestClient, path: str, expected: str) -> None:
    page = client.get(path)

    assert page.status_code == 200
    assert expected in page.text


def test_the_api_returns_the_numbers_that_were_published(client: TestClient) -> None:
    answer = client.get("/api/v1/forecasts/USA").json()

    assert answer["as_of"] == "2020-05-22T00:00:00Z"
    assert [month["p50"] for month in answer["months"][:3]] == [592.141, 591.666, 645.742]


def test_what_planners_wrote_is_kept(old_home: Settings) -> None:
    rows = read_planning(store_of(old_home))

    assert rows.needs.set_index("name")["tonnes"].to_dict() == {"motors": 400.0, "sensors": 250.0}
    assert rows.needs.set_index("name")["ended_at"].notna().to_dict() == {
        "motors": False, "sensors": True,
    }  # fmt: skip
    assert rows.rules["name"].tolist() == ["motors run short", "median moves"]
    assert len(rows.alerts) == 2
    [override] = rows.overrides.to_dict("records")
    assert (override["tonnes"], override["author"]) == (321.5, "ann")
    assert override["as_of"] == at("2020-04-22")


@pytest.mark.parametrize(
    ("query", "cutoff"),
    [("", "2020-04"), ("?commodity=850511", "2024-11"), ("?commodity=811292", "2024-01")],
)
def test_the_months_behind_an_old_publication_are_given(
    client: TestClient, query: str, cutoff: str
) -> None:
    months = client.get(f"/api/v1/history/USA{query}{'&' if query else '?'}limit=500").json()

    assert months["items"][-1]["period"] == cutoff
    assert all(month["tonnes"] >= 0 for month in months["items"])


def test_every_old_publication_names_a_panel_that_is_intact(old_home: Settings) -> None:
    engine = store_of(old_home)

    assert read_publications(engine)["panel"].str.len().eq(64).all()
    assert tampered(engine, every_panel=True) == ()
