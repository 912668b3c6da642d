"""``magnetcast review ...``: what watchers found, for a person to accept or reject."""

import json
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
from cyclopts import App, Parameter

from flows.actor import actor
from flows.cli import Form, Out
from flows.clock import utc_now
from flows.console import say
from flows.output import write_result
from flows.stores import single_writer, store_of
from store.errors import DataError
from store.reviews import decide, read_reviews
from store.settings import Settings

review = App(name="review", help="See, accept or reject documents that may be policy events.")

Number = Annotated[int, Parameter(help="The item's number; see `magnetcast review list`.")]
Note = Annotated[str, Parameter(help="Why, for those who ask later.")]


@review.command(name="list")
def list_items(
    *,
    decided: Annotated[bool, Parameter(help="Those decided too.")] = False,
    out: Out = None,
    format: Form = "table",  # noqa: A002 - the option's name
) -> None:
    """List the items that wait for a decision, oldest first."""
    items = read_reviews(store_of(Settings()), open_only=not decided)
    columns = ["id", "source", "published_on", "title", "url", "decision", "decided_by"]
    write_result(items[columns], out=out, form=format)


@review.command
def show(number: Number, /) -> None:
    """Show all that is known of an item."""
    item = _item(Settings(), number)
    told = {name: str(value) for name, value in item.items() if name != "payload"}
    print(json.dumps({**told, "payload": json.loads(str(item["payload"]))}, indent=2))  # noqa: T201 - the result


@review.command
def accept(
    number: Number,
    /,
    *,
    event: Annotated[
        Path | None,
        Parameter(help="CSV or YAML of the policy events it means; without it none is written."),
    ] = None,
    tariff: Annotated[
        Path | None, Parameter(help="CSV or YAML of the tariff steps it means.")
    ] = None,
    note: Note = "",
) -> None:
    """Accept an item: write what it means into the ledger, then close it.

    The ledger is written first; should the second step fail, do it again: known rows are not
    written twice.
    """
    settings = Settings()
    _item(settings, number, is_open=True)
    if event is None and tariff is None:
        raise DataError(
            f"Review item {number} is accepted as what? Expected --event FILE or --tariff FILE "
            "with what it means. Write one, or `magnetcast review reject` the item."
        )
    _write(settings, event, tariff)
    decide(store_of(settings), number, decision="accepted", at=utc_now(), actor=actor(), note=note)
    say(f"review    item {number} accepted")


@review.command
def reject(number: Number, /, *, note: Note = "") -> None:
    """Reject an item: close it and write nothing into the ledger."""
    settings = Settings()
    with single_writer(settings):
        decide(
            store_of(settings), number, decision="rejected", at=utc_now(), actor=actor(), note=note
        )
    say(f"review    item {number} rejected")


def _write(settings: Settings, event: Path | None, tariff: Path | None) -> None:
    """Take files into the ledger while no other process writes."""
    from flows.ingest import ingest
    from flows.orders import events, tariffs

    with single_writer(settings):
        if event is not None:
            ingest(settings, events(settings, event))
        if tariff is not None:
            ingest(settings, tariffs(settings, tariff))


def _item(settings: Settings, number: int, *, is_open: bool = False) -> "pd.Series[Any]":
    """Return an item.

    Raises:
        DataError: There is none of that number, or it is decided and an open one is asked for.
    """
    items = read_reviews(store_of(settings), open_only=is_open)
    found = items.loc[items["id"].eq(number)]
    if found.empty:
        kind = "open review item" if is_open else "review item"
        raise DataError(
            f"No {kind} {number}. Expected a number of `magnetcast review list --decided`. "
            "Look it up there."
        )
    return found.iloc[0]
