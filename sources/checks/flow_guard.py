"""Guard on the direction of trade: a table of imports has the headings of one of exports."""

from typing import Final

import numpy as np
import pandas as pd

from sources.base import SourceInfo
from sources.checks.cells import objection
from store.facts.batch import FileRows
from store.vocabulary import COMMODITY, ORIGIN

MATERIAL_T: Final = 10.0
"""Tonnes a month from which a weight is compared."""

SMALL_T: Final = 0.001
"""Stands for no weight in a ratio."""

SAME_MONTH: Final = 1.5
"""Median ratio to other sources' figures of the same destinations and months; they differ by a few
percent, China's imports and exports by five and more."""

USUAL: Final = 6.0
"""Median ratio to the usual month of the same destinations, where no figure of the month is
known; in May 2025, the deepest fall so far, it was about 4."""

_PLACE: Final = ["commodity", "origin", "destination", "measure"]

_REMEDY: Final = (
    "They may be imports, or of another commodity: look at what was asked of the site. If they are "
    "right, release them."
)


def direction(file: FileRows, new: pd.DataFrame, old: pd.DataFrame, info: SourceInfo) -> list[str]:
    """Object to a table by partner whose weights are not those known of China's exports."""
    if info.completeness is None:
        return []
    fresh, known = (
        cells[cells["commodity"].eq(COMMODITY) & cells["measure"].eq("net_weight_t")]
        for cells in (new[new["is_new"]], old)
    )
    others = known[known["source"].ne(file.source)]
    same = fresh.merge(others, on=[*_PLACE, "period_from"], suffixes=("", "_known"))
    own = fresh[fresh["destination"].eq(ORIGIN)]
    found = objection(
        f"China is its own partner in {len(own)} months, which is so of imports only",
        [f"{month:%Y-%m}" for month in own["period_from"]],
        file,
        expected="exports",
        remedy=_REMEDY,
    )
    if _is_comparable(same):
        return [*found, *_apart(file, same, SAME_MONTH, "in the same months, from other sources")]
    usual = _usual_month(fresh).merge(_usual_month(known), on=_PLACE, suffixes=("", "_known"))
    return [*found, *_apart(file, usual, USUAL, "in a usual month")]


def _usual_month(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the median month with trade; a month without any shows no direction."""
    traded = cells[cells["value"].gt(0)]
    return traded.groupby(_PLACE)["value"].median().reset_index()


def _is_comparable(pairs: pd.DataFrame) -> bool:
    return bool(_material(pairs).any())


def _material(pairs: pd.DataFrame) -> "pd.Series[bool]":
    return pairs[["value", "value_known"]].max(axis=1).ge(MATERIAL_T)


def _apart(file: FileRows, pairs: pd.DataFrame, factor: float, when: str) -> list[str]:
    """Object where the median weight is too far from the one known."""
    large = pairs[_material(pairs)]
    here, known = (large[name].clip(lower=SMALL_T) for name in ("value", "value_known"))
    if large.empty or np.median(np.maximum(here / known, known / here)) <= factor:
        return []
    return objection(
        f"Weights are far from those known of China's exports {when}",
        [
            f"{row.destination} {row.value:,.1f} t against {row.value_known:,.1f} t"
            for row in large.itertuples()
        ],
        file,
        expected=f"at most x {factor:g} in either direction at the median of {len(large)}",
        remedy=_REMEDY,
    )
