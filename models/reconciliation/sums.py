"""Whether a forecast's sums are what their members add up to."""

from typing import Final

import numpy as np
import pandas as pd

from store.vocabulary import AGGREGATES, EU27, WORLD

TOLERANCE: Final = 1e-6
"""Share of a sum that rounding may take."""


def broken_sums(table: pd.DataFrame) -> list[str]:
    """Say which sums of the means do not add up, and where EU27 is below a member of it.

    Args:
        table: destination, period and mean, one row each; a world, and EU27 if it is told.
            Not modified.
    """
    mean = table.pivot_table(index="period", columns="destination", values="mean")
    found = []
    if WORLD in mean:
        parts = mean[[name for name in mean if name not in AGGREGATES]].sum(axis=1)
        found += _apart(WORLD, mean[WORLD], parts)
    members = [name for name in AGGREGATES[EU27] if name in mean]
    if EU27 in mean and len(members) == len(AGGREGATES[EU27]):
        found += _apart(EU27, mean[EU27], mean[members].sum(axis=1))
    if EU27 in mean:
        slack = mean[EU27] * (1 + TOLERANCE)
        found += [
            f"{EU27} is below {name} in {period}"
            for name in members
            for period in mean.index[mean[name] > slack]
        ]
    return found


def _apart(name: str, stated: "pd.Series[float]", parts: "pd.Series[float]") -> list[str]:
    off = ~np.isclose(stated, parts, rtol=TOLERANCE, atol=TOLERANCE)
    return [
        f"{name} has {stated[period]:,.1f} t in {period}, its members {parts[period]:,.1f} t"
        for period in stated.index[off]
    ]
