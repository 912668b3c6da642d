"""All data available at one forecast origin, as dense arrays: the only input of features."""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import pandas as pd

from features.panel.evidence_panel import KINDS, PANEL_DESTINATIONS, EvidencePanel
from features.series import mean_known
from features.track_record import TrackRecord
from store.arrays import Flags, Floats, Ints
from store.asof import EVENT_KEY, OBSERVATION_KEY, TARIFF_KEY, known_at
from store.months import Months, last_complete_month, month_numbers
from store.vocabulary import AGGREGATES, MONTHS_AHEAD, WORLD, Family


@dataclass(frozen=True, slots=True)
class Feature:
    """One column of the model frame."""

    name: str
    unit: str
    meaning: str
    source: str
    knowable: str
    """From when the value of a row is known, in words."""
    explains: Family
    """Cause that planners are shown for the feature's contribution."""
    monotone: Literal[-1, 0, 1] = 0
    """-1 where a higher value may never raise the forecast."""


LEVEL_MONTHS: Final = 12
"""Months whose mean is the level that forecasts are ratios to: one year, so that every season is in
it once and a shock of a few months does not become the level."""

RECENT_MONTHS: Final = 3
"""Months in the current level of a series."""

OFFSET_SHARE: Final = 0.01
"""Added to both sides of a log ratio so that it is defined for zeros: a share of the last year's
mean, or of the mean of all months where that is 0."""


@dataclass(frozen=True, slots=True, eq=False)
class LaterFigures:
    """Months after the cutoff that figures fix, one entry a cell."""

    row: Ints
    """Of the series."""
    column: Ints
    """Of the target."""
    tonnes: Floats
    stderr: Floats
    """Standard error of the log."""


@dataclass(frozen=True, slots=True, eq=False)
class Origin:
    """One forecast origin.

    Arrays are series x months up to the cutoff, NaN where nothing is known. Origins are compared by
    identity, so that results computed from one can be cached.
    """

    series: tuple[str, ...]
    first: int
    cutoff: int
    targets: Months
    """Months to forecast, as month numbers after the cutoff."""
    late_months: int
    """Complete months not yet covered by the evidence."""
    tonnes: Floats
    stderr: Floats
    """Standard error of the log, 0 for a full table."""
    is_observed: Flags
    groups: tuple[Ints, ...] = ()
    """For each series the rows that add up to it: itself, or the members of an aggregate. Empty
    if not applicable."""
    world: int | None = None
    """Row of the world total, if there is one."""
    events: pd.DataFrame | None = None
    """Policy events, None for a bare panel."""
    tariffs: pd.DataFrame | None = None
    """Tariff steps, None for a bare panel."""
    record: TrackRecord | None = None
    """Outcomes of announced acts so far; without it all are expected as announced."""
    later: LaterFigures | None = None
    """Figures of target months, which condition the forecast; None without any."""
    indices: pd.DataFrame | None = None
    """Monthly covariates such as exchange rates."""

    @property
    def horizons(self) -> Months:
        return self.targets - self.cutoff

    @property
    def today(self) -> int:
        return self.cutoff + self.late_months + 1

    @property
    def is_sum(self) -> Flags:
        return np.array([len(group) > 1 for group in self.groups])

    def index(self, name: str) -> Floats:
        """Monthly covariate from ``first`` to the last target, NaN where unpublished.

        ``magnetcast ingest figures`` loads covariates.
        """
        values = np.full(int(self.targets[-1]) - self.first + 1, np.nan)
        if self.indices is not None:
            is_match = self.indices[["commodity", "destination"]].eq([name, WORLD]).all(axis=1)
            rows = self.indices.loc[is_match]
            columns = month_numbers(rows["period_from"]) - self.first
            is_inside = (columns >= 0) & (columns < len(values))
            values[columns[is_inside]] = rows["value"].to_numpy(dtype=float)[is_inside]
        return values

    def affected_by(self, places: str) -> frozenset[str]:
        """Destinations of an act on ``A;B``, sums replaced by their members."""
        names = set(places.split(";"))
        sums = (self.groups[self.series.index(name)] for name in names.intersection(self.series))
        members = {self.series[row] for group in sums for row in group}
        return frozenset(members | names.difference(self.series))

    @property
    def level(self) -> Floats:
        return mean_known(self.tonnes[:, -LEVEL_MONTHS:])

    @property
    def recent_stderr(self) -> Floats:
        return np.asarray(self.stderr[:, -RECENT_MONTHS:].mean(axis=1))

    @property
    def offset(self) -> Floats:
        last_year, all_months = mean_known(self.tonnes[:, -12:]), mean_known(self.tonnes)
        usual = np.where(last_year > 0.0, last_year, all_months)
        return np.where(usual > 0.0, OFFSET_SHARE * usual, 1e-9)


