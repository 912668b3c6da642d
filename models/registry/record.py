"""What MLflow's SQLite file says of the champion, read without MLflow, whose import takes seconds.

A stored model is boosters as text and a card as JSON; they are checked as plain files.
"""

import hashlib
import json
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Final, cast
from urllib.parse import unquote, urlsplit

from features.build import ALL_FEATURES, catalogue_digest
from store.database import shown_address, sqlite_file, sqlite_to_read
from store.errors import StoreError, first_few
from store.settings import Settings

MODEL: Final = "magnetcast"
"""Name of the magnets' registered model; those of other goods begin with it."""

CHAMPION: Final = "champion"
"""Alias of the version that publishes."""

ROLLED_BACK_TAG: Final = "rolled_back"
"""Tag of a version that was taken back as champion: the reason."""


@dataclass(frozen=True, slots=True)
class RegisteredVersion:
    """A registered version, and what it was trained on."""

    version: int
    run_id: str
    model_version: str
    """Its name, as published forecasts carry it."""
    as_of: str
    data_vintage: str
    recipe: str = ""
    """Digest of its parameters and features."""
    rolled_back: str = ""
    """Why it was taken back as champion; empty if it was not."""
    git_commit: str = ""
    """Commit of the code that trained it."""
    parameters: str = ""
    """Parameters that were not at their defaults, as JSON."""
    sha256: str = ""
    """Digest of its boosters and card."""


CARD_TAGS: Final = tuple(one.name for one in fields(RegisteredVersion))[2:]
"""Tags of a version, fields of ``RegisteredVersion``."""


MODEL_SCHEMA: Final = 1
"""Raised when a card or what a row means changes in a way that no entry of the catalogue tells: the
layout of the card, the target, the level that forecasts are ratios to, the destinations."""

MODEL_FILES: Final = "model"
"""Folder of boosters and card, below ``artifacts`` in the logged model."""


def record_file(settings: Settings) -> Path | None:
    """Return MLflow's SQLite file; None where a server keeps its record."""
    uri = settings.tracking_uri
    file = sqlite_file(uri) if uri.startswith("sqlite") else None
    return file and file.resolve()


def is_kept(settings: Settings) -> bool:
    """Return whether there may be a record at all: a SQLite file that is absent holds none."""
    database = record_file(settings)
    return database is None or database.exists()


_VERSION: Final = """
SELECT version.version, run_id, COALESCE(storage_location, source) FROM model_versions AS version
JOIN registered_model_aliases AS alias USING (name, version) WHERE name = ? AND alias.alias = ?
"""

_TAGS_OF: Final = "SELECT key, value FROM model_version_tags WHERE name = ? AND version = ?"


Champion = tuple[RegisteredVersion, Callable[[], object]]
"""The version that publishes, and what checks that it can be read."""


def stored_champion(settings: Settings, name: str = MODEL) -> Champion | None:
    """Return the champion of MLflow's SQLite file."""
    file = record_file(settings)
    if file is None or not file.exists():
        return None
    try:
        with closing(sqlite_to_read(file)) as connection:
            found = connection.execute(_VERSION, (name, CHAMPION)).fetchone()
            tags = dict(connection.execute(_TAGS_OF, (name, found[0]))) if found else {}
    except sqlite3.Error as err:
        raise StoreError(
            f"MLflow's database {shown_address(settings.tracking_uri)} cannot be opened: {err}. "
            "Expected one that is intact. Restore the file from a backup."
        ) from err
    if found is None:
        return None
    version, run_id, source = found
    known = RegisteredVersion(
        int(version), run_id or "", **{tag: tags.get(tag, "") for tag in CARD_TAGS}
    )
    return known, partial(_verify, name, known, source)


def _verify(name: str, champion: RegisteredVersion, source: str) -> None:
    """Refuse files that are not what training stored, or that this code cannot ask."""
    folder = Path(unquote(urlsplit(source).path)) / "artifacts" / MODEL_FILES
    try:
        files = [*folder.glob("*.txt"), folder / "card.json"]
        texts = {file.name: file.read_text(encoding="utf-8") for file in files}
        check(texts, champion.sha256)
    except (OSError, ValueError) as err:
        raise unreadable(name, champion.version, source, err) from err


def unreadable(name: str, version: int, source: str, err: Exception) -> StoreError:
    """Return the error of a version whose files are not what training stored."""
    return StoreError(
        f"Version {version} of model {name!r} cannot be read from {source}: {err} "
        "Expected the files that training stored. Restore the artifact folder from a backup, "
        "or promote another version."
    )


def digest_of(texts: Mapping[str, str]) -> str:
    """Return the SHA-256 of boosters and card."""
    return hashlib.sha256(json.dumps(texts, sort_keys=True).encode()).hexdigest()


def check(texts: Mapping[str, str], expected: str) -> None:
    """Refuse boosters and card that are not those of training, or ask for other rows."""
    if (found := digest_of(texts)) != expected:
        raise ValueError(
            f"its boosters and card have SHA-256 {found[:12]}, and {expected[:12]} was "
            "recorded when it was registered."
        )
    _check_rows(json.loads(texts["card.json"]))


def features_of(card: Mapping[str, object]) -> list[str]:
    """Return the names of the features that a model is asked with."""
    return [str(name) for name in cast("list[object]", card.get("features", []))]


def _check_rows(card: Mapping[str, object]) -> None:
    features = features_of(card)
    remedy = "Train it anew, or promote a version that was trained with this code."
    if card.get("schema") != MODEL_SCHEMA:
        why = f"it was trained on schema {card.get('schema', 'none')}. Expected {MODEL_SCHEMA}"
    elif unknown := sorted(set(features) - {feature.name for feature in ALL_FEATURES}):
        why = f"it was trained on features that are no more: {first_few(unknown)}"
    elif card.get("meanings") != (today := catalogue_digest(frozenset(features))):
        why = f"its features had other meanings ({card.get('meanings')}). Expected {today}"
    else:
        return
    raise ValueError(f"{why}. {remedy}")
