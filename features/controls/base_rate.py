"""How often a strong control first hits a mineral: the base rate of those nobody has announced.

All minerals named in an act known by then were at risk until the first strong control on all
destinations was announced. Recent months count more, since controls came in waves.
"""

from typing import Final

import numpy as np
import pandas as pd

from features.controls.analogs import is_strong_control
from features.months import month_number, month_numbers
from features.track_record import TrackRecord
from store.asof import EVENT_KEY, known_at

MATERIAL: Final = "material"
"""Column of acts on other minerals that names whom they are on, by semicolons."""

HALF_LIFE: Final = 12.0
"""Months after which a month counts half. Of 3, 6, 12, 24 and 36 months and all alike it foretold
the first controls until March 2025 best (docs/adr/0058-bands-that-hold.md)."""

PRIOR: Final = (0.1, 50.0)
"""First controls and months at risk, counted before any record."""


def first_control_rate(record: TrackRecord) -> float:
    """Return the chance that a mineral without a strong control gets one in a month, 0 to 1.

    Args:
        record: What is known of acts at a moment; 0 where it holds none on other minerals.
    """
    tables = [one for one in record.acts if MATERIAL in one]
    if not tables:
        return 0.0
    known = pd.concat([known_at(one, key=EVENT_KEY, as_of=record.as_of) for one in tables])
    known = known.loc[known["announced_on"] <= record.day]
    if known.empty:
        return 0.0
    today, first = month_number(record.day), int(month_numbers(known["announced_on"]).min())
    strong = known.loc[is_strong_control(known)]
    hit = _first_months(strong)
    months = np.arange(first, today + 1)
    counted = 0.5 ** ((today - months) / HALF_LIFE)
    hits, at_risk = PRIOR
    for material in _first_months(known):
        last = hit.get(material, today)
        at_risk += float(counted[months <= last].sum())
        hits += float(counted[last - first]) if material in hit else 0.0
    return hits / at_risk


def _first_months(acts: pd.DataFrame) -> dict[str, int]:
    """Return by material the month in which its first act was announced."""
    named = acts[MATERIAL].str.split(r"\s*;\s*", regex=True)
    months = acts.assign(month=month_numbers(acts["announced_on"]), **{MATERIAL: named})
    found = months.explode(MATERIAL).groupby(MATERIAL)["month"].min()
    return {str(name): int(month) for name, month in found.items()}
