"""The full table of a commodity by partner, as it could be known at one moment.

A source that lists every partner of a month also says who got nothing. So three things are told
apart: no shipment (0), not known (NaN) and not released (no month).
"""

import hashlib
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.asof import OBSERVATION_KEY, known_at
from features.months import Months, last_complete_month, month_label, month_numbers
from store.errors import DataError
from store.vocabulary import EU27, EU27_MEMBERS, MAX_HORIZON, MONTHS_AHEAD, WORLD

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]

MEASURE: Final = "net_weight_t"

REMAINDER: Final = "ROW"
"""What the stated total holds beyond the partners: areas not told, suppressed partners."""

LEAST_PARTNERS: Final = 20
"""Partners that a source must have listed in one month to count as a full table: newspapers name a
dozen at most."""

LEAST_MONTHS: Final = 24
"""Months a table needs: with fewer no season is known, and nothing can be tried out."""

PART_RELEASED: Final = 0.5
"""Share of the usual number of partners below which a month is not the whole table yet."""

USUAL_MONTHS: Final = 12

REGULAR_MONTHS: Final = 10
"""Months of the last twelve with a shipment that make a partner regular."""

TOLERANCE: Final = 0.005
"""Gap between the stated total and the partners, as a share of the total, that passes for
rounding."""


@dataclass(frozen=True, slots=True)
class PartnerTable:
    """Every destination's tonnes by month, and what they add up to."""

    commodity: str
    as_of: pd.Timestamp
    tonnes: pd.DataFrame
    """Series x consecutive month numbers up to the cutoff, sorted by name; the world is a row."""
    parts: dict[str, tuple[str, ...]]
    """By sum its parts: the world, and EU27 where at least two members are destinations."""
    notes: tuple[str, ...]
    """What is odd in the sources, in sentences."""

    @property
    def cutoff(self) -> int:
        """Return the last month known, as a month number."""
        return int(self.tonnes.columns[-1])

    @property
    def late_months(self) -> int:
        """Return how many complete months the table does not reach yet."""
        return last_complete_month(self.as_of) - self.cutoff

    @property
    def is_late(self) -> bool:
        """Tell whether the table is too old to reach a year ahead."""
        return self.late_months > MAX_HORIZON - MONTHS_AHEAD

    @property
    def horizon(self) -> int:
        """Return months to forecast: to a year after the last complete month, 18 at most."""
        return min(max(self.late_months, 0) + MONTHS_AHEAD, MAX_HORIZON)

    @property
    def destinations(self) -> tuple[str, ...]:
        """Return the partners, without sums and remainder."""
        return tuple(name for name in self.parts[WORLD] if name != REMAINDER)

    @property
    def digest(self) -> str:
        """Return a digest of the figures: equal tables give equal digests."""
        text = self.tonnes.to_csv(float_format="%.17g", lineterminator="\n")
        return hashlib.sha256(f"{self.commodity}\n{text}".encode()).hexdigest()


def partner_table(
    observations: pd.DataFrame, *, commodity: str, as_of: pd.Timestamp
) -> PartnerTable:
    """Return the table of a commodity from what was known at ``as_of``.

    Only sources that list partners in full count; of two figures of a cell the one known last does.
    A partner that a listed month lacks got nothing, unless it is a regular one and the stated total
    leaves room for it: then it is late, and missing. Months listed by hardly anyone are missing but
    for the figures there are; the table ends with the last month listed in full.

    Args:
        observations: Published figures, all versions, any commodity and order (store contract); not
            modified.
        commodity: Whose table.
        as_of: The moment the forecaster stands at (UTC).

    Raises:
        DataError: No source listed the partners by then, or too few months of them.
        LeakError: ``as_of`` has no time zone.
    """
    figures = observations.loc[_is_cell(observations, commodity)]
    known = known_at(figures, key=OBSERVATION_KEY, as_of=as_of)
    rows = known.loc[known["source"].isin(full_sources(known))]
    if rows.empty:
        raise DataError(
            f"No full partner table of commodity {commodity} at {as_of:%Y-%m-%d}. Expected a "
            f"source that lists at least {LEAST_PARTNERS} destinations in a month. Load one, e.g. "
            "`magnetcast ingest comtrade`, or take a later --as-of."
        )
    cells = _cells(rows)
    names = cells.index.difference([WORLD, EU27, REMAINDER], sort=True)
    listed = _is_listed(cells.loc[names])
    cells = cells.loc[:, : cells.columns[listed][-1]]
    _check_length(cells, commodity, as_of)
    return _assembled(cells, names, listed[: cells.shape[1]], commodity, as_of)


def full_sources(figures: pd.DataFrame) -> list[str]:
    """Return the sources that listed a month in full, sorted."""
    own = figures.loc[~figures["destination"].isin([WORLD, EU27])]
    count = own.groupby(["source", "period_from"])["destination"].nunique()
    return sorted(set(count.index[count >= LEAST_PARTNERS].get_level_values("source")))


def _is_cell(observations: pd.DataFrame, commodity: str) -> "pd.Series[bool]":
    """Tell which figures are tonnes of one month that may be used."""
    return (
        observations["commodity"].eq(commodity)
        & observations["measure"].eq(MEASURE)
        & observations["period_from"].eq(observations["period_to"])
        & observations["usable"]
    )


def _cells(rows: pd.DataFrame) -> pd.DataFrame:
    """Return destinations x consecutive months, NaN where no figure is."""
    newest = rows.sort_values(["available_at", "source", "source_url"], kind="stable")
    newest = newest.drop_duplicates(["destination", "period_from"], keep="last")
    cells = newest.assign(month=month_numbers(newest["period_from"])).pivot_table(
        index="destination", columns="month", values="value", aggfunc="last"
    )
    months = range(int(cells.columns.min()), int(cells.columns.max()) + 1)
    return cells.reindex(columns=months).astype(float).sort_index()


