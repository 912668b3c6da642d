"""What was known of a panel at one moment: a panel from a file, or a full partner table."""

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.months import month_label, month_starts
from features.panel.partner_table import PartnerTable
from models.policy.panel_response import PanelResponse
from models.reconciliation.tree import Tree, add_sums, tree_of
from sources.files.covariates import Covariates
from store.errors import DataError


@dataclass(frozen=True, slots=True, eq=False)
class PanelSnapshot:
    """A panel at one moment, ready to be forecast."""

    table: pd.DataFrame = field(repr=False)
    """Tonnes, series x consecutive month numbers up to the cutoff, NaN where missing; with a tree,
    its series."""
    horizon: int
    covariates: Covariates | None = None
    tree: Tree | None = None
    response: PanelResponse | None = None
    """Controls on some of the series; not together with a tree."""
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
        """Return the first month, as a month number."""
        return int(self.table.columns[0])

    @property
    def cutoff(self) -> int:
        """Return the last month known, as a month number."""
        return int(self.table.columns[-1])

    @property
    def tonnes(self) -> NDArray[np.float64]:
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
    """Check that a cutoff lies within the months of a panel, all as month numbers.

    Raises:
        DataError: It does not.
    """
    if not first <= cutoff <= final:
        raise DataError(
            f"Cutoff {month_label(cutoff)} lies outside the panel, which runs from "
            f"{month_label(first)} to {month_label(final)}. "
            "Expected a month within it. Take another --cutoffs."
        )


def months_of(table: pd.DataFrame) -> pd.DataFrame:
    """Return destination, period, tonnes of every cell of a table; tonnes NaN where missing."""
    known = table.rename_axis("destination").melt(
        var_name="number", value_name="tonnes", ignore_index=False
    )
    months = month_starts(known["number"].to_numpy(dtype=np.int64))
    return known.assign(period=months).reset_index()[["destination", "period", "tonnes"]]
