"""Registered models of a restored database lie below the new folder, or the restore is refused."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from store.archive.model_locations import settle_models
from store.errors import DataError

MODEL = "models/m-1/artifacts"


def database(folder: Path, *sources: str) -> str:
    with closing(sqlite3.connect(folder / "mlflow.db")) as connection, connection:
        connection.execute("CREATE TABLE model_versions (version INTEGER, source TEXT)")
        rows = list(enumerate(sources, start=1))
        connection.executemany("INSERT INTO model_versions VALUES (?, ?)", rows)
    return f"sqlite:///{folder / 'mlflow.db'}"


def sources(folder: Path) -> list[str]:
    with closing(sqlite3.connect(folder / "mlflow.db")) as connection:
        return [row[0] for row in connection.execute("SELECT source FROM model_versions")]


def test_a_model_named_elsewhere_is_pointed_to_its_files_in_the_archive(tmp_path: Path) -> None:
    (tmp_path / "staged" / MODEL).mkdir(parents=True)
    new = "file:///new/artifacts"
    url = database(tmp_path, f"file:///old/artifacts/{MODEL}", f"{new}/{MODEL}", "s3://there/m-2")

    settle_models(url, new, tmp_path / "staged")

    assert sources(tmp_path) == [f"{new}/{MODEL}", f"{new}/{MODEL}", "s3://there/m-2"]


@pytest.mark.parametrize("source", [f"file:///old/artifacts/{MODEL}", f"/old/artifacts/{MODEL}"])
def test_a_model_whose_files_are_not_in_the_archive_is_refused(tmp_path: Path, source: str) -> None:
    url = database(tmp_path, source)

    with pytest.raises(DataError, match=r"files of version 1 in .*/old/artifacts"):
        settle_models(url, "file:///new/artifacts", tmp_path / "staged")

    assert sources(tmp_path) == [source]
