"""Forecasts that neither history nor events explain, and changes that need a person's review."""

from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np
import pandas as pd

from features.controls.levers import charged_by
from features.families.policy import STRONG, act_strength
from features.origin import Origin
from features.panel.estimation import DERIVED_STDERR
from features.panel.evidence_panel import EvidencePanel
from store.arrays import Flags, Floats
from store.messages import Message, message
from store.months import month_label, month_start
from store.schema.scenario import ACT_DAYS
from store.vocabulary import WORLD

_YEARS: Final = 5
"""History that a forecast is held against."""

EVENT_MONTHS: Final = 12
"""How long before the origin an act or a tariff step still explains what is forecast."""

_HIGHEST: Final = 3.0
"""Median above so many times the largest month is absurd."""

_LOWEST: Final = 0.2
"""Median below this share of the smallest month is absurd."""

EXPLAINED: Final = 10.0
"""The first with an event; the second then has no bound, as a ban may stop all trade."""

_P95: Final = NormalDist().inv_cdf(0.95)

_OUTER: Final = NormalDist().inv_cdf(0.9995) / _P95
"""Distance from the median, in logs, of the ends of the 99.9% band to those of the 90% band."""

_OPEN: Final = 1.05
"""Ratio of p95 to p05 below which a month was not forecast, but already fixed by a figure."""

_MEDIAN: Final = 3
"""Place of p50 among the quantiles."""


def absurdities(values: Floats, origin: Origin) -> list[Message | None]:
    """Reason why each series' medians are implausible, None if they are not.

    Panels without a world total are not checked: series of a few tonnes change erratically.

    Args:
        values: Series x targets x quantiles and mean, in tonnes, finite.
    """
    if origin.world is None:
        return [None] * len(values)
    median = values[:, :, _MEDIAN]
    recent = origin.tonnes[:, -12 * _YEARS :]
    explained = explained_series(origin)
    messages: list[Message | None] = []
    for row, is_known in enumerate(np.isfinite(recent)):
        if not is_known.any():
            messages.append(None)
            continue
        messages.append(_worded(row, median[row], recent[row, is_known], origin, explained[row]))
    return messages


def explained_series(origin: Origin) -> Flags:
    """Tell which series a strong act or a tariff step touches, from a year before the origin on."""
    start = pd.Timestamp(month_start(origin.today - EVENT_MONTHS))
    touched: set[str] = set()
    if origin.events is not None:
        events = origin.events
        near = (events[list(ACT_DAYS)].apply(pd.to_datetime) >= start).any(axis=1)
        strong = events.loc[near & (act_strength(events) >= STRONG), "destinations"]
        touched = touched.union(*map(origin.affected_by, strong))
    if origin.tariffs is not None:
        steps = origin.tariffs
        importers = set(steps.loc[pd.to_datetime(steps["effective_from"]) >= start, "importer"])
        charged = charged_by(origin)
        touched |= {name for importer in importers for name in charged.get(importer, ())}
    return np.array(
        [any(origin.series[member] in touched for member in group) for group in origin.groups]
    )


def _worded(
    row: int, median: Floats, observed: Floats, origin: Origin, is_explained: np.bool_
) -> Message | None:
    """Say why one series' medians are implausible given its known months."""
    name, low, high = origin.series[row], float(observed.min()), float(observed.max())
    most = max(high, 1.0) * (EXPLAINED if is_explained else _HIGHEST)
    top, bottom = int(median.argmax()), int(median.argmin())
    if median[top] > most:
        return message(
            "%(destination)s: absurd median %(tonnes)s t in %(month)s, the largest of %(years)s "
            "years is %(most)s t.",
            destination=name,
            tonnes=f"{median[top]:,.0f}",
            month=month_label(int(origin.targets[top])),
            years=_YEARS,
            most=f"{high:,.0f}",
        )
    if median[bottom] < _LOWEST * low and not is_explained:
        return message(
            "%(destination)s: absurd median %(tonnes)s t in %(month)s, the smallest of %(years)s "
            "years is %(least)s t.",
            destination=name,
            tonnes=f"{median[bottom]:,.0f}",
            month=month_label(int(origin.targets[bottom])),
            years=_YEARS,
            least=f"{low:,.0f}",
        )
    return None


