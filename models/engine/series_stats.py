"""Features of series at one origin, in units that fit all of them.

Everything is a distance from ``base``, the middle of the experts, in ``spread``, a series'
usual move from one month to the next: series of all sizes and tempers then share one model, and
zeros need no care.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.statistical.experts import EXPERTS
from models.statistical.pretrained import NAME as PRETRAINED
from models.statistical.pretrained import medians
from models.statistical.seasonality import (
    BLOCK,
    LEAST_YEARS,
    carried,
    measured_profiles,
    season_profiles,
    seasonal_scale,
    steadied_profiles,
)
from store.arrays import Flags, Floats, Ints, join
from store.months import YEAR

MIDDLE: Final = ("seasonal_naive", "theta", "damped_trend", "holt_winters", "steady", "swift")
"""Experts whose median is the base."""

CEILING: Final = 50.0
"""Times its highest month that an expert may say of a series, at most. A fast trend goes astray
where a series explodes; on panels of trade no expert forecasts more than 36."""

_LAGS: Final = (1, 2, 3, 4)
"""Months back; half a year and a year are looked at too."""

_MEANS: Final = ((0.25, 0), (0.5, 0), (2, 0), (0.25, 1))
"""Years of a mean, and how many years before the origin it ends."""

_QUARTER: Final = YEAR // 4

SPREAD_YEARS: Final = 2
"""Years whose moves make the spread; those of a year ago count half."""

MOVE_TO_SPREAD: Final = 0.8
"""Spread as a share of the mean absolute move."""

LEAST_SPREAD: Final = 0.003
"""Spread of the calmest series, as a share of its level."""

UNSEEN_SPREAD: Final = 0.3
"""Spread of a series that was never seen to move or stay, as a share of its level."""

LEAST_LEVEL: Final = 0.1
"""Level of a series that has all but ended, as a share of its mean."""

LEAST_RATIO: Final = 1e-6
"""Added to ratios before logs are taken."""


@dataclass(frozen=True, slots=True)
class SeriesStats:
    """Size and temper of series at an origin; one number a series unless forecasts."""

    season: Floats
    """Series x months of the year, by place in the table's columns modulo 12."""
    level: Floats
    spread: Floats
    """Usual move from month to month; 0 where all are zero."""
    scale: Floats
    """Mean absolute difference to the year before: what errors are scored in; NaN unknown."""
    momentum: Floats
    """Last quarter to the year before, in spreads; NaN unknown."""
    known: Ints
    """Months with a value."""
    current: Flags
    """Whether there is one in the last year."""


@dataclass(frozen=True, slots=True)
class PanelStats:
    """What all series of a panel say together at one origin."""

    profile: Floats
    """Season, by month of the year."""
    momentum: float
    """What the middle series does, in spreads."""


@dataclass(frozen=True, slots=True)
class OriginFeatures:
    """Statistics of an origin; arrays are by series, then month to forecast."""

    base: Floats
    experts: dict[str, Floats]
    stats: SeriesStats
    features: NDArray[np.float32]
    """Series x months x ``NAMES``, then covariates."""

    def distance(self, name: str) -> Floats:
        """Return how far an expert is from the base, in spreads; 0 where there is no spread."""
        return _ratio(self.experts[name] - self.base, self.stats.spread[:, None])

    def with_pretrained(self, values: Floats | None) -> "OriginFeatures":
        """Return the same with the pretrained network among the experts; features stay.

        Args:
            values: Series x months up to the origin; series that are too short for the network get
                the base. None does not ask it: it is NaN.
        """
        if values is None:
            found = np.full_like(self.base, np.nan)
        else:
            found = medians(values, self.base.shape[1])
            found = np.clip(np.where(np.isfinite(found), found, self.base), 0.0, _ceiling(values))
        return replace(self, experts={**self.experts, PRETRAINED: found})


NAMES: Final = (
    "horizon", "month",
    *(f"{name}_distance" for name in EXPERTS),
    "experts_apart",
    *(f"lag_{lag}" for lag in _LAGS), "lag_half_year", "lag_year",
    *(f"mean_{years:g}_years_before_{ago}" for years, ago in _MEANS),
    "momentum", "panel_momentum",
    "spread_log", "scale_log", "spread_to_scale_log",
    "zero_share", "known_months", "season_here", "season_strength",
)  # fmt: skip
"""Features: distances from the base in spreads, logs of ratios, shares and counts."""


def series_stats(values: Floats, profile: Floats | None = None) -> SeriesStats:
    """Return size and temper of series; draws their season towards the panel's.

    Args:
        values: Series x months up to the origin, NaN where missing; not modified.
        profile: The panel's season, by ``seasonality.panel_profile``, where these are some of its
            series; None where they are all.
    """
    if profile is None or values.shape[1] < LEAST_YEARS * YEAR:
        season = season_profiles(values)
    else:
        season = steadied_profiles(measured_profiles(values), profile)
    places = range(0, max(len(values), 1), BLOCK)
    return join([_measured(values[at : at + BLOCK], season[at : at + BLOCK]) for at in places])


def panel_momentum(momentum: Floats) -> float:
    """Return what the middle series of a panel does, given what each does, in spreads."""
    known = momentum[np.isfinite(momentum)]
    return float(np.median(known)) if known.size else 0.0


