"""How sure a lead over a baseline is: differences of scores with bootstrap intervals.

Public: :func:`differences`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from scipy import stats

from sources.files.dates import read_period
from store.arrays import Floats, Ints
from store.frequency import MONTHLY, Frequency

LOSSES: Final = {
    "mase": "scaled_error",
    "sql": "scaled_quantile_loss",
    "wape": "absolute_error",
}
"""Metrics and the errors of a cell they are made of: means of the first two, the sum of the third
over the sum of tonnes."""

CELL: Final = ("as_of", "cutoff", "destination", "period")
"""What two models' forecasts are paired by; as_of where there is one."""

INTERVAL: Final = (0.05, 0.95)

BETTER: Final = "better"
WORSE: Final = "worse"
UNSURE: Final = "not significant"

DIFFERENCE_COLUMNS: Final = (
    "model", "baseline", "metric", "score", "baseline_score", "difference", "p05", "p95",
    "verdict", "cells",
)  # fmt: skip

AT_ONCE: Final = 2_000_000
"""Numbers held at once while resampling; bounds the memory, not the result."""


@dataclass(frozen=True, slots=True)
class _ResampledBlocks:
    """Sums over the cells of each block: metrics x cutoffs x destinations."""

    own: Floats
    """Numerators of the model's scores."""
    gap: Floats
    """The same, less the baseline's."""
    weight: Floats
    """Denominators of both."""
    cells: Floats
    run: int
    """Neighbouring cutoffs that are drawn together."""


