"""Bring facts into the store: received, guarded, then written; what is refused waits in quarantine.

Every source takes this way. A batch is one transaction: all of it is kept, or none. What watchers
found waits for a person; a document that is accepted becomes a policy event.
"""

import json
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Final

import pandas as pd
from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.runtime import flow_run
from sqlalchemy import Engine

from flows.clock import utc_now
from flows.context.console import echo
from flows.context.prefect_runs import job_flow
from flows.context.provenance import actor
from flows.context.stores import has_store, made_store, marked_run, single_writer, store_of
from flows.ingest.sources import BUNDLED, IngestRequest, Past, ReceivedRows, bundled
from flows.monitoring.spans import spanned
from sources.bundled.policy_events import EVENT_COLUMNS, PolicyEvents
from sources.checks.guards import objections
from store.errors import DataError
from store.facts.batch import Batch, FileRows, WriteReport
from store.facts.reading import read_observations, read_vintages
from store.facts.reviews import decide, quarantine_file, read_reviews
from store.facts.writing import write_batch
from store.schema.frames import typed_frame
from store.settings import Settings
from store.vocabulary import COMMODITY

Refused = tuple[FileRows, tuple[str, ...]]


def receive(request: IngestRequest, now: pd.Timestamp) -> Sequence[ReceivedRows]:
    """Fetch the rows of a request."""
    return request.receive(now)


def guard(
    engine: Engine, received: Sequence[ReceivedRows], *, past: Past, now: pd.Timestamp
) -> list[Refused]:
    """Return the files that a check refuses, with the reasons."""
    found = []
    for info, file in received:
        known = _known(engine, info.id, past)
        if reasons := objections(file, known=known, info=info, now=now):
            found.append((file, reasons))
    return found


receive_task = task(name="receive", cache_policy=NO_CACHE)(receive)
guard_task = task(name="guard", cache_policy=NO_CACHE)(guard)
write_batch_task = task(name="write-batch", cache_policy=NO_CACHE)(write_batch)


def _run_name() -> str:
    request: IngestRequest | None = flow_run.parameters["request"]
    return f"ingest {request.place if request else BUNDLED}"


@job_flow("ingest", run_name=_run_name)
@spanned("ingest", lambda report: {"rows": report.total})
def ingest(settings: Settings, request: IngestRequest | None = None) -> WriteReport:
    """Store one request, the bundled tables if none is given; files already known change nothing.

    Raises:
        DataError: A guard refuses a file; it is kept in quarantine and nothing is written.
        SourceError: A provider did not deliver; nothing is written.
    """
    wanted = request or bundled(settings)
    report = _stored(settings, wanted, receive_task, guard_task, write_batch_task)
    echo(f"ingest    {describe(report, wanted.place, store_of(settings))}")
    return report


def ingest_if_empty(settings: Settings) -> None:
    """Load the bundled facts, without Prefect, where there are none, and say so.

    Raises:
        DataError: A guard refuses a file; it is kept in quarantine and nothing is written.
    """
    if has_store(settings) and len(read_vintages(store_of(settings))):
        return
    with single_writer(settings, is_first=True):
        wanted = bundled(settings)
        report = _stored(settings, wanted, receive, guard, write_batch)
    told = describe(report, wanted.place, store_of(settings))
    echo(f"ingest    the home {settings.home} was empty, so the bundled facts were loaded: {told}")


def _stored(
    settings: Settings,
    wanted: IngestRequest,
    receive: Callable[..., Sequence[ReceivedRows]],
    guard: Callable[..., list[Refused]],
    write_batch: Callable[..., WriteReport],
) -> WriteReport:
    """Receive, guard and write by steps that Prefect knows or does not."""
    now, who = utc_now(), actor()
    received = receive(wanted, now)
    engine = made_store(settings)
    fresh = [pair for pair in received if not _is_known(engine, pair.file, wanted)]
    if refused := guard(engine, fresh, past=wanted.past, now=now):
        raise _refusal(engine, refused, wanted, now=now, who=who)
    return write_batch(
        engine,
        Batch(tuple(file for _, file in received)),
        ingested_at=now,
        actor=who,
        skip_unchanged=wanted.revises,
        revised_at=now if wanted.revises else None,
    )


def ingest_exclusively(
    settings: Settings, request: IngestRequest | None, *, source: str = ""
) -> None:
    """Ingest one request while no other process writes.

    Args:
        settings: Where things are kept.
        request: What to take, the bundled tables if None.
        source: What comes again by itself, so that a failure stays marked until it succeeds; empty
            for what a person hands in and sees fail.
    """
    if request is not None and not source:
        request.receive(utc_now())  # what cannot be read is refused before a home is made
    marked = marked_run(settings, f"the ingest of {source}") if source else nullcontext()
    with single_writer(settings, is_first=True), marked:
        ingest(settings, request)


def describe(report: WriteReport, place: str, engine: Engine) -> str:
    """Return in one line what was written."""
    if report.already_known:
        return f"nothing new {place}"
    written = ", ".join(f"{rows} {table}" for table, rows in report.rows_written.items() if rows)
    what = f"{report.total} new rows ({written})" if written else f"0 new rows {place}"
    vintages = read_vintages(engine)
    own = vintages[vintages["id"].isin(report.vintage_ids)]
    first, last = own["period_from"].min(), own["period_to"].max()
    months = "" if pd.isna(first) or pd.isna(last) else f", {first:%Y-%m} to {last:%Y-%m}"
    return f"{what}, vintage {', '.join(map(str, report.vintage_ids))}{months}"


def _known(engine: Engine, source: str, past: Past) -> pd.DataFrame:
    """Read what a batch is held against."""
    if past == "source":
        return read_observations(engine, source=source)
    if past == "magnets":
        return read_observations(engine, commodity=COMMODITY)
    return typed_frame([], "observations")


