"""Trade features: the level of a series, its recent development and its season.

Most are log ratios.
"""

from functools import lru_cache
from typing import Final

import numpy as np

from features.origin import LEVEL_MONTHS, RECENT_MONTHS, Feature, Origin
from features.series import mean_known
from store.arrays import Floats
from store.months import Months
from store.vocabulary import Family

_PANEL: Final = "evidence panel"
_CUTOFF: Final = "with the last month of the panel"


def _entry(
    name: str, meaning: str, explains: Family = "momentum", unit: str = "log ratio"
) -> Feature:
    return Feature(name, unit, meaning, _PANEL, _CUTOFF, explains)


_LAGS: Final = (1, 2, 3, 4, 6, 12)
_MEANS: Final = (3, 6, 24)

FEATURES: Final = (
    _entry("horizon", "target month less cutoff", unit="months"),
    *(
        _entry(f"tonnes_lag_{lag}m_log", f"month {lag} counted back from the cutoff, to the level")
        for lag in _LAGS
    ),
    *(
        _entry(f"tonnes_mean_{months}m_log", f"mean of {months} months, to the level")
        for months in _MEANS
    ),
    _entry("tonnes_spread_12m_log", "standard deviation of the log over twelve months", unit="log"),
    _entry("tonnes_momentum_3m_log", "last three months to the three before them"),
    _entry("tonnes_year_growth_3m_log", "last three months to the same a year before"),
    _entry(
        "tonnes_drawdown_24m_log", "last three months to the highest three-month mean of two years"
    ),
    _entry(
        "tonnes_same_month_1y_log",
        "newest known same month of an earlier year, to the level",
        "season",
    ),
    _entry("tonnes_same_month_2y_log", "the same month a year before that, to the level", "season"),
    _entry(
        "season_step_1y_log",
        "that same month to its year: the twelve months a year (or two) before the level's",
        "season",
    ),
    _entry("season_step_mean_log", "mean of that step over up to five earlier years", "season"),
    _entry(
        "season_step_spread_log",
        "standard deviation of that step over those years",
        "season",
        unit="log",
    ),
    _entry("world_share", "level as a share of the world's", "world", unit="share"),
    _entry(
        "world_share_change_log",
        "share of the world in the last three months to that in twelve",
        "world",
    ),
    _entry("world_momentum_3m_log", "the world's last three months to the three before", "world"),
    _entry("world_season_step_mean_log", "the world's mean season step", "season"),
    _entry("others_momentum_3m_log", "the same for the world without the series", "world"),
    _entry("level_log", "size of the series", unit="log tonnes"),
    _entry("late_months", "complete months the evidence does not reach yet", unit="months"),
    _entry("recent_stderr_log", "mean standard error of the last three months", unit="log"),
    _entry("observed_share_12m", "months of the last twelve with a published level", unit="share"),
    _entry("months_since_observed", "months since the last published level", unit="months"),
)

_YEARS: Final = 5
"""Earlier years that a season step is averaged over."""


def compute(origin: Origin) -> dict[str, Floats]:
    """Trade features, each series x targets or series x 1."""
    history, season = _Logs(origin), season_of(origin)
    values = {"horizon": origin.horizons[None, :].astype(float)}
    values |= {name: value[:, None] for name, value in _recent(history).items()}
    values |= season
    values |= _world(history, origin, season["season_step_mean_log"])
    values |= {name: value[:, None] for name, value in _quality(origin).items()}
    return values


class _Logs:
    """Logs of tonnes with the origin's offset; months are counted back from the cutoff."""

    def __init__(self, origin: Origin) -> None:
        self.tonnes = origin.tonnes
        self.offset = origin.offset
        self.level = np.log(origin.level + origin.offset)
        self.logs = np.log(np.maximum(origin.tonnes, 0.0) + origin.offset[:, None])

    def at(self, back: int) -> Floats:
        """Log of the month ``back`` months before the cutoff, NaN before the history."""
        column = self.logs.shape[1] - 1 - back
        return self.logs[:, column] if column >= 0 else np.full(len(self.logs), np.nan)

    def mean(self, back: int, months: int) -> Floats:
        """Log of the mean of ``months`` months ending ``back`` before the cutoff.

        It is NaN if more than half of them are missing.
        """
        stop = max(self.tonnes.shape[1] - back, 0)
        window = np.maximum(self.tonnes[:, max(stop - months, 0) : stop], 0.0)
        is_enough = 2 * np.isfinite(window).sum(axis=1) >= months
        return np.log(np.where(is_enough, mean_known(window), np.nan) + self.offset)


def _spread_of(window: Floats, *, least: int) -> Floats:
    """Row standard deviations over finite values, NaN with fewer than ``least``."""
    squares = mean_known((window - mean_known(window)[:, None]) ** 2)
    return np.where(np.isfinite(window).sum(axis=1) >= least, np.sqrt(squares), np.nan)


