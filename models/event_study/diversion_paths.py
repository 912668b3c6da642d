"""What every destination was to get: the whole trade, and expected paths from months before alone.

A path is season, level and a damped trend of the logs, robust to single months and heedful of how
sure each month is. Destinations not hit are held against the total of the others, at all months as
if an act had come.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from features.panel.evidence_panel import KINDS, PANEL_DESTINATIONS, EvidencePanel
from features.panel.partner_table import PartnerTable
from models.event_study.rises import RiseWindow
from models.statistical.seasonality import carried, season_profiles
from store.arrays import Flags, Floats, Ints
from store.months import YEAR
from store.vocabulary import DESTINATIONS, WORLD


@dataclass(frozen=True, slots=True)
class TradeFlows:
    """Tonnes by destination and month; together they are the whole trade."""

    names: tuple[str, ...]
    first: int
    """Month number of the first column."""
    tonnes: Floats
    """Destinations x months, NaN where unknown."""
    stderr: Floats
    """Standard errors of the logs, 0 for a full table."""
    is_published: Flags
    """Whether a cell is a published figure, or pinned by some."""
    total_stderr: Floats
    """Standard error of the log of all destinations together, by month."""

    @property
    def cutoff(self) -> int:
        """Return the last month known, as a month number."""
        return self.first + int(self.tonnes.shape[1]) - 1

    @classmethod
    def of_panel(cls, panel: EvidencePanel) -> "TradeFlows":
        """Return the destinations of an evidence panel; only estimated months are not known."""
        rows = [PANEL_DESTINATIONS.index(name) for name in DESTINATIONS]
        return cls(
            names=DESTINATIONS,
            first=panel.first,
            tonnes=panel.tonnes[rows],
            stderr=panel.stderr[rows],
            is_published=panel.kind[rows] != KINDS.index("estimated"),
            total_stderr=panel.stderr[PANEL_DESTINATIONS.index(WORLD)],
        )

    @classmethod
    def of_table(cls, table: PartnerTable) -> "TradeFlows":
        """Return the partners of a full table; every known cell counts."""
        names = table.parts[WORLD]
        tonnes = table.tonnes.loc[list(names)].to_numpy(dtype=float)
        return cls(
            names=names,
            first=int(table.tonnes.columns[0]),
            tonnes=tonnes,
            stderr=np.zeros_like(tonnes),
            is_published=np.isfinite(tonnes),
            total_stderr=np.zeros(tonnes.shape[1]),
        )


@dataclass(frozen=True, slots=True)
class DiversionQuestion:
    """An act on part of the destinations, and the months it may have moved."""

    hit: frozenset[str]
    base_end: int
    """Month number after the last month that knew nothing of it."""
    start: int
    """First month it binds."""
    end: int
    """Month number after the last month asked about."""
    troubled: tuple[int, ...] = ()
    """Months in which an act on everybody is fresh: trials leave them out, and an alert within them
    is unsure."""


WINDOW: Final = 24
"""Months that a level is read from."""

HALF_LIFE: Final = 6.0
"""Months after which a month counts half in the level."""

BEND: Final = 1.5
"""Usual deviations that a month counts for at most."""

USUAL: Final = 0.05
"""Least usual deviation, log units: rounding alone makes as much."""

UNSURE: Final = 0.15
"""Standard error of the log at which a month counts half as much as a certain one."""

TREND: Final = 0.3
"""Share of last year's drift that is believed to go on."""

LEAST: Final = 1e-9
"""Sum of weights below which nothing is known."""


@dataclass(frozen=True, slots=True)
class BaselinePath:
    """Expected logs, as foreseen at each origin."""

    log: Floats
    """Series x origins x months ahead (the first is the origin's own month); NaN if unknown."""
    stderr: Floats
    """Series x origins: standard error that the level has from its months' own, as if these erred
    all in one direction."""


