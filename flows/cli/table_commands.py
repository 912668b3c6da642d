"""What the command line does with full partner tables, and what it says of them."""

from pathlib import Path
from typing import Final

import pandas as pd

from flows.alerts.alerts import alert_if_possible
from flows.cli.output import show
from flows.clock import utc_now
from flows.context.console import say
from flows.publishing.run_table import TableOutcome, run_table
from flows.publishing.table_snapshot import forecast_of, full_commodities, open_table
from models.forecasting.panel_snapshot import known_months
from service.report.terminal_tables import forecast_table
from store.errors import DataError, StoreError
from store.settings import Settings
from store.vocabulary import EU27, FORECAST_COLUMNS, WORLD

SHOWN: Final = 10
"""Destinations shown on the terminal, beside the sums."""


def run_table_and_tell(settings: Settings, as_of: pd.Timestamp, commodity: str) -> None:
    """Run the main job on one table and print the forecast of its largest destinations.

    Raises:
        DataError: The store held no full table of it by then.
    """
    say(f"magnetcast as of {as_of:%Y-%m-%d}, commodity {commodity}")
    outcome = run_table(settings, as_of, commodity)
    alert_if_possible(settings, utc_now())
    show(forecast_table(largest(outcome.forecasts)))
    say(summary(outcome))


def run_tables_and_tell(settings: Settings, as_of: pd.Timestamp) -> None:
    """Run the main job on every full table in the store, one line each; a bad one stops none."""
    for commodity in full_commodities(settings, as_of):
        try:
            say(summary(run_table(settings, as_of, commodity)))
        except (DataError, StoreError) as err:
            say(f"table     {commodity}: not forecast. {err}")
    alert_if_possible(settings, utc_now())


def summary(outcome: TableOutcome) -> str:
    """Say in one line what a run on a table did."""
    made = outcome.forecasts
    names = set(made["destination"]) - {WORLD, EU27}
    said = f"; {outcome.verdict}" if outcome.verdict else ""
    return (
        f"table     {outcome.commodity}: {len(names)} destinations, {made['period'].min()} to "
        f"{made['period'].max()}, {outcome.rows_published} rows published{said}; {outcome.report}"
    )


def largest(forecasts: pd.DataFrame) -> pd.DataFrame:
    """Return the forecasts of the sums and the largest destinations."""
    size = forecasts.groupby("destination")["p50"].sum().drop([WORLD, EU27], errors="ignore")
    shown = [WORLD, EU27, *size.nlargest(SHOWN).index]
    return forecasts.loc[forecasts["destination"].isin(shown)]


def predict_table(
    settings: Settings, as_of: pd.Timestamp, commodity: str, *, panel: Path | None = None
) -> pd.DataFrame:
    """Return the forecast of a table in the columns of a forecast file.

    Raises:
        DataError: The store held no full table of it by then, or a panel is named too.
    """
    if panel is not None:
        raise DataError(
            f"--commodity {commodity} and --panel {panel} name two things to forecast. "
            "Expected one of them. Leave one out."
        )
    return forecast_of(open_table(settings, as_of, commodity))[list(FORECAST_COLUMNS)]


def table_rows(settings: Settings, as_of: pd.Timestamp, commodity: str) -> pd.DataFrame:
    """Return destination, period, tonnes of the known months of a table, its sums among them.

    Raises:
        DataError: The store held no full table of it by then.
    """
    stand = open_table(settings, as_of, commodity)
    for note in stand.table.notes:
        say(f"table     {note}")
    rows = known_months(stand.table)
    ordered = rows.sort_values(["destination", "period"], ignore_index=True)
    return ordered.assign(period=ordered["period"].dt.strftime("%Y-%m"))