def differences(
    cells: pd.DataFrame,
    model: str,
    baselines: Sequence[str],
    *,
    seed: int,
    draws: int = 2000,
    frequency: Frequency = MONTHLY,
) -> pd.DataFrame:
    """Return the scores of a model less those of each baseline, with intervals.

    Cutoffs and destinations are both drawn with replacement and their cells weighed by how often
    the two were drawn, as errors of one month are alike across destinations and those of one
    destination across months. Weights are spread for small numbers of either, so that few cutoffs
    tell little apart; one cutoff is no evidence for other times, and the interval is then over
    destinations alone. Cutoffs closer than the longest horizon are drawn in runs. Intervals are
    too wide where errors of a month or destination have nothing in common.

    Args:
        cells: As ``models.evaluation.scores.cell_scores`` returns; not modified.
        model: Name of the model.
        baselines: Names of the models it is compared to, each on the cells both forecast.
        seed: Of the draws.
        draws: Number of resamples.
        frequency: Of the periods.

    Returns:
        One row per baseline and metric (mase, sql, wape): the two scores, difference (below 0 the
        model is better), p05 and p95 of its resamples, verdict (``better``, ``worse`` or ``not
        significant``, when 0 lies within p05..p95) and cells compared. NaN without shared cells;
        the interval also with a single series at a single cutoff.

    Source: A. B. Owen, The pigeonhole bootstrap, Annals of Applied Statistics 1 (2007) 386-411.
    """
    own = cells.loc[cells["model"] == model]
    parts = []
    for baseline in baselines:
        pairs = _pairs(own, cells.loc[cells["model"] == baseline])
        table = _compared(pairs, np.random.default_rng(seed), draws, frequency)
        parts.append(table.assign(model=model, baseline=baseline))
    columns = list(DIFFERENCE_COLUMNS)
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def _pairs(own: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """Return the cells both models forecast, the other's errors with the suffix ``_other``."""
    keys = [name for name in CELL if name in own]
    theirs = other[[*keys, *LOSSES.values()]]
    return own.merge(theirs, on=keys, suffixes=("", "_other"), validate="one_to_one")


def _compared(
    pairs: pd.DataFrame, rng: np.random.Generator, draws: int, frequency: Frequency
) -> pd.DataFrame:
    """Return one row a metric."""
    blocks = _blocks(pairs, frequency)
    weight = blocks.weight.sum(axis=(1, 2))
    score = _ratio(blocks.own.sum(axis=(1, 2)), weight)
    difference = _ratio(blocks.gap.sum(axis=(1, 2)), weight)
    low, high = _interval(_resampled(blocks, rng, draws))
    return pd.DataFrame(
        {
            "metric": list(LOSSES),
            "score": score,
            "baseline_score": score - difference,
            "difference": difference,
            "p05": low,
            "p95": high,
            "verdict": np.select([high < 0, low > 0], [BETTER, WORSE], UNSURE),
            "cells": blocks.cells.sum(axis=(1, 2)).astype(int),
        }
    )


def _blocks(pairs: pd.DataFrame, frequency: Frequency) -> _ResampledBlocks:
    """Return the sums of paired cells; a cell without a scale is left out of scaled metrics."""
    row, cutoffs = pd.factorize(pairs["cutoff"], sort=True)
    column, destinations = pd.factorize(pairs["destination"], sort=True)
    shape = (len(cutoffs), len(destinations))

    def sums(values: Floats) -> Floats:
        block = row * shape[1] + column
        total = np.bincount(block, weights=values, minlength=shape[0] * shape[1])
        return np.asarray(total, dtype=float).reshape(shape)

    tonnes = pairs["tonnes"].to_numpy(dtype=float)
    parts = []
    for metric, loss in LOSSES.items():
        own, other = (pairs[name].to_numpy(dtype=float) for name in (loss, f"{loss}_other"))
        counted = np.isfinite(own) & np.isfinite(other)
        weight = tonnes if metric == "wape" else np.ones(len(pairs))
        values = (own, own - other, weight, np.ones(len(pairs)))
        parts.append([sums(np.where(counted, value, 0.0)) for value in values])
    own_sums, gaps, weights, counts = (np.stack(part) for part in zip(*parts, strict=True))
    numbers = np.array([read_period(cutoff, frequency) for cutoff in cutoffs])
    return _ResampledBlocks(own_sums, gaps, weights, counts, _run(numbers, pairs["horizon"]))


def _run(cutoffs: Ints, horizon: "pd.Series[int]") -> int:
    """Return how many cutoffs the longest horizon spans, at most a quarter of all."""
    if not len(cutoffs):
        return 1
    spanned = np.searchsorted(cutoffs, cutoffs + int(horizon.max())) - np.arange(len(cutoffs))
    return min(int(spanned.max()), max(1, len(cutoffs) // 4))


def _resampled(blocks: _ResampledBlocks, rng: np.random.Generator, draws: int) -> Floats:
    """Return the difference in each resample: metrics x draws, NaN where there are no cells.

    To first order: weights that are spread for small numbers may be negative, and a quotient of two
    sums of few blocks would then be wild. Nothing can be drawn from a single block, or none.
    """
    kinds, cutoffs, destinations = blocks.gap.shape
    if cutoffs * destinations <= 1:
        return np.full((kinds, draws), np.nan)
    weight = blocks.weight.sum(axis=(1, 2))
    difference = _ratio(blocks.gap.sum(axis=(1, 2)), weight)
    beyond = blocks.gap - difference[:, None, None] * blocks.weight
    by_destination = beyond.reshape(-1, destinations).T
    totals = []
    for count in _batches(draws, most=AT_ONCE // (destinations + kinds * cutoffs)):
        by_run = _times(_cutoffs_drawn(rng, count, cutoffs, blocks.run), cutoffs)
        by_one = _times(rng.integers(destinations, size=(count, destinations)), destinations)
        drawn = _widened(by_one, destinations) @ by_destination
        rows = _widened(by_run, cutoffs / blocks.run)
        totals.append(np.einsum("nkc,nc->kn", drawn.reshape(count, kinds, cutoffs), rows))
    total = np.concatenate(totals, axis=1)
    return difference[:, None] + _ratio(total, np.broadcast_to(weight[:, None], total.shape))


def _cutoffs_drawn(rng: np.random.Generator, count: int, cutoffs: int, run: int) -> Ints:
    """Return as many cutoffs as there are, in runs that go on at the first after the last."""
    starts = rng.integers(cutoffs, size=(count, -(-cutoffs // run)))
    drawn = (starts[:, :, None] + np.arange(run)) % cutoffs
    return drawn.reshape(count, -1)[:, :cutoffs]


def _times(drawn: Ints, size: int) -> Floats:
    """Return how often each of ``size`` items was drawn, by row."""
    flat = (drawn + size * np.arange(len(drawn))[:, None]).reshape(-1)
    counts = np.bincount(flat, minlength=size * len(drawn))
    return counts.reshape(len(drawn), size).astype(float)


def _widened(times: Floats, independent: float) -> Floats:
    """Return weights spread about 1 more than the times drawn, as few items vary too little.

    Of n items resamples vary by (n - 1) / n of the true variance, and their number of degrees of
    freedom calls for Student's interval, not the normal's. One item does not vary at all.
    """
    if independent <= 1:
        return times
    high = INTERVAL[1]
    student = stats.t(df=independent - 1).ppf(high) / stats.norm.ppf(high)
    factor = float(student * np.sqrt(independent / (independent - 1)))
    return 1.0 + factor * (times - 1.0)


def _batches(draws: int, *, most: int) -> Iterator[int]:
    """Yield numbers of draws that add up to all."""
    size = max(1, most)
    for start in range(0, draws, size):
        yield min(size, draws - start)


def _ratio(part: Floats, whole: Floats) -> Floats:
    """Return a quotient, NaN where there is nothing to divide by."""
    return np.asarray(np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0))


def _interval(resampled: Floats) -> tuple[Floats, Floats]:
    """Return p05 and p95 of each row's known values, NaN without any."""
    known = [row[np.isfinite(row)] for row in resampled]
    found = [np.quantile(row, INTERVAL) if len(row) else np.full(2, np.nan) for row in known]
    low, high = np.array(found).T
    return low, high