def _is_known(engine: Engine, file: FileRows, request: IngestRequest) -> bool:
    """Tell whether these bytes were ingested before, so that they need no check."""
    vintages = read_vintages(engine)
    same = vintages[vintages["source"].eq(file.source) & vintages["file_name"].eq(file.file_name)]
    taken = same["sha256"].tail(1) if request.revises else same["sha256"]
    return file.sha256 in set(taken)


def _refusal(
    engine: Engine,
    refused: Sequence[Refused],
    request: IngestRequest,
    *,
    now: pd.Timestamp,
    who: str,
) -> DataError:
    """Quarantine refused files and return why; if the clock is wrong, quarantine none."""
    made = read_vintages(engine).sort_values("id")["ingested_at"]
    if len(made) and (last := made.iloc[-1]) > now + pd.Timedelta(days=1):
        return DataError(
            f"This machine's clock says {now:%Y-%m-%d %H:%M} UTC, and the last ingest was on "
            f"{last:%Y-%m-%d %H:%M} UTC; so {len(refused)} files seem to come from the future. "
            "Expected a clock that goes forward. Set the clock; nothing was ingested."
        )
    messages = []
    for file, reasons in refused:
        number = quarantine_file(
            engine,
            file,
            reasons=reasons,
            at=now,
            actor=who,
            revised_at=now if request.revises else None,
        )
        listed = "\n".join(f"  - {reason}" for reason in reasons)
        messages.append(
            f"{file.file_name} is refused and waits in quarantine as number {number}; nothing was "
            f"written:\n{listed}\n  See it with `magnetcast quarantine show {number}`; if it is "
            f"right after all, `magnetcast quarantine release {number}`."
        )
    return DataError("\n".join(messages))


EVENTS: Final = "policy_events"
NEEDED: Final = (
    "event_id", "announced_on", "effective_from", "instrument", "direction", "severity",
    "destinations", "confidence", "evidence",
)  # fmt: skip
"""What an event must say; the other columns of data/policy_events.csv may."""


@job_flow("review-accept", run_name="review-accept {number}")
def accept(settings: Settings, number: int, event: Path, note: str = "") -> WriteReport:
    """Write the event a document is, known from now on, and note the decision.

    The event is written first: if that is all that happened, accepting again does the rest.

    Args:
        settings: Where things are kept.
        number: Of the item.
        event: YAML or CSV of the event, with columns as data/policy_events.csv.
        note: Why.

    Raises:
        DataError: The item is not open, or the event is bad; then nothing is written.
    """
    engine, now, who = store_of(settings), utc_now(), actor()
    open_item(engine, number)
    source = PolicyEvents(event)
    file = known_from(source.load(), now)
    if reasons := objections(
        file, known=typed_frame([], "observations"), info=source.info, now=now
    ):
        raise DataError("\n".join(reasons))
    report = write_batch(
        engine, Batch((file,)), ingested_at=now, actor=who, skip_unchanged=True, revised_at=now
    )
    names = ", ".join(sorted(set(file.tables[EVENTS]["event_id"])))
    decide(
        engine,
        number,
        decision="accepted",
        at=now,
        actor=who,
        note="; ".join(filter(None, (names, note))),
    )
    written = describe(report, f"in {event.name}", engine)
    echo(f"review    item {number} accepted as {names}: {written}")
    return report


def reject(settings: Settings, number: int, note: str = "") -> None:
    """Note that a document is no event.

    Raises:
        DataError: The item is not open.
    """
    decide(store_of(settings), number, decision="rejected", at=utc_now(), actor=actor(), note=note)


def known_from(file: FileRows, now: pd.Timestamp) -> FileRows:
    """Return events as the store learns of them now: their last version, known from now on.

    What was announced today counts from the first moment of today.
    """
    frame = file.tables[EVENTS].sort_values("available_at", kind="stable")
    newest = frame.drop_duplicates("event_id", keep="last", ignore_index=True)
    announced = newest["announced_on"].dt.tz_localize("UTC")
    moments = announced.where(announced == now.normalize(), now)
    ahead = newest["available_at"] > now
    dated = newest["available_at"].where(ahead, moments.astype(newest["available_at"].dtype))
    return FileRows(
        file.source, file.file_name, file.sha256, {EVENTS: newest.assign(available_at=dated)}
    )


def open_item(engine: Engine, number: int) -> pd.Series:
    """Return an item that waits.

    Raises:
        DataError: There is none of that number.
    """
    waiting = read_reviews(engine)
    found = waiting[waiting["id"] == number]
    if found.empty:
        numbers = ", ".join(map(str, waiting["id"].head(5))) or "none waits"
        raise DataError(
            f"No open review item {number} in table reviews. Expected one of: {numbers}. "
            "See `magnetcast review list`."
        )
    return found.iloc[0]


def template(item: pd.Series) -> str:
    """Return an event to be filled in, with the facts of the document."""
    facts = json.loads(item["payload"])
    day = "" if pd.isna(item["published_on"]) else f"{item['published_on']:%Y-%m-%d}"
    known = {
        "announced_on": day,
        "effective_from": str(facts.get("effective_on") or ""),
        "legal_reference": str(facts.get("citation") or item["item_key"]),
        "summary": item["title"],
        "source_urls": item["url"],
        "evidence": "primary",
    }
    names = [*NEEDED, *(name for name in EVENT_COLUMNS if name not in NEEDED)]
    lines = [f"  {name}: {json.dumps(known.get(name, ''), ensure_ascii=False)}" for name in names]
    return "\n".join(["-", *lines, ""])
