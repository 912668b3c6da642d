"""Drift of published forecasts: larger errors, or a coverage that chance does not explain.

Series here are short (a dozen to some dozens of months) and autocorrelated, which each test allows
for; docs/adr/0024-monitoring.md measures the false alarm rates.
"""

from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
import pandas as pd

from models.forecasting.model_names import MODEL, REFERENCE
from store.arrays import Floats
from store.messages import Message, message
from store.vocabulary import AGGREGATES, QUANTILE_COLUMNS

Monitor = Literal["score-drift", "coverage-drift"]

AlarmName = Literal[
    "database", "tampered", "held", "forecast", "late-data", "stale", "failed",
    "stuck", "champion", "quarantine", "disk", "backup", "unwatched", "clock",
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
        return max((1 + alarm.is_broken for alarm in self.alarms), default=0)

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
"""Upper bound of the autocorrelation estimated from so few months."""

LEAST_FREEDOM: Final = 3.0

HORIZONS: Final = 3
"""Monitored months ahead: every scored month has them, and planners use them."""

RECENT: Final = 3
"""Scored months that are compared with those before."""

_FEWEST: Final = 9
"""Scored months needed before those: false alarm rates are measured from a year on."""

_YEAR: Final = 12
"""Scored months over which coverage is judged."""

_BAND: Final = 0.8
BAND_LEVEL: Final = 0.002
"""Nominal false alarm rate of the limits; the measured rate is larger, as the effective sample size
is itself estimated (ADR 24)."""

_KEY: Final = ["destination", "cutoff", "period"]

LEAST_ERROR: Final = 1e-6
"""Floor of scaled errors, so that an exact forecast has a logarithm."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A monitored value and its bound, beyond which it is an alarm."""

    monitor: Monitor
    value: float
    bound: float
    """NaN with too few months to judge."""
    size: int
    """Number of months or cells behind the value."""
    fired: bool
    words: Message


def published_cells(replayed: pd.DataFrame, published: pd.DataFrame) -> pd.DataFrame:
    """Cells of the replay, with published forecasts in place of replayed ones.

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
    model_cells = cells.loc[cells["model"] == MODEL]
    merged = model_cells.merge(
        last, on=_KEY, how="left", suffixes=("", "_published"), validate="one_to_one"
    )
    is_published = merged["p50_published"].notna()
    for name in QUANTILE_COLUMNS:
        merged[name] = merged[f"{name}_published"].where(is_published, merged[name])
    merged = merged.assign(
        is_published=is_published,
        absolute_error=(merged["tonnes"] - merged["p50"]).abs(),
        is_covered=merged["tonnes"].between(merged["p10"], merged["p90"]),
    )
    naive = cells.loc[cells["model"] == REFERENCE].assign(is_published=False)
    columns = [*cells.columns, "is_published"]
    return pd.concat([merged[columns], naive[columns]], ignore_index=True)


def error_readings(cells: pd.DataFrame) -> list[Reading]:
    """Readings of the drift of errors and of coverage."""
    months = monthly(cells)
    return [score_drift(months), coverage_drift(months)]


def monthly(cells: pd.DataFrame) -> pd.DataFrame:
    """Errors and coverage of each scored month, oldest first.

    Returns:
        log_error (log of the mean scaled error), covered (share), cells; by period. Only cells with
        a scale and a forecast of the seasonal naive.
    """
    model_cells = cells.loc[cells["model"] == MODEL]
    naive = cells.loc[cells["model"] == REFERENCE, _KEY]
    paired = model_cells.merge(naive, on=_KEY, validate="one_to_one")
    paired = paired.loc[paired["scale"] > 0]
    scaled = paired.assign(
        error=paired["absolute_error"] / paired["scale"], covered=paired["is_covered"].astype(float)
    ).groupby("period")
    log_error = np.log(np.maximum(scaled["error"].mean(), LEAST_ERROR))
    months = {"log_error": log_error, "covered": scaled["covered"].mean(), "cells": scaled.size()}
    return pd.DataFrame(months).sort_index()


def score_drift(months: pd.DataFrame) -> Reading:
    """Test of recent errors against those of the months before."""
    count = len(months)
    if count < _FEWEST + RECENT:
        return _unknown("score-drift", count, _FEWEST + RECENT)
    value, bound = mean_shift(months["log_error"].to_numpy(dtype=float), RECENT)
    return Reading(
        "score-drift", value, bound, count, value > bound,
        message(
            "Errors of the last %(recent)s scored months are %(ratio)s times those of the "
            "%(count)s before; a ratio of up to %(bound)s can arise by chance.",
            recent=RECENT,
            ratio=f"{np.exp(value):.2f}",
            count=count - RECENT,
            bound=f"{np.exp(bound):.2f}",
        ),
    )  # fmt: skip


def coverage_drift(months: pd.DataFrame) -> Reading:
    """Test of the 80% band's coverage against binomial limits."""
    if len(months) < _YEAR:
        return _unknown("coverage-drift", len(months), _YEAR)
    shares, cells = (months[name].to_numpy(dtype=float) for name in ("covered", "cells"))
    last = slice(-_YEAR, None)
    sample_size = round(effective_sample_size(shares, cells, _YEAR, _BAND))
    low, high = binomial_limits(sample_size, _BAND, level=BAND_LEVEL)
    share = float(np.average(shares[last], weights=cells[last]))
    return Reading(
        "coverage-drift", share, low if share < _BAND else high, int(cells[last].sum()),
        not low <= share <= high,
        message(
            "The 80%% band covered %(share)s of the %(cells)s cells of the last %(recent)s "
            "scored months (as informative as %(count)s independent months); %(low)s to "
            "%(high)s is within chance.",
            share=f"{share:.0%}",
            cells=int(cells[last].sum()),
            recent=_YEAR,
            count=sample_size,
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
    """Rise of the mean of the last values over those before, and its upper bound.

    Args:
        values: Oldest first, finite; more than ``recent`` of them.
    """
    before = values[:-recent]
    weight = np.r_[np.full(len(before), -1.0 / len(before)), np.full(recent, 1.0 / recent)]
    autocorrelation, mean_correlation, variance = _spread_of(before)
    variance_factor = float(weight @ _correlation_matrix(autocorrelation, len(weight)) @ weight)
    degrees = max(1.0 / mean_correlation - 1.0, LEAST_FREEDOM)
    from scipy import stats  # noqa: PLC0415 - half a second, and status needs none of it

    bound = float(stats.t.ppf(1.0 - _LEVEL, degrees) * np.sqrt(variance * variance_factor))
    return float(weight @ values), bound


def _spread_of(values: Floats) -> tuple[float, float, float]:
    """Lag-1 autocorrelation, mean correlation of all pairs, and variance of a value."""
    autocorrelation, count = lag_one_autocorrelation(values), len(values)
    mean_correlation = float(_correlation_matrix(autocorrelation, count).mean())
    squares = float(((values - values.mean()) ** 2).sum())
    return autocorrelation, mean_correlation, squares / max(count * (1.0 - mean_correlation), 1e-12)


def lag_one_autocorrelation(values: Floats) -> float:
    """Lag-1 autocorrelation, corrected for short series, 0 to ``MAX_AUTOCORRELATION``."""
    deviations = values - values.mean()
    squares = float(deviations @ deviations)
    if squares == 0.0:
        return 0.0
    estimate = float(deviations[1:] @ deviations[:-1]) / squares
    count = len(values)
    # Source: Kendall 1954; the estimate is too low by (1 + 4 rho) / n.
    return float(
        np.clip((estimate * count + 1.0) / max(count - 4.0, 1.0), 0.0, MAX_AUTOCORRELATION)
    )


def _correlation_matrix(autocorrelation: float, count: int) -> Floats:
    """AR(1) correlation matrix of consecutive months."""
    month = np.arange(count)
    return np.asarray(autocorrelation ** np.abs(np.subtract.outer(month, month)))


def effective_sample_size(shares: Floats, cells: Floats, recent: int, expected: float) -> float:
    """Effective sample size of the cells of the last months.

    A shock hits all destinations at once and lasts for months, so hits correlate; variance and
    autocorrelation of the monthly shares measure it.

    Args:
        shares: Share of each month's cells inside the band, oldest first.
        cells: Cells of each month.
        recent: Number of last months.
        expected: Nominal coverage.
    """
    autocorrelation, _, variance = _spread_of(shares)
    variance_of_mean = variance * float(_correlation_matrix(autocorrelation, recent).mean())
    total = float(cells[-recent:].sum())
    return (
        total
        if variance_of_mean == 0.0
        else float(np.clip(expected * (1.0 - expected) / variance_of_mean, 1.0, total))
    )


def binomial_limits(sample_size: int, expected: float, *, level: float) -> tuple[float, float]:
    """Binomial limits of the share of hits among independent cells."""
    tails = np.array([level / 2.0, 1.0 - level / 2.0])
    from scipy import stats  # noqa: PLC0415

    low, high = np.asarray(stats.binom.ppf(tails, sample_size, expected)) / sample_size
    return float(low), float(high)
