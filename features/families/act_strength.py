"""The strength of an act on exports of magnets or of a mineral, from instrument and wording.

Both could be read on the day of its announcement; ``severity`` was rated afterwards: it is unused.
"""

import re
from functools import lru_cache
from typing import Final

import numpy as np
import pandas as pd

from store.arrays import Floats

INSTRUMENT_STRENGTH: Final = {
    "export_ban": 1.0,
    "export_control": 0.8,
    "tariff_increase": 0.6,
    "tariff_decrease": 0.6,
    "export_licence_relaxation": 0.6,
    "truce": 0.5,
    "entity_list": 0.3,
    "quota": 0.3,
    "trade_talks": 0.2,
    "legal_ruling": 0.2,
    "supply_deal": 0.1,
    "stockpile": 0.1,
    "subsidy": 0.1,
    "investigation": 0.1,
    "other": 0.1,
}
"""Strength of an instrument by its nature: a stop, a licence, a price, a list, an announcement."""

PRODUCT_STRENGTH: Final = (
    (
        (
            r"not 8505\.11|8505\.11 dropped|no 8505|not magnets|not product-specific|"
            r"technology|equipment"
        ),
        0.1,
    ),
    (r"no magnet|magnets not named|recoverable|end-of-life", 0.1),
    (r"magnets with|foreign-made goods", 0.9),
    (r"8505\.11|magnet|all goods|nearly all goods", 1.0),
    (r"RE controls|measures 5", 0.9),
    (r"dual-use items incl\. controlled|Sm;Gd;Tb", 0.6),
    (r"dual-use", 0.3),
)
"""Share of magnet trade that the wording of an act covers, by the first matching pattern; else
0.1."""

WEAK_WORDING: Final = r"technology|equipment|smuggling"
"""Wording of acts that do not stop goods."""

WEAK_SHARE: Final = 0.1
"""Share of a mineral's exports that such an act covers."""

NARROW_WORDING: Final = r"\bonly\b|\bat once\b|\bmostly free\b"
"""Wording of acts on a few grades of a mineral."""

NARROW_SHARE: Final = 0.3

CONTROLS: Final = ("export_ban", "export_control", "entity_list", "quota")

TARIFF_ACTS: Final = ("tariff_increase",)

STRONG: Final = 0.5
"""Strength from which a control counts as a shock."""


def act_strength(events: pd.DataFrame) -> Floats:
    """Return the strength of each act on magnet exports, 0 to 1, from instrument and products."""
    nature = events["instrument"].map(INSTRUMENT_STRENGTH).astype(float)
    return np.asarray(product_share(events) * nature.to_numpy(), dtype=np.float64)


def mineral_strength(events: pd.DataFrame) -> Floats:
    """Return the strength of each act on the exports of its own mineral, 0 to 1."""
    wording = events["legal_reference"].str.cat(events["products"], sep=" ")
    share = np.where(wording.str.contains(NARROW_WORDING, regex=True), NARROW_SHARE, 1.0)
    share = np.where(wording.str.contains(WEAK_WORDING, regex=True), WEAK_SHARE, share)
    nature = events["instrument"].map(INSTRUMENT_STRENGTH).astype(float)
    return np.asarray(share * nature.to_numpy(), dtype=np.float64)


def product_share(events: pd.DataFrame) -> Floats:
    """Return the share of magnet trade that each act's wording covers, 0 to 1."""
    return np.array([_covered(str(wording)) for wording in events["products"]], dtype=np.float64)


@lru_cache(maxsize=4096)
def _covered(wording: str) -> float:
    return next((share for found, share in PRODUCT_STRENGTH if re.search(found, wording)), 0.1)
