"""Forecasts of some series of a panel as quantiles."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.learning.heads import Heads
from models.registry.served import HeadValues, mean_of_quantiles
from store.arrays import Floats, Ints, join
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


def head_values(heads: Heads, features: NDArray[np.float32]) -> HeadValues:
    """Return what the low, middle and high head say of cells, in order, as distances in spreads."""
    low, middle, high = (
        np.asarray(head.predict(features, num_threads=1)) for head in heads.values()
    )
    return np.minimum(low, middle), middle, np.maximum(high, middle)
