"""Locations of files in MLflow's SQLite database: absolute, while a home can be moved or copied.

Read and written without MLflow, whose import takes seconds.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from store.errors import StoreError, first_few

LOCATIONS: Final = (
    ("experiments", "artifact_location"), ("runs", "artifact_uri"), ("model_versions", "source"),
    ("model_versions", "storage_location"), ("logged_models", "artifact_location"),
)  # fmt: skip
"""Columns of MLflow's database with locations of files."""

DELETED: Final = "REDACTED-SOURCE-PATH"
"""Location that MLflow writes for a deleted version."""


def move_locations(file: Path, before: Path, after: Path) -> None:
    """Move the locations in MLflow's database to another folder; others are an error."""
    old, new = before.resolve().as_uri(), after.resolve().as_uri()
    with closing(sqlite3.connect(file)) as connection, connection:
        alien = list[str]()
        # MLflow's own default experiment has none of our runs.
        connection.execute(
            "UPDATE experiments SET artifact_location = ? WHERE experiment_id = 0", (new,)
        )
        for table, column in LOCATIONS:
            connection.execute(
                f"UPDATE {table} SET {column} = ? || substr({column}, ?) "  # noqa: S608 - our own
                f"WHERE {column} = ? OR substr({column}, 1, ?) = ?",
                (new, len(old) + 1, old, len(old) + 1, f"{old}/"),
            )
            locations = connection.execute(f"SELECT DISTINCT {column} FROM {table}")  # noqa: S608
            alien += [
                f"{location} in {table}"
                for (location,) in locations
                if not _is_inside(location or "", new)
            ]
    if alien:
        raise StoreError(
            f"MLflow's database names {first_few(alien)}. Expected only files below "
            f"{before}. Move them there, or delete these runs and versions in "
            "MLflow. Restore only archives of your own."
        )


def _is_inside(place: str, folder: str) -> bool:
    if ".." in unquote(place).split("/"):
        return False
    return place in {"", DELETED, folder} or place.startswith(("models:/", f"{folder}/"))
