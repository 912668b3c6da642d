import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from models.registry.runs import connect
from store.database import open_store, writing
from store.planning import save_findings
from store.settings import Settings
from tests.data.builders import at


@pytest.fixture(autouse=True)
def _usual_mask() -> Iterator[None]:
    """Let others read what is made, as most machines do."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def rights(folder: Path) -> set[str]:
    return {f"{path.stat().st_mode & 0o777:o}" for path in folder.iterdir() if "db" in path.name}


def test_a_database_and_its_logs_are_for_their_owner_alone(tmp_path: Path) -> None:
    engine = open_store(f"sqlite:///{tmp_path / 'home' / 'magnetcast.db'}")
    save_findings(engine, [], at=at("2026-11-27"))
    with writing(engine):
        assert (tmp_path / "home" / "magnetcast.db-wal").exists()
        (tmp_path / "home" / ".magnetcast.db.lock").unlink()
        assert rights(tmp_path / "home") == {"600"}
    engine.dispose()


def test_others_lose_their_rights_on_a_database_that_is_opened(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'magnetcast.db'}"
    open_store(url).dispose()
    for end in ("", "-wal", "-shm"):
        (tmp_path / f"magnetcast.db{end}").touch()
        (tmp_path / f"magnetcast.db{end}").chmod(0o644)

    open_store(url).dispose()

    (tmp_path / ".magnetcast.db.lock").unlink()
    assert rights(tmp_path) == {"600"}


@pytest.mark.slow
def test_mlflows_database_is_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "mlruns" / "mlflow.db"

    connect(Settings(home=tmp_path, tracking_uri=f"sqlite:///{file}", artifact_dir=tmp_path / "a"))

    assert file.stat().st_mode & 0o777 == 0o600
