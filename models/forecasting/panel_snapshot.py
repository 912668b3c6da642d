"""What was known of a panel at one moment, and the covariates that are planned ahead."""

from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.panel.partner_table import PartnerTable
from models.reconciliation.tree import Tree, add_sums, tree_of
from sources.files.covariates import Covariates
from store.arrays import Flags, Floats, Ints
from store.errors import DataError
from store.months import YEAR, month_label, month_starts

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
    def at(cls, covariates: Covariates, *, last: int, horizon: int, needed: Flags) -> "KnownFuture":
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
    late = past[:, -YEAR:]
    known = np.isfinite(late)
    count = np.maximum(known.sum(axis=1), 1)
    mean = np.where(known.any(axis=1), np.nan_to_num(late).sum(axis=1) / count, np.nan)
    left = np.arange(horizon)[::-1]
    after = np.cumsum(there[:, ::-1], axis=1)[:, ::-1] - there
    later = np.where(left > 0, after / np.maximum(left, 1) - there, 0.0)
    return np.stack([there, there - mean[:, None], there - past[:, -1:], later], axis=2)


@dataclass(frozen=True, slots=True, eq=False)
class PanelSnapshot:
    """A panel at one moment, ready to be forecast."""

    table: pd.DataFrame = field(repr=False)
    """Tonnes, series x consecutive period numbers up to the cutoff, NaN where missing; with a tree,
    its series."""
    horizon: int
    covariates: Covariates | None = None
    tree: Tree | None = None
    name: str = ""
    """The commodity's code; empty for a panel from a file."""

    @classmethod
    def of(cls, table: PartnerTable) -> "PanelSnapshot":
        """Return a partner table: all destinations, and their sums."""
        tree = tree_of(table.parts, table.tonnes.index)
        tonnes = add_sums(table.tonnes, tree)
        return cls(tonnes, table.horizon, tree=tree, name=table.commodity)

    @property
    def names(self) -> NDArray[np.object_]:
        """Return the names of the series as an array."""
        return self.table.index.to_numpy(dtype=object)

    @property
    def series(self) -> tuple[str, ...]:
        """Return the names of the series."""
        return tuple(self.table.index)

    @property
    def first(self) -> int:
        """Return the number of the first period."""
        return int(self.table.columns[0])

    @property
    def cutoff(self) -> int:
        """Return the number of the last period known."""
        return int(self.table.columns[-1])

    @property
    def tonnes(self) -> Floats:
        """Return series x months up to the cutoff, NaN where missing."""
        return self.table.to_numpy(dtype=float)

    @property
    def months(self) -> pd.DataFrame:
        """Return destination, period, tonnes of every cell; tonnes NaN where missing."""
        return months_of(self.table)

    def at(self, cutoff: int) -> "PanelSnapshot":
        """Return the panel as it was known at an earlier cutoff.

        Raises:
            DataError: The cutoff lies outside the panel.
        """
        check_cutoff(cutoff, first=self.first, final=self.cutoff)
        return replace(self, table=self.table.loc[:, :cutoff])


def known_months(table: PartnerTable) -> pd.DataFrame:
    """Return destination, period, tonnes of every known month of a partner table, sums too."""
    return PanelSnapshot.of(table).months.dropna(subset=["tonnes"]).reset_index(drop=True)


def check_cutoff(cutoff: int, *, first: int, final: int) -> None:
    """Check that a cutoff lies within the periods of a panel, all as their numbers.

    Raises:
        DataError: It does not.
    """
    if not first <= cutoff <= final:
        raise DataError(
            f"Cutoff {month_label(cutoff)} lies outside the panel, which runs from "
            f"{month_label(first)} to {month_label(final)}. "
            f"Expected a month within it. Take another --cutoffs."
        )


def months_of(table: pd.DataFrame) -> pd.DataFrame:
    """Return destination, period, tonnes of every cell of a table; tonnes NaN where missing."""
    known = table.rename_axis("destination").melt(
        var_name="number", value_name="tonnes", ignore_index=False
    )
    months = month_starts(known["number"].to_numpy(dtype=np.int64))
    return known.assign(period=months).reset_index()[["destination", "period", "tonnes"]]


def shift_of(values: Floats) -> Floats:
    """Return what to add to each series so that the engine, which knows shares, can forecast it.

    A series that falls below zero is lifted until its lowest value is as far above zero as its
    highest is above its lowest; others stay as they are.

    Args:
        values: Series x months, NaN where missing.
    """
    lowest, highest = np.fmin.reduce(values, axis=1), np.fmax.reduce(values, axis=1)
    return np.asarray(np.where(lowest < 0, highest - 2 * lowest, 0.0))
