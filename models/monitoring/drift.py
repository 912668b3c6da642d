"""Whether forecasts err more than they did, more than a rule of thumb, or outside their band."""

from typing import Final

import numpy as np
import pandas as pd

from models.forecasting.forecaster import MODEL, REFERENCE
from models.monitoring.readings import Reading, binomial_limits, excess_of, shift_of, worth_of
from store.vocabulary import AGGREGATES, QUANTILE_COLUMNS

HORIZONS: Final = 3
"""Months ahead that are watched: every scored month has them, and they are what planners use."""

RECENT: Final = 3
"""Scored months that are held against those before."""

FEWEST: Final = 9
"""Scored months before that: a year in all. Of fewer the chance of an alarm was not measured."""

YEAR: Final = 12
"""Scored months over which the seasonal naive and the band are judged."""

BAND: Final = 0.8
BAND_LEVEL: Final = 0.002
"""Chance the limits of the band are built for; how much hits go together is itself an estimate, so
the chance measured is larger (ADR 24)."""

KEY: Final = ["destination", "cutoff", "period"]

LEAST_ERROR: Final = 1e-6
"""Scaled errors below count as this, so that a hit to the tonne has a logarithm."""


def published_cells(replayed: pd.DataFrame, published: pd.DataFrame) -> pd.DataFrame:
    """Return the replay's cells, those that were published as published.

    Args:
        replayed: As ``Backtest.cells``: as_of, destination, cutoff, period, horizon, model,
            quantiles, tonnes, scale, absolute_error, is_covered. Not modified.
        published: destination, cutoff, period (a date) and quantiles; of several of one key the
            last counts.

    Returns:
        Cells of the product's model and of the seasonal naive, up to ``HORIZONS`` months ahead and
        without sums of destinations, with ``is_published``.
    """
    wanted = replayed["model"].isin([MODEL, REFERENCE]) & replayed["horizon"].le(HORIZONS)
    cells = replayed.loc[wanted & ~replayed["destination"].isin(list(AGGREGATES))]
    # Where a release is late, two origins know the same months; the later one knows more of them.
    cells = cells.sort_values("as_of").drop_duplicates(["model", *KEY], keep="last")
    last = published.drop_duplicates(KEY, keep="last")[[*KEY, *QUANTILE_COLUMNS]]
    own = cells.loc[cells["model"] == MODEL]
    both = own.merge(last, on=KEY, how="left", suffixes=("", "_published"), validate="one_to_one")
    is_published = both["p50_published"].notna()
    for name in QUANTILE_COLUMNS:
        both[name] = both[f"{name}_published"].where(is_published, both[name])
    both = both.assign(
        is_published=is_published,
        absolute_error=(both["tonnes"] - both["p50"]).abs(),
        is_covered=both["tonnes"].between(both["p10"], both["p90"]),
    )
    naive = cells.loc[cells["model"] == REFERENCE].assign(is_published=False)
    columns = [*cells.columns, "is_published"]
    return pd.concat([both[columns], naive[columns]], ignore_index=True)


def error_readings(cells: pd.DataFrame) -> list[Reading]:
    """Return what the errors and the band say.

    Args:
        cells: As ``published_cells`` returns.
    """
    months = monthly(cells)
    return [score_drift(months), against_naive(months), coverage_drift(months)]


def monthly(cells: pd.DataFrame) -> pd.DataFrame:
    """Return one row a scored month, oldest first.

    Returns:
        own and naive (logs of the mean scaled error), covered (share), cells; by period. Only
        cells that both answer for and that have a scale.
    """
    own = cells.loc[cells["model"] == MODEL]
    naive = cells.loc[cells["model"] == REFERENCE, [*KEY, "absolute_error"]]
    both = own.merge(naive, on=KEY, suffixes=("", "_naive"), validate="one_to_one")
    both = both.loc[both["scale"] > 0]
    scaled = both.assign(
        own=both["absolute_error"] / both["scale"],
        naive=both["absolute_error_naive"] / both["scale"],
        covered=both["is_covered"].astype(float),
    ).groupby("period")
    means = scaled[["own", "naive", "covered"]].mean()
    logs = np.log(np.maximum(means[["own", "naive"]], LEAST_ERROR))
    return means.assign(own=logs["own"], naive=logs["naive"], cells=scaled.size()).sort_index()


def score_drift(months: pd.DataFrame) -> Reading:
    """Hold the errors of the last scored months against those of the months before."""
    count = len(months)
    if count < FEWEST + RECENT:
        return _unknown("score-drift", count, FEWEST + RECENT)
    found = shift_of(months["own"].to_numpy(dtype=float), RECENT)
    return Reading(
        "score-drift", "all", found.value, found.bound, count, found.is_beyond,
        f"errors of the last {RECENT} scored months are {np.exp(found.value):.2f} times those of "
        f"the {count - RECENT} before; chance allows {np.exp(found.bound):.2f}",
    )  # fmt: skip


def against_naive(months: pd.DataFrame) -> Reading:
    """Hold the errors of the last year against those of the seasonal naive."""
    ratio = (months["own"] - months["naive"]).to_numpy(dtype=float)[-YEAR:]
    if len(ratio) < YEAR:
        return _unknown("naive", len(ratio), YEAR)
    found = excess_of(ratio)
    return Reading(
        "naive", "all", found.value, found.bound, len(ratio), found.is_beyond,
        f"errors of the last {len(ratio)} scored months are {np.exp(found.value):.2f} times the "
        f"seasonal naive's; chance allows {np.exp(found.bound):.2f}",
    )  # fmt: skip


def coverage_drift(months: pd.DataFrame) -> Reading:
    """Hold the share of cells in the 80% band against what chance allows."""
    if len(months) < YEAR:
        return _unknown("coverage-drift", len(months), YEAR)
    shares, cells = (months[name].to_numpy(dtype=float) for name in ("covered", "cells"))
    last = slice(-YEAR, None)
    worth = round(worth_of(shares, cells, YEAR, BAND))
    low, high = binomial_limits(worth, BAND, level=BAND_LEVEL)
    share = float(np.average(shares[last], weights=cells[last]))
    return Reading(
        "coverage-drift", "all", share, low if share < BAND else high, int(cells[last].sum()),
        not low <= share <= high,
        f"the 80% band covered {share:.0%} of the {cells[last].sum():.0f} cells of the last "
        f"{YEAR} scored months, worth {worth} independent ones; chance allows {low:.0%} to "
        f"{high:.0%}",
    )  # fmt: skip


def _unknown(monitor: str, count: int, needed: int) -> Reading:
    words = f"{count} scored months; {needed} are needed to judge"
    return Reading(monitor, "all", np.nan, np.nan, count, False, words)  # type: ignore[arg-type]  # noqa: FBT003
