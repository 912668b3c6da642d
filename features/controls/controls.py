"""Controls on magnets as known at an origin, and their relaxations."""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pandas as pd

from features.families.policy import INSTRUMENT_STRENGTH, STRONG, act_strength, covered_share
from features.families.trade import base_of
from features.origin import LEVEL_MONTHS, Origin
from features.track_record import (
    CERTAIN,
    RELAXATION,
    TRUCES,
    TrackRecord,
    announced_rises,
    announcement_of,
)
from store.arrays import Flags, Floats
from store.months import YEAR, Months, month_number, months_since

SCENARIO: Final = "SCENARIO"
"""Component of tariff steps added by a scenario."""

KEPT_PCT: Final = "kept_pct"
"""Column of events added by scenarios: the share of trade assumed to continue."""

STRICT_AS: Final = "strictness"
"""Column of events added by scenarios: the past licensing that an act is as strict as."""

DIVERTED_PCT: Final = "diverted_pct"
"""Column of events added by scenarios: the share of what an act stops that goes elsewhere."""

PROBABILITY: Final = "probability"
"""Column of events added by scenarios: the chance assumed that an act comes as announced."""


def _assumed(act: Mapping[Hashable, Any], name: str) -> float | None:
    """Number that a scenario assumes of an act, or None."""
    value = act.get(name)
    return None if value is None or pd.isna(value) else float(value)


def chances_of(act: Mapping[Hashable, Any], due: pd.Timestamp, origin: Origin) -> tuple[float, ...]:
    """Chances of ``OUTCOMES`` of an act that is announced for a day.

    Where a scenario assumes the first, the act comes as announced or not at all.
    """
    record, assumed = origin.record, _assumed(act, PROBABILITY)
    if record is not None and due <= record.day:
        return CERTAIN
    chances = CERTAIN if record is None else record.chances(announcement_of(act, due))
    return chances if assumed is None else (assumed, 0.0, 0.0, 1.0 - assumed)


def chances_of_rises(tariffs: pd.DataFrame, record: TrackRecord) -> dict[str, tuple[float, ...]]:
    """Chances of ``OUTCOMES`` of each importer's first rise that is still to come.

    Those with a rate that a scenario assumes are left out: it is certain.
    """
    assumed = set(tariffs.loc[tariffs["product_scope"].eq(SCENARIO), "importer"])
    chances: dict[str, tuple[float, ...]] = {}
    for rise in sorted(announced_rises(tariffs), key=lambda rise: rise.due):
        (importer,) = rise.destinations
        if rise.due > record.day and importer not in assumed:
            chances.setdefault(importer, record.chances(rise))
    return chances


BAN: Final = "export_ban"
INSTRUMENTS: Final = (BAN, "export_control")
"""Acts that stop goods at the border unless a licence is granted."""

_ONE_DAY: Final = pd.Timedelta(days=1)

_COVERS: Final = 0.5
"""Least share of magnet trade that a truce must cover."""

EPISODE_MONTHS: Final = 18
"""Months after a control in which a further licence belongs to the same episode, and observed
months after which the ordinary model has learned its effect."""


@dataclass(frozen=True, slots=True)
class Control:
    """One control as known at an origin, or an act that relaxes one."""

    event_id: str
    instrument: str
    bound: pd.Timestamp
    """First day in force, or the day it resumes after a suspension."""
    ends: pd.Timestamp | None
    """Day it ends or is suspended, as announced."""
    share: float
    """Share of magnet trade that it covers."""
    hit: Flags
    """Which series of the origin it affects; a sum only if it affects all members."""
    passing: float | None = None
    """Share of the trade it covers that is assumed to continue, in scenarios."""
    strictness: str = ""
    """Of a scenario's licences: the past licensing that they are assumed to be like."""
    chances: tuple[float, ...] = CERTAIN
    """Of ``OUTCOMES``, while it is announced for a later day."""
    package: str = ""
    """What was announced together shares its fate."""
    delay: float = 0.0
    """Months by which it is late if it is postponed."""

    @property
    def month(self) -> int:
        return month_number(self.bound)

    def age(self, months: Months) -> Floats:
        """Months from its first day to the middle of each month."""
        return months_since(self.bound, months)

    def since_end(self, months: Months) -> Floats:
        """Months from its end to the middle of each month, 0 before it."""
        since = np.zeros(len(months)) if self.ends is None else months_since(self.ends, months)
        return np.asarray(np.maximum(since, 0.0))

    def seen(self, origin: Origin) -> int:
        """Number of months up to the cutoff in which it was in force."""
        return max(origin.cutoff - self.month + 1, 0)