def _is_listed(partners: pd.DataFrame) -> Booleans:
    """Tell which months list about as many partners as usual."""
    count = partners.notna().sum()
    some = count.loc[count > 0]
    usual = some.rolling(USUAL_MONTHS + 1, min_periods=1).median()
    listed = (some >= PART_RELEASED * usual).reindex(count.index, fill_value=False)
    return np.asarray(listed, dtype=bool)


def _check_length(cells: pd.DataFrame, commodity: str, as_of: pd.Timestamp) -> None:
    if cells.shape[1] < LEAST_MONTHS:
        first, last = month_label(int(cells.columns[0])), month_label(int(cells.columns[-1]))
        raise DataError(
            f"The partner table of commodity {commodity} at {as_of:%Y-%m-%d} has {cells.shape[1]} "
            f"months ({first} to {last}). Expected at least {LEAST_MONTHS}. "
            "Load an earlier start, or take a later --as-of."
        )


def _assembled(
    cells: pd.DataFrame,
    names: pd.Index,
    listed: Booleans,
    commodity: str,
    as_of: pd.Timestamp,
) -> PartnerTable:
    """Return the table of cells whose months end with a listed one."""
    told = cells.loc[names].to_numpy(dtype=float)
    total = _row(cells, WORLD)
    own_rest = _row(cells, REMAINDER)
    late = _late(told, total, listed)
    tonnes = np.where(np.isnan(told) & listed & ~late, 0.0, told)
    active = np.nansum(tonnes, axis=1) > 0
    frame = pd.DataFrame(tonnes[active], index=list(names[active]), columns=cells.columns)
    world, rest = _world(tonnes, total, own_rest, listed)
    parts: dict[str, tuple[str, ...]] = {WORLD: tuple(frame.index)}
    if rest is not None:
        frame.loc[REMAINDER] = rest
        parts[WORLD] += (REMAINDER,)
    members = tuple(name for name in frame.index if name in EU27_MEMBERS)
    if len(members) > 1:
        parts[EU27] = members
    frame.loc[WORLD] = world
    notes = _notes(told, total, listed, late, names, cells.columns.to_numpy(dtype=np.int64))
    return PartnerTable(commodity, as_of, frame.sort_index(), parts, notes)


def _row(cells: pd.DataFrame, name: str) -> Floats:
    if name not in cells.index:
        return np.full(cells.shape[1], np.nan)
    return cells.loc[name].to_numpy(dtype=float)


def _late(told: Floats, total: Floats, listed: Booleans) -> Booleans:
    """Tell which cells of listed months are late: regular partners that the total has room for."""
    late = np.zeros(told.shape, dtype=bool)
    gap = np.maximum(total - np.nansum(told, axis=0), 0.0)
    for month in np.flatnonzero(listed & (gap > TOLERANCE * total)):
        before = np.flatnonzero(listed[:month])[-USUAL_MONTHS:]
        if len(before) < USUAL_MONTHS:
            continue
        shipped = told[:, before] > 0
        size = np.nansum(told[:, before], axis=1) / np.maximum(shipped.sum(axis=1), 1)
        regular = (shipped.sum(axis=1) >= REGULAR_MONTHS) & np.isnan(told[:, month])
        usual = np.nan_to_num(np.nanmedian(np.append(gap[before], np.nan)))
        room = gap[month] - usual
        late[:, month] = regular & (size / 2.0 <= room) & (room > TOLERANCE * total[month])
    return late


def _world(
    tonnes: Floats, total: Floats, own_rest: Floats, listed: Booleans
) -> tuple[Floats, Floats | None]:
    """Return the world and the remainder by month, None if the partners are all of it.

    A total below its partners is taken for one that is not up to date: they stand. Where partners
    are late or the month is not listed, nobody knows what is left.
    """
    known = listed & np.isfinite(tonnes).all(axis=0)
    together = np.nansum(tonnes, axis=0)
    gap = np.where(known, total - together, np.nan)
    if np.isfinite(own_rest).any():
        gap = np.where(known & np.isnan(total), np.nan_to_num(own_rest), gap)
    if not (gap > TOLERANCE * np.where(np.isnan(total), together, total)).any():
        plain = np.where(known, together, np.nan)
        return np.where(np.isnan(plain), total, plain), None
    rest = np.maximum(gap, 0.0)
    world = np.where(np.isfinite(rest), together + np.nan_to_num(rest), total)
    return world, rest


def _notes(
    told: Floats,
    total: Floats,
    listed: Booleans,
    late: Booleans,
    names: pd.Index,
    months: Months,
) -> tuple[str, ...]:
    """Say what is odd, in sentences."""
    notes = []
    if (holes := months[~listed]).size:
        span = ", ".join(month_label(int(month)) for month in holes[:5])
        notes.append(f"{holes.size} months are not listed in full and count as missing: {span}")
    for month in np.flatnonzero(late.any(axis=0)):
        who = ", ".join(str(name) for name in names[late[:, month]][:5])
        notes.append(f"{month_label(int(months[month]))}: late, not zero: {who}")
    below = listed & (np.nansum(told, axis=0) > (1 + TOLERANCE) * total)
    if below.any():
        which = ", ".join(month_label(int(month)) for month in months[below][:5])
        notes.append(
            f"{int(below.sum())} months have a total below their partners, which stand: {which}"
        )
    return tuple(notes)
