"""Acts on part of the destinations as known at a moment: whom they hit and from when."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import pandas as pd

from features.asof import EVENT_KEY, known_at
from features.families.policy import CONTROLS, STRONG, TARIFF_ACTS, act_strength
from features.months import month_number
from features.panel.listing import REMAINDER
from store.errors import DataError, first_few
from store.vocabulary import AGGREGATES, EU27, EU27_MEMBERS, WORLD

EPISODE_MONTHS: Final = 6
"""Months from the one its last act binds in to which diversion is looked for."""

LONGEST_MONTHS: Final = 12
"""Months of an episode at most, however many acts follow one another."""

RUN_UP: Final = 3
"""Months before an act binds that may know of it, if it was announced: goods are sent ahead."""

FRESH: Final = 3
"""Months in which an act on everybody moves destinations unequally, the one it binds in among
them."""

RECENT_MONTHS: Final = 18
"""Age up to which acts are looked at unless one is named."""


@dataclass(frozen=True, slots=True)
class Episode:
    """Acts that hit the same destinations within a month of one another."""

    event_id: str
    """Of the first one."""
    others: tuple[str, ...]
    """Event ids of the further ones."""
    hit: frozenset[str]
    base_end: int
    """Number of the first month that may have known of it."""
    start: int
    """Number of the month in which the first act binds."""
    last: int
    """Number of the month in which the last act binds."""

    def end(self, cutoff: int) -> int:
        """Return the number of the month after the last one asked about, a year at most."""
        return min(self.last + EPISODE_MONTHS, self.start + LONGEST_MONTHS, cutoff + 1)


class PartialActs:
    """The acts known at one moment, as they touch the destinations of one table."""

    def __init__(self, events: pd.DataFrame, names: Sequence[str], *, as_of: pd.Timestamp) -> None:
        """Take the facts.

        Args:
            events: Policy events, all versions (store contract); not modified.
            names: Destinations of the table.
            as_of: The moment to stand at (UTC).
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
        """Return the episodes of strong acts that began to bind in the last 18 months, by month.

        Acts on everybody and on none of the table's destinations are left out.
        """
        since = month_number(self._as_of) - RECENT_MONTHS
        found = [self._episode(act) for act in self._strong() if self._some(self._hit(act))]
        return tuple(one for one in _joined(found) if one.start >= since)

    def named(self, event_id: str) -> Episode:
        """Return the episode of one act.

        Raises:
            DataError: It is not known, takes nothing from anybody, does not bind yet, or hits
                nobody in the table. An act on everybody has all of them as hit.
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
        """Tell whether an episode leaves no destination of the table unhit."""
        return not (self._names - {REMAINDER}) - episode.hit

    def troubled(self) -> tuple[int, ...]:
        """Return the numbers of months in which a strong act on everybody is fresh, sorted."""
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
        """Tell whether an act began to bind by now, and was not suspended before it did."""
        start, paused = act["effective_from"], act["suspended_from"]
        if pd.isna(start) or start.tz_localize("UTC") > self._as_of:
            return False
        return bool(pd.isna(paused) or paused > start)

    def _some(self, hit: frozenset[str]) -> bool:
        return bool(hit) and bool((self._names - {REMAINDER}) - hit)

    def _hit(self, act: Mapping[Hashable, Any]) -> frozenset[str]:
        """Return the destinations of the table that an act hits.

        Of an importer's tariff on all origins (``USA;WLD``) China's goods meet only the importer.
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
        told = month_number(act["announced_on"])
        return Episode(
            event_id=str(act["event_id"]),
            others=(),
            hit=self._hit(act),
            base_end=min(max(told, start - RUN_UP), start),
            start=start,
            last=start,
        )


def _joined(episodes: Sequence[Episode]) -> list[Episode]:
    """Return acts on the same destinations as one, as long as each follows within a month."""
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
