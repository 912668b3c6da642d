"""Migration of a database that an older version made, after a copy of it."""

import os
import subprocess
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory

from store.archive import copy_sqlite
from store.database import (
    engine_of,
    make_private,
    opening_errors,
    opening_lock,
    revision_of,
    sqlite_file,
    writing,
)
from store.errors import StoreError
from store.schema.database_tables import REVISION, schema_version

MIGRATIONS: Final = Path(__file__).with_name("migrations")


def upgrade(
    url: str, copy: Path | None, home: Path | None = None, *, dry_run: bool = False
) -> list[str]:
    """Migrate a database that an older version made; revision and sentence of each change.

    One transaction, and one process at a time: a migration that fails or is killed changes nothing.

    Args:
        copy: File that gets the database as it was before.
        home: Gets what leaves the database for a file.
        dry_run: Only name the changes.

    Raises:
        StoreError: It cannot be copied, or not be migrated by this user.
    """
    with opening_errors(url):
        engine = engine_of(url)
        try:
            with opening_lock(engine), writing(engine) as connection:
                scripts = ScriptDirectory(MIGRATIONS, version_locations=[MIGRATIONS])
                changes = _pending(scripts, revision_of(connection))
                if changes and not dry_run:
                    if copy is not None:
                        _copy(url, copy)
                    _migrate(scripts, connection, home)
                return changes
        finally:
            engine.dispose()


def _pending(scripts: ScriptDirectory, revision: str | None) -> list[str]:
    """Changes since a revision, oldest first; none of an unknown or a newer one."""
    later = [
        script for script in scripts.walk_revisions() if revision and script.revision > revision
    ]
    return [f"{script.revision}: {script.doc}" for script in reversed(later)]


def _migrate(scripts: ScriptDirectory, connection: sa.Connection, folder: Path | None) -> None:
    """Run the migrations; ``folder`` gets what leaves the database for a file."""
    config = Config()
    config.attributes["folder"] = folder
    schema_version.create(connection, checkfirst=True)
    with EnvironmentContext(
        config, scripts, fn=lambda current, _: scripts._upgrade_revs(REVISION, current)
    ) as environment:
        environment.configure(connection=connection, version_table=schema_version.name)
        environment.run_migrations()


def _copy(url: str, path: Path) -> None:
    """Copy a database, complete or not at all, to a file for its owner alone."""
    part = path.with_name(f".{path.name}.part")
    make_private(part)
    if sqlite_file(url) is not None:
        copy_sqlite(url, part)
    else:
        _dump(sa.make_url(url), part)
    part.replace(path)


def _dump(address: sa.URL, path: Path) -> None:
    password = address.password or address.query.get("password")
    place = address.set(drivername="postgresql")._replace(password=None)
    place = place.difference_update_query(["password"])
    command = ["pg_dump", "--format=custom", "--no-owner", f"--file={path}", f"--dbname={place}"]
    secret = {"PGPASSWORD": str(password)} if password else {}  # not for other users to see
    try:
        subprocess.run(command, env=os.environ | secret, check=True, capture_output=True, text=True)  # noqa: S603
    except (OSError, subprocess.CalledProcessError) as err:
        reason = str(getattr(err, "stderr", None) or err).strip()
        raise StoreError(
            f"The database cannot be copied before its schema changes ({reason}). Expected pg_dump "
            "of the server's version or later. Install it and try again. Nothing was changed."
        ) from err
