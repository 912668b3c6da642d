"""A firm's need beside its country's exports: when its stock runs out, and what it should hold.

A firm gets the share of its need that the country gets of a normal month, which the caller fixes
for a year: a collapse must not become what is normal. A surplus refills the stock, never above its
starting level.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pandas as pd

from models.forecasting.joint_paths import ErrorCopula, sample_paths
from store.arrays import Floats
from store.months import DAYS_A_MONTH

UNCONTROLLED_PART: Final = 0.5
"""Share of a country's normal trade that grades without dysprosium and terbium are assumed to be:
they are short only below it."""

WEEKS_A_MONTH: Final = 52 / 12

Days = tuple[int, int]
"""Least and most days from clearance in China to arrival."""

ELSEWHERE: Final = "ROW"
"""Key of the transit days of a destination without its own."""

SHIPPING_DAYS: Final[Mapping[str, Days]] = {
    "USA": (15, 40), "DEU": (28, 45), "ITA": (30, 50), "EU27": (28, 50), "EU27_REST": (28, 50),
    "JPN": (3, 10), "KOR": (3, 10), "VNM": (3, 12), "THA": (5, 12), "IND": (20, 28),
    ELSEWHERE: (3, 50),
}  # fmt: skip
"""By sea, as forwarders quote it. Source: docs/data/README.md#shipping-times."""

_LIKELY: Final = 0.5
_SLACK: Final = 1e-9
"""Tonnes that are noise of the arithmetic."""
_HELD: Final = (0.90, 0.95)


@dataclass(frozen=True, slots=True)
class Firm:
    """What a firm needs and has; tonnes and days."""

    tonnes: float
    """Needed a month."""
    stock: float = 0.0
    controlled: bool = True
    """Whether its grade holds dysprosium or terbium."""
    licence_days: int = 0
    """Days until its licence is in hand; nothing controlled is delivered before."""
    licensed_first: bool = False
    """Whether those with a licence in hand are served first; else all in proportion."""
    by_month: Mapping[str, float] = field(default_factory=dict)
    """Needs of single months, ``YYYY-MM``, in place of ``tonnes``."""
    lead_days: int = 0
    """From order to clearance in China: what is ordered now comes no earlier."""
    on_order: float = 0.0
    """Tonnes ordered earlier; they are cleared evenly until then."""

    @property
    def part(self) -> float:
        """Share of a normal month from which the firm gets all it needs."""
        if not self.controlled:
            return UNCONTROLLED_PART
        return 0.0 if self.licensed_first and not self.licence_days else 1.0


@dataclass(frozen=True, slots=True)
class FirmOutlook:
    """The answers to a firm; tonnes and shares."""

    months: tuple[str, ...]
    needs: tuple[float, ...]
    chances_out: tuple[float, ...]
    """That the stock runs out by the end of each month."""
    chance_short: float
    """That at least one month brings less than is needed, whatever the stock."""
    stock_90: float
    stock_95: float

    @property
    def rows(self) -> list[tuple[str, float, float]]:
        """Month, need in tonnes and probability of having run out, by month."""
        return list(zip(self.months, self.needs, self.chances_out, strict=True))

    @property
    def out_in(self) -> str | None:
        """First month by which the firm has more likely than not run out, if any."""
        return next((month for month, _, chance in self.rows if chance > _LIKELY), None)


def outlook_of(
    firm: Firm,
    periods: Sequence[pd.Timestamp],
    quantiles: Floats,
    normal: float,
    *,
    carry: float,
    as_of: pd.Timestamp,
) -> FirmOutlook:
    """Shortage probabilities of a firm by month, and the stock it should hold.

    Args:
        periods: First days of the months ahead, that of the as_of first.
        quantiles: Of the country's exports in them, months x ``QUANTILES`` in tonnes.
        normal: Tonnes of a normal month of the country.
        carry: Share of one month's error that carries into the next.
        as_of: When the stock is counted.
    """
    months = tuple(f"{period:%Y-%m}" for period in periods)
    needs = np.array([firm.by_month.get(month, firm.tonnes) for month in months])
    paths = sample_paths(quantiles[None], ErrorCopula(carry))[:, 0]
    needed = needs * _left_after(as_of, periods)
    delivered = _delivered(firm, needs, as_of, periods)
    lacking = running_gap(delivered * paths / np.maximum(needs, normal * firm.part), needed)
    largest = np.maximum.accumulate(lacking, axis=1)
    held = [float(np.quantile(largest[:, -1], part, method="inverted_cdf")) for part in _HELD]
    return FirmOutlook(
        months,
        tuple(needs.tolist()),
        tuple((largest > firm.stock + _SLACK).mean(axis=0).tolist()),
        float((largest[:, -1] > _SLACK).mean()),
        *held,
    )


