"""Opening the store: one engine, its schema made if need be, with safe settings."""

import errno
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from filelock import FileLock, Timeout

from store.errors import DataError, OldSchemaError, StoreError
from store.schema.database_tables import REVISION, metadata, schema_version

FORBIDDEN: Final = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})
"""The system's errors where a folder can be read and not written."""

BUSY_TIMEOUT_S: Final = 30
"""How long SQLite waits for another process to finish writing."""

LOGS: Final = ("-wal", "-shm", "-journal")
"""Ends of the names of what SQLite keeps beside a file."""


def sqlite_file(url: str | sa.URL) -> Path | None:
    """The file of a SQLite address, None for any other or for one in memory."""
    address = sa.make_url(url)
    name = address.database or ":memory:"
    if address.get_backend_name() != "sqlite" or name == ":memory:" or name.startswith("file:"):
        return None
    return Path(name)


def make_private(file: Path) -> None:
    """Leave a file, and SQLite's logs beside it, to its owner alone; make it if it is missing."""
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


_POSTGRES_LOCK: Final = 8505_1110
"""Number of the advisory lock that lets one process write at a time."""

MOST_NUMBER: Final = 2**63 - 1

Mark = tuple[int, ...]
"""Cheap numbers that change with every relevant write to the store."""


def open_store(url: str) -> sa.Engine:
    """Open the database at ``url``, made on demand; one of another schema is refused.

    Safe when several processes open a fresh database at once.

    Args:
        url: SQLAlchemy address, e.g. ``sqlite:///var/magnetcast.db``.

    Returns:
        An engine whose readers see one consistent state each. It cannot write where the folder of a
        SQLite file cannot be written.
    """
    with opening_errors(url), ExitStack() as unless_opened:
        engine = engine_of(url)
        unless_opened.callback(engine.dispose)
        try:
            with opening_lock(engine):
                _make_schema(engine)
        except OSError as err:
            return _reader_instead(engine, err)
        sa.event.listen(engine, "handle_error", _as_our_error)
        unless_opened.pop_all()
        return engine


@contextmanager
def opening_errors(url: str) -> Iterator[None]:
    """Raise a ``StoreError`` in the place of what goes wrong while a database is opened."""
    try:
        yield
    except (sa.exc.SQLAlchemyError, sqlite3.Error, OSError, ImportError, Timeout) as err:
        reason = getattr(err, "orig", None) or err
        raise StoreError(
            f"Cannot open the database ({reason}) at {shown_address(url)}. Expected a SQLite or "
            "PostgreSQL database that can be reached, with rights to read and write it and room on "
            "its disk. Check MAGNETCAST_DATABASE_URL and MAGNETCAST_HOME."
        ) from err


@contextmanager
def open_to_read(url: str) -> Iterator[sa.Engine]:
    """Open the database without writing to it: also on a disk that is full or read-only."""
    file = sqlite_file(url)
    engine = open_store(url) if file is None else _reader(url, file)
    try:
        if not _is_current(engine):
            engine.dispose()
            engine = open_store(url)
        yield engine
    finally:
        engine.dispose()


def _reader_instead(engine: sa.Engine, err: OSError) -> sa.Engine:
    """Make an engine that reads where the database is there and ``err`` forbids to write."""
    file = sqlite_file(engine.url)
    if err.errno in FORBIDDEN and file is not None and file.stat().st_size:
        reader = _reader(str(engine.url), file)
        if _is_current(reader):
            return reader
    raise err


def _reader(url: str, file: Path) -> sa.Engine:
    engine = sa.create_engine(url, creator=lambda: sqlite_to_read(file))
    sa.event.listen(engine, "connect", _prepare_sqlite)
    sa.event.listen(engine, "begin", _begin_sqlite)
    sa.event.listen(engine, "handle_error", _as_our_error)
    return engine


def is_made(url: str) -> bool:
    """Whether an address has a database; makes none. True also where only opening it can tell."""
    try:
        if (file := sqlite_file(url)) is not None:
            return file.is_file() and file.stat().st_size > 0
        if sa.make_url(url).get_backend_name() != "postgresql":
            return True
        engine = engine_of(url)
        try:
            with engine.connect() as connection:
                return bool(sa.inspect(connection).get_table_names())
        finally:
            engine.dispose()
    except (sa.exc.SQLAlchemyError, ImportError):
        return True


@contextmanager
def reading(where: sa.Engine | sa.Connection) -> Iterator[sa.Connection]:
    """Open a transaction that sees one state, or go on within one."""
    if isinstance(where, sa.Connection):
        yield where
    else:
        with where.begin() as connection:
            yield connection


