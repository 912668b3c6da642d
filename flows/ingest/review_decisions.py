"""Decide on documents that watchers found: one that is accepted becomes a policy event."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Final

import pandas as pd
from sqlalchemy import Engine

from flows.clock import utc_now
from flows.context.console import echo
from flows.context.provenance import actor
from flows.context.stores import store_of
from flows.ingest.ingest import describe
from sources.bundled.policy_events import COVERAGE, EVENT_COLUMNS, policy_events
from sources.checks import objections
from store.errors import DataError
from store.facts.batch import Batch, FileRows, WriteReport
from store.facts.reviews import decide, read_reviews
from store.facts.writing import write_batch
from store.schema.frames import MOMENT_DTYPE, typed_frame
from store.settings import Settings

EVENTS: Final = "policy_events"

NEEDED: Final = (
    "event_id", "announced_on", "effective_from", "instrument", "direction", "severity",
    "destinations", "confidence", "evidence", *COVERAGE,
)  # fmt: skip
"""What an event must say; the other columns of data/policy_events.csv may."""


def accept(settings: Settings, number: int, event: Path, note: str = "") -> WriteReport:
    """Write the event a document is, known from now on, and note the decision.

    The event is written first: if that is all that happened, accepting again does the rest.
    """
    engine, moment, author = store_of(settings), utc_now(), actor()
    open_item(engine, number)
    file = known_from(policy_events(event), moment)
    if reasons := objections(file, stored=typed_frame([], "observations"), ingested_at=moment):
        raise DataError("\n".join(reasons))
    report = write_batch(engine, Batch((file,)), ingested_at=moment, actor=author, revises=True)
    names = ", ".join(sorted(set(file.tables[EVENTS]["event_id"])))
    decide(
        engine,
        number,
        decision="accepted",
        at=moment,
        actor=author,
        note="; ".join(filter(None, (names, note))),
    )
    written = describe(report, f"in {event.name}", engine)
    echo(f"review    item {number} accepted as {names}: {written}")
    for omission in file.ignored:
        echo(f"          left out: {omission}")
    return report


def known_from(file: FileRows, moment: pd.Timestamp) -> FileRows:
    """Events as the store learns of them now: the version of today and those of days to come.

    What was announced today counts from the first moment of today.
    """
    frame = file.tables[EVENTS].sort_values("available_at", kind="stable", ignore_index=True)
    is_later = frame["available_at"] > moment
    newest = frame[~is_later].drop_duplicates("event_id", keep="last")
    announced = newest["announced_on"].dt.tz_localize("UTC")
    moments = announced.where(announced == moment.normalize(), moment).astype(MOMENT_DTYPE)
    versions = pd.concat([newest.assign(available_at=moments), frame[is_later]], ignore_index=True)
    return replace(file, tables={EVENTS: versions})


def open_item(engine: Engine, number: int) -> pd.Series:
    """An item that waits."""
    waiting = read_reviews(engine)
    item = waiting[waiting["id"] == number]
    if item.empty:
        numbers = ", ".join(map(str, waiting["id"].head(5))) or "none waits"
        raise DataError(
            f"No open review item {number} in table reviews. Expected one of: {numbers}. "
            "See `magnetcast data review list`."
        )
    return item.iloc[0]


def template(item: pd.Series) -> str:
    """YAML of an event to be filled in, with what was recognised in the document."""
    facts = json.loads(item["payload"])
    day = "" if pd.isna(item["published_on"]) else f"{item['published_on']:%Y-%m-%d}"
    cells = {
        "announced_on": day,
        "effective_from": facts.get("effective_on"),
        "legal_reference": facts.get("citation") or item["item_key"],
        "summary": item["title"],
        "source_urls": item["url"],
        "evidence": "primary",
        **{name: facts.get(name) for name in ("issuer", "products", *COVERAGE)},
    }
    end, lines = facts.get("suspended_to"), ["-"]
    if end:
        acts, begin = ", ".join(facts["suspends"]), facts["suspended_from"]
        cells |= {"instrument": "export_licence_relaxation", "direction": "easing"}
        cells |= {"effective_from": begin, "effective_to": end, "end_known_on": day}
        lines = [
            f"# It suspends {acts}. Enter those acts again as well, with suspended_from {begin},",
            f"# suspended_to {end}, suspension_known_on {day}.",
            "-",
        ]
    names = [*NEEDED, *(name for name in EVENT_COLUMNS if name not in NEEDED)]
    for name in names:
        lines.append(f"  {name}: {json.dumps(str(cells.get(name) or ''), ensure_ascii=False)}")
    return "\n".join([*lines, ""])
