"""Partners by month as full sources list them: no shipment, not known and not released differ.

A month is *listed* when about as many partners as usual are in it and no refused line is missing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import pandas as pd

from features.months import Months, month_label, month_numbers
from store.arrays import Flags, Floats
from store.errors import first_few
from store.vocabulary import EU27, WORLD

REMAINDER: Final = "ROW"
"""The part of the stated total beyond the partners: unlisted areas and confidential partners."""

SUMS: Final = (WORLD, EU27)

PART_LISTED: Final = 0.5
"""Share of the usual number of partners below which a month is incomplete."""

USUAL_MONTHS: Final = 12

REGULAR_MONTHS: Final = 10
"""Months of the last twelve with a shipment that make a partner regular."""

TOLERANCE: Final = 0.005
"""Gap between the stated total and the partners, as a share of the total, attributed to
rounding."""


@dataclass(frozen=True)
class Listing:
    """Partners x consecutive months, the last one listed."""

    names: tuple[str, ...]
    months: Months
    reported: Floats
    """Tonnes, NaN where nothing is reported."""
    valued: Flags
    """Where a value is reported: something was shipped."""
    total: Floats
    """Stated total by month, NaN where there is none."""
    rest: Floats
    """Stated remainder by month, NaN where there is none."""
    listed: Flags

    @cached_property
    def late(self) -> Flags:
        """Return which cells are late: missing regular partners that would fit into the total."""
        late = np.zeros_like(self.listed, shape=self.reported.shape)
        gap = np.maximum(self.total - np.nansum(self.reported, axis=0), 0.0)
        for month in np.flatnonzero(self.listed & (gap > TOLERANCE * self.total)):
            before = np.flatnonzero(self.listed[:month])[-USUAL_MONTHS:]
            if len(before) < USUAL_MONTHS:
                continue
            shipped = (self.reported[:, before] > 0).sum(axis=1)
            size = np.nansum(self.reported[:, before], axis=1) / np.maximum(shipped, 1)
            known = gap[before][np.isfinite(gap[before])]
            room = gap[month] - (np.median(known) if known.size else 0.0)
            if room > TOLERANCE * self.total[month]:
                is_regular = (shipped >= REGULAR_MONTHS) & (size / 2.0 <= room)
                late[:, month] = np.isnan(self.reported[:, month]) & is_regular
        return late

    @cached_property
    def tonnes(self) -> Floats:
        """Return tonnes: 0 where a listed month has no entry of a partner that is not late."""
        nothing = np.isnan(self.reported) & self.listed & ~self.late & ~self.valued
        return np.where(nothing, 0.0, self.reported)

    @cached_property
    def world(self) -> tuple[Floats, Floats | None]:
        """Return the world and the remainder by month; no remainder if the partners are complete.

        A total below its partners is outdated and replaced by their sum. Where a partner is late or
        the month is not listed, the remainder is unknown.
        """
        whole = self.listed & np.isfinite(self.tonnes).all(axis=0)
        together = np.nansum(self.tonnes, axis=0)
        total = np.where(np.isnan(self.total), together + self.rest, self.total)
        left = np.where(whole, np.maximum(total - together, 0.0), np.nan)
        if not (left > TOLERANCE * total).any():
            return np.where(whole, together, self.total), None
        return np.where(whole, together + left, self.total), left

    def notes(self) -> tuple[str, ...]:
        """Return notes on irregularities."""
        found = []
        labels = np.array([month_label(int(month)) for month in self.months])
        if not self.listed.all():
            holes = first_few(labels[~self.listed].tolist())
            found.append(f"months not listed in full, taken as missing: {holes}")
        for month in np.flatnonzero(self.late.any(axis=0)):
            who = [name for name, late in zip(self.names, self.late[:, month], strict=True) if late]
            found.append(f"{labels[month]}: late, so missing and not zero: {first_few(who)}")
        if count := np.count_nonzero(self.valued & np.isnan(self.reported)):
            found.append(f"{count} cells have a value and no weight, taken as missing")
        over = np.nansum(self.reported, axis=0) > (1 + TOLERANCE) * self.total
        if over.any():
            months = first_few(labels[over].tolist())
            found.append(f"stated total below the partners, which are kept: {months}")
        return tuple(found)


def listing_of(
    weights: pd.DataFrame, values: pd.DataFrame, *, lacking: Sequence[pd.Timestamp] = ()
) -> Listing:
    """Return the listing of figures of one month each, using the newest version of each.

    Args:
        weights: Newest versions of the tonnes of full sources (store contract), at least one of a
            partner; not modified.
        values: The same for their values in money, if any; not modified.
        lacking: First days of months of which refused lines are missing, so not listed in full.
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
        valued=money.to_numpy(dtype=float) > 0,
        total=total,
        rest=rest,
        listed=is_listed.reindex(months, fill_value=False).to_numpy(dtype=bool),
    )


def _cells(figures: pd.DataFrame) -> pd.DataFrame:
    """Return destinations x months, NaN where nothing is reported."""
    newest = figures.sort_values(["available_at", "source", "source_url"], kind="stable")
    newest = newest.drop_duplicates(["destination", "period_from"], keep="last")
    return newest.assign(month=month_numbers(newest["period_from"])).pivot(  # noqa: PD010 - no doubles left
        index="destination", columns="month", values="value"
    )
