"""Cells of what is known: months that follow from printed figures, and printed sums, each once."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from features.origin import Origin
from models.evaluation.backtest import is_forecastable, scale_rows
from models.evaluation.scores import cell_scores
from models.forecasting.joint_paths import USUAL_CARRY, quantiles_of_sums
from store.arrays import Flags
from store.months import month_number, month_starts
from store.vocabulary import QUANTILE_COLUMNS

EXACT = 0.001
"""Largest standard error of the log of a month that follows from printed figures."""

SUM_MONTHS = (2, 6)
"""Fewest and most months of a sum that is scored: halves of a year at most."""

MAGNETS = "85051110"


@dataclass(frozen=True)
class PrintedSum:
    """Months of a destination of which only the sum is known, in tonnes."""

    destination: str
    months: tuple[int, ...]
    tonnes: float


def known_cells(
    forecasts: pd.DataFrame, observations: pd.DataFrame, now: Origin, past: Iterable[Origin]
) -> pd.DataFrame:
    """Scored cells of months and of sums; a sum has the lead of its last month.

    Args:
        forecasts: model, destination, cutoff, period, horizon, as_of and quantiles.
        observations: Printed figures.
        now: The panel as it is known today.
        past: The panels from which was forecast.
    """
    exact = now.is_observed | (now.stderr <= EXACT)
    row, column = exact.nonzero()
    names = np.array(now.series, dtype=object)
    truth = pd.DataFrame(
        {"destination": names[row], "period": month_starts(now.first + column),
         "tonnes": now.tonnes[row, column]}
    )  # fmt: skip
    scale = pd.concat([scale_rows(each.series, each.cutoff, each.tonnes) for each in past])
    scale = scale.drop_duplicates(["destination", "cutoff"])
    months = cell_scores(forecasts, truth, scale)
    months = months.assign(is_forecastable=is_forecastable(months, now))
    sums = [_of_sum(each, forecasts, now, scale) for each in printed_sums(observations, now, exact)]
    return pd.concat([months, *sums], ignore_index=True)


def printed_sums(observations: pd.DataFrame, now: Origin, exact: Flags) -> list[PrintedSum]:
    """Sums of months that are not known singly, short ones first; no month is in two of them."""
    is_sum = (
        observations["usable"]
        & observations["commodity"].eq(MAGNETS)
        & observations["measure"].eq("net_weight_t")
        & observations["destination"].isin(now.series)
    )
    sums: list[PrintedSum] = []
    taken: set[tuple[str, int]] = set()
    table = observations.loc[is_sum]
    spans = {
        (str(name), month_number(start), month_number(end))
        for name, start, end in zip(
            table["destination"], table["period_from"], table["period_to"], strict=True
        )
    }
    low, high = SUM_MONTHS
    for name, start, end in sorted(spans, key=lambda span: (span[2] - span[1], span)):
        row = now.series.index(name)
        if not low <= end - start + 1 <= high or start < now.first or end > now.cutoff:
            continue
        open_months = tuple(m for m in range(start, end + 1) if not exact[row, m - now.first])
        if len(open_months) < low or taken & {(name, month) for month in open_months}:
            continue
        taken |= {(name, month) for month in open_months}
        tonnes = now.tonnes[row, [month - now.first for month in open_months]].sum()
        sums.append(PrintedSum(name, open_months, float(tonnes)))
    return sums


def _of_sum(
    each: PrintedSum, forecasts: pd.DataFrame, now: Origin, scale: pd.DataFrame
) -> pd.DataFrame:
    """Cells of one sum, from the origins at which all of its months were forecast."""
    periods = month_starts(np.array(each.months))
    chosen = forecasts["destination"].eq(each.destination) & forecasts["period"].isin(periods)
    key = ["model", "as_of"]
    months = forecasts.loc[chosen].sort_values([*key, "period"])
    months = months.loc[months.groupby(key)["period"].transform("size") == len(periods)]
    quantiles = months[list(QUANTILE_COLUMNS)].to_numpy(dtype=float)
    total = quantiles_of_sums(
        quantiles.reshape(-1, len(periods), len(QUANTILE_COLUMNS)), USUAL_CARRY
    )
    months = months.assign(is_forecastable=is_forecastable(months, now))
    could = months.groupby(key, sort=True)["is_forecastable"].all().to_numpy()
    last = months.groupby(key, sort=True).tail(1)
    sums = last.assign(**dict(zip(QUANTILE_COLUMNS, total.T, strict=True)), is_forecastable=could)
    truth = last[["destination", "period"]].drop_duplicates().assign(tonnes=each.tonnes)
    of_sums = scale.assign(scale=scale["scale"] * len(periods))
    return cell_scores(sums, truth, of_sums)