def origin_features(
    values: Floats, own: SeriesStats, *, horizon: int, first: int, momentum: float
) -> OriginFeatures:
    """Return what is known of some series at an origin.

    Args:
        values: Series x months up to the origin, NaN where missing; not modified.
        first: Number of the first column's month.
    """
    ceiling = _ceiling(values)
    forecasts = {
        name: np.fmin(expert.ahead(values, own.season, horizon), ceiling)
        for name, expert in EXPERTS.items()
    }
    base = np.median(np.stack([forecasts[name] for name in MIDDLE]), axis=0)
    values_of = _features(values, own, base, forecasts, first)
    values_of["panel_momentum"] = np.full((1, 1), momentum)
    features = np.empty((*base.shape, len(NAMES)), dtype=np.float32)
    for place, name in enumerate(NAMES):
        features[:, :, place] = values_of[name]
    return OriginFeatures(base, forecasts, own, features)


def _ceiling(values: Floats) -> Floats:
    """Return the most that an expert may say of each series, as a column."""
    highest: Floats = np.where(np.isfinite(values), values, 0.0).max(axis=1)
    return CEILING * highest[:, None]


def _measured(values: Floats, season: Floats) -> SeriesStats:
    known = np.isfinite(values)
    level = np.fmax(_mean(values[:, -YEAR:]), LEAST_LEVEL * _mean(values))
    level = np.where(np.isfinite(level), level, 0.0)
    flat = values / season[:, np.arange(values.shape[1]) % YEAR]
    usual = _usual_move(flat)
    spread = np.fmax(MOVE_TO_SPREAD * usual, LEAST_SPREAD * level)
    spread = np.where(np.isfinite(usual), spread, UNSEEN_SPREAD * level)
    momentum = np.full(len(values), np.nan)
    if values.shape[1] >= _QUARTER + YEAR:
        before = _mean(flat[:, -_QUARTER - YEAR : -_QUARTER])
        momentum = _ratio(_mean(flat[:, -_QUARTER:]) - before, spread)
    current = np.asarray(known[:, -YEAR:].any(axis=1))
    scale = seasonal_scale(values)
    return SeriesStats(season, level, spread, scale, momentum, known.sum(axis=1), current)


def _usual_move(flat: Floats) -> Floats:
    """Return the mean absolute move of late, over gaps where no two months meet; NaN without any.

    Args:
        flat: Series x months without their season.
    """
    usual = _mean_of_late(np.abs(np.diff(flat[:, -SPREAD_YEARS * YEAR - 1 :], axis=1)))
    apart = np.isnan(usual)
    if apart.any():
        lone = flat[apart]
        steps = np.abs(np.diff(carried(lone.T).T, axis=1))
        usual[apart] = _mean_of_late(np.where(np.isfinite(lone[:, 1:]), steps, np.nan))
    return usual


def _mean_of_late(moves: Floats) -> Floats:
    late = moves[:, -SPREAD_YEARS * YEAR :]
    return _mean(late, 0.5 ** (np.arange(late.shape[1])[::-1] / YEAR))


def _features(
    values: Floats, own: SeriesStats, base: Floats, forecasts: dict[str, Floats], first: int
) -> dict[str, Floats]:
    """Return the features but the panel's, each broadcastable to series x months."""
    months, horizon = values.shape[1], base.shape[1]
    ahead = months + np.arange(horizon)
    here = own.season[:, ahead % YEAR]
    flat = values / own.season[:, np.arange(months) % YEAR]
    flat_base = (base / here).mean(axis=1)
    spread = own.spread[:, None]
    found = {
        "horizon": np.arange(1.0, horizon + 1)[None, :],
        "month": ((first + ahead) % YEAR)[None, :].astype(np.float64),
        "experts_apart": _ratio(np.std(list(forecasts.values()), axis=0), spread),
        "season_here": here - 1.0,
        "season_strength": own.season.std(axis=1)[:, None],
        "momentum": own.momentum[:, None],
        "known_months": own.known[:, None].astype(np.float64),
        "zero_share": _mean((values[:, -SPREAD_YEARS * YEAR :] <= 0).astype(np.float64))[:, None],
        "spread_log": _log_ratio(own.spread, own.level),
        "scale_log": _log_ratio(own.scale, own.level),
        "spread_to_scale_log": _log_ratio(own.spread, own.scale),
    }
    found |= {f"{name}_distance": _ratio(one - base, spread) for name, one in forecasts.items()}
    lags = {f"lag_{lag}": lag for lag in _LAGS} | {"lag_half_year": YEAR // 2, "lag_year": YEAR}
    for name, lag in lags.items():
        value = flat[:, -lag] if lag <= months else np.full(len(flat), np.nan)
        found[name] = _ratio(value - flat_base, own.spread)[:, None]
    for years, ago in _MEANS:
        end = max(months - ago * YEAR, 0)
        window = flat[:, max(end - int(years * YEAR), 0) : end]
        found[f"mean_{years:g}_years_before_{ago}"] = _ratio(_mean(window) - flat_base, own.spread)[
            :, None
        ]
    return found


def _mean(window: Floats, weight: Floats | None = None) -> Floats:
    """Return row means over the known, NaN without any."""
    counts = np.isfinite(window) * (1.0 if weight is None else weight)
    total = (np.nan_to_num(window) * counts).sum(axis=1)
    count = counts.sum(axis=1)
    mean: Floats = np.divide(total, count, out=np.full(len(window), np.nan), where=count > 0)
    return mean


def _ratio(value: Floats, unit: Floats) -> Floats:
    value, unit = np.broadcast_arrays(value, unit)
    return np.divide(value, unit, out=np.zeros(value.shape), where=unit > 0)


def _log_ratio(value: Floats, unit: Floats) -> Floats:
    """Return the log of a ratio as a column, kept finite; NaN where the ratio is unknown."""
    share = np.divide(value, unit, out=np.full(len(value), np.nan), where=unit > 0)
    logs: Floats = np.log(share + LEAST_RATIO)[:, None]
    return logs
