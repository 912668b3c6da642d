"""SQLite databases as files: whose they are, and reading one that cannot be written."""

import errno
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Final

from sqlalchemy import URL, make_url

FORBIDDEN: Final = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})
"""The system's errors where a folder can be read and not written."""

BUSY_TIMEOUT_S: Final = 30
"""How long SQLite waits for another process to finish writing."""

LOGS: Final = ("-wal", "-shm", "-journal")
"""Ends of the names of what SQLite keeps beside a file."""


def sqlite_file(url: str | URL) -> Path | None:
    """Return the file of a SQLite address, None for any other or for one in memory."""
    address = make_url(url)
    name = address.database or ":memory:"
    if address.get_backend_name() != "sqlite" or name == ":memory:" or name.startswith("file:"):
        return None
    return Path(name)


def make_private(file: Path) -> None:
    """Make a file for its owner alone, or take others' rights from the one there is.

    SQLite's logs get its rights when they are made.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        file.touch(mode=0o600)
    for part in (file, *(file.with_name(f"{file.name}{end}") for end in LOGS)):
        with suppress(OSError):  # another user's, or on a disk that cannot be written
            if part.stat().st_mode & 0o077:
                part.chmod(0o600)


def sqlite_to_read(file: Path) -> sqlite3.Connection:
    """Connect to a SQLite file that is there, to read; it need not be possible to write beside it.

    Raises:
        sqlite3.Error: it cannot be read.
    """
    address = f"{file.resolve().as_uri()}?mode=ro"
    connection = sqlite3.connect(address, uri=True, timeout=BUSY_TIMEOUT_S, check_same_thread=False)
    try:
        connection.execute("PRAGMA schema_version")
    except sqlite3.OperationalError as err:
        connection.close()
        logs = [file.with_name(f"{file.name}{end}") for end in ("-wal", "-journal")]
        is_busy = err.sqlite_errorcode & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
        if is_busy or any(log.exists() and log.stat().st_size for log in logs):
            raise
        # No room for the index of the log, and nothing in the log: the file is all there is.
        return sqlite3.connect(f"{address}&immutable=1", uri=True, check_same_thread=False)
    except sqlite3.Error:
        connection.close()
        raise
    return connection
