"""``magnetcast backup``, ``restore`` and ``prune``: nothing is lost, and nothing piles up."""

from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from flows.clock import utc_now
from flows.context.console import say
from store.settings import Settings

KEEP_RUNS: Final = 100
KEEP_DAYS: Final = 180


def backup(
    file: Annotated[Path, Parameter(help="The archive: NAME.tar.zst or NAME.tar.gz.")],
    /,
    *,
    with_cache: Annotated[
        bool, Parameter(help="Keep the raw answers of providers too.", negative=())
    ] = False,
) -> None:
    """Copy database, MLflow, reports and settings without secrets into one verified archive.

    Readers and the service go on; a run is waited for.
    """
    from flows.backup.backup import back_up

    made = back_up(Settings(), file, with_cache=with_cache)
    rows = sum(made.manifest["database"]["rows"].values())
    say(
        f"backup    {file}: {len(made.manifest['files'])} files, {rows} rows, "
        f"{file.stat().st_size:,} bytes, verified, sha256 {made.sha256}"
    )


def restore(
    file: Annotated[Path, Parameter(help="An archive that `magnetcast backup` wrote.")],
    /,
    *,
    into: Annotated[
        Path | None,
        Parameter(help="Folder to hold everything; where the settings say if left out."),
    ] = None,
    force: Annotated[bool, Parameter(help="Replace what stands there.", negative=())] = False,
) -> None:
    """Verify an archive, migrate it if it is older, and put all of it in place at once."""
    from flows.backup.restore import restore as put_back
    from flows.backup.restore import settings_into

    settings = Settings() if into is None else settings_into(Settings(), into)
    manifest = put_back(settings, file, force=force)
    say(
        f"restore   {settings.home}: the state of {manifest['created_at']}, "
        f"last forecast {manifest['as_of'] or 'none'}"
    )
    if into is not None:
        say("restore   to use it:")
        say(f"  export MAGNETCAST_HOME={into.resolve()}")
        say(f"  export MAGNETCAST_TRACKING_URI={settings.tracking_uri}")
        say(f"  export MAGNETCAST_ARTIFACT_DIR={settings.artifact_dir}")


def prune(
    *,
    keep_runs: Annotated[int, Parameter(help="Newest runs of MLflow that stay.")] = KEEP_RUNS,
    keep_days: Annotated[int, Parameter(help="Younger runs and raw answers stay.")] = KEEP_DAYS,
    dry_run: Annotated[bool, Parameter(help="Only tell what would go.", negative=())] = False,
) -> None:
    """Delete old runs of MLflow and old raw answers of providers.

    Runs stay whose model an alias leads to or a publication names, whatever their age.
    """
    from flows.backup.prune import prune as let_go
    from store.errors import DataError

    if keep_runs < 0 or keep_days < 0:
        raise DataError(
            f"--keep-runs {keep_runs} --keep-days {keep_days} cannot be kept. "
            "Expected 0 or more of each. Correct them."
        )
    found = let_go(Settings(), utc_now(), keep_runs=keep_runs, keep_days=keep_days, dry_run=dry_run)
    word = "would go" if dry_run else "gone"
    models = sum(len(run.versions) for run in found.runs)
    say(
        f"prune     {len(found.runs)} runs with {models} models, {len(found.answers)} files of raw "
        f"answers ({found.bytes:,} bytes): {word}"
    )
