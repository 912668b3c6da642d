"""The database damaged, locked, gone, without room and out of reach."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from flows.backup import move_locations
from tests.faults.checking import Watch
from tests.faults.home import Home, Service, kept
from tests.faults.world import NEXT, publish_until
from tests.small_disk import small_disk

pytestmark = pytest.mark.slow

Served = tuple[Home, Service]
Enduring = Callable[[Home, Service, str], Watch]


def flip_bytes(database: Path) -> None:
    """Overwrite the middle of a database: pages of its tables and indexes."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    size = database.stat().st_size
    with database.open("r+b") as file:
        file.seek(size // 4)
        file.write(b"\xa5" * (size // 2))


@pytest.mark.long
def test_a_corrupted_database(served: Served, enduring: Enduring) -> None:
    home, service = served
    watch = enduring(home, service, "bytes of the database flipped")
    good = kept(home)

    flip_bytes(home.database)
    output = home.call("run")

    watch.happened(output, "malformed|damaged|no sound database|not a database")
    watch.still_served()
    watch.alarm("database", "damaged|no sound database", code=2)
    service.end()
    (home.folder / "damaged").mkdir()
    for name in (home.database.parent.name, "mlflow.db", "artifacts"):
        (home.folder / name).rename(home.folder / "damaged" / name)
    restored = home.call("restore", str(home.folder / "backup.tar.gz"))
    assert restored.code == 0, restored.err
    assert kept(home) == good
    service.process = service.started()
    watch.healed(home.call("run"), by="`magnetcast restore FILE` in its place, then the next run")


@pytest.mark.long
def test_a_locked_database(served: Served, enduring: Enduring) -> None:
    home, service = served
    watch = enduring(home, service, "the database locked by a stranger for 5 s")
    publish_until(home.data, "2020-03", revised=["2020-02"])

    with closing(sqlite3.connect(home.database, isolation_level=None)) as stranger:
        stranger.execute("BEGIN EXCLUSIVE")
        waiting = home.start("ingest", "bundled")
        watch.still_served()
        assert home.nursery.wait(waiting.pid, 5) is None
        stranger.execute("ROLLBACK")
    result = waiting.ended()

    assert result.code == 0, result.err
    watch.saw("the ingest waited, then wrote")
    watch.no_alarm("nothing failed")
    watch.healed(home.call("ingest", "bundled"), by="the same ingest went on")


@pytest.mark.long
def test_a_database_that_is_gone_for_a_while(served: Served, enduring: Enduring) -> None:
    home, service = served
    watch = enduring(home, service, "the database file moved away, then back")
    hidden = home.var / "elsewhere"
    hidden.mkdir()

    for path in home.var.glob("magnetcast.db*"):
        path.rename(hidden / path.name)
    output = home.call("run")
    watch.still_served()
    watch.alarm("database", "is gone", code=2)
    for path in home.var.glob("magnetcast.db*"):
        path.unlink()
    for path in hidden.glob("magnetcast.db*"):
        path.rename(home.var / path.name)

    watch.happened(output, r"magnetcast\.db is gone")
    watch.healed(home.call("run"), by="the next run, the file being back")


@pytest.fixture
def no_room(home: Home) -> Iterator[Callable[[int], None]]:
    with small_disk(home.var, 2300) as leave:
        yield leave


@pytest.fixture
def no_room_for_mlflow(home: Home) -> Iterator[Callable[[int], None]]:
    """As ``no_room``, for the disk of MLflow's database and files alone."""
    mlruns = home.folder / "mlruns"
    mlruns.mkdir()
    for name in ("mlflow.db", "artifacts"):
        (home.folder / name).rename(mlruns / name)
    address = f"sqlite:///{mlruns / 'mlflow.db'}"
    old, new = home.folder / "artifacts", mlruns / "artifacts"
    move_locations(mlruns / "mlflow.db", old, new)
    home.more |= {"MAGNETCAST_TRACKING_URI": address, "MAGNETCAST_ARTIFACT_DIR": str(new)}
    with small_disk(mlruns, 2300) as leave:
        yield leave


def test_a_full_disk_while_facts_are_written(
    no_room: Callable[[int], None], home: Home, enduring: Enduring
) -> None:
    service = Service(home)
    watch = enduring(home, service, "disk full (a small tmpfs) while facts are written")
    publish_until(home.data, "2020-04")
    home.set_clock(NEXT)

    no_room(8)
    output = home.call("ingest", "bundled")

    watch.happened(output, "full|No space left")
    watch.still_served()
    watch.alarm("disk", "0.0 GB are free", code=2)
    watch.alarm("failed", "is full|No space left", code=2)
    (home.var / "filler").unlink()
    watch.healed(home.call("ingest", "bundled"), by="the next ingest, once there was room")
    service.end()


@pytest.mark.long
def test_a_full_disk_while_a_forecast_is_published(
    no_room: Callable[[int], None], home: Home, enduring: Enduring
) -> None:
    service = Service(home)
    watch = enduring(home, service, "disk full (a small tmpfs) while a forecast is published")
    publish_until(home.data, "2020-04")
    home.set_clock(NEXT)

    running = home.start("run")
    running.wait_for("backtest  error")
    no_room(8)
    result = running.ended()

    watch.happened(result, "full|No space left")
    watch.still_served()
    watch.alarm("disk", "0.0 GB are free", code=2)
    watch.alarm("failed", "is full|No space left", code=2)
    (home.var / "filler").unlink()
    watch.healed(home.call("run"), by="the next run published", new=NEXT)
    service.end()


@pytest.mark.long
def test_a_full_disk_of_mlflow_during_a_run(
    no_room_for_mlflow: Callable[[int], None], home: Home, enduring: Enduring
) -> None:
    service = Service(home)
    watch = enduring(home, service, "the disk of MLflow's database and files full during a run")
    publish_until(home.data, "2020-04")
    home.set_clock(NEXT)

    running = home.start("run")
    running.wait_for("backtest  error")
    no_room_for_mlflow(8)
    result = running.ended()

    watch.happened(result, "MLflow's .*cannot be", code=0)
    service.shows(NEXT)
    watch.seen_served()
    watch.alarm("disk", "0.0 GB are free on the disk of MLflow", code=2)
    (home.folder / "mlruns" / "filler").unlink()
    watch.healed(
        home.call("run"), by="the champion published; the next release trains again", new=NEXT
    )
    service.end()


@pytest.mark.long
def test_permission_denied(served: Served, enduring: Enduring) -> None:
    if os.geteuid() != 0:
        pytest.skip("another user can be taken on by root alone")
    home, service = served
    watch = enduring(home, service, "no right to write (a run as user 65534)")
    for path in (home.folder, *home.folder.parents):
        if path.stat().st_uid == 0 and path != Path("/") and "pytest" in str(path):
            path.chmod(0o755)
    publish_until(home.data, "2020-03", revised=["2020-02"])

    output = home.call("ingest", "bundled", user=65534)

    watch.happened(output, "Permission denied|readonly|unable to open")
    watch.still_served()
    watch.alarm_is_message()
    watch.healed(home.call("ingest", "bundled"), by="the next ingest, with its rights")