def controls_at(origin: Origin) -> tuple[Control, ...]:
    """Strong controls in force by an origin's last target, by first day.

    Strength follows from instrument and wording (``features.families.policy``), never from the
    outcome.
    """
    events = origin.events
    if events is None or events.empty:
        return ()
    strong = (
        events["instrument"].isin(INSTRUMENTS)
        & events["direction"].eq("restrictive")
        & events["effective_from"].notna()
        & (act_strength(events) >= STRONG)
    )
    acts = events.assign(share=covered_share(events))
    spells = [
        control
        for act in acts.loc[strong].to_dict("records")
        for control in _spells(act, acts, origin)
        if control.month <= origin.targets[-1]
    ]
    return tuple(sorted(spells, key=lambda control: (control.bound, control.event_id)))


def current_control(controls: Sequence[Control], series: int, origin: Origin) -> Control | None:
    """Control whose episode one series is in at an origin, or None.

    A control starts an episode unless another of the last ``EPISODE_MONTHS`` is in force already; a
    ban starts one even after a licence. Only observed controls count, for a limited time.
    """
    episodes = control_episodes(controls, series, origin)
    return episodes[-1] if episodes and episodes[-1].seen(origin) <= EPISODE_MONTHS else None


def control_episodes(controls: Sequence[Control], series: int, origin: Origin) -> list[Control]:
    """Observed controls that started an episode of one series."""
    episodes: list[Control] = []
    for control in controls:
        if not control.hit[series] or control.seen(origin) == 0:
            continue
        old = not episodes or control.month - episodes[-1].month > EPISODE_MONTHS
        if old or control.instrument == BAN != episodes[-1].instrument:
            episodes.append(control)
    return episodes


def rows_by_control(
    origin: Origin, control_of: Callable[[int], Control | None]
) -> list[tuple[Control, list[int]]]:
    """Controls by destination series, each with the rows of its series."""
    rows_of: dict[str, tuple[Control, list[int]]] = {}
    for row in np.flatnonzero(~origin.is_sum).tolist():
        if (control := control_of(row)) is not None:
            rows_of.setdefault(control.event_id, (control, []))[1].append(row)
    return list(rows_of.values())


def _spells(act: Mapping[Hashable, Any], events: pd.DataFrame, origin: Origin) -> list[Control]:
    names = origin.affected_by(str(act["destinations"]))
    paused, resumed, kept_pct = act["suspended_from"], act["suspended_to"], _assumed(act, KEPT_PCT)
    first = Control(
        event_id=str(act["event_id"]),
        instrument=str(act["instrument"]),
        bound=pd.Timestamp(act["effective_from"]),
        ends=_first_of(act["effective_to"], paused),
        share=float(act["share"]),
        hit=hit_series(names, origin),
        passing=None if kept_pct is None else kept_pct / 100.0,
        strictness=strictness if isinstance(strictness := act.get(STRICT_AS), str) else "",
        package=f"{act['issuer']} {act['announced_on']:%Y-%m-%d}",
        delay=0.0 if origin.record is None else origin.record.delay,
    )
    first = replace(first, chances=chances_of(act, first.bound, origin))
    spells = [first]
    if pd.notna(paused) and pd.notna(resumed):
        again = _after_truces(pd.Timestamp(resumed) + _ONE_DAY, names, events, origin)
        chances = chances_of(act, again, origin)
        ends = _first_of(act["effective_to"])
        spells.append(replace(first, bound=again, ends=ends, chances=chances))
    return [
        spell
        for spell in spells
        if (spell.ends is None or spell.ends > spell.bound) and spell.chances[-1] < 1.0
    ]


def _after_truces(
    day: pd.Timestamp, hit: Set[str], events: pd.DataFrame, origin: Origin
) -> pd.Timestamp:
    """First day from ``day`` on not covered by a known truce for all affected."""
    truces = events.loc[
        events["instrument"].isin(TRUCES)
        & events["direction"].eq("easing")
        & events["share"].ge(_COVERS)
        & events["effective_to"].notna()
    ].sort_values("effective_to")
    for truce in truces.to_dict("records"):
        in_force = truce["effective_from"] <= day <= truce["effective_to"]
        if in_force and hit <= origin.affected_by(str(truce["destinations"])):
            day = truce["effective_to"] + _ONE_DAY
    return day


def hit_series(names: Set[str], origin: Origin) -> Flags:
    """Which series an act affects; a sum only if it affects all members."""
    members = np.array([name in names for name in origin.series])
    return np.array([bool(members[group].all()) for group in origin.groups])


def _first_of(*days: pd.Timestamp) -> pd.Timestamp | None:
    return min((day for day in days if pd.notna(day)), default=None)


def tonnes_without(origin: Origin, control: Control) -> Floats:
    """Tonnes expected without a control, series x targets.

    That is the level of the year before the control in each target's season.
    """
    months = max(control.month - origin.first, 1)
    before = replace(
        origin,
        cutoff=origin.first + months - 1,
        tonnes=origin.tonnes[:, :months],
        stderr=origin.stderr[:, :months],
        is_observed=origin.is_observed[:, :months],
        targets=np.arange(control.month, origin.targets[-1] + 1),
    )
    return base_of(before)