@contextmanager
def writing(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Open the one write transaction: the whole block is committed, or nothing."""
    options = {"isolation_level": "READ COMMITTED"} if engine.name == "postgresql" else {}
    with engine.execution_options(writes=True, **options).begin() as connection:
        if connection.dialect.name == "postgresql":
            # A statement after the lock sees what the previous writer committed.
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_POSTGRES_LOCK})")
        yield connection


def insert_row(connection: sa.Connection, table: sa.Table, values: Mapping[str, object]) -> int:
    """Insert a row of a table that numbers its rows, and return its number."""
    result = connection.execute(sa.insert(table).values(values).returning(table.c.id))
    return int(result.scalar_one())


def mark_of(connection: sa.Connection, counters: Sequence[sa.ColumnElement[Any]]) -> Mark:
    """The value of each expression of tables that only grow, 0 where a table is empty."""
    parts = [sa.select(sa.func.coalesce(value, 0)).scalar_subquery() for value in counters]
    return tuple(connection.execute(sa.select(*parts)).one())


def shown_address(url: str) -> str:
    """An address as it may be shown: without its password, wherever it stands."""
    try:
        address = sa.make_url(url)
    except sa.exc.ArgumentError:
        return repr(url)
    hidden = {name: "hidden" for name in address.query if "password" in name.lower()}
    return address.update_query_dict(hidden).render_as_string(hide_password=True)


def engine_of(url: str) -> sa.Engine:
    """Make the engine; on SQLite with its folder, waiting time and explicit transactions."""
    address = sa.make_url(url)
    if address.get_backend_name() not in {"sqlite", "postgresql"}:
        raise sa.exc.ArgumentError(f"no support for {address.get_backend_name()!r}")
    if address.get_backend_name() == "postgresql":
        # Every read transaction sees one state, as on SQLite.
        return sa.create_engine(
            address.set(drivername="postgresql+psycopg"),
            isolation_level="REPEATABLE READ",
            pool_pre_ping=True,
        )
    engine = sa.create_engine(address)
    if (file := sqlite_file(address)) is not None:
        make_private(file)
    sa.event.listen(engine, "connect", _prepare_sqlite)
    sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def _as_our_error(context: sa.ExceptionContext) -> StoreError | DataError | None:
    """A ``StoreError`` of a database that fails, a ``DataError`` of a number it cannot hold."""
    err = context.sqlalchemy_exception
    if isinstance(context.original_exception, OverflowError):
        return DataError(
            f"A number is beyond {MOST_NUMBER}, the largest that the database can hold. Expected a "
            "number that one of its lists shows. Correct it."
        )
    if context.is_pre_ping:
        return None  # the pool detects this itself and reconnects
    if (
        not isinstance(err, (sa.exc.OperationalError, sa.exc.InterfaceError))
        and type(err) is not sa.exc.DatabaseError
    ):
        return None
    engine = context.engine
    if engine is None and context.connection is not None:
        engine = context.connection.engine
    where = f" at {shown_address(str(engine.url))}" if engine else ""
    return StoreError(
        f"The database{where} does not answer as it should ({context.original_exception}). "
        "Expected an intact, reachable database with free disk space. See `magnetcast status`; "
        "nothing was changed by the unfinished write."
    )


def opening_lock(engine: sa.Engine) -> AbstractContextManager[object]:
    """Let one process at a time create a SQLite file: switching to WAL does not wait for locks."""
    if (file := sqlite_file(engine.url)) is None:
        return nullcontext()
    return FileLock(file.with_name(f".{file.name}.lock"), timeout=2 * BUSY_TIMEOUT_S)


BASELINE: Final = "340975fac81a"
"""Mark of a schema of 0.1.0, revision 0000, from which ``store/migrations`` begins."""


def _make_schema(engine: sa.Engine) -> None:
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            driver = connection.connection.driver_connection
            assert driver is not None  # noqa: S101  # a live connection has one
            driver.execute("PRAGMA journal_mode = WAL")
    with engine.connect() as connection:
        revision = revision_of(connection)
    if revision is None:
        with writing(engine) as connection:
            if (revision := revision_of(connection)) is None:
                metadata.create_all(connection)
                connection.execute(sa.insert(schema_version).values(version_num=REVISION))
                return
    if revision != REVISION:
        raise _other_schema(shown_address(str(engine.url)), revision)


def _is_current(engine: sa.Engine) -> bool:
    with engine.connect() as connection:
        return revision_of(connection) == REVISION


def revision_of(connection: sa.Connection) -> str | None:
    """Revision of a database's schema, empty if unknown; None of a database without tables."""
    tables = sa.inspect(connection).get_table_names()
    if schema_version.name in tables:
        return connection.scalar(sa.select(schema_version.c.version_num)) or ""
    if "schema_mark" in tables:
        mark = connection.scalar(sa.text("SELECT revision FROM schema_mark"))
        return "0000" if mark == BASELINE else ""
    return "" if tables else None


def _other_schema(address: str, revision: str) -> StoreError:
    if revision and revision < REVISION:
        return OldSchemaError(
            f"The database at {address} is of an older version of magnetcast: its schema is "
            f"{revision}. Expected {REVISION}. Run `magnetcast home upgrade`, which makes a copy "
            "first. This one was left as it is."
        )
    return StoreError(
        f"The database at {address} is of a newer version of magnetcast, of another program, or of "
        f"a version before 0.1.0: its schema is {revision or 'unknown'}. Expected {REVISION}. "
        "Install that version again, or start a new home (--home FOLDER or MAGNETCAST_HOME; on "
        "PostgreSQL a new database in MAGNETCAST_DATABASE_URL). This one was left as it is."
    )


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_S * 1000}")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = NORMAL")


def _begin_sqlite(connection: sa.Connection) -> None:
    """Begin: a writer takes the lock at once, so it cannot fail halfway; readers take none."""
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