def _delivered(
    firm: Firm, needs: Floats, as_of: pd.Timestamp, periods: Sequence[pd.Timestamp]
) -> Floats:
    """Tonnes by month that are cleared in normal months, of earlier orders and of new ones."""
    licence, day = firm.licence_days if firm.controlled else 0, pd.Timedelta(days=1)
    first, new = as_of + licence * day, as_of + max(firm.lead_days, licence) * day
    last = max(new, first + day)
    days = np.array([period.days_in_month for period in periods])
    waiting = (_left_after(first, periods) - _left_after(last, periods)) * days
    ordered = firm.on_order * waiting / (last - first).days
    return np.asarray(needs * _left_after(new, periods) + ordered)


_FAR_DAYS: Final = 3650


@dataclass(frozen=True, slots=True)
class Cover:
    """How far a stock reaches if nothing arrives."""

    reach_on: pd.Timestamp
    """First day without enough stock."""
    order_by: pd.Timestamp
    """Last day to order so that it arrives by then."""
    arrives_on: pd.Timestamp
    """Latest arrival of what is ordered today."""
    days_late: int
    """Days since the last day to order, 0 until then."""
    cleared_on: pd.Timestamp
    """First day on which what is ordered today is cleared."""
    weeks: float


def cover_from(start: pd.Timestamp, firm: Firm, transit_days: int, *, today: pd.Timestamp) -> Cover:
    """Cover of a firm's stock.

    Args:
        start: When the need begins to draw on it.
        transit_days: From clearance to arrival, at most.
        today: When the question is asked.
    """
    day, today = (moment.tz_convert(None).normalize() for moment in (start, today))
    reach, stock, need = day, firm.stock, 0.0
    while (reach - day).days < _FAR_DAYS:
        need = firm.by_month.get(f"{reach:%Y-%m}", firm.tonnes) / DAYS_A_MONTH
        if stock < need:
            break
        reach, stock = reach + pd.Timedelta(days=1), stock - need
    lead, transit = (pd.Timedelta(days=days) for days in (firm.lead_days, transit_days))
    order_by = reach - lead - transit
    return Cover(
        reach,
        order_by,
        arrives_on=today + lead + transit,
        days_late=max((today - order_by).days, 0),
        cleared_on=today + lead,
        weeks=((reach - day).days + min(stock / max(need, 1e-9), 1.0)) / 7,
    )


def _left_after(moment: pd.Timestamp, periods: Sequence[pd.Timestamp]) -> Floats:
    """Share of each month that lies after a moment."""
    day = moment.tz_convert("UTC").tz_localize(None)
    passed = [(day - period) / (period + pd.DateOffset(months=1) - period) for period in periods]
    return np.asarray(1.0 - np.clip(passed, 0.0, 1.0))


def running_gap(paths: Floats, needed: Floats) -> Floats:
    """Cumulative shortage at the end of each month, paths x months in tonnes.

    Args:
        paths: What arrives, paths x months, the first month first.
        needed: By month.

    Examples:
        >>> running_gap(np.array([[80.0, 130.0, 90.0]]), np.array([100.0, 100.0, 100.0])).tolist()
        [[20.0, 0.0, 10.0]]
    """
    gap, gaps = np.zeros(len(paths)), np.zeros_like(paths)
    for month, need in enumerate(needed):
        gap = np.maximum(gap + need - paths[:, month], 0.0)
        gaps[:, month] = gap
    return gaps