def announced(events: pd.DataFrame) -> pd.DataFrame:
    """Acts that are announced, not merely scheduled."""
    return events.loc[events["evidence"] != "scheduled"].reset_index(drop=True)


def origin_of(
    panel: EvidencePanel,
    *,
    events: pd.DataFrame,
    tariffs: pd.DataFrame,
    record: TrackRecord | None = None,
    indices: pd.DataFrame | None = None,
) -> Origin:
    """Origin at the as_of of an evidence panel.

    Args:
        events: All versions of the policy events (store contract); not modified; ``tariffs`` and
            ``indices`` too.

    Returns:
        Destinations and aggregates; targets from the month after the cutoff to the twelfth after
        the last complete month at as_of; events and tariffs as available then, without scheduled
        dates.
    """
    complete = last_complete_month(panel.as_of)
    known_events = known_at(events, key=EVENT_KEY, as_of=panel.as_of)
    position = {name: i for i, name in enumerate(PANEL_DESTINATIONS)}
    groups = tuple(
        np.array([position[m] for m in AGGREGATES.get(name, (name,))]) for name in position
    )
    return Origin(
        series=PANEL_DESTINATIONS,
        first=panel.first,
        cutoff=panel.cutoff,
        targets=np.arange(panel.cutoff + 1, complete + MONTHS_AHEAD + 1),
        late_months=complete - panel.cutoff,
        tonnes=panel.tonnes,
        stderr=panel.stderr,
        is_observed=panel.kind == KINDS.index("observed"),
        groups=groups,
        world=position["WLD"],
        events=announced(known_events),
        tariffs=known_at(tariffs, key=TARIFF_KEY, as_of=panel.as_of),
        record=record,
        later=_later_figures(panel) if len(panel.later) else None,
        indices=None if indices is None else _usable(indices, panel.as_of),
    )


def bare_origin(tonnes: Floats, first: int, horizon: int, series: tuple[str, ...] = ()) -> Origin:
    """Origin after the last month of a panel without sums, acts and tariffs.

    Args:
        tonnes: Series x months, NaN where missing.
        first: Number of the first month.
        series: Their names, which no feature uses.
    """
    cutoff = first + tonnes.shape[1] - 1
    return Origin(
        series=series,
        first=first,
        cutoff=cutoff,
        targets=cutoff + np.arange(1, horizon + 1),
        late_months=0,
        tonnes=tonnes,
        stderr=np.broadcast_to(0.0, tonnes.shape),
        is_observed=np.isfinite(tonnes),
    )


def _usable(indices: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    known_rows = known_at(indices, key=OBSERVATION_KEY, as_of=as_of)
    return known_rows.loc[known_rows["usable"]]


def _later_figures(panel: EvidencePanel) -> LaterFigures:
    return LaterFigures(
        row=np.array([PANEL_DESTINATIONS.index(name) for name in panel.later["destination"]]),
        column=month_numbers(panel.later["period"]) - panel.cutoff - 1,
        tonnes=panel.later["tonnes"].to_numpy(dtype=float),
        stderr=panel.later["stderr_log"].to_numpy(dtype=float),
    )
