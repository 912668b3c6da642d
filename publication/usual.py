"""The usual month of a destination: one number a year, which no figure loaded later moves."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pandas as pd

from store.publications.panels import StoredPanel

USUAL_MONTHS: Final = 36
"""Months before the year whose median is the usual: half a year of collapse moves it by little."""


@dataclass(frozen=True, slots=True)
class Usual:
    """Median of the months before a year, as the first publication of the year has them."""

    tonnes: float = np.nan
    """A month; NaN where no month before the year is known."""
    first: pd.Timestamp | None = None
    last: pd.Timestamp | None = None
    months: int = 0
    estimates: int = 0
    """How many of the months were estimates."""
    year_before: float = np.nan
    """The same of the year before; NaN where nothing was published in it."""

    @property
    def record(self) -> float | None:
        """Tonnes to the kilogram, as files have them."""
        return round(self.tonnes, 3) if self.tonnes > 0 else None


def usual_at(
    publications: pd.DataFrame,
    panels: Mapping[str, StoredPanel],
    as_of: pd.Timestamp,
    panel: StoredPanel,
) -> Mapping[str, Usual]:
    """Usual months by destination of a publication.

    Args:
        publications: Recorded ones of its commodity; those of a later ``as_of`` do not count.
        panels: By digest.
        panel: Of the publication itself, which is the first of its year if no other is.
    """
    is_earlier = publications["state"].eq("published") & publications["as_of"].le(as_of)
    rows = publications.loc[is_earlier & publications["panel"].isin(list(panels))]
    first = rows.sort_values(["published_at", "id"]).groupby(rows["as_of"].dt.year)["panel"].first()
    year = as_of.year
    usual = usual_months(panels[first[year]] if year in first else panel, year)
    before = usual_months(panels[first[year - 1]], year - 1) if year - 1 in first else {}
    return {
        name: replace(part, year_before=before.get(name, Usual()).tonnes)
        for name, part in usual.items()
    }


def usual_months(panel: StoredPanel, year: int) -> dict[str, Usual]:
    """Usual months of a year by destination, as a panel has the months before it."""
    january, months = pd.Timestamp(year=year, month=1, day=1), panel.months.dropna(subset="tonnes")
    start = january - pd.DateOffset(months=USUAL_MONTHS)
    rows = months.loc[months["period"].lt(january) & months["period"].ge(start)]
    return {
        str(name): Usual(
            float(part["tonnes"].median()),
            part["period"].min(),
            part["period"].max(),
            len(part),
            int(part["kind"].eq("estimated").sum()),
        )
        for name, part in rows.groupby("destination")
    }