def expected_paths(logs: Floats, stderr: Floats, origins: Ints, ahead: int) -> BaselinePath:
    """Return what was to be expected at each origin, from the months before it alone.

    Args:
        logs: Series x months, NaN where unknown; not modified.
        stderr: Standard errors of the logs, same shape.
        origins: Columns; the months before one are its past. Increasing, the last one is at most
            the number of months.
        ahead: Months to foresee.

    Source: Huber's weights about a weighted median.
    """
    log = np.full((len(logs), len(origins), ahead), np.nan)
    spread = np.zeros((len(logs), len(origins)))
    block = -((origins - int(origins[-1])) // YEAR)
    for age in np.unique(block):  # the season is read once a year, before the year's first origin
        own = block == age
        season = _season(logs, int(origins[own][0]))
        log[:, own], spread[:, own] = _foreseen(logs, stderr, origins[own], season, ahead)
    return BaselinePath(log, spread)


def _season(logs: Floats, end: int) -> Floats:
    """Return the season that the first ``end`` months show, in logs, series x 12."""
    return np.log(season_profiles(np.exp(logs[:, :end])))


def _foreseen(
    logs: Floats, stderr: Floats, origins: Ints, season: Floats, ahead: int
) -> tuple[Floats, Floats]:
    """Return expected logs and their levels' standard errors at origins that share a season."""
    calm = logs - season[:, np.arange(logs.shape[1]) % YEAR]
    level, spread = _levels(calm, stderr, origins)
    before, _ = _levels(calm, stderr, origins - YEAR)
    drift = TREND * np.nan_to_num(level - before) / YEAR
    age = HALF_LIFE + np.arange(ahead)
    month = (origins[:, None] + np.arange(ahead)) % YEAR
    return level[:, :, None] + drift[:, :, None] * age + season[:, month], spread


def _levels(calm: Floats, stderr: Floats, origins: Ints) -> tuple[Floats, Floats]:
    """Return robust levels before each origin, series x origins, and their standard errors."""
    column = origins[:, None] + np.arange(-WINDOW, 0)
    inside = column >= 0
    at = np.maximum(column, 0)
    value = np.where(inside, calm[:, at], np.nan)
    error = stderr[:, at]
    recent = 0.5 ** (np.arange(WINDOW, 0, -1) / HALF_LIFE)
    weight = np.where(np.isfinite(value), recent / (1.0 + (error / UNSURE) ** 2), 0.0)
    total = weight.sum(axis=-1)
    value = np.nan_to_num(value)
    middle = _median(value, weight)
    apart = value - middle[..., None]
    reach = BEND * np.maximum(1.4826 * _median(np.abs(apart), weight), USUAL)[..., None]
    some = np.where(total > LEAST, total, 1.0)
    level = middle + (weight * np.clip(apart, -reach, reach)).sum(axis=-1) / some
    spread = (weight * error).sum(axis=-1) / some
    return np.where(total > LEAST, level, np.nan), spread


def _median(value: Floats, weight: Floats) -> Floats:
    """Return weighted medians along the last axis."""
    order = np.argsort(value, axis=-1, kind="stable")
    sums = np.cumsum(np.take_along_axis(weight, order, axis=-1), axis=-1)
    place = (sums < 0.5 * sums[..., -1:]).sum(axis=-1, keepdims=True)
    place = np.minimum(place, value.shape[-1] - 1)
    ranked = np.take_along_axis(value, order, axis=-1)
    return np.take_along_axis(ranked, place, axis=-1)[..., 0]


BEFORE: Final = 24
"""Months that must lie before a month of the past for it to count as a trial."""

OFFSET: Final = 0.01
"""Added to both sides of log ratios, as a share of the mean: zeros have one then."""

TRIFLE: Final = 0.01
"""Share of what the hit destination usually gets that is added to both sides of an error: a parcel
more to a small destination is no diversion."""


@dataclass(frozen=True, slots=True)
class Case:
    """Windows of one question: those of the past, then its own."""

    window: RiseWindow
    expected: Floats
    """Destinations x windows x months, tonnes."""
    column: Ints
    """Windows x months."""


def case_of(
    flows: TradeFlows,
    others: Sequence[int],
    hit: Floats,
    origins: Ints,
    question: DiversionQuestion,
) -> Case:
    """Return errors of each destination against the total of the other ones not hit."""
    rows = list(others)
    tonnes, stderr = flows.tonnes[rows], flows.stderr[rows]
    base, lead = question.base_end - flows.first, question.start - question.base_end
    column = origins[:, None] + np.arange(lead, question.end - question.base_end)
    filled = np.nan_to_num(carried(tonnes.T).T)
    rest = np.maximum(filled.sum(axis=0) - filled, 1e-9)
    ahead = column.shape[1] + lead
    held, share = foreseen(tonnes / rest, stderr, origins, ahead, base)
    _, own = foreseen(tonnes, stderr, origins, ahead, base)
    expected = share[:, :, lead:] * rest[:, column]
    trifle = TRIFLE * float(np.nanmean(hit[max(base - BEFORE, 0) : base]))
    came = tonnes[:, column]
    window = RiseWindow(
        error=np.log((came + trifle + 1e-9) / (expected + trifle + 1e-9)),
        stderr=np.hypot(stderr, _rest_stderr(flows, rows, filled, rest))[:, column],
        level_stderr=held.stderr,
        is_published=flows.is_published[rows][:, column],
        above=came - own[:, :, lead:],
    )
    return Case(window, expected, column)


def foreseen(
    values: Floats, stderr: Floats, origins: Ints, ahead: int, base: int
) -> tuple[BaselinePath, Floats]:
    """Return paths of logs, and the values they mean, series x origins x months ahead."""
    offset = _offset(values[:, :base])
    path = expected_paths(np.log(values + offset), stderr, origins, ahead)
    return path, np.maximum(np.exp(path.log) - offset[:, :, None], 0.0)


def _offset(base: Floats) -> Floats:
    """Return what is added to each destination's months in logs, destinations x 1."""
    count = np.isfinite(base).sum(axis=1)
    mean = np.nansum(base, axis=1) / np.maximum(count, 1)
    offset: Floats = np.maximum(OFFSET * mean, 1e-9)[:, None]
    return offset


def _rest_stderr(flows: TradeFlows, rows: list[int], filled: Floats, rest: Floats) -> Floats:
    """Return the standard error of the log of the others' total.

    It is the lesser of the sum of its parts, and of the whole less all that is not in it.
    """
    parts = (filled * flows.stderr[rows]) ** 2
    outside = np.nan_to_num(np.delete(flows.tonnes, rows, axis=0))
    whole = (outside * np.delete(flows.stderr, rows, axis=0)) ** 2
    total = (outside.sum(axis=0) + filled.sum(axis=0)) * flows.total_stderr
    by_parts = parts.sum(axis=0) - parts
    by_whole = whole.sum(axis=0) + total**2 + parts
    found: Floats = np.sqrt(np.maximum(np.minimum(by_parts, by_whole), 0.0)) / rest
    return found


def hit_expected_of(
    flows: TradeFlows, others: Sequence[int], hit: Floats, question: DiversionQuestion
) -> Floats:
    """Return what the hit destinations together were to get, held against all others."""
    base, lead = question.base_end - flows.first, question.start - question.base_end
    total = np.nan_to_num(carried(flows.tonnes[list(others)].T)).sum(axis=1)
    reach = question.end - question.base_end
    share = (hit / np.maximum(total, 1e-9))[None, :]
    _, path = foreseen(share, np.zeros_like(share), np.array([base]), reach, base)
    expected: Floats = path[0, 0, lead:] * total[base + lead : base + reach]
    return expected
