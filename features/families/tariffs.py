"""Tariff features: an importer's rates on Chinese magnets, as announced by the origin."""

from typing import Final

import numpy as np
import pandas as pd

from features.origin import Feature, Origin
from store.arrays import Floats, Ints
from store.months import Months, month_starts
from store.vocabulary import NOT_A_TARIFF, OTHER_SUFFIXES, importer_of

_STEPS: Final = "tariff steps in force or announced"
_ANNOUNCED: Final = "from the day the step was announced"


def _entry(name: str, unit: str, meaning: str, *, falls: bool = True) -> Feature:
    return Feature(name, unit, meaning, _STEPS, _ANNOUNCED, "tariffs", monotone=-1 if falls else 0)


FEATURES: Final = (
    _entry("tariff_rate_pct", "percent", "mean daily rate in the target month"),
    _entry("tariff_peak_pct", "percent", "highest rate on any day of the target month"),
    _entry("tariff_peak_days_share", "share", "days of the target month at that rate", falls=False),
    _entry(
        "tariff_change_1m_pct", "points", "rate in the target month less that of the month before"
    ),
    _entry("tariff_change_3m_pct", "points", "the same against three months before"),
    _entry("tariff_change_12m_pct", "points", "the same against twelve months before"),
    _entry(
        "tariff_change_level_pct",
        "points",
        "rate in the target month less the mean over the level's months",
    ),
    _entry("tariff_gap_pct", "points", "rate less the mean of the other importers' rates"),
    _entry(
        "tariff_next_change_months",
        "months",
        "months from the target to the next announced change, 12 if none",
        falls=False,
    ),
)
"""Changes after the target month have no fixed sign: a coming rise may raise the months before."""


LOOK_BACK: Final = 12
LOOK_AHEAD: Final = 12

SMALLEST_CHANGE: Final = 0.05
"""Percentage points below which a rate counts as unchanged."""


def compute(origin: Origin) -> dict[str, Floats]:
    """Tariff features, each series x targets; none for a bare panel."""
    if origin.tariffs is None:
        return {}
    months = np.arange(origin.cutoff - LOOK_BACK - 2, origin.targets[-1] + LOOK_AHEAD + 1)
    mean, peak, peak_share = _rates(origin, months)
    column, cutoff_column = origin.targets - months[0], origin.cutoff - months[0]
    rate, recent = mean[:, column], mean[:, cutoff_column - 2 : cutoff_column + 1].mean(axis=1)
    return {
        "tariff_rate_pct": rate,
        "tariff_peak_pct": peak[:, column],
        "tariff_peak_days_share": peak_share[:, column],
        **{f"tariff_change_{lag}m_pct": rate - mean[:, column - lag] for lag in (1, 3, 12)},
        "tariff_change_level_pct": rate - recent[:, None],
        "tariff_gap_pct": rate - _others(rate),
        "tariff_next_change_months": _wait(mean, column),
    }


def monthly_rates(origin: Origin, months: Months) -> Floats:
    """Mean daily rate, series x months, in percent, NaN where unpublished.

    Args:
        origin: The forecast origin; it must have tariffs.
        months: Consecutive month numbers.
    """
    return _rates(origin, months)[0]


def _rates(origin: Origin, months: Months) -> tuple[Floats, Floats, Floats]:
    """Mean rate, peak rate and share of days at the peak, each series x months."""
    bounds = _day_numbers(month_starts(np.append(months, months[-1] + 1)))
    days = np.arange(bounds[0], bounds[-1])
    daily = _series_rates(origin, days)
    month = np.searchsorted(bounds, days, side="right") - 1
    starts, length = bounds[:-1] - bounds[0], np.diff(bounds)
    peak = np.maximum.reduceat(daily, starts, axis=1)
    at_peak = (daily >= peak[:, month] - 1e-9).astype(float)
    share = np.add.reduceat(at_peak, starts, axis=1) / length
    share[np.isnan(peak)] = np.nan
    return np.add.reduceat(daily, starts, axis=1) / length, peak, share


def _day_numbers(dates: pd.DatetimeIndex) -> Ints:
    return dates.to_numpy().astype("datetime64[D]").astype(np.int64)


def _series_rates(origin: Origin, days: Ints) -> Floats:
    """Daily rate of each series; aggregates weight their members by level."""
    tariffs = origin.tariffs
    assert tariffs is not None  # noqa: S101 - compute() returns before
    charged = [importer_of(name) for name in origin.series]
    unknown = np.full(len(days), np.nan)
    rate_of = importer_rates(tariffs.loc[tariffs["importer"].isin(charged)], days)
    daily = np.stack([rate_of.get(name, unknown) for name in charged])
    rates = daily.copy()
    for row, members in enumerate(origin.groups):
        if len(members) > 1:
            rated = members[np.isfinite(daily[members, -1])]
            weight = origin.level[rated]
            rates[row] = weight @ daily[rated] / weight.sum() if len(rated) else unknown
    return rates


def importer_rate(tariffs: pd.DataFrame, importer: str, days: Ints) -> Floats:
    """Daily rate of an importer on sintered NdFeB from China, NaN before its first step.

    Components add up; within one, a later step replaces an earlier one from its first day.

    Args:
        tariffs: Tariff steps available at one moment, one row a step.
        days: Days since 1970-01-01, ascending.
    """
    importer_steps = tariffs.loc[tariffs["importer"] == importer]
    return importer_rates(importer_steps, days).get(importer, np.full(len(days), np.nan))


def importer_rates(tariffs: pd.DataFrame, days: Ints) -> dict[str, Floats]:
    """Daily rate (:func:`importer_rate`) of each importer with a step."""
    wanted = tariffs["rate_pct"].notna() & ~tariffs["component"].isin(NOT_A_TARIFF)
    wanted &= ~tariffs["product_scope"].str.contains(OTHER_SUFFIXES, regex=False)
    steps = tariffs.loc[wanted].sort_values(["component", "effective_from", "rate_pct"])
    components: dict[str, dict[str, Floats]] = {}
    starts = _day_numbers(pd.DatetimeIndex(steps["effective_from"]))
    ends = _day_numbers(pd.DatetimeIndex(steps["effective_to"].fillna(pd.Timestamp("2100-01-01"))))
    for importer, name, rate, start, end in zip(
        steps["importer"], steps["component"], steps["rate_pct"], starts, ends, strict=True
    ):
        of_importer = components.setdefault(str(importer), {})
        daily = of_importer.setdefault(str(name), np.full(len(days), np.nan))
        first = np.searchsorted(days, start)
        daily[first:] = np.where(days[first:] <= end, rate, 0.0)
    return {importer: _sum_of(list(parts.values())) for importer, parts in components.items()}


def _sum_of(components: list[Floats]) -> Floats:
    stack = np.stack(components)
    return np.where(np.isfinite(stack).any(axis=0), np.nansum(stack, axis=0), np.nan)


def _others(rate: Floats) -> Floats:
    is_known = np.isfinite(rate)
    total = np.where(is_known, rate, 0.0).sum(axis=0) - np.where(is_known, rate, 0.0)
    count = is_known.sum(axis=0) - is_known
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _wait(mean: Floats, column: Ints) -> Floats:
    """Months from each target to the next change of the rate, at most ``LOOK_AHEAD``."""
    ahead = np.stack([mean[:, column + k] for k in range(LOOK_AHEAD + 1)], axis=-1)
    moved = np.abs(np.diff(ahead, axis=-1)) > SMALLEST_CHANGE
    return np.where(moved.any(axis=-1), moved.argmax(axis=-1) + 1.0, float(LOOK_AHEAD))
