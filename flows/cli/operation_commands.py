"""``magnetcast up``, ``down``, ``status``, ``backup``, ``restore`` and ``prune``."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from flows.backup import KEEP_DAYS, KEEP_RUNS
from flows.cli.options import Out
from flows.clock import utc_now
from flows.context.console import echo
from flows.context.output import Format, write_result
from store.settings import Settings


def up() -> None:
    """Start Prefect, MLflow, a worker, the service and their supervisor on this machine.

    All listen on the loopback only; ports are settings. What runs already is left as it is.
    """
    from flows.operations.local_servers import up as start

    start(Settings())


def down() -> None:
    """Stop what `magnetcast up` started, and nothing else."""
    from flows.operations.local_servers import down as end

    end(Settings())


def status(
    *,
    format: Annotated[  # noqa: A002 - the option's name
        Format | None, Parameter(help="Show data, forecast, model and runs as a table instead.")
    ] = None,
    out: Out = None,
) -> None:
    """Show system status; exit code 0 if fine, 1 if stale or degraded, 2 if broken.

    With --format or --out a table of what was ingested, published and which model is champion
    instead, with exit code 0.
    """
    from flows.monitoring.status import status_lines, status_table

    if format is not None or out is not None:
        write_result(status_table(Settings()), out=out, form=format or "table")
        return
    from flows.monitoring.health import examine

    health = examine(Settings(), utc_now())
    sys.stdout.write("\n".join(status_lines(health)) + "\n")
    sys.exit(health.code)


def backup(
    file: Annotated[Path, Parameter(help="The archive: NAME.tar.zst or NAME.tar.gz.")],
    /,
    *,
    with_cache: Annotated[
        bool, Parameter(help="Include the raw answers of providers.", negative=())
    ] = False,
) -> None:
    """Copy database, MLflow, reports and settings (no secrets) into one verified archive.

    Readers and the service go on; a run in progress is waited for.
    """
    from flows.backup.backup import back_up

    made = back_up(Settings(), file, with_cache=with_cache)
    rows = sum(made.manifest["database"]["rows"].values())
    echo(
        f"backup    {file}: {len(made.manifest['files'])} files, {rows} rows, "
        f"{file.stat().st_size:,} bytes, verified, sha256 {made.sha256}"
    )


def restore(
    file: Annotated[Path, Parameter(help="An archive that `magnetcast backup` wrote.")],
    /,
    *,
    into: Annotated[
        Path | None,
        Parameter(help="Folder for everything; the places in the settings if left out."),
    ] = None,
    force: Annotated[bool, Parameter(help="Replace what is there.", negative=())] = False,
) -> None:
    """Verify an archive, migrate it if it is older, and put everything in place at once."""
    from flows.backup.restore import restore as put_back
    from flows.backup.restore import settings_into

    settings = Settings() if into is None else settings_into(Settings(), into)
    manifest = put_back(settings, file, force=force)
    echo(
        f"restore   {settings.home}: the state of {manifest['created_at']}, "
        f"last forecast {manifest['as_of'] or 'none'}"
    )
    if into is not None:
        echo("restore   to use it:")
        echo(f"  export MAGNETCAST_HOME={into.resolve()}")
        echo(f"  export MAGNETCAST_TRACKING_URI={settings.tracking_uri}")
        echo(f"  export MAGNETCAST_ARTIFACT_DIR={settings.artifact_dir}")


def prune(
    *,
    keep_runs: Annotated[int, Parameter(help="Newest MLflow runs to keep.")] = KEEP_RUNS,
    keep_days: Annotated[
        int, Parameter(help="Keep runs and raw answers younger than this.")
    ] = KEEP_DAYS,
    dry_run: Annotated[
        bool, Parameter(help="Only show what would be deleted.", negative=())
    ] = False,
) -> None:
    """Delete old MLflow runs and old raw answers of providers.

    Runs whose model has an alias or is named by a publication are kept, whatever their age.
    """
    from flows.backup.prune import prune as let_go
    from store.errors import DataError

    if keep_runs < 0 or keep_days < 0:
        raise DataError(
            f"--keep-runs {keep_runs} --keep-days {keep_days} cannot be kept. "
            "Expected 0 or more of each. Correct them."
        )
    found = let_go(Settings(), utc_now(), keep_runs=keep_runs, keep_days=keep_days, dry_run=dry_run)
    word = "would be deleted" if dry_run else "deleted"
    models = sum(len(run.versions) for run in found.runs)
    echo(
        f"prune     {len(found.runs)} runs with {models} models, {len(found.answers)} files of raw "
        f"answers ({found.bytes:,} bytes): {word}"
    )
