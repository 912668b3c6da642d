"""Raw answers on disk: bodies by their hash, and an entry for each request."""

import hashlib
import json
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from store.errors import SourceError

_NAME_DIGITS: Final = 32
"""Hex digits of an entry's file name."""


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """An answer without its body and without keys."""

    url: str
    status: int
    sha256: str
    content_type: str = ""
    etag: str = ""
    last_modified: str = ""
    date: str = ""
    """The provider's own clock."""


@dataclass(frozen=True, slots=True)
class CachedReply:
    """A cached answer."""

    entry: CacheEntry
    body: bytes


@dataclass(frozen=True, slots=True)
class HttpCache:
    """The answers of one provider.

    A body is written before the entry that names it, each to a file of its own that is then moved
    into place: a process killed at any moment leaves the old answer or the new one.
    """

    folder: Path

    def find(self, url: str, accept: str) -> CachedReply | None:
        """Return the last answer to a request; None if there is none or its files were changed."""
        try:
            entry = CacheEntry(
                **json.loads(self._entry_path(url, accept).read_text(encoding="utf-8"))
            )
            body = self._body_path(entry.sha256).read_bytes()
        except (OSError, ValueError, TypeError):
            return None
        return CachedReply(entry, body) if sha256(body) == entry.sha256 else None

    def save(self, entry: CacheEntry, accept: str, body: bytes) -> None:
        """Store an answer.

        Raises:
            SourceError: The folder cannot be written.
        """
        text = json.dumps(asdict(entry), indent=1, sort_keys=True)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            _put(self._body_path(entry.sha256), body)
            _put(self._entry_path(entry.url, accept), text.encode())
        except OSError as err:
            raise SourceError(
                f"Cannot store the answer of {entry.url} in {self.folder}: {err.strerror}. "
                "Expected a writable folder. Check MAGNETCAST_HOME and the space on its disk."
            ) from err

    def _entry_path(self, url: str, accept: str) -> Path:
        return self.folder / f"{sha256(f'{accept} {url}'.encode())[:_NAME_DIGITS]}.json"

    def _body_path(self, digest: str) -> Path:
        return self.folder / f"{digest}.body"


def sha256(body: bytes) -> str:
    """Return the hash of a body in hex digits."""
    return hashlib.sha256(body).hexdigest()


def _put(path: Path, content: bytes) -> None:
    """Write a file atomically."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
