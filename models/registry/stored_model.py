"""A stored model, checked without MLflow, whose import takes seconds.

It is boosters as text and metadata as JSON, plain files.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Final, cast

from features.build import ALL_FEATURES, catalogue_digest
from store.database import sqlite_file
from store.errors import StoreError, first_few
from store.publications.champions import RegisteredVersion
from store.settings import Settings

MODEL: Final = "magnetcast"
"""Name of the magnets' registered model; those of other goods begin with it."""

CHAMPION: Final = "champion"
"""Alias of the version that publishes."""

ROLLED_BACK_TAG: Final = "rolled_back"
"""Tag of a champion that was rolled back: the reason."""


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


def verify(settings: Settings, champion: RegisteredVersion, name: str = MODEL) -> None:
    """Refuse files that are not those that training stored, or that this code cannot use."""
    folder = settings.artifact_dir / champion.folder / "artifacts" / MODEL_FILES
    try:
        files = [*folder.glob("*.txt"), folder / "metadata.json"]
        texts = {file.name: file.read_text(encoding="utf-8") for file in files}
        check(texts, champion.sha256)
    except (OSError, ValueError) as err:
        raise unreadable(name, champion.version, str(folder), err) from err


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
    """Refuse boosters and metadata that differ from those of training, or take other rows."""
    if (digest := digest_of(texts)) != expected:
        raise ValueError(
            f"its boosters and metadata have SHA-256 {digest[:12]}, and {expected[:12]} was "
            "recorded when it was registered."
        )
    _check_rows(json.loads(texts["metadata.json"]))


def features_of(metadata: Mapping[str, object]) -> list[str]:
    """Names of the features of a model."""
    return [str(name) for name in cast("list[object]", metadata.get("features", []))]


def _check_rows(metadata: Mapping[str, object]) -> None:
    features = features_of(metadata)
    names = {feature.name for feature in ALL_FEATURES}
    remedy = "Train it anew, or promote a version that was trained with this code."
    if metadata.get("schema") != MODEL_SCHEMA:
        fault = (
            f"it was trained on schema {metadata.get('schema', 'none')}. Expected {MODEL_SCHEMA}"
        )
    elif unknown := sorted(set(features) - names):
        fault = f"it was trained on features that are no more: {first_few(unknown)}"
    elif metadata.get("meanings") != (today := catalogue_digest(frozenset(features))):
        fault = f"its features had other meanings ({metadata.get('meanings')}). Expected {today}"
    else:
        return
    raise ValueError(f"{fault}. {remedy}")
