import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.faults.checking import Watch
from tests.faults.home import Home, kept, serving
from tests.faults.world import NEXT, publish_until
from tests.small_disk import small_disk

pytestmark = pytest.mark.slow


def flip_bytes(database: Path) -> None:
    """Overwrite the middle of a database: pages of its tables and indexes."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    size = database.stat().st_size
    with database.open("r+b") as file:
        file.seek(size // 4)
        file.write(b"\xa5" * (size // 2))


@pytest.mark.long
def test_a_corrupted_database(watch: Watch) -> None:
    home = watch.home
    good = kept(home)

    flip_bytes(home.database)
    output = home.call("run")

    watch.happened(output, "malformed|damaged|no sound database|not a database")
    watch.still_served()
    watch.alarm("database", "damaged|no sound database", code=2)
    watch.service.end()
    (home.folder / "damaged").mkdir()
    for name in (home.database.parent.name, "mlflow.db", "artifacts"):
        (home.folder / name).rename(home.folder / "damaged" / name)
    restored = home.call("restore", str(home.folder / "backup.tar.gz"))
    assert restored.code == 0, restored.err
    assert kept(home) == good
    watch.service.process = watch.service.started()
    watch.healed(home.call("run"))


@pytest.mark.long
def test_a_database_that_is_gone_for_a_while(watch: Watch) -> None:
    home = watch.home
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
    watch.healed(home.call("run"))


@pytest.fixture
def no_room(home: Home) -> Iterator[Callable[[int], None]]:
    with small_disk(home.var, 2300) as leave:
        yield leave


@pytest.mark.parametrize(
    ("words", "until"),
    [
        ("ingest bundled", ""),
        *(
            pytest.param("run", phase, marks=pytest.mark.long)
            for phase in ("as of", "ingest    ", "backtest  ", "promote   ")
        ),
    ],
)
def test_a_full_disk(no_room: Callable[[int], None], home: Home, words: str, until: str) -> None:
    with serving(home) as service:
        watch = Watch(home, service)
        publish_until(home.data, "2020-04")
        home.set_clock(NEXT)

        if until:
            running = home.start(*words.split())
            running.wait_for(until)
            no_room(8)
            output = running.ended()
        else:
            no_room(8)
            output = home.call(*words.split())

        watch.happened(output, "full|No space left")
        watch.still_served()
        watch.alarm("disk", "0.0 GB are free", code=2)
        (home.var / "filler").unlink()
        watch.healed(home.call(*words.split()), new=NEXT if words == "run" else "")