MONTHS: Final = 3
"""First months of a forecast that are compared, as one sum."""

LARGE: Final = 0.05
"""Share of the world from which a destination is looked at."""


@dataclass(frozen=True, slots=True)
class MedianShift:
    """What became of a destination's next months."""

    destination: str
    before: float
    """Sum of the medians as published, in tonnes."""
    after: float

    @property
    def share(self) -> float:
        if self.before > 0:
            return self.after / self.before - 1
        return float("inf") if self.after > 0 else 0.0


def moves(new: pd.DataFrame, published: pd.DataFrame) -> list[MedianShift]:
    """Changes of the medians of the world and every large destination, the largest first.

    Args:
        new: destination, period, p50 of a forecast; not modified.
        published: The same of the one it would replace; not modified.

    Returns:
        Empty unless both have the first months of the new one.
    """
    months = sorted(set(new["period"]))[:MONTHS]
    if not set(months) <= set(published["period"]):
        return []
    after, before = (
        table.loc[table["period"].isin(months)].groupby("destination")["p50"].sum()
        for table in (new, published)
    )
    least = LARGE * max(float(before.get(WORLD, 0.0)), float(after.get(WORLD, 0.0)))
    shifts = [
        MedianShift(str(name), float(before[name]), float(after[name]))
        for name in before.index.intersection(after.index)
        if max(before[name], after[name]) >= least
    ]
    return sorted(shifts, key=lambda move: (-abs(move.share), move.destination))


def too_far(shifts: list[MedianShift], limit_pct: float) -> Message | None:
    """Say which changes exceed a limit, in percent of the published value; None if none does."""
    far = [move for move in shifts if abs(move.share) * 100 > limit_pct]
    excesses = tuple(
        message(
            "%(destination)s %(before)s to %(after)s t (%(change)s)",
            destination=move.destination,
            before=f"{move.before:,.0f}",
            after=f"{move.after:,.0f}",
            change=f"{move.share:+.0%}",
        )
        for move in far
    )
    return (
        message(
            "The next %(months)s months move by more than %(limit)s%%: %(moves)s.",
            months=MONTHS,
            limit=f"{limit_pct:g}",
            moves=excesses,
        )
        if far
        else None
    )


def panel_bands(panel: EvidencePanel) -> pd.DataFrame:
    """Bands of every month of a panel, for ``outside_bands``: at least as wide as of a derived one.

    So a known month may be revised by about 10%.
    """
    months = panel.stored.months
    spread = _P95 * months["stderr_log"].clip(lower=DERIVED_STDERR)
    low, high = (months["tonnes"] * np.exp(sign * spread) for sign in (-1, 1))
    band = {"p05": low, "p50": months["tonnes"], "p95": high}
    return months[["destination", "period"]].assign(**band)


def outside_bands(figures: pd.DataFrame, bands: pd.DataFrame) -> pd.DataFrame:
    """Figures outside the 99.9% band of the newest forecast of their destination and month.

    Its ends lie 2.0 times as far from the median as p05 and p95 do, in logs: as for a normal error.
    Months whose forecast already rested on a figure of their own are no forecasts.

    Args:
        figures: destination, period_from and value in tonnes; not modified.
        bands: destination, period, p05, p50 and p95, newest last; not modified.

    Returns:
        The figures with the ends of the band, ``low`` and ``high``, in tonnes.
    """
    is_forecast = bands["p95"] > _OPEN * bands["p05"]
    newest = bands[is_forecast].drop_duplicates(["destination", "period"], keep="last")
    rows = figures.merge(newest.rename(columns={"period": "period_from"}))
    low, high = (rows["p50"] * (rows[end] / rows["p50"]) ** _OUTER for end in ("p05", "p95"))
    is_far = ~rows["value"].between(low, high) & rows["p50"].gt(0)
    return rows.assign(low=low, high=high)[is_far].reset_index(drop=True)