def _recent(history: _Logs) -> dict[str, Floats]:
    level = history.level
    values = {f"tonnes_lag_{lag}m_log": history.at(lag - 1) - level for lag in _LAGS}
    for months in _MEANS:
        values[f"tonnes_mean_{months}m_log"] = history.mean(0, months) - level
    values["tonnes_spread_12m_log"] = _spread_of(history.logs[:, -12:], least=4)
    recent = history.mean(0, RECENT_MONTHS)
    values["tonnes_momentum_3m_log"] = recent - history.mean(RECENT_MONTHS, RECENT_MONTHS)
    values["tonnes_year_growth_3m_log"] = recent - history.mean(12, RECENT_MONTHS)
    peaks = np.stack([history.mean(back, RECENT_MONTHS) for back in range(24)])
    values["tonnes_drawdown_24m_log"] = recent - np.fmax.reduce(peaks, axis=0)
    return values


def season_of(origin: Origin) -> dict[str, Floats]:
    """Season steps of each target, series x targets, and their mean and spread.

    A season step is the log ratio, in an earlier year, of the target's calendar month to the mean
    of the level's months.
    """
    history, horizons = _Logs(origin), origin.horizons
    lag = 12 * -(-horizons // 12)
    steps = np.stack([_step(history, horizons, lag + 12 * year) for year in range(_YEARS)], axis=-1)
    rows, targets, years = steps.shape
    flat = steps.reshape(-1, years)
    same = [_same_month(history, horizons, lag + 12 * year) for year in range(2)]
    return {
        "tonnes_same_month_1y_log": same[0] - history.level[:, None],
        "tonnes_same_month_2y_log": same[1] - history.level[:, None],
        "season_step_1y_log": steps[:, :, 0],
        "season_step_mean_log": mean_known(flat).reshape(rows, targets),
        "season_step_spread_log": _spread_of(flat, least=2).reshape(rows, targets),
    }


def _same_month(history: _Logs, horizons: Months, lag: Months) -> Floats:
    return np.stack([history.at(int(k - h)) for h, k in zip(horizons, lag, strict=True)], axis=1)


def _step(history: _Logs, horizons: Months, lag: Months) -> Floats:
    years, place = np.unique(lag, return_inverse=True)
    base = np.stack([history.mean(int(k), LEVEL_MONTHS) for k in years], axis=1)
    return _same_month(history, horizons, lag) - base[:, place]


def _world(history: _Logs, origin: Origin, season_step: Floats) -> dict[str, Floats]:
    """Level, world share and momentum relative to the world; empty without a world row."""
    if origin.world is None:
        return {}
    world = origin.world
    recent, before = (
        np.exp(history.mean(back, RECENT_MONTHS)) - history.offset for back in (0, RECENT_MONTHS)
    )
    year, floor = origin.level, history.offset[world]
    rest_recent, rest_before = recent[world] - recent + floor, before[world] - before + floor
    share_recent, share_year = recent / recent[world], year / year[world]
    columns = {
        "level_log": history.level,
        "world_share": share_year,
        "world_share_change_log": np.log((share_recent + 1e-3) / (share_year + 1e-3)),
        "world_momentum_3m_log": np.full(len(year), np.log(recent[world] / before[world])),
        "others_momentum_3m_log": np.log(
            np.maximum(rest_recent, floor) / np.maximum(rest_before, floor)
        ),
    }
    values = {name: column[:, None] for name, column in columns.items()}
    values["world_season_step_mean_log"] = season_step[[world]]
    return values


def _quality(origin: Origin) -> dict[str, Floats]:
    months = origin.tonnes.shape[1]
    last_observed = np.where(origin.is_observed, np.arange(months), -1).max(axis=1)
    return {
        "late_months": np.full(len(last_observed), float(origin.late_months)),
        "recent_stderr_log": origin.recent_stderr,
        "observed_share_12m": origin.is_observed[:, -12:].mean(axis=1),
        "months_since_observed": np.minimum(months - 1 - last_observed, 36).astype(float),
    }


SEASON_NOISE: Final = 0.05
"""Season steps smaller than this (log units) are mostly noise."""

ONE_YEAR_SPREAD: Final = 0.2
"""Spread of a season step observed in one year only (log units)."""


@lru_cache(maxsize=128)
def base_of(origin: Origin) -> Floats:
    """Base of the forecasts' log ratios, series x targets, in tonnes.

    The recent level times the season of the target month, shrunk by its spread over years.
    """
    steps = season_of(origin)
    step = np.nan_to_num(steps["season_step_mean_log"])
    spread = steps["season_step_spread_log"]
    noise = np.where(np.isfinite(spread), spread, ONE_YEAR_SPREAD) ** 2 / 2 + SEASON_NOISE**2
    return origin.level[:, None] * np.exp(step * step**2 / (step**2 + noise))
