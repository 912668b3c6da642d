"""One compressed archive with a manifest of hashes: written atomically, read only if verified.

Public: :func:`write_archive`, :func:`extract_archive`, :func:`verify_archive`,
:class:`ArchiveEntry`.

An archive is a tar of plain files; the first is the manifest, which lists every other file with its
size and hash. Unlisted files, links, devices and paths outside the archive are refused before
anything of them is written.
"""

import hashlib
import io
import json
import re
import shutil
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any, Final, cast

import pyarrow as pa

from store.errors import DataError, StoreError
from store.expansion import ALWAYS, RATIO
from store.sqlite_files import make_private

MANIFEST: Final = "manifest.json"

FORMAT: Final = "magnetcast-backup-1"
"""Name of the manifest's layout."""

SUFFIXES: Final = {".tar.zst": "zstd", ".tar.gz": "gzip"}

CHUNK: Final = 1 << 20
LARGEST_MANIFEST: Final = 64 << 20
"""Bytes; some 400,000 files."""
LONGEST_NAME: Final = 4096
_PLAIN_NAME: Final = re.compile(r"[^\x00-\x1f\\:]+")


@dataclass(frozen=True, slots=True)
class ArchiveEntry:
    """A file of an archive."""

    name: str
    size: int
    sha256: str


class _PlainFile(tarfile.TarInfo):
    """A tar header that accepts plain files only, before their content is read."""

    def _proc_member(self, tar: tarfile.TarFile) -> tarfile.TarInfo:
        """Read what follows the header: every Python's tarfile calls this for each header."""
        short_name = self.type == tarfile.GNUTYPE_LONGNAME and self.size <= LONGEST_NAME
        if not short_name and self.type not in {tarfile.REGTYPE, tarfile.AREGTYPE}:
            raise _refused(f"{self.name!r} is no plain file (tar type {self.type!r})")
        return cast("tarfile.TarInfo", super()._proc_member(tar))  # type: ignore[misc]


