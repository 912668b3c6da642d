"""On how many days a forecast from the newest due release stood, and what that leaves to spend."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from models.monitoring.readings import Reading
from sources.bundled.release_calendar import ReleaseCalendar

GRACE_DAYS: Final = 2
"""Days after a release that figures and forecast may take."""

TARGETS: Final[Mapping[int, float]] = {90: 0.97, 365: 0.99}
"""Share of days, by days looked back on: two days of ninety, three of a year may be missed."""


@dataclass(frozen=True, slots=True)
class PublishedMoment:
    """A publication: the moment it stands at, and when it could be read (both UTC)."""

    as_of: pd.Timestamp
    published_at: pd.Timestamp


def freshness(
    publications: Sequence[PublishedMoment],
    figures: pd.DataFrame,
    calendar: ReleaseCalendar,
    *,
    now: pd.Timestamp,
) -> list[Reading]:
    """Return the share of fresh days, one reading a window of ``TARGETS``.

    A day is fresh if at its end a forecast could be read that stands at the newest release due
    ``GRACE_DAYS`` before, or later. Days on which nobody could know that month's figures are left
    out: customs were late, not we. Nothing is asked of days before the first publication.

    Args:
        publications: All of them, any order.
        figures: period_to and available_at of China's figures; not modified.
        calendar: When months were, or are, due.
        now: The moment of asking (UTC); its day is not over and does not count.
    """
    if not publications:
        return []
    ordered = sorted(publications, key=lambda one: one.published_at)
    today = now.normalize()
    first = ordered[0].published_at.normalize() + pd.Timedelta(days=1)
    start = max(first, today - pd.Timedelta(days=max(TARGETS)))
    days = pd.date_range(start, today - pd.Timedelta(days=1), freq="D")
    fresh = np.array([_is_fresh(day, ordered, figures, calendar) for day in days], dtype=float)
    return [_judged(fresh[-window:], window, target) for window, target in TARGETS.items()]


def _is_fresh(
    day: pd.Timestamp,
    publications: Sequence[PublishedMoment],
    figures: pd.DataFrame,
    calendar: ReleaseCalendar,
) -> float:
    """Return 1 for a fresh day, 0 for one that is not, NaN for one that does not count."""
    end = day + pd.Timedelta(days=1)
    due = calendar.last_released(day - pd.Timedelta(days=GRACE_DAYS))
    due_on = calendar.released_on(due).tz_localize("UTC")
    stood = max(one.as_of for one in publications if one.published_at <= end)
    if stood >= due_on:
        return 1.0
    is_known = (figures["period_to"] >= due) & (figures["available_at"] <= end)
    return 0.0 if is_known.any() else np.nan


def _judged(
    fresh: "np.ndarray[tuple[int], np.dtype[np.float64]]", window: int, target: float
) -> Reading:
    counted = fresh[np.isfinite(fresh)]
    days, missed = len(counted), int((counted == 0.0).sum())
    share = float(counted.mean()) if days else 1.0
    late = len(fresh) - days
    left = int((1.0 - target) * window) - missed
    if not len(fresh):
        words = "no full day has passed since the first publication"
        return Reading("slo", f"{window} days", share, target, 0, False, words)  # noqa: FBT003
    words = (
        f"a forecast from the newest due release stood on {days - missed} of {days} days of the "
        f"last {window} ({share:.1%}; target {target:.0%}); {max(left, 0)} more may be missed"
        + (f"; on {late} days the figures themselves were late" if late else "")
        + (f"; the budget is overdrawn by {-left} days" if left < 0 else "")
    )
    return Reading("slo", f"{window} days", share, target, days, left < 0, words)
