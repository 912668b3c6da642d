"""Verbs that run magnetcast: servers, status, backup and pruning."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from cyclopts.validators import Number

from flows.backup import KEEP_DAYS
from flows.clock import utc_now
from flows.context.console import echo
from flows.context.prefect_runs import server_of
from flows.context.stores import store_of, upgrade_store
from store.settings import Settings


def up() -> None:
    """Run Prefect's server, its schedule and the service on this machine until Ctrl-C.

    All listen on the loopback interface; their ports are settings.
    """
    from flows.up import up as run

    run(Settings())


def status() -> None:
    """Show system status; exit code 0 if fine, 1 if stale or degraded, 2 if broken."""
    from flows.monitoring.system_health import examine, status_lines

    settings = Settings()
    health = examine(settings, utc_now())
    first, *lines = status_lines(health)
    home = f"Home: {settings.home} ({settings.home_source})."
    prefect = f"Prefect: {server_of(settings.home)}"
    sys.stdout.write("\n".join([first, home, prefect, *lines]) + "\n")
    sys.exit(health.code)


def backup(file: Annotated[Path, Parameter(help="Archive to write: NAME.tar.gz.")], /) -> None:
    """Copy database, MLflow and publications into one archive.

    The service continues; the backup waits for a run in progress. It does not contain a PostgreSQL
    database, which pg_dump copies.
    """
    from flows.backup import back_up

    digest, count = back_up(Settings(), file)
    echo(f"backup    {file}: {count} files, {file.stat().st_size:,} bytes, sha256 {digest}")


def restore(
    file: Annotated[Path, Parameter(help="Archive written by `magnetcast backup`.")], /
) -> None:
    """Unpack an archive into an empty home (--home). Restore only archives of your own."""
    from flows.backup import restore as put_back

    settings = Settings()
    manifest = put_back(settings, file)
    echo(
        f"restore   {settings.home}: state of {manifest['created_at']}, "
        f"last forecast {manifest['as_of'] or 'none'}"
    )


def prune(
    *,
    keep_days: Annotated[
        int,
        Parameter(
            help="Age in days at which raw answers are deleted.",
            validator=Number(gte=0, lte=36_500),
        ),
    ] = KEEP_DAYS,
    dry_run: Annotated[
        bool, Parameter(help="Show files without deleting them.", negative=())
    ] = False,
) -> None:
    """Delete old raw answers of providers.

    Runs in MLflow are not deleted; a year of them takes about 100 MB.
    """
    from flows.backup import prune as let_go

    answers, size = let_go(Settings(), utc_now(), keep_days=keep_days, dry_run=dry_run)
    word = "would be deleted" if dry_run else "deleted"
    echo(f"prune     {len(answers)} files of raw answers ({size:,} bytes): {word}")


home = App(name="home")


@home.command
def upgrade(
    *,
    dry_run: Annotated[
        bool, Parameter(help="Show what would change without changing it.", negative=())
    ] = False,
) -> None:
    """Migrate the database of an older version, after a copy of it.

    Verbs that write do the same, and verbs that read ask for it. PostgreSQL is copied by pg_dump.
    """
    settings = Settings()
    if not upgrade_store(settings, dry_run=dry_run):
        store_of(settings)
        echo("upgrade   nothing to do: the database has the newest schema")