def write_archive(path: Path, files: Mapping[str, Path], about: Mapping[str, Any]) -> str:
    """Write files and their manifest as one archive; it appears only once complete.

    Args:
        path: The archive, ``.tar.zst`` or ``.tar.gz``; it replaces an older one.
        files: Path of each file by its name in the archive; they must not change meanwhile.
        about: Further entries of the manifest, in types JSON has.

    Returns:
        SHA-256 of the archive.

    Raises:
        DataError: The name of the archive has another ending.
        StoreError: A file changed while it was copied, or the disk is full.
    """
    compression = _compression(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.part")
    try:
        unfinished.unlink(missing_ok=True)
        make_private(unfinished)
        entries = [_entry(name, file) for name, file in sorted(files.items())]
        manifest = {"format": FORMAT, **about, "files": [asdict(entry) for entry in entries]}
        text = json.dumps(manifest, indent=1, allow_nan=False).encode()
        with (
            pa.output_stream(str(unfinished), compression=compression) as stream,
            tarfile.open(fileobj=stream, mode="w|", format=tarfile.GNU_FORMAT) as tar,
        ):
            tar.addfile(_header(MANIFEST, len(text)), io.BytesIO(text))
            for entry in entries:
                _add(tar, entry, files[entry.name])
        digest = _entry(path.name, unfinished).sha256
        unfinished.replace(path)
    except OSError as err:
        raise StoreError(
            f"The archive {path} cannot be written ({err}). Expected room for it and files that "
            "stay. Make room or choose another disk, then run it again."
        ) from err
    finally:
        unfinished.unlink(missing_ok=True)
    return digest


def verify_archive(path: Path) -> dict[str, Any]:
    """Read an archive to its end, check every hash and return its manifest.

    Raises:
        DataError: It is not a magnetcast archive, is truncated, or was changed.
    """
    with _opened(path) as (manifest, members):
        for _ in members:
            pass
    return manifest


def extract_archive(path: Path, folder: Path) -> dict[str, Any]:
    """Extract a verified archive into a new folder and return its manifest.

    Args:
        path: The archive.
        folder: Is created; removed again if the archive is refused.

    Raises:
        DataError: As :func:`verify_archive`, or there is no room for it.
    """
    folder.mkdir(parents=True)
    try:
        with _opened(path) as (manifest, members):
            _check_room(manifest, folder)
            for entry, chunks in members:
                target = folder / entry.name
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("xb") as file:
                    file.writelines(chunks)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return manifest


Members = Iterator[tuple[ArchiveEntry, Iterator[bytes]]]


@contextmanager
def _opened(path: Path) -> Iterator[tuple[dict[str, Any], Members]]:
    """Open an archive; its members must be read to the end."""
    try:
        with (
            pa.input_stream(str(path), compression=_compression(path)) as stream,
            tarfile.open(fileobj=stream, mode="r|", tarinfo=_PlainFile) as tar,
        ):
            manifest = _read_manifest(tar)
            entries = _entries(manifest)
            _check_ratio(entries, path.stat().st_size)
            yield manifest, _members(tar, entries)
    except FileNotFoundError as err:
        raise _refused(f"there is no file {path}") from err
    except (tarfile.TarError, OSError, EOFError) as err:
        raise _refused(f"{path.name} cannot be read to its end ({err})") from err


def _members(tar: tarfile.TarFile, entries: Mapping[str, ArchiveEntry]) -> Members:
    """Yield each file with its bytes; refuse unlisted, changed and missing files."""
    missing = dict(entries)
    while (header := tar.next()) is not None:
        entry = missing.pop(header.name, None)
        if entry is None:
            raise _refused(f"{header.name!r} is not in the manifest, or comes twice")
        if header.size != entry.size:
            raise _refused(f"{entry.name} has {header.size} bytes, not {entry.size}")
        digest = hashlib.sha256()
        content = _HashedFile(cast("IO[bytes]", tar.extractfile(header)), digest)
        chunks = iter(partial(content.read, CHUNK), b"")
        yield entry, chunks
        for _ in chunks:
            pass
        if digest.hexdigest() != entry.sha256:
            raise _refused(f"{entry.name} was changed: its hash is not the manifest's")
    if missing:
        raise _refused(f"{min(missing)} is missing ({len(missing)} in all)")


def _read_manifest(tar: tarfile.TarFile) -> dict[str, Any]:
    header = tar.next()
    if header is None or header.name != MANIFEST or header.size > LARGEST_MANIFEST:
        raise _refused(f"it does not begin with a {MANIFEST}")
    try:
        found = json.loads(cast("IO[bytes]", tar.extractfile(header)).read())
    except (ValueError, RecursionError) as err:
        raise _refused(f"its {MANIFEST} is no JSON ({err})") from err
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise _refused(
            f"its {MANIFEST} is not of format {FORMAT}; a newer release may have made it"
        )
    return found


def _entries(manifest: Mapping[str, Any]) -> dict[str, ArchiveEntry]:
    """Return the files of a manifest; names outside the folder are refused."""
    try:
        entries = [
            ArchiveEntry(str(one["name"]), int(one["size"]), str(one["sha256"]))
            for one in manifest["files"]
        ]
    except (KeyError, TypeError, ValueError) as err:
        raise _refused(f"its {MANIFEST} lists no files as expected ({err!r})") from err
    for entry in entries:
        parts = entry.name.split("/")
        plain = _PLAIN_NAME.fullmatch(entry.name) is not None
        if not plain or entry.size < 0 or any(part in {"", ".", ".."} for part in parts):
            raise _refused(f"{entry.name!r} is no name of a file within it")
    return {entry.name: entry for entry in entries}


def _check_ratio(entries: Mapping[str, ArchiveEntry], packed: int) -> None:
    plain = sum(entry.size for entry in entries.values())
    if plain > max(ALWAYS, RATIO * packed):
        raise _refused(f"its {packed:,} bytes grow to {plain:,}, more than {RATIO} times as many")


def _check_room(manifest: Mapping[str, Any], folder: Path) -> None:
    needed = sum(entry.size for entry in _entries(manifest).values())
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DataError(
            f"The archive holds {needed:,} bytes and {folder.parent} has {free:,} free. Expected "
            "room for all of it. Make room, or choose another disk with --into."
        )


def _add(tar: tarfile.TarFile, entry: ArchiveEntry, file: Path) -> None:
    """Add a file and check that it did not change since it was hashed."""
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        tar.addfile(_header(entry.name, entry.size), cast("IO[bytes]", _HashedFile(stream, digest)))
    if digest.hexdigest() != entry.sha256:
        raise OSError(f"{file} changed while it was copied")


class _HashedFile:
    """A file whose bytes are hashed as they are read."""

    def __init__(self, file: IO[bytes], digest: Any) -> None:  # noqa: ANN401 - hashlib has no type
        self._file, self._digest = file, digest

    def read(self, size: int = -1) -> bytes:
        """Read bytes."""
        chunk = self._file.read(size)
        self._digest.update(chunk)
        return chunk


def _header(name: str, size: int) -> tarfile.TarInfo:
    header = tarfile.TarInfo(name)
    header.size, header.mode = size, 0o600
    return header


def _entry(name: str, file: Path) -> ArchiveEntry:
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return ArchiveEntry(name, stream.tell(), digest)


def _compression(path: Path) -> str:
    for suffix, compression in SUFFIXES.items():
        if path.name.endswith(suffix):
            return compression
    raise DataError(
        f"{path.name} has no ending of an archive. Expected {' or '.join(SUFFIXES)}. Rename it."
    )


def _refused(why: str) -> DataError:
    return DataError(
        f"The archive is refused: {why}. Expected what `magnetcast backup` wrote, unchanged. "
        "Nothing was restored. Use another backup."
    )
