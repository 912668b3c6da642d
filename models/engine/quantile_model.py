"""What the experts miss: three LightGBM quantile heads, and the quantiles that come of them."""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final

import lightgbm as lgb
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.engine.training_set import PanelTrainingSet
from models.learning.calibration import Heads, TrainingRows, binned, fit_heads
from models.learning.spec import Spec
from models.registry.served import HeadValues, mean_of_quantiles
from store.arrays import Flags, Floats, Ints, join
from store.errors import DataError
from store.months import month_label, month_starts
from store.vocabulary import QUANTILE_COLUMNS, QUANTILES


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Forecasts of some series."""

    rows: Ints
    """Which series of the panel."""
    tonnes: Floats
    """Series x months x ``QUANTILES``, non-decreasing, at least 0."""
    mean: Floats
    """Series x months."""
    middle: Floats
    """Median of the experts, series x months."""
    experts: dict[str, Floats]
    """Each expert's forecast, series x months."""

    @staticmethod
    def joined(parts: "Iterable[Quantiles]") -> "Quantiles":
        """Return the forecasts of several chunks as one."""
        some = list(parts)
        if not some:
            raise DataError(
                "No series has a value in the year before the cutoff. Expected at least one. "
                "Take an earlier cutoff."
            )
        return join(some)

    def with_tonnes(self, tonnes: Floats) -> "Quantiles":
        """Return other quantiles of the same series, e.g. an expert's, and the means they imply."""
        return replace(self, tonnes=tonnes, mean=mean_of(tonnes))

    def lowered(self, amount: Floats) -> "Quantiles":
        """Return forecasts lower by an amount for each series of the panel."""
        own = amount[self.rows, None]
        return replace(self, tonnes=self.tonnes - own[:, :, None], mean=self.mean - own)

    def table(self, names: NDArray[np.object_], cutoff: int) -> pd.DataFrame:
        """Return the forecasts as rows: destination, cutoff, period, horizon, quantiles, mean.

        Args:
            cutoff: Number of the last known month.
        """
        count, months = self.mean.shape
        ahead = np.arange(1, months + 1)
        frame = pd.DataFrame(
            {
                "destination": np.repeat(names[self.rows], months),
                "cutoff": month_label(cutoff),
                "period": np.tile(month_starts(cutoff + ahead).to_numpy(), count),
                "horizon": np.tile(ahead, count),
            }
        )
        quantiles = pd.DataFrame(
            self.tonnes.reshape(count * months, len(QUANTILES)), columns=list(QUANTILE_COLUMNS)
        )
        return pd.concat([frame, quantiles], axis=1).assign(mean=self.mean.reshape(-1))


def mean_of(tonnes: Floats) -> Floats:
    """Return the means that quantiles imply; series x months x levels in, series x months out."""
    levels = np.asarray(QUANTILES)
    return mean_of_quantiles(tonnes.reshape(-1, len(levels)), levels).reshape(tonnes.shape[:2])


LEAST_CELLS: Final = 200
"""Training rows below which no model is fitted."""

FURTHEST_OUTCOME: Final = 100.0
"""Spreads beyond which an outcome is no further to the trees: the growth of a series that explodes
would else fill whole leaves, and other series fall into them."""


def fitted(
    known: PanelTrainingSet, parts: Sequence[Flags], last: int, spec: Spec
) -> list[Heads | None]:
    """Return the heads of each part of the cells, fitted at once; None where cells are too few.

    What all of them see is binned once.

    Args:
        parts: Which cells; at most ``spec.rows`` of each part are seen.
        last: Column of the last month known.
    """
    chosen = [_chosen(part, spec) for part in parts]
    seen = np.unique(np.concatenate(chosen))
    target = np.clip(known.target[seen], -FURTHEST_OUTCOME, FURTHEST_OUTCOME)
    weight = known.weight[seen] * 0.5 ** ((last - known.origin[seen]) / spec.half_life_months)
    whole = binned(TrainingRows(known.features[seen], target, weight), spec)

    def fit(cells: NDArray[np.intp], table: lgb.Dataset | None) -> Heads | None:
        return None if table is None else fit_heads(table, spec, rows=len(cells))

    tables = [_part_of(whole, np.searchsorted(seen, cells)) for cells in chosen]
    with ThreadPoolExecutor(spec.threads) as pool:
        return list(pool.map(fit, chosen, tables))


def _chosen(part: Flags, spec: Spec) -> NDArray[np.intp]:
    cells = np.flatnonzero(part)
    if len(cells) <= spec.rows:
        return cells
    draw = np.random.default_rng(spec.seed)
    return np.sort(draw.choice(cells, spec.rows, replace=False))


def _part_of(whole: lgb.Dataset, cells: NDArray[np.intp]) -> lgb.Dataset | None:
    return None if len(cells) < LEAST_CELLS else whole.subset(cells.tolist()).construct()


def head_values(heads: Heads, features: NDArray[np.float32]) -> HeadValues:
    """Return what the low, middle and high head say of cells, in order, as distances in spreads."""
    low, middle, high = (
        np.asarray(head.predict(features, num_threads=1)) for head in heads.values()
    )
    return np.minimum(low, middle), middle, np.maximum(high, middle)
