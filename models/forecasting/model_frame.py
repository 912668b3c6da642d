"""Rows to ask the magnets' model about, past origins as rows to learn from, and fitted heads.

Features are as known then, targets as known now.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import pandas as pd

from features.build import ALL_FEATURES, base_of, feature_block, frame_of
from features.months import month_label
from features.origin import Origin
from models.learning.calibration import Heads, TrainingRows, binned, fit_heads
from models.learning.spec import Spec
from models.registry.served import EXPERTS_TONNES
from models.statistical.experts import EXPERTS, IN_MEDIAN
from models.statistical.seasonality import season_profiles
from store.arrays import Floats
from store.errors import DataError


@dataclass(frozen=True, slots=True)
class TrainingSet(TrainingRows):
    """Rows of (series, past origin, target month).

    The target is the log ratio of the month to the base of the forecast
    (``features.build.base_of``); of an estimated month a draw within its standard error, so that
    heads learn how far months lie apart, not how smooth estimates are. Weights are about one on
    average, small for uncertain cells and old origins.
    """

    names: tuple[str, ...]
    """Of the features."""


def rows_of(origin: Origin) -> pd.DataFrame:
    """Return the rows that a model is asked about at an origin.

    Returns:
        As ``features.build.frame_of``, and experts_tonnes: the middle of the experts.
    """
    return frame_of(origin).assign(**{EXPERTS_TONNES: experts_middle(origin).reshape(-1)})


@lru_cache(maxsize=128)
def experts_middle(origin: Origin) -> Floats:
    """Return the median of the statistical experts, series x targets, in tonnes.

    They see nothing but the months up to the cutoff, estimates among them.
    """
    season = season_profiles(origin.tonnes)
    ahead = [EXPERTS[name].ahead(origin.tonnes, season, len(origin.targets)) for name in IN_MEDIAN]
    return np.asarray(np.median(np.nan_to_num(np.stack(ahead)), axis=0))


def training_set(past: Sequence[Origin], now: Origin, spec: Spec) -> TrainingSet:
    """Return the rows that past origins teach at ``now``.

    Args:
        past: Origins at earlier moments, with the series of ``now``.
    """
    parts = [part for origin in past if (part := _rows_of(origin, now, spec)) is not None]
    if not parts:
        raise DataError(
            f"Nothing to train on at cutoff {month_label(now.cutoff)}. Expected at least one "
            "earlier origin with a target month that is known by now. "
            "Take a later --as-of or cutoff."
        )
    names = parts[0][0]
    features, target, weight = (np.concatenate([part[i] for part in parts]) for i in (1, 2, 3))
    return TrainingSet(features, target, weight / weight.mean(), names)


@lru_cache(maxsize=128)
def outcome(origin: Origin, now: Origin) -> tuple[Floats, Floats]:
    """Return log ratio to the base and log standard error of an origin's targets.

    Both are series x targets as known at ``now``; months that are not known then are NaN.
    """
    column = origin.targets - now.first
    known = origin.targets <= now.cutoff
    tonnes = np.full((len(origin.series), len(column)), np.nan)
    stderr = np.full_like(tonnes, np.nan)
    tonnes[:, known] = now.tonnes[:, column[known]]
    stderr[:, known] = now.stderr[:, column[known]]
    offset = origin.offset[:, None]
    ratio = np.log((np.maximum(tonnes, 0.0) + offset) / (base_of(origin) + offset))
    return ratio, stderr


def _rows_of(
    origin: Origin, now: Origin, spec: Spec
) -> tuple[tuple[str, ...], Floats, Floats, Floats] | None:
    ratio, stderr = outcome(origin, now)
    usable = np.isfinite(ratio) & (stderr <= spec.stderr_limit)
    if not usable.any():
        return None
    names, block = feature_block(origin)
    age = (now.cutoff - origin.cutoff) / spec.half_life_months
    certainty = spec.cell_noise**2 / (spec.cell_noise**2 + stderr[usable] ** 2)
    drawn = np.random.default_rng([spec.seed, origin.cutoff]).standard_normal(ratio.shape)
    target = (ratio + stderr * drawn)[usable]
    return names, block[usable], target, certainty * 0.5**age


_MONOTONE: Final = {feature.name: feature.monotone for feature in ALL_FEATURES}


def heads_of(data: TrainingSet, spec: Spec) -> Heads:
    """Return the heads fitted to some rows."""
    monotone = [_MONOTONE.get(name, 0) for name in data.names]
    table = binned(data, spec, data.names)
    return fit_heads(table, spec, rows=len(data), monotone=monotone)
