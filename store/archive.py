"""Archives of plain files, and copies of databases."""

import gzip
import hashlib
import io
import os
import sqlite3
import tarfile
import zlib
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from store.database import open_store, reading, shown_address, sqlite_file, sqlite_to_read, writing
from store.errors import DataError, StoreError, counted, first_few
from store.schema.database_tables import metadata, schema_version

SUFFIX: Final = ".tar.gz"

DIGEST_LIST: Final = "SHA256SUMS"
"""File of the digests of the files beside it, as ``sha256sum -c`` reads it."""


def write_archive(path: Path, files: Mapping[str, Path]) -> str:
    """Write files, by their names within it, as one archive that only its owner may read.

    It appears once it is complete and holds the digests of its files. Returns its SHA-256.
    """
    if not path.name.endswith(SUFFIX):
        raise DataError(f"{path.name} is no name of an archive. Expected NAME{SUFFIX}. Rename it.")
    unfinished = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(unfinished, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as raw:
            with tarfile.open(
                fileobj=raw, mode="w:gz", compresslevel=6, dereference=True
            ) as archive:
                added = {n: _add(archive, n, file) for n, file in files.items() if n != DIGEST_LIST}
                text, info = _sums(added).encode(), tarfile.TarInfo(DIGEST_LIST)
                info.size = len(text)
                archive.addfile(info, io.BytesIO(text))
            raw.flush()
            os.fsync(raw.fileno())
        digest = _sha256(unfinished)
        unfinished.replace(path)
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
        with gzip.open(path) as content:
            with tarfile.open(fileobj=content, mode="r:") as archive:
                archive.extractall(into, filter="data")  # refuses links and paths elsewhere
            while content.read(1 << 20):  # to its end, where the sum of all bytes is checked
                pass
        if not (into / DIGEST_LIST).exists():
            raise _refused(
                path,
                f"it has no {DIGEST_LIST}, so an older version made it, or a file was removed. "
                "Only the version that its manifest.json names can restore an older one",
            )
        if wrong := changed_files(into):
            raise _refused(path, f"not as they were written: {first_few(wrong)}")
    except (OSError, EOFError, tarfile.TarError, zlib.error, ValueError) as err:
        if isinstance(err, DataError):
            raise
        raise _refused(path, str(err) or type(err).__name__) from err


def write_sums(folder: Path, names: Iterable[str]) -> None:
    """Write the digests of files of a folder beside them."""
    (folder / DIGEST_LIST).write_text(
        _sums({name: _sha256(folder / name) for name in names}), "utf-8"
    )


def changed_files(folder: Path) -> list[str]:
    """Names of the files that are gone from a folder or differ from their digests there."""
    if not (folder / DIGEST_LIST).is_file():
        return [DIGEST_LIST]
    lines = (folder / DIGEST_LIST).read_text(encoding="utf-8", errors="replace").splitlines()
    sums = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    return sorted(
        name
        for name, digest in sums.items()
        if not (folder / name).is_file() or _sha256(folder / name) != digest
    )


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
    """Damage of the file of a SQLite database; empty if nothing."""
    file = sqlite_file(url)
    if file is None or not file.exists():
        return ""
    if not file.stat().st_size:
        return f"{file} is empty"
    try:
        with closing(sqlite_to_read(file)) as connection:
            (answer,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError as err:
        return f"{file} cannot be read ({err}); see who owns it and whether its disk has room"
    except sqlite3.Error as err:
        return f"{file} is no sound database ({err})"
    return "" if answer == "ok" else f"{file} is damaged ({answer})"


@dataclass(frozen=True, slots=True)
class TableContent:
    """Rows of a table, and a digest that is the same in any order and on any database."""

    rows: int
    sha256: str

    def __str__(self) -> str:
        return f"{counted(self.rows, 'row')} {self.sha256[:12]}"


def copy_tables(engine: sa.Engine, url: str) -> dict[str, tuple[TableContent, TableContent]]:
    """Copy all tables into an empty database, on SQLite or PostgreSQL; all of them or none.

    Returns: By table its content before and in the copy, which are the same.

    Raises:
        DataError: The other database has rows.
        StoreError: It has another schema, or did not take the rows as they are.
    """
    target = open_store(url)
    try:
        with reading(engine) as source, writing(target) as copy:
            for table in _TABLES:
                if copy.execute(sa.select(sa.exists(sa.select(table)))).scalar_one():
                    raise DataError(
                        f"{shown_address(url)} has rows in {table.name}. Expected a database "
                        "without rows. Name another; nothing was copied."
                    )
            contents = {table.name: _copy_table(source, copy, table) for table in _TABLES}
            pairs = (f"{name}: {old}, {new}" for name, (old, new) in contents.items() if old != new)
            if wrong := list(pairs):
                raise StoreError(
                    f"Tables differ in {shown_address(url)} ({first_few(wrong)}). Expected a "
                    "database that stores rows as they are. Use another; nothing was copied."
                )
            return contents
    except sa.exc.DBAPIError as err:
        raise StoreError(
            f"{shown_address(url)} refuses a row ({err.orig}). Expected a database in UTF-8 that "
            "stores every row. Use another; nothing was copied."
        ) from err
    finally:
        target.dispose()


_TABLES: Final = [table for table in metadata.sorted_tables if table is not schema_version]

_IN_PARTS: Final = {"yield_per": 500}
"""Option of a query: rows in memory at once."""


def _copy_table(
    source: sa.Connection, copy: sa.Connection, table: sa.Table
) -> tuple[TableContent, TableContent]:
    """Copy the rows of a table; its content there and here."""
    rows = source.execute(sa.select(table), execution_options=_IN_PARTS)
    for part in rows.mappings().partitions():
        copy.execute(sa.insert(table), [dict(row) for row in part])
    if copy.dialect.name == "postgresql" and "id" in table.c:  # numbers go on after the last
        sequence = sa.func.pg_get_serial_sequence(table.name, "id")
        copy.execute(sa.select(sa.func.setval(sequence, sa.func.max(table.c.id))))
    return _content(source, table), _content(copy, table)


def _content(connection: sa.Connection, table: sa.Table) -> TableContent:
    """The digest is the sum of those of the rows: databases do not sort text alike."""
    count = total = 0
    for row in connection.execute(sa.select(table), execution_options=_IN_PARTS):
        # SQLite has no negative zero
        values = [value + 0.0 if isinstance(value, float) else value for value in row]
        total += int.from_bytes(hashlib.sha256(repr(values).encode()).digest())
        count += 1
    return TableContent(count, f"{total % 2**256:064x}")


def _add(archive: tarfile.TarFile, name: str, file: Path) -> str:
    """Add a file to an archive; its SHA-256."""
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
        content.seek(0)
        archive.addfile(archive.gettarinfo(arcname=name, fileobj=content), content)
    return digest


def _sums(digests: Mapping[str, str]) -> str:
    return "".join(f"{digest}  {name}\n" for name, digest in digests.items())


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _refused(path: Path, reason: str) -> DataError:
    return DataError(
        f"{path} is refused: {reason}. Expected an archive that `magnetcast backup` wrote. Use "
        "another backup, and restore only archives of your own; nothing was restored."
    )
