"""Calendar features of the target month, available at any origin."""

from typing import Final

import numpy as np

from features.lunar_new_year import lunar_new_year_days
from features.origin import Feature, Origin
from store.arrays import Floats
from store.months import Months, month_starts


def _entry(name: str, unit: str, meaning: str) -> Feature:
    return Feature(name, unit, meaning, "Gregorian and Chinese calendars", "always", "season")


FEATURES: Final = (
    _entry("month_of_year", "1 to 12", "month of the target"),
    _entry("weekdays", "days", "Mondays to Fridays of the target month"),
    _entry(
        "lunar_new_year_days",
        "days",
        "days of the target month within the standstill around Lunar New Year",
    ),
    _entry(
        "lunar_new_year_shift_days", "days", "those days less those of the same month a year before"
    ),
)


def compute(origin: Origin) -> dict[str, Floats]:
    """Calendar features, each 1 x targets."""
    targets = origin.targets
    days = lunar_new_year_days(np.concatenate([targets - 12, targets]))
    before, standstill = np.split(days, 2)
    values = {
        "month_of_year": (targets % 12 + 1).astype(float),
        "weekdays": _weekdays(targets),
        "lunar_new_year_days": standstill,
        "lunar_new_year_shift_days": standstill - before,
    }
    return {name: value[None, :] for name, value in values.items()}


def _weekdays(months: Months) -> Floats:
    starts = month_starts(months).to_numpy().astype("datetime64[D]")
    ends = month_starts(months + 1).to_numpy().astype("datetime64[D]")
    return np.busday_count(starts, ends).astype(float)
