"""Bring facts into the store: received, guarded, then written; what is refused waits in quarantine.

Every source takes this way. A batch is one transaction: all of it is stored, or none.
"""

import time
from collections.abc import Sequence

import pandas as pd
from sqlalchemy import Engine

from flows.clock import utc_now
from flows.context.console import echo
from flows.context.prefect_runs import in_prefect, prefect_step
from flows.context.provenance import actor
from flows.context.stores import has_store, made_store, single_writer, store_of
from flows.ingest.doubts import doubts_about_ingests
from flows.ingest.sources import (
    IngestRequest,
    bundled,
    is_known,
    objected,
    show_received,
)
from store.errors import DataError, counted
from store.facts.batch import Batch, FileRows, WriteReport
from store.facts.new_rows import check_clock
from store.facts.reading import newest_ingest, read_vintages
from store.facts.reviews import quarantine_file
from store.facts.writing import write_batch
from store.schema.database_tables import vintages
from store.settings import Settings


@prefect_step("ingest")
def ingest(settings: Settings, request: IngestRequest | None = None) -> WriteReport:
    """Store one request, else the bundled tables; files already known change nothing."""
    wanted, since = request or bundled(settings), newest_ingest(made_store(settings))
    report, engine = _stored(settings, wanted, is_shown=True), store_of(settings)
    echo(f"ingest    {describe(report, wanted.place, engine)}")
    if report.rows_written.get("observations"):
        try:
            moved = str(doubts_about_ingests(engine, as_of=utc_now(), since=since) or "")
        except DataError as err:  # no panel comes of these figures: so says every run
            moved = str(err)
        if moved:
            echo(f"          {moved} Correct them, or the next publication waits for a person.")
    return report


def ingest_if_empty(settings: Settings) -> None:
    """Load the bundled facts, where there are none, and say so."""
    if has_store(settings) and len(read_vintages(store_of(settings))):
        return
    with single_writer(settings, is_first=True):
        wanted = bundled(settings)
        report = _stored(settings, wanted, is_shown=False)
    loaded = describe(report, wanted.place, store_of(settings))
    echo(
        f"ingest    the home {settings.home} was empty, so the bundled facts were loaded: {loaded}"
    )


def _stored(settings: Settings, wanted: IngestRequest, *, is_shown: bool) -> WriteReport:
    """Receive, guard and write."""
    engine, author = made_store(settings), actor()
    if utc_now() == read_vintages(engine)["ingested_at"].max():
        time.sleep(1.0)  # two versions of a row have two moments, in whole seconds
    moment = utc_now()
    with engine.begin() as connection:
        check_clock(connection, vintages.c.ingested_at, moment)
    received = wanted.receive(moment)
    new = [file for file in received if not is_known(engine, file, wanted)]
    if is_shown:
        show_received(wanted.place, new)
    checked = [(file, objected(engine, file, wanted, moment)) for file in new]
    if refused := [(file, reasons) for file, reasons in checked if reasons]:
        raise _refusal(engine, refused, wanted, moment=moment, actor=author)
    return write_batch(
        engine,
        Batch(tuple(received)),
        ingested_at=moment,
        actor=author,
        revises=wanted.revises,
    )


def ingest_exclusively(
    settings: Settings, request: IngestRequest | None, *, source: str = ""
) -> None:
    """Ingest one request while no other process writes.

    Args:
        settings: Where things are stored.
        request: What to take, the bundled tables if None.
        source: What comes again by itself and is recorded in Prefect; empty for what a person
            hands in and sees fail.
    """
    if request is not None and not source:
        request.receive(utc_now())  # what cannot be read is refused before a home is made

    def work() -> None:
        with single_writer(settings, is_first=True):
            ingest(settings, request)

    if source:
        in_prefect("ingest", work, home=settings.home, about=source)
    else:  # a person sees it, and the vintage keeps it: no server need be started
        work()


def describe(report: WriteReport, place: str, engine: Engine) -> str:
    """New rows, vintages and months of an ingest, in one line."""
    if report.already_known:
        return f"nothing new {place}"
    written = ", ".join(f"{rows} {table}" for table, rows in report.rows_written.items() if rows)
    summary = (
        f"{counted(report.total, 'new row')} ({written})" if written else f"0 new rows {place}"
    )
    ingests = read_vintages(engine)
    written_now = ingests[ingests["id"].isin(report.vintage_ids)]
    first, last = written_now["period_from"].min(), written_now["period_to"].max()
    months = "" if pd.isna(first) or pd.isna(last) else f", {first:%Y-%m} to {last:%Y-%m}"
    return f"{summary}, vintage {', '.join(map(str, report.vintage_ids))}{months}"


def _refusal(
    engine: Engine,
    refused: Sequence[tuple[FileRows, tuple[str, ...]]],
    request: IngestRequest,
    *,
    moment: pd.Timestamp,
    actor: str,
) -> DataError:
    """Quarantine refused files and return why."""
    messages = []
    for file, reasons in refused:
        number = quarantine_file(
            engine,
            file,
            reasons=reasons,
            at=moment,
            actor=actor,
            revises=request.revises,
        )
        listing = "\n".join(f"  - {reason}" for reason in reasons)
        messages.append(
            f"{file.file_name} is refused and waits in quarantine as number {number}; nothing was "
            f"written:\n{listing}\n  If it is right after all, `magnetcast data quarantine release "
            f"{number}`."
        )
    return DataError("\n".join(messages))
