"""``magnetcast review ...``: what watchers found, for a person to accept or reject."""

import json
import sys
from pathlib import Path
from typing import Annotated

import pandas as pd
from cyclopts import App, Parameter

from flows.cli.options import Form, Out, Reason
from flows.context.console import echo
from flows.context.output import readable, write_result
from flows.context.stores import single_writer, store_of
from store.errors import DataError
from store.facts.reviews import read_reviews
from store.settings import Settings

review = App(name="review")


@review.command(name="list")
def list_items(
    *,
    everything: Annotated[
        bool, Parameter(name="--all", negative="", help="Include decided ones.")
    ] = False,
    out: Out = None,
    format: Form = "table",  # noqa: A002 - the option's name
) -> None:
    """List the documents that wait for a decision, oldest first."""
    frame = read_reviews(store_of(Settings()), open_only=not everything)
    names = ["id", "source", "item_key", "published_on", "title", "url"]
    names += ["decision", "decided_by", "note"] if everything else []
    write_result(readable(frame[names], format), out=out, form=format)


@review.command
def show(
    number: int,
    /,
    *,
    event: Annotated[
        bool, Parameter(negative="", help="Write an event to fill in (YAML) instead.")
    ] = False,
    out: Out = None,
    format: Form = "table",  # noqa: A002 - the option's name
) -> None:
    """Show a document, or an event template to fill in.

    Args:
        number: Its number; see `magnetcast review list`.
        event: Write an event to fill in (YAML) instead.
        out: File for the result; stdout if left out.
        format: Form of the result.
    """
    from flows.ingest.review import open_item, template

    item = open_item(store_of(Settings()), number)
    if event:
        if out is None:
            sys.stdout.write(template(item))
        else:
            out.write_text(template(item), encoding="utf-8")
        return
    known = {name: item[name] for name in ("id", "source", "item_key", "title", "url")}
    facts = {**known, **json.loads(item["payload"])}
    rows = [(name, "" if value is None else str(value)) for name, value in facts.items()]
    write_result(pd.DataFrame(rows, columns=["fact", "value"]), out=out, form=format)


@review.command
def accept(
    number: int,
    /,
    *,
    event: Annotated[
        Path | None, Parameter(help="The event it is: YAML or CSV as data/policy_events.csv.")
    ] = None,
    reason: Reason = "",
) -> None:
    """Add a document to the policy ledger as an event, known from now on.

    Args:
        number: Its number; see `magnetcast review list`.
        event: The event it is: YAML or CSV as data/policy_events.csv.
        reason: Why; kept in the audit trail.
    """
    from flows.ingest.review import NEEDED
    from flows.ingest.review import accept as flow

    if event is None:
        raise DataError(
            f"Review item {number} needs an event: a document is accepted as an event only. "
            f"Expected --event FILE with at least {', '.join(NEEDED)}. Write one to fill in with "
            f"`magnetcast review show {number} --event --out FILE.yaml`."
        )
    settings = Settings()
    with single_writer(settings):
        flow(settings, number, event, reason)


@review.command
def reject(number: int, /, *, reason: Reason = "") -> None:
    """Note that a document is no policy event; it is not proposed again.

    Args:
        number: Its number; see `magnetcast review list`.
        reason: Why; kept in the audit trail.
    """
    from flows.ingest.review import reject as decide

    settings = Settings()
    with single_writer(settings):
        decide(settings, number, reason)
    echo(f"review    item {number} rejected")
