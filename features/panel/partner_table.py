"""The full table of a commodity by partner, from what was published at one moment."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final

import numpy as np
import pandas as pd

from store.arrays import Flags, Floats
from store.asof import OBSERVATION_KEY, known_at
from store.errors import DataError
from store.facts.commodities import MEASURE
from store.messages import Message, few, message
from store.months import Months, last_complete_month, month_label, month_numbers
from store.vocabulary import EU27, EU27_MEMBERS, MAX_HORIZON, MONTHS_AHEAD, ORIGIN, WORLD

REMAINDER: Final = "ROW"
"""Part of the stated total beyond the listed partners: unlisted areas, confidential partners."""

SUMS: Final = (WORLD, EU27)

PART_LISTED: Final = 0.5
"""Share of the median number of partners below which a month is incomplete."""

USUAL_MONTHS: Final = 12

REGULAR_MONTHS: Final = 10
"""Months of the last twelve with a shipment that make a partner regular."""

_TOLERANCE: Final = 0.005
"""Largest gap between stated total and partners attributed to rounding, as a share of the total."""


@dataclass(frozen=True)
class Listing:
    """Reported figures, partners x consecutive months; the last month is complete."""

    names: tuple[str, ...]
    months: Months
    reported: Floats
    """Tonnes, NaN where nothing is reported."""
    has_value: Flags
    """Whether a value in money is reported, so something was shipped."""
    total: Floats
    """Stated total by month, NaN if missing."""
    rest: Floats
    """Stated remainder by month, NaN if missing."""
    is_complete: Flags

    @cached_property
    def late(self) -> Flags:
        late = np.zeros_like(self.is_complete, shape=self.reported.shape)
        gap = np.maximum(self.total - np.nansum(self.reported, axis=0), 0.0)
        for month in np.flatnonzero(self.is_complete & (gap > _TOLERANCE * self.total)):
            before = np.flatnonzero(self.is_complete[:month])[-USUAL_MONTHS:]
            if len(before) < USUAL_MONTHS:
                continue
            shipped = (self.reported[:, before] > 0).sum(axis=1)
            size = np.nansum(self.reported[:, before], axis=1) / np.maximum(shipped, 1)
            known_gaps = gap[before][np.isfinite(gap[before])]
            room = gap[month] - (np.median(known_gaps) if known_gaps.size else 0.0)
            if room > _TOLERANCE * self.total[month]:
                is_regular = (shipped >= REGULAR_MONTHS) & (size / 2.0 <= room)
                late[:, month] = np.isnan(self.reported[:, month]) & is_regular
        return late

    @cached_property
    def tonnes(self) -> Floats:
        nothing = np.isnan(self.reported) & self.is_complete & ~self.late & ~self.has_value
        return np.where(nothing, 0.0, self.reported)

    @cached_property
    def world(self) -> tuple[Floats, Floats | None]:
        """World and the remainder by month; no remainder if the partners are complete.

        A total below its partners is outdated and replaced by their sum. The remainder of a month
        with a late partner, or of an incomplete month, is NaN.
        """
        is_summable = self.is_complete & np.isfinite(self.tonnes).all(axis=0)
        partner_sum = np.nansum(self.tonnes, axis=0)
        total = np.where(np.isnan(self.total), partner_sum + self.rest, self.total)
        remainder = np.where(is_summable, np.maximum(total - partner_sum, 0.0), np.nan)
        if not (remainder > _TOLERANCE * total).any():
            return np.where(is_summable, partner_sum, self.total), None
        return np.where(is_summable, partner_sum + remainder, self.total), remainder

    def notes(self) -> tuple[Message, ...]:
        """Notes on irregularities of the sources."""
        notes = []
        labels = np.array([month_label(int(month)) for month in self.months])
        if not self.is_complete.all():
            holes = few(labels[~self.is_complete].tolist())
            notes.append(
                message("months not listed in full, taken as missing: %(months)s", months=holes)
            )
        for month in np.flatnonzero(self.late.any(axis=0)):
            late = few([self.names[row] for row in np.flatnonzero(self.late[:, month])])
            text = message(
                "%(month)s: late, so missing and not zero: %(names)s",
                month=str(labels[month]),
                names=late,
            )
            notes.append(text)
        if count := int(np.count_nonzero(self.has_value & np.isnan(self.reported))):
            notes.append(
                message("%(count)s cells have a value and no weight, taken as missing", count=count)
            )
        over = np.nansum(self.reported, axis=0) > (1 + _TOLERANCE) * self.total
        if over.any():
            low = few(labels[over].tolist())
            notes.append(
                message("stated total below the partners, which are kept: %(months)s", months=low)
            )
        return tuple(notes)


def listing_of(
    weights: pd.DataFrame, values: pd.DataFrame, *, lacking: Sequence[pd.Timestamp] = ()
) -> Listing:
    """Listing of the newest versions of monthly figures.

    Args:
        weights: Newest versions of the tonnes of full sources (store contract), at least one of a
            partner; not modified.
        values: The same in money, may be empty; not modified.
        lacking: First days of months with refused lines, which are incomplete.
    """
    cells = _cells(weights)
    names = cells.index.difference([*SUMS, REMAINDER])
    count = cells.loc[names].notna().sum()
    count = count.loc[count > 0]
    usual = count.rolling(USUAL_MONTHS + 1, min_periods=1).median()
    missing = month_numbers(pd.Series(lacking, dtype="datetime64[us]"))
    is_listed = (count >= PART_LISTED * usual) & ~count.index.isin(missing)
    months = np.arange(is_listed.index.min(), is_listed.index[is_listed].max() + 1)
    money = _cells(values).reindex(index=names, columns=months)
    cells = cells.reindex(columns=months)
    total, rest = (cells.reindex([name]).to_numpy(dtype=float)[0] for name in (WORLD, REMAINDER))
    return Listing(
        names=tuple(str(name) for name in names),
        months=months,
        reported=cells.loc[names].to_numpy(dtype=float),
        has_value=money.to_numpy(dtype=float) > 0,
        total=total,
        rest=rest,
        is_complete=is_listed.reindex(months, fill_value=False).to_numpy(dtype=bool),
    )


def _cells(figures: pd.DataFrame) -> pd.DataFrame:
    """Reported figures, destinations x months, NaN where nothing is reported."""
    newest = figures.sort_values(["available_at", "source", "source_url"], kind="stable")
    newest = newest.drop_duplicates(["destination", "period_from"], keep="last")
    return newest.assign(month=month_numbers(newest["period_from"])).pivot(  # noqa: PD010 - no doubles left
        index="destination", columns="month", values="value"
    )


MONEY: Final = "value_musd"

LEAST_PARTNERS: Final = 20
"""Partners that a full source lists in one month; press reports name a dozen at most."""

LEAST_MONTHS: Final = 24
"""Months that a table needs for a season and a validation."""


@dataclass(frozen=True, slots=True)
class PartnerTable:
    """Tonnes of every destination by month, and their sums."""

    commodity: str
    as_of: pd.Timestamp
    tonnes: pd.DataFrame
    """Series x consecutive month numbers up to the cutoff, sorted by name; the world is a row."""
    parts: dict[str, tuple[str, ...]]
    """Parts of each sum: the world, and EU27 if at least two members are destinations."""
    released_at: "pd.Series[pd.Timestamp]"
    """Publication moment of the newest figure, by destination and period."""
    notes: tuple[Message, ...]
    """Irregularities of the sources."""
    is_revised: bool = False
    """Whether it contains figures published after ``as_of``, so that it serves scoring only."""

    @property
    def cutoff(self) -> int:
        return int(self.tonnes.columns[-1])

    @property
    def late_months(self) -> int:
        return last_complete_month(self.as_of) - self.cutoff

    @property
    def horizon(self) -> int:
        return min(max(self.late_months, 0) + MONTHS_AHEAD, MAX_HORIZON)

    @property
    def destinations(self) -> tuple[str, ...]:
        return tuple(name for name in self.parts[WORLD] if name != REMAINDER)

    @property
    def digest(self) -> str:
        text = self.tonnes.to_csv(float_format="%.17g", lineterminator="\n")
        return hashlib.sha256(f"{self.commodity}\n{text}".encode()).hexdigest()

    def shortened(self, months: int, *, as_of: pd.Timestamp) -> "PartnerTable | None":
        """Table, as revised, without its last ``months``; None if it gets too short."""
        if self.tonnes.shape[1] - months < LEAST_MONTHS:
            return None
        return replace(self, as_of=as_of, tonnes=self.tonnes.iloc[:, :-months], is_revised=True)


def partner_table(
    observations: pd.DataFrame, *, commodity: str, as_of: pd.Timestamp
) -> PartnerTable:
    """Table of a commodity from the figures available at ``as_of``.

    Only sources that list partners in full are used, and the newest figure of each cell. A partner
    absent from a complete month is zero; it is missing if it has a value without a weight, or is a
    regular partner that fits into the stated total. Incomplete months have reported cells only; the
    table ends with the last complete month.

    Args:
        observations: Published figures, all versions, any commodity and order (store contract); not
            modified.
        as_of: The forecast origin as a UTC moment.

    Raises:
        DataError: No source listed the partners by then, or too few months of them.
        LeakError: ``as_of`` has no time zone.
    """
    cells = observations.loc[is_cell(observations, commodity)]
    known_cells = known_at(cells.loc[cells["usable"]], key=OBSERVATION_KEY, as_of=as_of)
    is_weight = known_cells["measure"] == MEASURE
    of_full = known_cells["source"].isin(full_sources(known_cells.loc[is_weight]))
    weights = known_cells.loc[of_full & is_weight]
    lacking = _lacking_months(cells.loc[cells["source"].isin(set(weights["source"]))], as_of)
    if weights["period_from"].isin(lacking).all():
        raise DataError(
            f"No full partner table of commodity {commodity} at {as_of:%Y-%m-%d}. Expected a "
            f"source that lists at least {LEAST_PARTNERS} destinations in a month. Load one, e.g. "
            "by `magnetcast ingest comtrade`, or take a later --as-of."
        )
    listing = listing_of(weights, known_cells.loc[of_full & ~is_weight], lacking=tuple(lacking))
    if (months := len(listing.months)) < LEAST_MONTHS:
        first, last = (month_label(int(listing.months[place])) for place in (0, -1))
        raise DataError(
            f"The partner table of commodity {commodity} at {as_of:%Y-%m-%d} has {months} months "
            f"({first} to {last}). Expected at least {LEAST_MONTHS}. "
            "Load an earlier start, or take a later --as-of."
        )
    dated = weights.rename(columns={"period_from": "period"})
    released_at = dated.groupby(["destination", "period"])["available_at"].max()
    return _table_of(listing, released_at, commodity, as_of)


def full_sources(figures: pd.DataFrame) -> list[str]:
    """Sources that listed a month in full, sorted."""
    partners = figures.loc[~figures["destination"].isin(SUMS)]
    count = partners.groupby(["source", "period_from"])["destination"].nunique()
    return sorted(set(count.index[count >= LEAST_PARTNERS].get_level_values("source")))


def _lacking_months(cells: pd.DataFrame, as_of: pd.Timestamp) -> "pd.Index[pd.Timestamp]":
    """Months whose only world figure is unusable because lines were refused."""
    world = cells.loc[cells["destination"].eq(WORLD) & cells["measure"].eq(MEASURE)]
    newest = known_at(world, key=OBSERVATION_KEY, as_of=as_of)
    is_usable = newest.groupby("period_from")["usable"].any()
    return is_usable.index[~is_usable]


def is_cell(observations: pd.DataFrame, commodity: str) -> "pd.Series[bool]":
    """Mask of monthly weights and values of Chinese exports of a commodity."""
    return (
        observations["commodity"].eq(commodity)
        & observations["origin"].eq(ORIGIN)
        & observations["measure"].isin([MEASURE, MONEY])
        & observations["period_from"].eq(observations["period_to"])
    )


def _table_of(
    listing: Listing, released_at: "pd.Series[pd.Timestamp]", commodity: str, as_of: pd.Timestamp
) -> PartnerTable:
    """Table of a listing, without partners that never shipped."""
    active = np.nansum(listing.tonnes, axis=1) > 0
    names = [name for name, is_active in zip(listing.names, active, strict=True) if is_active]
    world, rest = listing.world
    rows = dict(zip(names, listing.tonnes[active], strict=True))
    parts: dict[str, tuple[str, ...]] = {WORLD: tuple(names)}
    if rest is not None:
        rows[REMAINDER] = rest
        parts[WORLD] += (REMAINDER,)
    members = tuple(name for name in names if name in EU27_MEMBERS)
    if len(members) > 1:
        parts[EU27] = members
    rows[WORLD] = world
    tonnes = pd.DataFrame.from_dict(rows, orient="index", columns=list(listing.months))
    return PartnerTable(commodity, as_of, tonnes.sort_index(), parts, released_at, listing.notes())


MONTHS_BACK: Final = (12, 9, 6, 3)
"""Months from past origins to the as_of, for backtests."""


@dataclass(frozen=True, slots=True)
class PartnerHistory:
    """A full partner table at one moment, and at past ones."""

    current: PartnerTable
    observations: pd.DataFrame = field(repr=False)
    """All versions of the commodity's figures available at the moment."""

    def past(self) -> list[PartnerTable]:
        """Tables of past moments (``MONTHS_BACK``), oldest first.

        If no versions of then are stored (a history loaded at once has one release day), the
        current table is shortened by as many months.
        """
        by_cutoff = {}
        for months in MONTHS_BACK:
            table = self._at(self.current.as_of - pd.DateOffset(months=months), months)
            if table is not None and table.cutoff < self.current.cutoff:
                by_cutoff[table.cutoff] = table
        return [by_cutoff[cutoff] for cutoff in sorted(by_cutoff)]

    def _at(self, moment: pd.Timestamp, months: int) -> PartnerTable | None:
        current = self.current
        try:
            table = partner_table(self.observations, commodity=current.commodity, as_of=moment)
        except DataError:
            return current.shortened(months, as_of=moment)
        is_late = table.late_months > max(current.late_months, _MOST_LATE)
        return current.shortened(months, as_of=moment) if is_late else table

    @property
    def notes(self) -> list[Message]:
        """Irregularities of the current and the past tables."""
        return [*self.current.notes, *hindsight(self.past())]


_MOST_LATE: Final = MAX_HORIZON - MONTHS_AHEAD
"""Largest lag in months of a past table that is used as it was."""


def hindsight(past: Sequence[PartnerTable]) -> tuple[Message, ...]:
    """Note on past tables that contain later revisions; empty if there are none."""
    revised = sum(table.is_revised for table in past)
    if not revised:
        return ()
    note = message(
        "%(count)s of the %(past)s replayed past tables are today's table without its last months, "
        "since earlier versions are not stored. Scores and hit rates therefore contain later "
        "revisions; forecasts do not.",
        count=revised,
        past=len(past),
    )
    return (note,)
