"""What the command line asks of full partner tables: a forecast, or the table itself."""

from pathlib import Path

import pandas as pd

from flows.context.console import echo
from flows.publishing.table_pipeline import forecast_table_at
from flows.publishing.table_snapshot import open_table
from models.forecasting.panel_snapshot import known_months
from store.errors import DataError
from store.settings import Settings
from store.vocabulary import FORECAST_COLUMNS


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
    return forecast_table_at(open_table(settings, as_of, commodity))[list(FORECAST_COLUMNS)]


def table_rows(settings: Settings, as_of: pd.Timestamp, commodity: str) -> pd.DataFrame:
    """Return destination, period, tonnes of the known months of a table, its sums among them.

    Raises:
        DataError: The store held no full table of it by then.
    """
    table = open_table(settings, as_of, commodity).table
    for note in table.notes:
        echo(f"table     {note}")
    ordered = known_months(table).sort_values(["destination", "period"], ignore_index=True)
    return ordered.assign(period=ordered["period"].dt.strftime("%Y-%m"))
