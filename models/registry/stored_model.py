"""A stored model and where MLflow keeps it, read without MLflow, whose import takes seconds.

It is boosters as text and metadata as JSON, plain files. Locations in MLflow's SQLite database are
absolute, while a home can be moved or copied.
"""

import hashlib
import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import fields
from pathlib import Path
from typing import Final, cast
from urllib.parse import unquote, urlsplit

from features.build import ALL_FEATURES, catalogue_digest
from store.database import sqlite_file
from store.errors import OldModelError, StoreError, first_few
from store.publications.publication_rows import RegisteredVersion
from store.settings import Settings

MODEL: Final = "magnetcast"
"""Name of the magnets' registered model; those of other goods begin with it."""

CHAMPION: Final = "champion"
"""Alias of the version that publishes."""

CHALLENGER: Final = "challenger"
"""Alias of the last version that was refused."""

VERSION_TAGS: Final = tuple(field.name for field in fields(RegisteredVersion))[3:]
"""Tags of a version, fields of ``RegisteredVersion``."""

MODEL_SCHEMA: Final = 2
"""Raised when metadata or rows change in a way that no entry of the catalogue tells: the layout of
the metadata, the target, the level that forecasts are ratios to, the destinations."""

MODEL_FILES: Final = "model"
"""Folder of boosters and metadata, below ``artifacts`` in the logged model."""


def record_file(settings: Settings) -> Path | None:
    """MLflow's SQLite file; None where a server keeps its records."""
    uri = settings.tracking_uri
    file = sqlite_file(uri) if uri.startswith("sqlite") else None
    return file and file.resolve()


def may_have_records(settings: Settings) -> bool:
    """Whether MLflow may hold any record: an absent SQLite file holds none."""
    database = record_file(settings)
    return database is None or database.exists()


def registered_version(
    settings: Settings, number: int, run_id: str | None, source: str | None, tags: Mapping[str, str]
) -> RegisteredVersion:
    """Version as MLflow registered it."""
    artifacts = settings.artifact_dir.resolve()
    place = Path(unquote(urlsplit(source or "").path))
    folder = str(place.relative_to(artifacts)) if place.is_relative_to(artifacts) else ""
    values = {name: tags.get(name, "") for name in VERSION_TAGS}
    return RegisteredVersion(int(number), run_id or "", folder, **values)


def verify(settings: Settings, champion: RegisteredVersion, name: str = MODEL) -> None:
    """Refuse files that are not those that training stored, or that this code cannot use."""
    folder = settings.artifact_dir / champion.folder / "artifacts" / MODEL_FILES
    try:
        files = [*folder.glob("*.txt"), folder / "metadata.json"]
        texts = {file.name: file.read_text(encoding="utf-8") for file in files}
        check(texts, champion.sha256)
    except (OSError, ValueError) as err:
        raise unreadable(name, champion.version, str(folder), err) from err
    check_rows(texts, champion.version, name)


def unreadable(name: str, version: int, source: str, err: Exception) -> StoreError:
    """Error of a version whose files are not those that training stored."""
    return StoreError(
        f"Version {version} of model {name!r} cannot be read from {source}: {err} "
        "Expected the files that training stored. Restore the artifact folder from a backup, "
        "or promote another version."
    )


def digest_of(texts: Mapping[str, str]) -> str:
    """SHA-256 of boosters and metadata."""
    return hashlib.sha256(json.dumps(texts, sort_keys=True).encode()).hexdigest()


def check(texts: Mapping[str, str], expected: str) -> None:
    """Refuse boosters and metadata that differ from those of training."""
    if (digest := digest_of(texts)) != expected:
        raise ValueError(
            f"its boosters and metadata have SHA-256 {digest[:12]}, and {expected[:12]} was "
            "recorded when it was registered."
        )


def features_of(metadata: Mapping[str, object]) -> list[str]:
    """Names of the features of a model."""
    return [str(name) for name in cast("list[object]", metadata.get("features", []))]


def check_rows(texts: Mapping[str, str], version: int, name: str = MODEL) -> None:
    """Refuse a model that takes other rows than this code makes; its files are whole."""
    metadata = json.loads(texts["metadata.json"])
    features = features_of(metadata)
    names = {feature.name for feature in ALL_FEATURES}
    if metadata.get("schema") != MODEL_SCHEMA:
        fault = f"it has rows of schema {metadata.get('schema', 'none')}, not {MODEL_SCHEMA}"
    elif unknown := sorted(set(features) - names):
        fault = f"it was trained on features that are no more: {first_few(unknown)}"
    elif metadata.get("meanings") != (today := catalogue_digest(frozenset(features))):
        fault = f"its features had other meanings ({metadata.get('meanings')}, now {today})"
    else:
        return
    raise OldModelError(
        f"Version {version} of model {name!r} was trained by another version of magnetcast and "
        f"does not fit this one: {fault}. Expected a model of this version; no file is damaged. "
        "`magnetcast run` trains one."
    )


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
