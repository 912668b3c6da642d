"""Whether published forecasts err more than they did, or outside their band.

Series here are short (a dozen to some dozens of months) and their neighbours are correlated, so
each test allows for that; false alarm rates are measured in docs/adr/0024-monitoring.md.
"""

from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
import pandas as pd

from models.forecasting.forecaster import MODEL, REFERENCE
from store.arrays import Floats
from store.messages import Message, message
from store.vocabulary import AGGREGATES, QUANTILE_COLUMNS

Monitor = Literal["score-drift", "coverage-drift"]

AlarmName = Literal[
    "database", "tampered", "held", "forecast", "late-data", "stale", "failed",
    "stuck", "champion", "quarantine", "disk", "backup", "unwatched",
    "score-drift", "coverage-drift",
]  # fmt: skip
"""Sections of docs/operations.md."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """A problem; docs/operations.md has its remedy."""

    name: AlarmName
    words: Message | str
    is_broken: bool = field(default=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class HealthReport:
    """Result of a check of the installation at one moment (UTC)."""

    at: pd.Timestamp
    lines: tuple[Message, ...]
    """The facts."""
    alarms: tuple[Alarm, ...]

    @property
    def code(self) -> int:
        """Exit code of ``magnetcast status``: 0 fine, 1 stale or degraded, 2 broken."""
        return max((1 + one.is_broken for one in self.alarms), default=0)

    @property
    def headline(self) -> Message:
        return _HEADLINES[self.code]


_HEADLINES: Final = (
    message("magnetcast is fine."),
    message("Something needs attention."),
    message("magnetcast is broken."),
)


_LEVEL: Final = 0.01
"""Significance level of the test of errors."""

MAX_AUTOCORRELATION: Final = 0.8
"""Largest correlation of neighbouring months that is believed of so few."""

LEAST_FREEDOM: Final = 3.0

HORIZONS: Final = 3
"""Months ahead that are watched: every scored month has them, and they are what planners use."""

RECENT: Final = 3
"""Scored months that are held against those before."""

_FEWEST: Final = 9
"""Scored months before that: a year in all. Of fewer the chance of an alarm was not measured."""

_YEAR: Final = 12
"""Scored months over which the band is judged."""

_BAND: Final = 0.8
BAND_LEVEL: Final = 0.002
"""Chance the limits of the band are built for; how much hits go together is itself an estimate, so
the chance measured is larger (ADR 24)."""

_KEY: Final = ["destination", "cutoff", "period"]

LEAST_ERROR: Final = 1e-6
"""Scaled errors below count as this, so that a hit to the tonne has a logarithm."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One thing that was measured: above (or outside) its bound it is an alarm."""

    monitor: Monitor
    value: float
    bound: float
    """NaN where too little is known to judge."""
    size: int
    """How many months or cells the value rests on."""
    fired: bool
    words: Message


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
    cells = cells.sort_values("as_of").drop_duplicates(["model", *_KEY], keep="last")
    last = published.drop_duplicates(_KEY, keep="last")[[*_KEY, *QUANTILE_COLUMNS]]
    own = cells.loc[cells["model"] == MODEL]
    both = own.merge(last, on=_KEY, how="left", suffixes=("", "_published"), validate="one_to_one")
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
    """Return drift of errors and of coverage."""
    months = monthly(cells)
    return [score_drift(months), coverage_drift(months)]


def monthly(cells: pd.DataFrame) -> pd.DataFrame:
    """Return one row a scored month, oldest first.

    Returns:
        own (log of the mean scaled error), covered (share), cells; by period. Only cells that the
        seasonal naive answers too and that have a scale.
    """
    own = cells.loc[cells["model"] == MODEL]
    naive = cells.loc[cells["model"] == REFERENCE, _KEY]
    both = own.merge(naive, on=_KEY, validate="one_to_one")
    both = both.loc[both["scale"] > 0]
    scaled = both.assign(
        own=both["absolute_error"] / both["scale"], covered=both["is_covered"].astype(float)
    ).groupby("period")
    means = scaled[["own", "covered"]].mean()
    log = np.log(np.maximum(means["own"], LEAST_ERROR))
    return means.assign(own=log, cells=scaled.size()).sort_index()


def score_drift(months: pd.DataFrame) -> Reading:
    """Compare the errors of the last scored months with those of the months before."""
    count = len(months)
    if count < _FEWEST + RECENT:
        return _unknown("score-drift", count, _FEWEST + RECENT)
    value, bound = mean_shift(months["own"].to_numpy(dtype=float), RECENT)
    return Reading(
        "score-drift", value, bound, count, value > bound,
        message(
            "Errors of the last %(recent)s scored months are %(ratio)s times those of the "
            "%(count)s before; up to %(bound)s would be chance.",
            recent=RECENT,
            ratio=f"{np.exp(value):.2f}",
            count=count - RECENT,
            bound=f"{np.exp(bound):.2f}",
        ),
    )  # fmt: skip


