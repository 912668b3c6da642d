"""Acts on some destinations as known at a moment: which, and from when."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import pandas as pd

from features.families.policy import CONTROLS, STRONG, TARIFF_ACTS, act_strength
from features.months import month_number
from features.panel.partner_table import REMAINDER
from store.asof import EVENT_KEY, known_at
from store.errors import DataError, first_few
from store.vocabulary import AGGREGATES, EU27, EU27_MEMBERS, WORLD

EPISODE_MONTHS: Final = 6
"""Months from the start of its last act in which diversion is looked for."""

LONGEST_MONTHS: Final = 12
"""Maximum length of an episode in months, even if further acts follow."""

RUN_UP: Final = 3
"""Months before an announced act in which shipments may be brought forward."""

FRESH: Final = 3
"""Months from its start in which an act on all destinations affects them unequally."""

RECENT_MONTHS: Final = 18
"""Maximum age in months of acts that are examined unless one is named."""


@dataclass(frozen=True, slots=True)
class Episode:
    """Acts on the same destinations, each within a month of the previous one."""

    event_id: str
    """Of the first one."""
    others: tuple[str, ...]
    """Event ids of the further ones."""
    hit: frozenset[str]
    base_end: int
    """Number of the first month that may be affected."""
    start: int
    """Number of the month in which the first act starts."""
    last: int
    """Number of the month in which the last act starts."""

    def end(self, cutoff: int) -> int:
        """Return the number of the month after the last one examined, at most a year later."""
        return min(self.last + EPISODE_MONTHS, self.start + LONGEST_MONTHS, cutoff + 1)


class PartialActs:
    """The acts known at one moment that affect the destinations of one table."""

    def __init__(self, events: pd.DataFrame, names: Sequence[str], *, as_of: pd.Timestamp) -> None:
        """Take the facts.

        Args:
            events: Policy events, all versions (store contract); not modified.
            names: Destinations of the table.
            as_of: The forecast origin as a UTC moment.
        """
        known = known_at(events, key=EVENT_KEY, as_of=as_of)
        known = known.loc[known["evidence"] != "scheduled"].reset_index(drop=True)
        self._as_of = as_of
        self._names = frozenset(names)
        ordered = known.assign(strength=act_strength(known)).sort_values(
            ["effective_from", "event_id"]
        )
        self._acts = ordered.to_dict("records")

    def recent(self) -> tuple[Episode, ...]:
        """Return the episodes of strong acts that started in the last 18 months, by month.

        Acts on all or none of the table's destinations are left out.
        """
        since = month_number(self._as_of) - RECENT_MONTHS
        found = [self._episode(act) for act in self._strong() if self._some(self._hit(act))]
        return tuple(one for one in _joined(found) if one.start >= since)

    def named(self, event_id: str) -> Episode:
        """Return the episode of one act.

        Raises:
            DataError: It is not known, not restrictive, not in force yet, or affects no
                destination of the table. An act on all destinations affects all of them.
        """
        acts = [act for act in self._acts if act["event_id"] == event_id]
        if not acts:
            ids = [str(act["event_id"]) for act in self._strong() if self._some(self._hit(act))]
            raise DataError(
                f"--event {event_id!r} is no policy event known on {self._as_of:%Y-%m-%d}. "
                f"Expected an event_id, such as {first_few(ids[::-1]) or 'none known yet'}. "
                "Correct it, or take a later --as-of."
            )
        self._check(acts[0])
        return self._episode(acts[0])

    def is_on_all(self, episode: Episode) -> bool:
        """Return whether an episode affects every destination of the table."""
        return not (self._names - {REMAINDER}) - episode.hit

    def troubled(self) -> tuple[int, ...]:
        """Return the numbers of months just after a strong act on all destinations, sorted."""
        started = {
            month_number(act["effective_from"])
            for act in self._strong()
            if not (self._names - {REMAINDER}) - self._hit(act)
        }
        return tuple(sorted({month + age for month in started for age in range(FRESH)}))

    def _check(self, act: Mapping[Hashable, Any]) -> None:
        event_id = act["event_id"]
        if act["direction"] != "restrictive":
            raise DataError(
                f"--event {event_id} is {act['direction']}: it takes nothing from anybody. "
                "Expected a restrictive act. Name another one."
            )
        if not self._binds(act):
            raise DataError(
                f"--event {event_id} does not bind on {self._as_of:%Y-%m-%d} and never did before. "
                "Expected an act in force. Name another one, or take a later --as-of."
            )
        if not self._hit(act):
            raise DataError(
                f"--event {event_id} hits {act['destinations']}, which the table does not list by "
                f"itself. Expected one of {first_few(sorted(self._names))}. Name another act, or "
                "a table with all partners by --commodity."
            )

    def _strong(self) -> list[Mapping[Hashable, Any]]:
        return [
            act
            for act in self._acts
            if act["instrument"] in (*CONTROLS, *TARIFF_ACTS)
            and act["direction"] == "restrictive"
            and act["strength"] >= STRONG
            and self._binds(act)
        ]

    def _binds(self, act: Mapping[Hashable, Any]) -> bool:
        """Return whether an act has started, and was not suspended before it did."""
        start, paused = act["effective_from"], act["suspended_from"]
        if pd.isna(start) or start.tz_localize("UTC") > self._as_of:
            return False
        return bool(pd.isna(paused) or paused > start)

    def _some(self, hit: frozenset[str]) -> bool:
        return bool(hit) and bool((self._names - {REMAINDER}) - hit)

    def _hit(self, act: Mapping[Hashable, Any]) -> frozenset[str]:
        """Return the destinations of the table that an act affects.

        An importer's tariff on all origins (``USA;WLD``) affects Chinese exports to it only.
        """
        listed = set(str(act["destinations"]).split(";"))
        if act["instrument"] in TARIFF_ACTS and len(listed) > 1:
            listed -= {WORLD}
        if WORLD in listed:
            return self._names
        if EU27 in listed:
            listed |= EU27_MEMBERS | set(AGGREGATES[EU27])
        return self._names & frozenset(listed)

    def _episode(self, act: Mapping[Hashable, Any]) -> Episode:
        start = month_number(act["effective_from"])
        announced = month_number(act["announced_on"])
        return Episode(
            event_id=str(act["event_id"]),
            others=(),
            hit=self._hit(act),
            base_end=min(max(announced, start - RUN_UP), start),
            start=start,
            last=start,
        )


def _joined(episodes: Sequence[Episode]) -> list[Episode]:
    """Merge acts on the same destinations if each follows within a month."""
    joined: list[Episode] = []
    last: dict[frozenset[str], tuple[int, int]] = {}
    for one in episodes:
        place, month = last.get(one.hit, (-1, one.start))
        if place >= 0 and one.start - month <= 1:
            first = joined[place]
            others = (*first.others, one.event_id)
            joined[place] = replace(first, others=others, last=one.start)
        else:
            place = len(joined)
            joined.append(one)
        last[one.hit] = (place, one.start)
    return joined
