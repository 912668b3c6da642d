"""Verbs that run magnetcast: servers, status, backup, pruning, settings and their sources."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

import pandas as pd
from cyclopts import App, Parameter
from cyclopts.validators import Number
from pydantic import SecretStr

from flows.backup import KEEP_DAYS
from flows.cli.options import AsOf, Form, Out, ParametersFile, Sets, moment
from flows.clock import utc_now
from flows.context.console import echo
from flows.context.output import write_result
from flows.context.parameter_sources import SourcedParameters, panel_parameters, parameters_for
from flows.context.prefect_runs import server_of
from flows.context.stores import single_writer, store_of, store_to_write, upgrade_store
from models.learning.parameters import PRESETS
from store.database import shown_address
from store.errors import DataError
from store.settings import Settings


def up() -> None:
    """Run Prefect's server, its schedule and the service on this machine until Ctrl-C.

    All listen on the loopback interface; their ports are settings.
    """
    from flows.up import up as run

    run(Settings())


def status() -> None:
    """Show system status; exit code 0 if fine, 1 if stale or degraded, 2 if broken."""
    from flows.system_health import examine, status_lines

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


@home.command
def copy(
    *,
    to: Annotated[
        str,
        Parameter(
            help="Database without rows: postgresql://USER@HOST/NAME or sqlite:////FOLDER/NAME.db."
        ),
    ],
) -> None:
    """Copy the database to SQLite or PostgreSQL; MAGNETCAST_DATABASE_URL then names the copy.

    Rows and a digest of each table are compared before anything is kept. Files of the home, MLflow
    among them, stay where they are.
    """
    from store.archive import copy_tables

    settings = Settings()
    with single_writer(settings):
        contents = copy_tables(store_to_write(settings), to)
    for table, (before, after) in contents.items():
        echo(f"copy      {table}: {before}, copied {after}")
    echo(f"copy      {sum(after.rows for _, after in contents.values()):,} rows, all the same")


_COLUMNS: Final = ("name", "value", "unit", "source", "meaning")

_UNITS: Final = {
    "_s": "seconds",
    "_pct": "percent",
    "_bytes": "bytes",
    "_per_s": "per second",
    "_seconds": "seconds",
    "threads": "threads",
}
"""Units of settings by the ending of their name."""

config = App(name="config")

Row = tuple[str, str, str, str, str]


@config.command(name="show")
def show_config(
    *,
    model: Annotated[
        str | None, Parameter(help="Only parameters of this model: magnets or panel.")
    ] = None,
    as_of: AsOf = None,
    set: Sets = None,
    parameters: ParametersFile = None,
    out: Out = None,
    format: Form = "table",
) -> None:
    """List every setting and parameter with its value, unit, source and meaning.

    A source is `default`, an environment variable, the champion, a parameter file or --set. With
    --set or --parameters it shows what `train` would use, or `panel` with --model panel.
    """
    settings, changes = Settings(), (parameters, set or ())
    if model not in {None, *PRESETS}:
        raise DataError(
            f"--model {model!r} is unknown. Expected {' or '.join(PRESETS)}. Use one of them."
        )
    rows = list(_settings(settings)) if model is None else []
    if model != "panel":
        rows += _parameters(parameters_for(settings, moment(as_of), *changes))
    if model == "panel" or (model is None and not any(changes)):
        rows += _parameters(panel_parameters(settings, *changes))
    write_result(pd.DataFrame(rows, columns=list(_COLUMNS)), out=out, form=format)


def _settings(settings: Settings) -> Iterator[Row]:
    for name, field in Settings.model_fields.items():
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            value = "set" if value.get_secret_value() else ""
        elif value and name in {"database_url", "tracking_uri"}:
            value = shown_address(value)
        ends = [end for end in _UNITS if name.endswith(end)]
        unit = _UNITS[max(ends, key=len)] if ends else ""
        is_given = name in settings.model_fields_set
        source = f"MAGNETCAST_{name.upper()}" if is_given else "default"
        if name == "home":
            source = settings.home_source
        meaning = " ".join((field.description or "").split())
        yield name, "" if value is None else str(value), unit, source, meaning


def _parameters(sourced: SourcedParameters) -> Iterator[Row]:
    parameters = sourced.parameters
    for name, value in parameters.by_name.items():
        bounds, source = parameters.bounds()[name], sourced.sources.get(name, "default")
        yield f"{parameters.model}.{name}", str(value), bounds.unit, source, bounds.meaning
