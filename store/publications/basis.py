"""To which month each destination is published, and how its last twelve months are known."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
import pandas as pd

from store.months import YEAR

BASIS_COLUMNS: Final = (
    "published_to", "published_share", "derived_share", "estimated_share", "estimate_error",
)  # fmt: skip
"""Columns of a file of destinations, and the last of a forecast file that is downloaded."""

STDERR_BAND: Final = 1.28
"""Standard errors to either side of an estimated month; about 80% for a normal error."""


@dataclass(frozen=True, slots=True)
class Basis:
    """How one destination is known; its year are the twelve months up to the world's cutoff."""

    published_to: str
    """Last month published, ``YYYY-MM``, of the cutoff or later; empty where none ever was."""
    published: int
    """Months of the year that were published."""
    derived: int
    """Months that follow from other figures."""
    estimated: int
    error: float
    """Half of the 80% range of an estimated month as a share of it, their median; else NaN."""
    since: int
    """Estimated months of the year after the last that was published."""

    @property
    def record(self) -> dict[str, object]:
        """Values of ``BASIS_COLUMNS``; None if not applicable."""
        months = (self.published, self.derived, self.estimated)
        shares = [round(count / max(sum(months), 1), 4) for count in months]
        error = None if np.isnan(self.error) else round(self.error, 4)
        return dict(zip(BASIS_COLUMNS, (self.published_to or None, *shares, error), strict=True))


def bases_of(panel: pd.DataFrame, cutoff: str) -> Mapping[str, Basis]:
    """The basis of every destination of a panel (``PANEL_COLUMNS``) up to a month ``YYYY-MM``."""
    last = pd.Timestamp(f"{cutoff}-01")
    error = STDERR_BAND * panel["stderr_t"] / panel["tonnes"].where(panel["tonnes"] > 0)
    rows = panel.assign(error=error.where(panel["kind"].eq("estimated")))
    in_year = rows["period"].le(last) & rows["period"].gt(last - pd.DateOffset(months=YEAR))
    year = dict(list(rows.loc[in_year].groupby("destination")))
    observed = rows.loc[rows["kind"].eq("observed")]
    to = observed.groupby("destination")["period"].max().to_dict()
    return MappingProxyType(
        {str(name): _basis(to.get(name), months) for name, months in year.items()}
    )


def _basis(to: pd.Timestamp | None, year: pd.DataFrame) -> Basis:
    counts = Counter(year["kind"])
    estimated = year.loc[year["kind"].eq("estimated"), "period"]
    return Basis(
        published_to="" if to is None else f"{to:%Y-%m}",
        published=counts["observed"],
        derived=counts["derived"],
        estimated=counts["estimated"],
        error=float(year["error"].median()),
        since=len(estimated) if to is None else int((estimated > to).sum()),
    )
