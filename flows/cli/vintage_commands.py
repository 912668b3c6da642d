"""Commands on what was ingested: which ingests there were, what they changed, what was refused."""

import getpass
from typing import Annotated, Final

import pandas as pd
from cyclopts import App, Parameter

from flows.cli.app import Form, Out
from flows.cli.output import Format, write_result
from flows.clock import utc_now
from flows.context.console import say
from flows.context.stores import single_writer, store_of
from store.errors import DataError
from store.facts.quarantine import (
    quarantine_reasons,
    quarantined_file,
    read_quarantine,
    release,
)
from store.facts.reading import read_vintages
from store.facts.vintage_diff import diff_vintages
from store.settings import Settings

QUIET: Final = {"sha256", "first_available_at", "last_available_at", "origin", "note"}
"""Columns a terminal has no room for; files hold them."""

Number = Annotated[
    int, Parameter(help="The file's number; see `magnetcast quarantine list`.", show_default=False)
]

quarantine = App(name="quarantine", help="See or release what the guards refused.")


def vintages(
    *,
    source: Annotated[str | None, Parameter(help="Only ingests of this source.")] = None,
    out: Out = None,
    format: Form = "table",  # noqa: A002 - the option's name
) -> None:
    """List the ingests: source, file, rows, months, when the rows were known, who ingested."""
    frame = read_vintages(store_of(Settings()))
    if source is not None:
        frame = frame.loc[_known_source(frame, source)]
    write_result(readable(frame, format), out=out, form=format)


def diff(
    first: Annotated[
        int, Parameter(help="Number of the ingest to compare from; see `magnetcast vintages`.")
    ],
    second: Annotated[int, Parameter(help="Number of the ingest to compare to.")],
    /,
    *,
    out: Out = None,
    format: Form = "table",  # noqa: A002 - the option's name
) -> None:
    """Tell what changed from one ingest to another, in tonnes (or the unit of the measure)."""
    frame = diff_vintages(store_of(Settings()), first, second)
    say(f"diff      {_summary(frame)}")
    write_result(readable(frame, format), out=out, form=format)


@quarantine.command(name="list")
def list_refused(
    *,
    everything: Annotated[
        bool, Parameter(name="--all", negative="", help="Also those released since.")
    ] = False,
    out: Out = None,
    format: Form = "table",  # noqa: A002 - the option's name
) -> None:
    """List the refused files with the reasons, those that wait."""
    frame = read_quarantine(store_of(Settings()))
    shown = frame if everything else frame.loc[frame["released_at"].isna()]
    write_result(readable(shown, format), out=out, form=format)


@quarantine.command
def show(
    number: Number,
    /,
    *,
    table: Annotated[
        str | None, Parameter(help="Write the refused rows of this table instead.")
    ] = None,
    out: Out = None,
    format: Form = "table",  # noqa: A002 - the option's name
) -> None:
    """Show a refused file: its reasons and how many rows it has, or the rows themselves."""
    engine = store_of(Settings())
    file = quarantined_file(engine, number)
    if table is None:
        facts = [("source", file.source), ("file", file.file_name), ("sha256", file.sha256)]
        facts += [(f"rows of {name}", str(len(frame))) for name, frame in file.tables.items()]
        facts += [("reason", reason) for reason in quarantine_reasons(engine, number)]
        write_result(pd.DataFrame(facts, columns=["fact", "value"]), out=out, form=format)
    elif table in file.tables:
        write_result(readable(file.tables[table], format), out=out, form=format)
    else:
        raise DataError(
            f"No table {table!r} in quarantined file {number} ({file.file_name}). "
            f"Expected one of {', '.join(sorted(file.tables))}. Correct --table."
        )


@quarantine.command(name="release")
def release_refused(
    number: Number,
    /,
    *,
    actor: Annotated[
        str | None, Parameter(help="Who decides so; the user of this machine if left out.")
    ] = None,
) -> None:
    """Write a refused file into the store after all, and note who decided so."""
    settings = Settings()
    who = actor or getpass.getuser()
    with single_writer(settings):
        report = release(store_of(settings), number, at=utc_now(), actor=who)
    made = ", ".join(str(vintage) for vintage in report.vintage_ids)
    told = f"vintage {made}" if made else "these bytes were ingested before"
    say(f"release   file {number}: {report.total} new rows, {told}")


def readable(frame: pd.DataFrame, form: Format) -> pd.DataFrame:
    """Return a frame with its times as people write them, and less of it for the terminal."""
    times = frame.select_dtypes(["datetime", "datetimetz"]).columns
    written = frame.assign(**{name: _written(frame[name]) for name in times})
    if form != "table":
        return written
    shown = written[[name for name in written.columns if name not in QUIET]]
    return shown.astype(object).where(shown.notna(), "")


def _written(times: pd.Series) -> pd.Series:
    """Write days as days and moments to the second, UTC."""
    return pd.Series(times.dt.strftime("%Y-%m-%d" if times.dt.tz is None else "%Y-%m-%dT%H:%M:%SZ"))


def _known_source(frame: pd.DataFrame, source: str) -> pd.Series:
    """Flag the ingests of a source."""
    known = sorted(frame["source"].unique())
    if source not in known:
        raise DataError(
            f"No ingest of source {source!r} in the store. "
            f"Expected one of {', '.join(known) or 'none yet'}. Correct --source."
        )
    return frame["source"] == source


def _summary(frame: pd.DataFrame) -> str:
    """Say in one line how many figures changed, and by how much those in tonnes."""
    if frame.empty:
        return "nothing changed"
    counts = ", ".join(f"{n} {what}" for what, n in frame["what"].value_counts().items())
    tonnes = frame.loc[frame["measure"].str.endswith("_t"), "change"]
    return f"{counts}; revisions in tonnes add up to {tonnes.sum():+,.1f} t"
