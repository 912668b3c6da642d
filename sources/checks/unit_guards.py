"""Guards on units: kilograms given as tonnes show in the unit value or in the weight."""

from typing import Final

import pandas as pd

from sources.checks.cells import objection, places, reason, with_new_cells
from store.facts.batch import FileRows
from store.vocabulary import COMMODITY, WORLD

PLAUSIBLE: Final = (1_000.0, 5_000_000.0)
"""Dollars per tonne. Magnets cost about 50,000; an error by a factor of 1,000 lies outside."""

SLIP: Final = 100.0
"""Ratio to a destination's earlier price; a unit error is about 1,000, prices never move so far."""

MATERIAL_MUSD: Final = 0.1
"""Value a destination must reach to be checked: tiny parcels may have any price."""

MATERIAL_T: Final = 2.0
"""Weight from which it is checked too, in case the value is what is wrong."""

LARGEST_T: Final = 100_000.0
"""Far above any month of the world, which is about 6,000 t."""

LEAP: Final = 50.0
"""Ratio to the largest month so far of a destination of some size with a year of history."""

_HISTORY: Final = 12
_SIZE_T: Final = 10.0
_BATCH_SLIP: Final = 200.0

_VALUES: Final = {
    "net_weight_t": ("value_musd",),
    "mirror_import_t": ("mirror_import_musd", "mirror_import_meur"),
}
"""Values that belong to each weight; a euro is close enough to a dollar."""

_PLACE: Final = ["commodity", "origin", "destination"]
"""Columns that identify a flow with a price and a usual weight, whatever the source."""

_WEIGHT: Final = [*_PLACE, "measure"]

_REMEDY: Final = (
    "Check the unit of weight and value; divide kilograms by 1,000, or correct the source."
)


def units(file: FileRows, new: pd.DataFrame, old: pd.DataFrame) -> list[str]:
    """Object to weights or values that are wrong by about a thousand."""
    new = with_new_cells(new, ["source", *_PLACE, "period_from"])
    return [
        *_implausible_prices(file, new),
        *_moved_prices(file, new, old),
        *_impossible_weights(file, new),
        *_leaps(file, new, old),
        *_moved_weights(file, new, old),
    ]


def prices(cells: pd.DataFrame) -> pd.DataFrame:
    """Return dollars per tonne of the cells with a positive weight and value."""
    parts = []
    for weight, values in _VALUES.items():
        for value in values:
            key = ["source", *_PLACE, "period_from"]
            tonnes = cells.loc[cells["measure"].eq(weight) & cells["value"].gt(0)]
            musd = cells.loc[cells["measure"].eq(value) & cells["value"].gt(0)]
            both = tonnes[[*key, "value"]].merge(musd[[*key, "value"]], on=key)
            parts.append(both.rename(columns={"value_x": "tonnes", "value_y": "musd"}))
    rows = pd.concat(parts, ignore_index=True)
    return rows.assign(price=rows["musd"] * 1e6 / rows["tonnes"])


def _medians(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the median price of each flow, with its value, weight and number of cells."""
    grouped = prices(cells).groupby(_PLACE)
    return grouped.agg(
        price=("price", "median"),
        musd=("musd", "sum"),
        tonnes=("tonnes", "sum"),
        cells=("price", "size"),
    )


def _material(medians: pd.DataFrame) -> pd.DataFrame:
    return medians[(medians["musd"] >= MATERIAL_MUSD) | (medians["tonnes"] >= MATERIAL_T)]


def _implausible_prices(file: FileRows, new: pd.DataFrame) -> list[str]:
    medians = _material(_medians(new))
    low, high = PLAUSIBLE
    wrong = medians[~medians["price"].between(low, high)].reset_index()
    return objection(
        f"Unit values of {len(wrong)} of {len(medians)} destinations are impossible",
        [f"{row.destination} {row.price:,.0f} USD/t" for row in wrong.itertuples()],
        file,
        expected=f"{low:,.0f} to {high:,.0f} USD a tonne (magnets cost about 50,000), so "
        "kilograms and tonnes are probably confused",
        remedy=_REMEDY,
    )


def _moved_prices(file: FileRows, new: pd.DataFrame, old: pd.DataFrame) -> list[str]:
    before = _material(_medians(old))
    before = before.loc[before["cells"] >= _HISTORY // 2, ["price"]].add_suffix("_before")
    both = _material(_medians(new)).join(before, how="inner")
    ratio = both["price"] / both["price_before"]
    wrong = ratio[~ratio.between(1 / SLIP, SLIP)].rename("times").reset_index()
    return objection(
        f"Unit values of {len(wrong)} of {len(both)} destinations moved too far",
        [f"{row.destination} x {row.times:,.4g}" for row in wrong.itertuples()],
        file,
        expected=f"at most x {SLIP:.0f} in either direction from the source's earlier values; "
        "about 1,000 or 0.001 means that kilograms and tonnes are confused",
        remedy=_REMEDY,
    )


def _weights(cells: pd.DataFrame) -> pd.DataFrame:
    return cells[cells["measure"].isin(list(_VALUES))]


def _impossible_weights(file: FileRows, new: pd.DataFrame) -> list[str]:
    weights = _weights(new)
    ours = weights["commodity"].str.contains(COMMODITY[:6], regex=False)
    wrong = weights[ours & weights["value"].gt(LARGEST_T)]
    return objection(
        f"{len(wrong)} weights are impossible",
        places(wrong),
        file,
        expected=f"at most {LARGEST_T:,.0f} t a month, for the whole world has about 6,000",
        remedy=_REMEDY,
    )


def _leaps(file: FileRows, new: pd.DataFrame, old: pd.DataFrame) -> list[str]:
    history = _weights(old).groupby(_WEIGHT)["value"].agg(["max", "size"])
    history = history[(history["size"] >= _HISTORY) & (history["max"] >= _SIZE_T)]
    cells = _weights(new).join(history, on=_WEIGHT, how="inner")
    wrong = cells[cells["value"] > LEAP * cells["max"]]
    return objection(
        f"{len(wrong)} weights leap",
        places(wrong),
        file,
        expected=f"at most {LEAP:.0f} times the largest month known of the destination; a "
        "thousand times means kilograms",
        remedy=_REMEDY,
    )


def _moved_weights(file: FileRows, new: pd.DataFrame, old: pd.DataFrame) -> list[str]:
    """Object where the weights of most destinations changed together by about a thousand."""
    then, now = (_typical(cells) for cells in (old, new))
    ratio = (now / then).dropna()
    if len(ratio) < MANY and not ratio.index.isin([WORLD], level="destination").any():
        return []
    typical = float(ratio.median()) if len(ratio) else 1.0
    if 1 / _BATCH_SLIP <= typical <= _BATCH_SLIP:
        return []
    return [
        reason(
            f"Weights of {len(ratio)} destinations moved together by x {typical:,.4g}",
            file,
            expected=f"at most x {_BATCH_SLIP:.0f} in either direction from the source's earlier "
            "values",
            remedy=_REMEDY,
        )
    ]


MANY: Final = 10
"""Destinations whose weights can only change together by an error."""


def _typical(cells: pd.DataFrame) -> pd.Series:
    """Return the median positive weight of each series."""
    positive = _weights(cells)
    positive = positive[positive["value"] > 0]
    return positive.groupby(_WEIGHT)["value"].median()
