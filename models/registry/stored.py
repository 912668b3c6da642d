"""Stored models that are what training stored: hashed when registered, checked before any runs."""

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from models.registry import served
from models.registry.contract import refusal

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
