"""Verbs about publications: decisions, digests, replays, the site and alerts."""

from pathlib import Path
from typing import Annotated, Final

from cyclopts import App, Parameter

from flows.cli.options import AsOf, Commodity, Form, Out, Reason, moment
from flows.clock import utc_now
from flows.context.console import echo
from flows.context.output import write_result
from flows.context.provenance import actor
from flows.context.run_config import RunConfig, config_of
from flows.context.stores import single_writer, store_of, store_to_write
from store.errors import DataError
from store.messages import from_json
from store.publications.integrity import read_publications, tampered
from store.publications.publication_writing import approve as publish_held
from store.publications.publication_writing import held_forecasts
from store.publications.publication_writing import reject as reject_held
from store.settings import Settings
from store.vocabulary import FORECAST_COLUMNS

_QUIET: Final = ["data_vintage", "made_with", "models", "panel"]
"""Columns left out on a terminal; files have them."""

Number = Annotated[int, Parameter(help="See `magnetcast publications list`.", show_default=False)]

publications = App(name="publications")


@publications.command(name="list")
def list_publications(*, out: Out = None, format: Form = "table") -> None:
    """List the publications, oldest first, with their digests and decisions."""
    frame = read_publications(store_of(Settings()))
    reasons = frame["held_because"].map(lambda held: str(from_json(held)) if held else "")
    frame = frame.assign(held_because=reasons)
    if format == "table" and out is None:
        frame = frame.drop(columns=_QUIET).assign(sha256=frame["sha256"].str[:12])
        frame = frame.astype(object).where(frame.notna(), "")
    write_result(frame, out=out, form=format)


@publications.command
def show(number: Number, /, *, out: Out = None, format: Form = "table") -> None:
    """Show the rows of a publication that was held for review."""
    rows = held_forecasts(store_of(Settings()), number)
    write_result(rows[list(FORECAST_COLUMNS)], out=out, form=format)


@publications.command
def approve(number: Number, /, *, reason: Reason) -> None:
    """Publish a held publication unchanged."""
    from flows.publishing.follow_up import follow_up
    from flows.publishing.publish_or_hold import ahead_from

    settings = Settings()
    engine, approved_at = store_to_write(settings), utc_now()
    with single_writer(settings):
        held = held_forecasts(engine, number).iloc[0]
        config = RunConfig(str(held["commodity"]))
        first = ahead_from(engine, figures=config.commodity, now=approved_at)
        rows = publish_held(
            engine, number, at=approved_at, ahead_from=first, actor=actor(), reason=_checked(reason)
        )
    echo(f"publish   publication {number} is approved: {rows} rows")
    follow_up(settings)


@publications.command
def reject(number: Number, /, *, reason: Reason) -> None:
    """Reject a held publication; the previous forecast stays until the next publication."""
    settings = Settings()
    with single_writer(settings):
        reject_held(store_of(settings), number, actor=actor(), reason=_checked(reason))
    echo(f"publish   publication {number} is rejected; it is stored and never published")


@publications.command
def verify() -> None:
    """Check publications, panels and folders against their digests; exit code 1 on a difference."""
    settings = Settings()
    engine = store_of(settings)
    differences = tampered(engine, settings.publications_dir)
    for difference in differences:
        echo(f"verify    {difference}")
    if differences:
        raise SystemExit(1)
    count = len(read_publications(engine))
    echo(f"verify    {count} publications, their panels and folders match their digests")


def replay(
    number: Annotated[
        int | None, Parameter(name="--publication", help="Number of the publication.")
    ] = None,
    *,
    as_of: AsOf = None,
    commodity: Commodity = None,
    out: Out = None,
    format: Form = "table",
) -> None:
    """Recompute an old publication from its data and models, and compare to nine digits.

    Select it by --publication or --as-of. The exit code is 0 if all numbers agree, else 1. The
    recomputed rows go to --out.
    """
    from flows.publishing.publication_lookup import publication, replayed

    settings = Settings()
    which = moment(as_of) if number is None else number
    outcome = replayed(
        settings, publication(settings, which, commodity=config_of(commodity).published_as)
    )
    if out is not None:
        write_result(outcome.again[list(FORECAST_COLUMNS)], out=out, form=format)
    echo(f"replay    {outcome.difference or 'every number is the same'}")
    if outcome.difference:
        raise SystemExit(1)


def site(
    *,
    out: Annotated[
        Path | None, Parameter(help="Empty folder for it; the home's own site if left out.")
    ] = None,
    base_url: Annotated[
        str, Parameter(help="Where it will lie, for feeds and search engines.")
    ] = "",
) -> None:
    """Write the site of the newest publications anew: pages in five languages, data and feeds.

    It opens from disk without a server; with --out it is ready for any host of files.
    """
    from flows.publishing import site_writing

    settings = Settings()
    if out is not None:
        site_writing.write_site_to(settings, out, base_url)
        echo(f"site      {out}/index.html")
        return
    with single_writer(settings):
        site_writing.write_missing_folders(settings)
        echo(f"site      {site_writing.write_shown_site(settings) / 'index.html'}")


def alerts() -> None:
    """Check alert rules against the newest publication and send alerts.

    `magnetcast run` does this after publishing; this verb also retries undelivered messages.
    """
    from flows.publishing.planning_alerts import alert

    echo(f"alerts    {alert(Settings(), utc_now())}")


def _checked(reason: str) -> str:
    if not reason.strip():
        raise DataError("--reason is empty. Expected a reason, which is recorded. Add one.")
    return reason.strip()
