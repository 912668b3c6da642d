"""The forecast months of a destination as tables show them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from service.charts.fan import Fan, month_start
from service.language.formats import dated
from service.words import chance_below, coverage_words
from store.vocabulary import QUANTILE_COLUMNS


@dataclass(frozen=True, slots=True)
class MonthRow:
    """One forecast month."""

    month: str
    """In words."""
    period: str
    """``YYYY-MM``."""
    past: bool
    published: float | None
    """Tonnes, where the destination's month is published before that of the world."""
    p10: float
    p50: float
    p90: float
    year_ago: float
    coverage: str
    """How often the 80% band held at its horizon; empty where that is not known."""
    chance_below: float
    """Chance that the month stays below the year before; NaN of a published one."""


def month_rows(fan: Fan) -> tuple[MonthRow, ...]:
    """Return the forecast months of one destination as its table shows them."""
    past = {
        month: tonnes
        for part in (fan.history, fan.later)
        for month, tonnes in zip(part["period"], part["tonnes"], strict=True)
    }
    later = fan.published_later.to_dict()
    return tuple(_month_row(fan, row, past, later) for row in fan.forecast.to_dict("records"))


def _month_row(
    fan: Fan, row: Mapping[Any, Any], past: Mapping[Any, float], later: Mapping[Any, float]
) -> MonthRow:
    """Return what the table shows of a forecast row, from the months before and ``later``."""
    period = pd.Timestamp(row["period"])
    published = later.get(period)
    year_ago = past.get(period - pd.DateOffset(years=1), float("nan"))
    held = (coverage_words(one) for one in fan.coverage if one.holds(int(row["horizon"])))
    return MonthRow(
        month=dated(period, "month"),
        period=f"{period:%Y-%m}",
        past=period < month_start(fan.as_of),
        published=published,
        p10=float(row["p10"]),
        p50=float(row["p50"]),
        p90=float(row["p90"]),
        year_ago=year_ago,
        coverage=next(held, ""),
        chance_below=float("nan")
        if published is not None
        else chance_below([float(row[name]) for name in QUANTILE_COLUMNS], year_ago),
    )
