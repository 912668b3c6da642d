"""`magnetcast run` for the magnets, one table and all tables, and its output on a terminal."""

import math
from typing import TYPE_CHECKING, Final

import pandas as pd
from rich import box
from rich.table import Table
from rich.text import Text

from flows.clock import utc_now
from flows.context.console import echo
from flows.context.output import show
from flows.context.stores import made_store, single_writer, store_of
from publication.words import SHORT_NAMES, in_reading_order
from store.facts.commodities import save_label
from store.planning import checked_name
from store.publications.publication_writing import close_runs
from store.settings import Settings
from store.vocabulary import EU27, WORLD

if TYPE_CHECKING:
    from flows.run import RunOutcome


SHOWN_QUANTILES: Final = ("p90", "p50", "p10")
"""Three lines per month, the highest first as in a chart."""

_CHAMPION: Final = "champion"


def forecast_table(forecasts: pd.DataFrame) -> Table:
    """Table for a terminal in tonnes: three rows per month, one column per destination.

    Twelve destinations of up to 999 t fit in 80 characters; longer figures wrap without losing
    digits. A star marks a destination forecast by a fallback; the caption has the reason.

    Args:
        forecasts: ``FORECAST_COLUMNS`` of one ``as_of``; not modified.
    """
    destinations, reasons = in_reading_order(forecasts["destination"]), _fallback_reasons(forecasts)
    by_reason = pd.Series(reasons, dtype=str)
    notes = by_reason.groupby(by_reason, sort=False).groups.items()
    cutoff = ", ".join(sorted(set(forecasts["cutoff"].astype(str))))
    table = Table(
        title=f"Forecast in tonnes, cutoff {cutoff}: median between p90 and p10",
        caption=Text("\n".join(f"* {', '.join(names)}: {reason}" for reason, names in notes))
        or None,
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        show_edge=False,
        title_justify="left",
        caption_justify="left",
    )
    table.add_column("Month", no_wrap=True)
    for destination in destinations:
        head = SHORT_NAMES.get(destination, destination) + "*" * (destination in reasons)
        table.add_column(Text(head), justify="right", overflow="fold")
    cells = forecasts.pivot_table(list(SHOWN_QUANTILES), "destination", "period", dropna=False)
    for period in sorted(forecasts["period"].astype(str).unique()):
        for quantile in SHOWN_QUANTILES:
            figures = cells.loc[destinations, (quantile, period)].to_numpy()
            median = quantile == "p50"
            table.add_row(
                period if median else f"{quantile:>7}",
                *("-" if math.isnan(figure) else f"{figure:,.0f}" for figure in figures),
                style="bold" if median else "dim",
                end_section=quantile == SHOWN_QUANTILES[-1],
            )
    return table


def _fallback_reasons(forecasts: pd.DataFrame) -> dict[str, str]:
    """Status and reason by destination that the champion does not forecast."""
    other = forecasts[forecasts["status"] != _CHAMPION]
    reasons = other["reason"].fillna("") if "reason" in other else pd.Series("", index=other.index)
    status = (
        other["status"].astype(str).where(reasons == "", other["status"] + " (" + reasons + ")")
    )
    return {str(d): str(s) for d, s in zip(other["destination"], status, strict=True)}


_SHOWN: Final = 10
"""Destinations shown on the terminal besides the sums."""


def run_and_tell(
    settings: Settings, as_of: pd.Timestamp, commodity: str | None = None, label: str = ""
) -> None:
    """Run the magnets or one full partner table; print the forecast to stdout, the rest to stderr.

    The largest destinations of a table are shown.
    """
    from flows.context.run_config import config_of
    from flows.context.workspace import open_workspace
    from flows.run import run as run_flow
    from store.database import shown_address

    config = config_of(commodity)
    if label:
        open_workspace(settings, as_of, config)  # no name for a table that is not in the store
        name = checked_name(label, "label")
        save_label(store_of(settings), config.published_as, name, at=utc_now())
    of = f", commodity {commodity}" if commodity else ""
    echo(f"magnetcast as of {as_of:%Y-%m-%d}{of}")
    outcome = run_flow(settings, as_of, config)
    show(forecast_table(largest(outcome.forecasts)))
    if outcome.is_new:
        echo(f"\nBacktest: {outcome.verdict}.")
        for note in outcome.notes:
            echo(f"  - {note}")
    echo("\nResults:")
    echo(f"  site      {outcome.site / 'index.html' if outcome.site else 'not written'}")
    echo(f"  runs      .venv/bin/mlflow ui --backend-store-uri {settings.tracking_uri}")
    echo(f"  database  {shown_address(settings.url)}")
    if outcome.fallback:
        echo(f"\nThe forecast is by a fallback and by no model: {outcome.fallback}.")
        raise SystemExit(1)


def run_tables_and_tell(settings: Settings, as_of: pd.Timestamp) -> None:
    """Run all full partner tables as one job, one line each; a failed table stops no other."""
    from flows.context.known_facts import full_commodities
    from flows.context.run_config import config_of
    from flows.publishing.follow_up import follow_up
    from flows.run import open_for_run, run_workspace
    from models.forecasting.fallback import FAULTS

    made_store(settings)  # filled by the main job, which follows
    configs = [config_of(code) for code in full_commodities(store_of(settings), as_of)]
    if not configs:
        return
    with single_writer(settings):
        close_runs(store_of(settings), at=utc_now())
        for config in configs:
            try:
                words = summary(run_workspace(open_for_run(settings, as_of, config)))
            except FAULTS as err:
                words = f"not forecast. {err}"
            echo(f"table     {config.published_as}: {words}")
    follow_up(settings, is_explained=False)


def summary(outcome: "RunOutcome") -> str:
    """Line about a run: destinations, months, rows published and verdict."""
    forecasts = outcome.forecasts
    places = set(forecasts["destination"]) - {WORLD, EU27}
    verdict = f"; {outcome.verdict}" if outcome.verdict else ""
    fallback = f"; by the fallback: {outcome.fallback}" if outcome.fallback else ""
    return (
        f"{len(places)} destinations, {forecasts['period'].min()} to {forecasts['period'].max()}, "
        f"{outcome.rows_published} rows published{verdict}{fallback}"
    )


def largest(forecasts: pd.DataFrame) -> pd.DataFrame:
    """Forecasts of the sums and of the largest destinations."""
    size = forecasts.groupby("destination")["p50"].sum().drop([WORLD, EU27], errors="ignore")
    shown = [WORLD, EU27, *size.nlargest(_SHOWN).index]
    return forecasts.loc[forecasts["destination"].isin(shown)]
