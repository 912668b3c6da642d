"""Archives of plain files, copies of SQLite files, and what compressed input may grow to."""

import hashlib
import os
import sqlite3
import tarfile
import zlib
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from store.database import sqlite_file, sqlite_to_read
from store.errors import DataError, StoreError
from store.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa

SUFFIX: Final = ".tar.gz"


def write_archive(path: Path, files: Mapping[str, Path]) -> str:
    """Write files, by their names within it, as one archive that only its owner may read.

    It appears once it is complete; ``sha256sum -c`` checks it by the file made beside it. Returns
    its SHA-256.
    """
    if not path.name.endswith(SUFFIX):
        raise DataError(f"{path.name} is no name of an archive. Expected NAME{SUFFIX}. Rename it.")
    unfinished = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(unfinished, "wb", opener=_private) as raw:
            with tarfile.open(fileobj=raw, mode="w:gz", compresslevel=6) as archive:
                for name, file in files.items():
                    archive.add(file, name, recursive=False)
            raw.flush()
            os.fsync(raw.fileno())
        digest = _sha256(unfinished)
        unfinished.replace(path)
        _checksum(path).write_text(f"{digest}  {path.name}\n", encoding="utf-8")
    except OSError as err:
        unfinished.unlink(missing_ok=True)
        raise StoreError(
            f"The archive {path} cannot be written ({err}). Expected a folder that may be written "
            "on a disk with room. Choose another place."
        ) from err
    return digest


def extract_archive(path: Path, into: Path) -> None:
    """Extract an archive of our own into a folder."""
    try:
        if _checksum(path).exists() and _checksum(path).read_text().split()[:1] != [_sha256(path)]:
            raise _refused(path, f"its SHA-256 is not the one in {_checksum(path).name}")
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:
                name = PurePosixPath(member.name)
                if not member.isreg() or name.is_absolute() or ".." in name.parts:
                    raise _refused(path, f"{member.name!r} is no plain file below its folder")
                archive.extract(member, into, filter="data")
    except (OSError, EOFError, tarfile.TarError, zlib.error, ValueError) as err:
        if isinstance(err, DataError):
            raise
        raise _refused(path, str(err) or type(err).__name__) from err


def copy_sqlite(url: str, target: Path) -> None:
    """Copy a SQLite database, consistent while others write, to one file."""
    source = sqlite_file(url)
    try:
        if source is None or not source.is_file():
            raise FileNotFoundError(f"no file {source}")
        with closing(sqlite_to_read(source)) as old, closing(sqlite3.connect(target)) as new:
            old.backup(new)
            new.execute("PRAGMA journal_mode = DELETE")
    except (sqlite3.Error, OSError) as err:
        raise StoreError(
            f"{source} cannot be copied ({err}). Expected an intact, readable database. "
            "See `magnetcast status`."
        ) from err
    if wrong := sqlite_damage(f"sqlite:///{target}"):
        raise StoreError(f"{wrong}. Expected an intact database. Restore the last backup.")


def sqlite_damage(url: str) -> str:
    """Return what is wrong with the file of a SQLite database; empty if nothing."""
    file = sqlite_file(url)
    if file is None or not file.exists():
        return ""
    try:
        with closing(sqlite_to_read(file)) as connection:
            (answer,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError as err:
        return f"{file} cannot be read ({err}); see who owns it and whether its disk has room"
    except sqlite3.Error as err:
        return f"{file} is no sound database ({err})"
    return "" if answer == "ok" else f"{file} is damaged ({answer})"


def _private(name: str, flags: int) -> int:
    return os.open(name, flags, 0o600)


def _checksum(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _refused(path: Path, why: str) -> DataError:
    return DataError(
        f"{path} is refused: {why}. Expected an archive that `magnetcast backup` wrote. Use "
        "another backup, and restore only archives of your own; nothing was restored."
    )


_RATIO: Final = 200
"""Tables of numbers shrink to a tenth or so; zeros alone to a thousandth."""

ALWAYS: Final = 100 << 20
"""Bytes to which anything may grow."""


@dataclass(frozen=True, slots=True)
class Expansion:
    """The caps of one compressed input."""

    what: str
    """To begin a message with."""
    packed: int
    """Bytes, compressed."""

    @property
    def cap(self) -> int:
        return min(Settings().expanded_mb << 20, max(ALWAYS, _RATIO * self.packed))

    def check(self, plain: int) -> None:
        """Refuse what grew too large; what did not grow is not compressed and has no cap."""
        if plain > max(self.packed, ALWAYS) and plain > (cap := self.cap):
            raise DataError(
                f"{self.what} grows from {self.packed:,} bytes to more than {cap:,}. Expected at "
                f"most {_RATIO} times its size, and MAGNETCAST_EXPANDED_MB megabytes. If it is "
                "as it should be, decompress it first or raise the setting; nothing was used."
            )


CELL_BYTES: Final = 8
"""What a cell takes in memory at least; equal ones take next to nothing in a file."""


def parquet_schema(path: Path, what: str) -> "pa.Schema":
    """Return the schema of Parquet, a file or a folder, that does not grow too large."""
    import pyarrow.parquet as pq  # noqa: PLC0415 - of magnetcast[ops], for Parquet alone

    dataset = pq.ParquetDataset(path)
    plain = 0
    for footer in (fragment.metadata for fragment in dataset.fragments):
        for group in map(footer.row_group, range(footer.num_row_groups)):
            for column in map(group.column, range(group.num_columns)):
                plain += max(column.total_uncompressed_size, CELL_BYTES * column.num_values)
    Expansion(what, sum(Path(file).stat().st_size for file in dataset.files)).check(plain)
    return dataset.schema
