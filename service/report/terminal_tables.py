"""Forecasts as a table for the terminal."""

import math
from typing import Final

import pandas as pd
from rich import box
from rich.table import Table
from rich.text import Text

from service.wording import SHORT_NAMES, in_reading_order

SHOWN_QUANTILES: Final = ("p90", "p50", "p10")
"""Three lines a month, high above low as in a chart."""

CHAMPION: Final = "champion"
MISSING: Final = "-"


def forecast_table(forecasts: pd.DataFrame) -> Table:
    """Return months as rows and destinations as columns, three quantiles a month.

    Twelve destinations of up to some 999 t fit in 80 characters; longer figures wrap and never lose
    a digit. Where a fallback made the forecast, the column has a star and the caption the reason.

    Args:
        forecasts: ``FORECAST_COLUMNS`` of one ``as_of``; not modified.
    """
    destinations = in_reading_order(forecasts["destination"])
    table = Table(
        title=f"Forecast in tonnes, cutoff {_cutoff(forecasts)}: median between p90 and p10",
        caption=_caption(forecasts),
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        show_edge=False,
        title_justify="left",
        caption_justify="left",
    )
    table.add_column("Month", no_wrap=True)
    for destination in destinations:
        table.add_column(_head(destination, forecasts), justify="right", overflow="fold")
    _add_rows(table, forecasts, destinations)
    return table


def _add_rows(table: Table, forecasts: pd.DataFrame, destinations: list[str]) -> None:
    """Add three lines a month, the median in bold."""
    cells = forecasts.set_index(["period", "destination"])[list(SHOWN_QUANTILES)]
    for period in sorted(forecasts["period"].astype(str).unique()):
        for quantile in SHOWN_QUANTILES:
            median = quantile == "p50"
            known = cells[quantile].xs(period, level="period")
            figures = [_figure(known.get(destination)) for destination in destinations]
            table.add_row(
                period if median else f"{quantile:>7}",
                *figures,
                style="bold" if median else "dim",
                end_section=quantile == SHOWN_QUANTILES[-1],
            )


def _head(destination: str, forecasts: pd.DataFrame) -> Text:
    """Return a narrow column head, starred where a fallback made the forecast."""
    starred = destination in _exceptions(forecasts)
    return Text(SHORT_NAMES.get(destination, destination) + ("*" if starred else ""))


def _exceptions(forecasts: pd.DataFrame) -> dict[str, str]:
    """Return each destination that a fallback forecast, with its status and reason."""
    other = forecasts[forecasts["status"] != CHAMPION]
    why = other["reason"].fillna("") if "reason" in other else pd.Series("", index=other.index)
    status = other["status"].astype(str).where(why == "", other["status"] + " (" + why + ")")
    return {str(d): str(s) for d, s in zip(other["destination"], status, strict=True)}


def _caption(forecasts: pd.DataFrame) -> Text | None:
    """Explain the stars."""
    lines = [f"* {destination}: {how}" for destination, how in _exceptions(forecasts).items()]
    return Text("\n".join(lines)) if lines else None


def _cutoff(forecasts: pd.DataFrame) -> str:
    """Name the cutoff, or all of them."""
    return ", ".join(sorted(set(forecasts["cutoff"].astype(str)))) or MISSING


def _figure(value: float | None) -> str:
    """Format tonnes; a month without a forecast is a dash."""
    return MISSING if value is None or math.isnan(value) else f"{value:,.0f}"
