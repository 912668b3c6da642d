"""Coverage of published bands: whether it differs from its level by more than chance.

Series here are short (a dozen to some dozens of months) and autocorrelated, which the limits allow
for; docs/adr/0024-monitoring.md measures the false alarm rate.
"""

from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
import pandas as pd

from models.forecasting.model_names import MODEL
from store.arrays import Floats
from store.messages import Message, message
from store.vocabulary import AGGREGATES

AlarmName = Literal[
    "database", "tampered", "held", "forecast", "late-data", "stale", "failed",
    "stuck", "champion", "fallback", "quarantine", "disk", "backup", "unwatched",
    "coverage-drift",
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


_MAX_AUTOCORRELATION: Final = 0.8
"""Upper bound of the autocorrelation estimated from so few months."""

_HORIZONS: Final = 3
"""Monitored months ahead: every scored month has them, and planners use them."""

_YEAR: Final = 12
"""Scored months over which coverage is judged."""

_BAND: Final = 0.8
_BAND_LEVEL: Final = 0.002
"""Nominal false alarm rate of the limits; the measured rate is larger, as the effective sample size
is itself estimated (ADR 24)."""

_KEY: Final = ["destination", "cutoff", "period"]


@dataclass(frozen=True, slots=True)
class Reading:
    """Coverage of the band and its limit, beyond which it is an alarm."""

    value: float
    bound: float
    """NaN with too few months to judge."""
    size: int
    """Number of months or cells behind the value."""
    fired: bool
    words: Message


def coverage_reading(replayed: pd.DataFrame, published: pd.DataFrame) -> Reading:
    """Test the 80% band's coverage over the last year of scored months against binomial limits.

    Args:
        replayed: As ``Backtest.cells``: as_of, destination, cutoff, period, horizon, model,
            quantiles and tonnes. Not modified.
        published: destination, cutoff, period (a date) and quantiles; they take the place of the
            replayed ones, and of several of one key the last counts.
    """
    by_month = covered_cells(replayed, published).groupby("period")["is_covered"]
    shares, cells = (
        np.asarray(values, dtype=np.float64) for values in (by_month.mean(), by_month.size())
    )
    if len(shares) < _YEAR:
        words = message(
            "The coverage of the 80%% band is not judged yet: %(count)s months are scored, "
            "%(needed)s are needed.",
            count=len(shares),
            needed=_YEAR,
        )
        return Reading(np.nan, np.nan, len(shares), fired=False, words=words)
    last = slice(-_YEAR, None)
    sample_size = round(effective_sample_size(shares, cells, _YEAR, _BAND))
    low, high = binomial_limits(sample_size, _BAND, level=_BAND_LEVEL)
    share = float(np.average(shares[last], weights=cells[last]))
    return Reading(
        share, low if share < _BAND else high, int(cells[last].sum()), not low <= share <= high,
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


def covered_cells(replayed: pd.DataFrame, published: pd.DataFrame) -> pd.DataFrame:
    """Cells of the product's model, with ``is_covered`` by the published band where there is one.

    Up to ``_HORIZONS`` months ahead and without sums of destinations.
    """
    wanted = replayed["model"].eq(MODEL) & replayed["horizon"].le(_HORIZONS)
    cells = replayed.loc[wanted & ~replayed["destination"].isin(list(AGGREGATES))]
    # Where a release is late, two origins know the same months; the later one knows more of them.
    cells = cells.sort_values("as_of").drop_duplicates(_KEY, keep="last")
    last = published.drop_duplicates(_KEY, keep="last")[[*_KEY, "p10", "p90"]]
    merged = cells.merge(
        last, on=_KEY, how="left", suffixes=("", "_published"), validate="one_to_one"
    )
    low, high = (merged[f"{name}_published"].fillna(merged[name]) for name in ("p10", "p90"))
    return merged.assign(is_covered=merged["tonnes"].between(low, high))


def _lag_one_autocorrelation(values: Floats) -> float:
    """Lag-1 autocorrelation, corrected for short series, 0 to ``_MAX_AUTOCORRELATION``."""
    deviations = values - values.mean()
    squares = float(deviations @ deviations)
    if squares == 0.0:
        return 0.0
    estimate = float(deviations[1:] @ deviations[:-1]) / squares
    count = len(values)
    # Source: Kendall 1954; the estimate is too low by (1 + 4 rho) / n.
    return float(
        np.clip((estimate * count + 1.0) / max(count - 4.0, 1.0), 0.0, _MAX_AUTOCORRELATION)
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
    autocorrelation, count = _lag_one_autocorrelation(shares), len(shares)
    independent = count * (1.0 - float(_correlation_matrix(autocorrelation, count).mean()))
    variance = float(((shares - shares.mean()) ** 2).sum()) / max(independent, 1e-12)
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
    from scipy import stats  # noqa: PLC0415 - half a second, and status needs none of it

    low, high = np.asarray(stats.binom.ppf(tails, sample_size, expected)) / sample_size
    return float(low), float(high)