_LONGEST_MONTHS: Final = 2 * EPISODE_MONTHS
"""Months after a control from which the earlier level is no longer a valid counterfactual."""


def relaxations_at(origin: Origin, controls: Sequence[Control]) -> tuple[Control, ...]:
    """Relaxations of observed controls after the cutoff, by first day.

    The ``share`` of each is that of the blocked trade which it finally releases. One that only
    postpones another act is covered by that act's own dates.
    """
    ends = [
        Control(control.event_id, RELAXATION, control.ends, None, 1.0, control.hit)
        for control in controls
        if control.ends is not None and control.seen(origin) > 0 and _is_ahead(control.ends, origin)
    ]
    relaxations = [*_announced_relaxations(origin), *ends]
    return tuple(sorted(relaxations, key=lambda control: (control.bound, control.event_id)))


def _announced_relaxations(origin: Origin) -> list[Control]:
    events = origin.events
    if events is None or events.empty:
        return []
    is_relaxation = (
        events["instrument"].eq(RELAXATION)
        & events["direction"].eq("easing")
        & events["effective_from"].notna()
        & ~events["effective_from"].isin(events["suspended_from"].dropna())
    )
    strength = covered_share(events) * INSTRUMENT_STRENGTH[RELAXATION]
    return [
        Control(
            str(act["event_id"]),
            RELAXATION,
            act["effective_from"],
            _first_of(act["effective_to"]),
            float(act["strength"]),
            hit_series(origin.affected_by(str(act["destinations"])), origin),
        )
        for act in events.assign(strength=strength).loc[is_relaxation].to_dict("records")
        if _is_ahead(act["effective_from"], origin)
    ]


def _is_ahead(day: pd.Timestamp, origin: Origin) -> bool:
    return origin.cutoff < month_number(day) <= int(origin.targets[-1])


def levels_without(origin: Origin, controls: Sequence[Control]) -> Floats:
    """Level before the first observed control still in force on each series.

    In tonnes and each target's season, series x targets; 0 where no observed control is in force.
    """

    def oldest(row: int) -> Control | None:
        episodes = control_episodes(controls, row, origin)
        return next((episode for episode in episodes if _is_in_force(episode, origin)), None)

    levels = np.zeros((len(origin.series), len(origin.targets)))
    for control, rows in rows_by_control(origin, oldest):
        levels[rows] = tonnes_without(origin, control)[rows, -len(origin.targets) :]
    return levels


def _is_in_force(control: Control, origin: Origin) -> bool:
    over = control.ends is not None and month_number(control.ends) <= origin.cutoff
    return not over and control.seen(origin) <= _LONGEST_MONTHS


TRANSIENT_MONTHS: Final = 6
"""Months after a control begins that are adjusted; later ones are the new level."""


def adjusted_history(origin: Origin) -> Floats:
    """Tonnes of an origin, series x months, with the first months of each control adjusted.

    They are the origin's own where no observed control follows a full year of history.
    """
    levels, adjusted = dict[int, Floats](), origin.tonnes.copy()
    for row, control, start in _transients(origin):
        stop = min(start + TRANSIENT_MONTHS, adjusted.shape[1])
        if control.month not in levels:
            levels[control.month] = tonnes_without(origin, control)
        level = levels[control.month][row, : stop - start]
        adjusted[row, start:stop] = np.fmax(adjusted[row, start:stop], level)
    raised = adjusted - origin.tonnes
    for row in np.flatnonzero(origin.is_sum).tolist():
        adjusted[row] += np.nansum(raised[origin.groups[row]], axis=0)
    return adjusted if levels else origin.tonnes


def steady_history(origin: Origin) -> Floats:
    """Tonnes of an origin, series x months, the first year of each control missing.

    A trend would carry the collapse and the recovery on, which are one event. A sum is missing
    where a member is.
    """
    steady = origin.tonnes.copy()
    for row, _, start in _transients(origin):
        steady[row, start : start + YEAR] = np.nan
    is_left_out = np.isnan(steady) & np.isfinite(origin.tonnes)
    for row in np.flatnonzero(origin.is_sum).tolist():
        steady[row, is_left_out[origin.groups[row]].any(axis=0)] = np.nan
    return steady


def _transients(origin: Origin) -> Iterator[tuple[int, Control, int]]:
    """Yield row, control and first column of each observed episode after a year of history."""
    if not (controls := controls_at(origin)):
        return
    for row in np.flatnonzero(~origin.is_sum).tolist():
        for control in control_episodes(controls, row, origin):
            if (start := control.month - origin.first) > LEVEL_MONTHS:
                yield row, control, start