def coverage_drift(months: pd.DataFrame) -> Reading:
    """Compare the share of cells in the 80% band with what chance allows."""
    if len(months) < _YEAR:
        return _unknown("coverage-drift", len(months), _YEAR)
    shares, cells = (months[name].to_numpy(dtype=float) for name in ("covered", "cells"))
    last = slice(-_YEAR, None)
    worth = round(effective_sample_size(shares, cells, _YEAR, _BAND))
    low, high = binomial_limits(worth, _BAND, level=BAND_LEVEL)
    share = float(np.average(shares[last], weights=cells[last]))
    return Reading(
        "coverage-drift", share, low if share < _BAND else high, int(cells[last].sum()),
        not low <= share <= high,
        message(
            "The 80%% band covered %(share)s of the %(cells)s cells of the last %(recent)s scored "
            "months, worth %(count)s independent ones; %(low)s to %(high)s would be chance.",
            share=f"{share:.0%}",
            cells=int(cells[last].sum()),
            recent=_YEAR,
            count=worth,
            low=f"{low:.0%}",
            high=f"{high:.0%}",
        ),
    )  # fmt: skip


def _unknown(monitor: Monitor, count: int, needed: int) -> Reading:
    words = message(
        "%(count)s scored months; %(needed)s are needed to judge.", count=count, needed=needed
    )
    return Reading(monitor, np.nan, np.nan, count, fired=False, words=words)


def mean_shift(values: Floats, recent: int) -> tuple[float, float]:
    """Return how far the mean of the last values exceeds that of all before, and chance's bound.

    Args:
        values: Oldest first, finite; more than ``recent`` of them.
    """
    before = values[:-recent]
    weight = np.r_[np.full(len(before), -1.0 / len(before)), np.full(recent, 1.0 / recent)]
    alike, within, variance = _spread_of(before)
    around = float(weight @ _correlation_matrix(alike, len(weight)) @ weight)
    freedom = max(1.0 / within - 1.0, LEAST_FREEDOM)
    from scipy import stats  # noqa: PLC0415 - half a second, and status needs none of it

    bound = float(stats.t.ppf(1.0 - _LEVEL, freedom) * np.sqrt(variance * around))
    return float(weight @ values), bound


def _spread_of(values: Floats) -> tuple[float, float, float]:
    """Return how alike neighbours are, the mean of all months so, and the variance of one."""
    alike, count = lag_one_autocorrelation(values), len(values)
    within = float(_correlation_matrix(alike, count).mean())
    square = float(((values - values.mean()) ** 2).sum())
    return alike, within, square / max(count * (1.0 - within), 1e-12)


def lag_one_autocorrelation(values: Floats) -> float:
    """Lag-1 autocorrelation, corrected for short series, 0 to ``MAX_AUTOCORRELATION``."""
    own = values - values.mean()
    square = float(own @ own)
    if square == 0.0:
        return 0.0
    found = float(own[1:] @ own[:-1]) / square
    count = len(values)
    # Source: Kendall 1954; the estimate is too low by (1 + 4 rho) / n.
    return float(np.clip((found * count + 1.0) / max(count - 4.0, 1.0), 0.0, MAX_AUTOCORRELATION))


def _correlation_matrix(alike: float, count: int) -> Floats:
    """Return how alike months are that lie apart: ``alike`` to the power of their distance."""
    month = np.arange(count)
    return np.asarray(alike ** np.abs(np.subtract.outer(month, month)))


def effective_sample_size(shares: Floats, cells: Floats, recent: int, expected: float) -> float:
    """Return how many independent cells those of the last months count for.

    A shock hits all destinations at once and goes on for months, so hits go together: the spread
    and the likeness of all months tell how much.

    Args:
        shares: Share of each month's cells inside the band, oldest first.
        cells: Cells of each month.
        recent: How many months are the last.
        expected: Share that should be inside.
    """
    alike, _, variance = _spread_of(shares)
    around = variance * float(_correlation_matrix(alike, recent).mean())
    most = float(cells[-recent:].sum())
    return (
        most if around == 0.0 else float(np.clip(expected * (1.0 - expected) / around, 1.0, most))
    )


def binomial_limits(worth: int, expected: float, *, level: float) -> tuple[float, float]:
    """Return between which shares chance keeps ``worth`` independent cells."""
    tails = np.array([level / 2.0, 1.0 - level / 2.0])
    from scipy import stats  # noqa: PLC0415

    low, high = np.asarray(stats.binom.ppf(tails, worth, expected)) / worth
    return float(low), float(high)
