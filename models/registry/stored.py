"""Stored models: what they were made for, and that nobody changed them since training.

Refused where today's features or schema are others; hashed when registered, checked before use.
"""

import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, cast

from features.build import ALL_FEATURES, catalogue_digest
from models.registry import served
from models.registry.served import CARD_FORMATS
from store.errors import first_few

MODEL_SCHEMA: Final = 1
"""Raised when what a row means changes in a way that no entry of the catalogue tells: the target,
the level that forecasts are ratios to, the destinations."""

_REMEDY: Final = "Run `magnetcast train`, or promote a version that was trained with this code."


def stamp(card: Mapping[str, object]) -> dict[str, object]:
    """Return what training adds to a card so that :func:`refusal` can tell."""
    own = catalogue_digest(frozenset(_features(card)))
    return {"schema": MODEL_SCHEMA, "catalogue": catalogue_digest(), "meanings": own}


def refusal(card: Mapping[str, object]) -> str:
    """Return why a model of this card must not be asked, in sentences; empty where it may be.

    Args:
        card: As stored beside the heads.
    """
    if card.get("format") not in CARD_FORMATS:
        return (
            f"its card has format {card.get('format')!r}. "
            f"Expected one of {', '.join(map(str, CARD_FORMATS))}. {_REMEDY}"
        )
    if card.get("schema") != MODEL_SCHEMA:
        return (
            f"it was trained on schema {card.get('schema', 'none')}. "
            f"Expected {MODEL_SCHEMA}, today's. {_REMEDY}"
        )
    features = _features(card)
    unknown = sorted(set(features) - {feature.name for feature in ALL_FEATURES})
    if unknown:
        return (
            f"it was trained on features that are no more: {first_few(unknown)}. "
            f"Expected some of the {len(ALL_FEATURES)} in docs/features.md. {_REMEDY}"
        )
    # Cards older than the digest of their own features have that of the whole catalogue only.
    kind, own = ("meanings", frozenset(features)) if card.get("meanings") else ("catalogue", None)
    if card.get(kind) != catalogue_digest(own):
        return (
            f"its features had other meanings ({kind} {card.get(kind)}). "
            f"Expected {kind} {catalogue_digest(own)}, today's. {_REMEDY}"
        )
    return ""


def _features(card: Mapping[str, object]) -> list[str]:
    return [str(name) for name in cast("Iterable[object]", card.get("features", ()))]


def recipe_of(card: Mapping[str, object]) -> str:
    """Return what names the way a model was made, whatever months it learned from."""
    names = ("format", "schema", "catalogue", "features", "spec")
    return _digest([card.get(name) for name in names])


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]


HASH_TAG: Final = "sha256"
"""Tag of a version: digest of names and bytes of all files of the stored model."""

LEFT_BEHIND: Final = ("__pycache__", "registered_model_meta")
"""What whoever runs a script and `mlflow models serve` leave beside the files; neither stored by
training nor taken over."""

CARD: Final = "card.json"


def write_parts(folder: Path, heads: Mapping[str, str], card: Mapping[str, object]) -> Path:
    """Write the heads and the card as ``served.read_model`` reads them, and return their folder.

    Args:
        folder: To be made.
        heads: Boosters in LightGBM's text form by the names in ``served.HEADS``.
        card: What training measured.

    Raises:
        ValueError: Other heads, or a card that is no JSON.
    """
    if set(heads) != set(served.HEADS):
        raise ValueError(
            f"A model of heads {sorted(heads)} was to be registered. "
            f"Expected exactly {list(served.HEADS)}. Train one booster for each."
        )
    folder.mkdir()
    for name, text in heads.items():
        (folder / f"{name}.txt").write_text(text, encoding="utf-8", newline="\n")
    text = json.dumps(card, allow_nan=False, indent=1)
    (folder / CARD).write_text(text, encoding="utf-8", newline="\n")
    return folder


def folder_hash(folder: Path) -> str:
    """Return a digest of names and bytes of all files below a folder but what readers left."""
    digest = hashlib.sha256()
    files = (path for path in folder.rglob("*") if path.is_file())
    for path in sorted(files, key=lambda path: path.relative_to(folder).as_posix()):
        name = path.relative_to(folder)
        if not set(LEFT_BEHIND) & set(name.parts):
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            digest.update(f"{name.as_posix()}\0{content}\n".encode())
    return digest.hexdigest()


@contextmanager
def checked_copy(folder: Path, expected: str) -> Iterator[Path]:
    """Yield a private copy of a stored model that nobody changed since training stored it.

    The copy is what is hashed and what may be run, so nothing can be exchanged in between.

    Args:
        folder: The stored model.
        expected: Its digest when it was registered.

    Raises:
        OSError: A file is missing or cannot be read.
        ValueError: The digest is another, or the card is for other features or an older schema.
    """
    with TemporaryDirectory() as scratch:
        copy = Path(scratch) / "model"
        shutil.copytree(folder, copy, ignore=shutil.ignore_patterns(*LEFT_BEHIND))
        found = folder_hash(copy)
        if found != expected:
            raise ValueError(
                f"its files have SHA-256 {found[:12]}, and {expected[:12] or 'none'} was recorded "
                "when it was registered; none of them was run."
            )
        why = refusal(_card_in(copy))
        if why:
            raise ValueError(why)
        yield copy


def _card_in(folder: Path) -> dict[str, object]:
    """Return the card of a stored model."""
    [path] = folder.rglob(CARD)
    card: dict[str, object] = json.loads(path.read_text(encoding="utf-8"))
    return card
