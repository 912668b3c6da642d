"""Known-future covariates as features: what is planned for the target month and around it."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sources.files.covariates import Covariates

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

YEAR: Final = 12

VIEWS: Final = ("there", "less_year", "less_now", "later_less_there")
"""Of each covariate: its value in the target month, less the mean of the last year, less the last
known value, and the mean of the planned months after the target less that month's."""


@dataclass(frozen=True, slots=True)
class KnownFuture:
    """Covariates as the engine takes them; call it with an origin."""

    covariates: Covariates
    horizon: int
    units: Floats
    """Usual change of each covariate over a year, in its own unit."""

    @classmethod
    def at(
        cls, covariates: Covariates, *, last: int, horizon: int, needed: NDArray[np.bool_]
    ) -> "KnownFuture":
        """Return the features for a cutoff.

        Args:
            covariates: All of them.
            last: Column of the cutoff in the panel's table.
            horizon: Months to forecast.
            needed: Which series are to be forecast.

        Raises:
            DataError: A value of a needed series in a month to forecast is not known.
        """
        known = covariates.at(covariates.first + last, horizon, needed=needed)
        change = np.abs(known[:, :, YEAR:] - known[:, :, :-YEAR]).reshape(len(known), -1)
        count = np.isfinite(change).sum(axis=1)
        usual = np.nan_to_num(change).sum(axis=1) / np.maximum(count, 1)
        return cls(covariates, horizon, np.where(usual > 0, usual, 1.0))

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the features."""
        return tuple(f"{name}_{view}" for name in self.covariates.names for view in VIEWS)

    def __call__(self, origin: int, rows: Ints | slice) -> NDArray[np.float32]:
        """Return series x months x names at an origin, in usual changes; NaN where not known then.

        Args:
            origin: Column of the last month known.
            rows: Which series.
        """
        view = self.covariates.view(self.covariates.first + origin, self.horizon)[:, rows]
        pairs = zip(view, self.units, strict=True)
        parts = [_views(one / unit, self.horizon) for one, unit in pairs]
        return np.concatenate(parts, axis=2).astype(np.float32)


def _views(values: Floats, horizon: int) -> Floats:
    """Return series x months x ``VIEWS`` of one covariate up to the last month to forecast."""
    there = values[:, -horizon:]
    past = values[:, :-horizon]
    year = past[:, -YEAR:]
    known = np.isfinite(year)
    count = np.maximum(known.sum(axis=1), 1)
    mean = np.where(known.any(axis=1), np.nan_to_num(year).sum(axis=1) / count, np.nan)
    left = np.arange(horizon)[::-1]
    after = np.cumsum(there[:, ::-1], axis=1)[:, ::-1] - there
    later = np.where(left > 0, after / np.maximum(left, 1) - there, 0.0)
    return np.stack([there, there - mean[:, None], there - past[:, -1:], later], axis=2)
