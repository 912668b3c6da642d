"""``magnetcast attribute``: what a past event did, against two paths without it."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from flows.cli.app import AsOf, Form, moment
from flows.cli.output import write_result
from flows.clock import utc_today
from flows.context.console import say, track
from store.settings import Settings
from store.vocabulary import MONTHS_AHEAD


def attribute(
    event_id: str,
    *,
    as_of: AsOf = None,
    months: Annotated[
        int, Parameter(help="Months told of, from the announcement's on; at most 12.")
    ] = MONTHS_AHEAD,
    out: Annotated[
        Path | None, Parameter(help="Folder for tables, chart and page; only told if left out.")
    ] = None,
    format: Form = "table",  # noqa: A002 - the option's name
) -> None:
    """Tell what an event did: tonnes lost, recovered and displaced by month, with placebo bands.

    The path without it is what was foreseen the day before its announcement and, where it left
    some destinations alone, a mix of these. The same at earlier fake dates gives the bands.
    """
    from flows.analysis.attribute import attribution_view, known_act, write_attribution
    from flows.context.stores import store_of
    from flows.context.workspace import open_workspace
    from service.report.attribution_words import sentences
    from store.facts.reading import read_events

    settings, stand = Settings(), moment(as_of)
    workspace = open_workspace(settings, stand)
    engine = store_of(settings)
    later = read_events(engine, as_of=utc_today())
    act = known_act(read_events(engine, as_of=stand), event_id, as_of=stand, later=later)
    view = attribution_view(
        workspace.history, act, as_of=stand, spec=workspace.spec, months=months, track=track
    )
    for sentence in sentences(view):
        say(sentence)
    if out is not None:
        say(f"wrote {', '.join(write_attribution(view, out))} to {out}")
        return
    write_result(view.table.round(1), out=None, form=format)
