"""``magnetcast data``: ingests, refused files, documents to review, and the panel."""

import json
from pathlib import Path
from typing import Annotated

import pandas as pd
from cyclopts import App, Parameter

from flows.cli.options import AsOf, Commodity, Form, Out, Reason, moment
from flows.clock import utc_now
from flows.context.console import echo
from flows.context.output import readable, write_result, write_text
from flows.context.provenance import actor
from flows.context.stores import single_writer, store_of
from store.errors import DataError, counted
from store.facts.reading import diff_vintages, read_vintages
from store.facts.reviews import decide, read_quarantine, read_reviews, release
from store.settings import Settings
from store.vocabulary import EU27, WORLD

Number = Annotated[
    int,
    Parameter(help="The file's number; see `magnetcast data quarantine list`.", show_default=False),
]

Document = Annotated[
    int, Parameter(help="Number of the document; see `magnetcast data review list`.")
]

data = App(name="data")
quarantine = App(name="quarantine", help="List or release files that the data checks refused.")
review = App(name="review", help="List, accept or reject documents that may be policy events.")
data.command(quarantine)
data.command(review)


@data.command
def vintages(*, out: Out = None, format: Form = "table") -> None:
    """List the ingests, oldest first: source, file, rows, months and who ingested."""
    frame = read_vintages(store_of(Settings()))
    write_result(readable(frame, format, out), out=out, form=format)


@data.command
def diff(
    first: Annotated[
        int, Parameter(help="Number of the ingest to compare from; see `magnetcast data vintages`.")
    ],
    second: Annotated[int, Parameter(help="Number of the ingest to compare to.")],
    /,
    *,
    out: Out = None,
    format: Form = "table",
) -> None:
    """Compare two ingests: figures that changed, in tonnes or the unit of the measure."""
    frame = diff_vintages(store_of(Settings()), first, second)
    echo(f"diff      {_summary(frame)}")
    write_result(readable(frame, format, out), out=out, form=format)


@quarantine.command(name="list")
def list_refused(
    *,
    everything: Annotated[
        bool, Parameter(name="--all", negative="", help="Include files released since.")
    ] = False,
    out: Out = None,
    format: Form = "table",
) -> None:
    """List refused files that wait for a decision, with the reasons."""
    frame = read_quarantine(store_of(Settings()))
    shown = frame if everything else frame.loc[frame["released_at"].isna()]
    write_result(readable(shown, format, out), out=out, form=format)


@quarantine.command(name="release")
def release_refused(number: Number, /) -> None:
    """Load a refused file after all; who decided is recorded."""
    settings = Settings()
    with single_writer(settings):
        report = release(store_of(settings), number, at=utc_now(), actor=actor())
    numbers = ", ".join(str(vintage) for vintage in report.vintage_ids)
    result = f"vintage {numbers}" if numbers else "the same file was ingested before"
    echo(f"release   file {number}: {counted(report.total, 'new row')}, {result}")


@data.command
def panel(
    *, as_of: AsOf = None, commodity: Commodity = None, out: Out = None, format: Form = "table"
) -> None:
    """Write the evidence panel of every month and destination as it was known on a day.

    Columns are destination, period, tonnes, stderr_t, kind and available_at. --commodity writes the
    partner table of that commodity: destination, period, tonnes.
    """
    from flows.context.run_config import config_of
    from flows.context.workspace import open_workspace

    as_of_time = moment(as_of)
    if commodity is not None:
        workspace = open_workspace(Settings(), as_of_time, config_of(commodity))
        for note in workspace.notes:
            echo(f"table     {note}")
        rows = workspace.snapshot.published_months.sort_values(
            ["destination", "period"], ignore_index=True
        )
        months = rows["period"].dt.strftime("%Y-%m")
        write_result(rows.assign(period=months), out=out, form=format)
        return
    estimates = open_workspace(Settings(), as_of_time).history.panel(as_of_time)
    for row in estimates.suspicious.itertuples(index=False):
        echo(
            f"suspicious: {row.statement}, {row.residual_t:+,.0f} t from the rest; {row.source_url}"
        )
    frame = estimates.frame.assign(period=estimates.frame["period"].dt.strftime("%Y-%m"))
    write_result(frame.round({"tonnes": 3, "stderr_t": 3}), out=out, form=format)


def _summary(frame: pd.DataFrame) -> str:
    if frame.empty:
        return "nothing changed"
    counts = ", ".join(f"{n} {change}" for change, n in frame["what"].value_counts().items())
    cells = frame[["commodity", "measure", "period", "source"]].apply(tuple, axis=1)
    is_sum = frame["destination"].isin([WORLD, EU27])
    is_counted = ~is_sum | ~cells.isin(
        cells[~is_sum]
    )  # a sum is skipped if the destinations that changed it are listed
    tonnes = frame.loc[is_counted & frame["measure"].str.endswith("_t"), "change"]
    return f"{counts}; revisions in tonnes add up to {pd.to_numeric(tonnes).sum():+,.1f} t"


@review.command(name="list")
def list_items(
    *,
    everything: Annotated[
        bool, Parameter(name="--all", negative="", help="Include documents decided since.")
    ] = False,
    out: Out = None,
    format: Form = "table",
) -> None:
    """List documents that wait for a decision, oldest first."""
    frame = read_reviews(store_of(Settings()), open_only=not everything)
    names = ["id", "source", "item_key", "published_on", "title", "url"]
    names += ["decision", "decided_by", "note"] if everything else []
    write_result(readable(frame[names], format, out), out=out, form=format)


@review.command(name="show")
def show_item(
    number: Document,
    /,
    *,
    event: Annotated[
        bool, Parameter(negative="", help="Write an event template (YAML) to fill in.")
    ] = False,
    out: Out = None,
    format: Form = "table",
) -> None:
    """Show a document, or an event template to fill in."""
    from flows.ingest.review_decisions import open_item, template

    item = open_item(store_of(Settings()), number)
    if event:
        write_text(template(item), out=out)
        return
    labels = {name: item[name] for name in ("id", "source", "item_key", "title", "url")}
    facts = {**labels, **json.loads(item["payload"])}
    rows = [(name, "" if value is None else str(value)) for name, value in facts.items()]
    write_result(pd.DataFrame(rows, columns=["fact", "value"]), out=out, form=format)


@review.command
def accept(
    number: Document,
    /,
    *,
    event: Annotated[
        Path | None,
        Parameter(help="File with the event: YAML, or CSV like data/policy_events.csv."),
    ] = None,
    reason: Reason = "",
) -> None:
    """Add a document to the policy ledger as an event, known from now on."""
    from flows.ingest.review_decisions import NEEDED
    from flows.ingest.review_decisions import accept as flow

    if event is None:
        raise DataError(
            f"Document {number} can be accepted only as an event. "
            f"Expected --event FILE with at least {', '.join(NEEDED)}. Write a template with "
            f"`magnetcast data review show {number} --event --out FILE.yaml`."
        )
    settings = Settings()
    with single_writer(settings):
        flow(settings, number, event, reason)


@review.command
def reject(number: Document, /, *, reason: Reason = "") -> None:
    """Record that a document is not a policy event; it is not proposed again."""
    settings = Settings()
    with single_writer(settings):
        decide(
            store_of(settings),
            number,
            decision="rejected",
            at=utc_now(),
            actor=actor(),
            note=reason,
        )
    echo(f"review    item {number} rejected")
