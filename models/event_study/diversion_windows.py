"""Every destination not hit against the total of the others, at all months as if an act had come.

Private to ``models.event_study.diversion``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.event_study.diversion_found import DiversionQuestion
from models.event_study.rises import RiseWindow
from models.event_study.trade_flows import TradeFlows
from models.policy.counterfactual_baseline import BaselinePath, expected_paths
from models.statistical.seasonality import carried

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Places = NDArray[np.int64]

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
    column: Places
    """Windows x months."""


def case_of(
    flows: TradeFlows,
    others: Sequence[int],
    hit: Floats,
    origins: Places,
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
        is_told=flows.is_told[rows][:, column],
        above=came - own[:, :, lead:],
    )
    return Case(window, expected, column)


def foreseen(
    values: Floats, stderr: Floats, origins: Places, ahead: int, base: int
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

    It is the lesser of what its parts say, and of what the whole says less all that is not in it.
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
