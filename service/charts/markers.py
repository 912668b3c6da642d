"""Which policy events and tariff steps a chart of one destination marks, and how."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

import pandas as pd

from service.language.phrases import gettext, marked
from store.vocabulary import DESTINATIONS, EU27, EU27_MEMBERS, WORLD

MOST_MARKERS: Final = 14
"""More markers than this make a chart unreadable; the most severe are kept."""

BINDING_SEVERITY: Final = 2
"""From this severity on an event touches a material share of the trade."""

SCHEDULED_PREFIX: Final = "sched-"
SYMBOLS: Final = {"restrictive": "▼▽", "easing": "▲△"}
"""Shapes of the directions shown, filled and hollow; distinguishable without colour."""


@dataclass(frozen=True, slots=True)
class Marker:
    """One numbered event on a chart.

    ``in_force``: it had taken effect by ``as_of``; ``ahead``: its date was yet to come.
    """

    number: int
    event_id: str
    when: pd.Timestamp
    direction: str
    severity: int
    in_force: bool
    ahead: bool
    relevant: bool
    title: str
    sources: tuple[str, ...]

    @property
    def state(self) -> str:
        if self.in_force:
            return gettext(self.direction)
        return gettext(_NOT_IN_FORCE[self.direction, self.ahead])

    @property
    def symbol(self) -> str:
        return SYMBOLS[self.direction][0 if self.in_force else 1]


_NOT_IN_FORCE: Final = {
    ("restrictive", True): marked("restrictive, scheduled"),
    ("restrictive", False): marked("restrictive, did not take effect"),
    ("easing", True): marked("easing, scheduled"),
    ("easing", False): marked("easing, did not take effect"),
}
"""By direction, and whether its date is yet to come."""


def pick_markers(
    events: pd.DataFrame,
    *,
    destination: str,
    start: pd.Timestamp,
    end: pd.Timestamp,
    as_of: pd.Timestamp,
) -> tuple[list[Marker], int]:
    """Markers of one chart in date order, and how many more would have qualified."""
    records = events.to_dict("records")
    candidates = [_marker(row, destination=destination, as_of=as_of) for row in records]
    fitting = [m for m in candidates if m is not None and start <= m.when <= end and _qualifies(m)]
    heaviest = sorted(fitting, key=_weight, reverse=True)[:MOST_MARKERS]
    in_order = sorted(heaviest, key=lambda marker: (marker.when, marker.event_id))
    numbered = [replace(marker, number=n) for n, marker in enumerate(in_order, start=1)]
    return numbered, len(fitting) - len(heaviest)


def touches(destination: str, codes: Iterable[str]) -> bool:
    """Whether an event for ``codes`` is directly about ``destination``."""
    named = set(codes)
    if WORLD in named or destination in named:
        return True
    if destination == WORLD:
        return False
    if destination == EU27:
        return bool(named & EU27_MEMBERS)
    if destination == "EU27_REST":
        return EU27 in named or bool(named & (EU27_MEMBERS - set(DESTINATIONS)))
    if destination == "ROW":
        return bool(named - EU27_MEMBERS - set(DESTINATIONS) - {EU27})
    return destination in EU27_MEMBERS and EU27 in named


def _marker(row: dict[Any, Any], *, destination: str, as_of: pd.Timestamp) -> Marker | None:
    """Turn one event into a marker, or None where it has no place on a chart."""
    scheduled = str(row["event_id"]).startswith(SCHEDULED_PREFIX)
    when = _placed_on(row, scheduled=scheduled, as_of=as_of)
    if when is None or row["direction"] not in SYMBOLS:
        return None
    return Marker(
        number=0,
        event_id=str(row["event_id"]),
        when=when,
        direction=str(row["direction"]),
        severity=0 if pd.isna(row["severity"]) else int(row["severity"]),
        in_force=not scheduled and _took_effect(row, as_of=as_of),
        ahead=when > as_of,
        relevant=touches(destination, _split(row["destinations"])),
        title=scheduled_title(row["summary"]),
        sources=tuple(_split(row["source_urls"])),
    )


def scheduled_title(summary: object) -> str:
    """Summary of an event as a title, without the prefix of scheduled events."""
    title = str(summary).removeprefix("SCHEDULED: ")
    return title[:1].upper() + title[1:]


def _took_effect(row: dict[Any, Any], *, as_of: pd.Timestamp) -> bool:
    """Whether an event began by ``as_of`` and was not suspended before it began."""
    effective, suspended = row["effective_from"], row["suspended_from"]
    if pd.isna(effective) or effective > as_of:
        return False
    return bool(pd.isna(suspended) or suspended > effective)


def _placed_on(row: dict[Any, Any], *, scheduled: bool, as_of: pd.Timestamp) -> pd.Timestamp | None:
    """Effective date, else the announcement; scheduled events count only before their date."""
    effective = row["effective_from"]
    if scheduled:
        ahead = pd.notna(effective) and effective > as_of
        return pd.Timestamp(effective) if ahead else None
    when = effective if pd.notna(effective) else row["announced_on"]
    return None if pd.isna(when) else pd.Timestamp(when)


def _qualifies(marker: Marker) -> bool:
    """Keep binding restrictions anywhere and whatever is directly about the destination."""
    binding = marker.direction == "restrictive" and marker.severity >= BINDING_SEVERITY
    return binding or (marker.relevant and marker.severity > 0)


def _weight(marker: Marker) -> tuple[float, pd.Timestamp]:
    """Rank by severity, nearness to the destination and being still ahead; newer first."""
    return 2 * marker.severity + 3 * marker.relevant + 2 * marker.ahead, marker.when


def _split(text: object) -> list[str]:
    """Split a ';'-joined cell; an empty or missing cell has no parts."""
    return (
        [part.strip() for part in text.split(";") if part.strip()] if isinstance(text, str) else []
    )


LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"
"""Letters of steps, as events have numbers; the oldest steps beyond the alphabet are left out."""


@dataclass(frozen=True, slots=True)
class RateStep:
    """The changes of one day in what an importer charges."""

    letter: str
    when: pd.Timestamp
    ahead: bool
    changes: tuple[str, ...]
    sources: tuple[str, ...]


def pick_steps(
    tariffs: pd.DataFrame,
    *,
    destination: str,
    start: pd.Timestamp,
    end: pd.Timestamp,
    as_of: pd.Timestamp,
) -> tuple[RateStep, ...]:
    """Days on which a rate changed or will, oldest first.

    Args:
        tariffs: Newest version of each step known at ``as_of``; not modified.
        destination: Code of the chart's destination; members of EU27 charge what EU27 does.
    """
    importer = importer_of(destination)
    within = tariffs["effective_from"].between(start, end)
    steps = tariffs.loc[tariffs["importer"].eq(importer) & within & tariffs["rate_pct"].notna()]
    days = list(steps.groupby("effective_from"))[-len(LETTERS) :]
    return tuple(
        _step(letter, pd.Timestamp(str(day)), rows, as_of)
        for letter, (day, rows) in zip(LETTERS, days, strict=False)
    )


def importer_of(destination: str) -> str:
    """Importer that sets the tariffs of a destination."""
    return EU27 if destination in {*EU27_MEMBERS, "EU27_REST"} else destination


def _step(letter: str, day: pd.Timestamp, rows: pd.DataFrame, as_of: pd.Timestamp) -> RateStep:
    changes = rows.sort_values(["component", "product_scope"]).to_dict("records")
    return RateStep(
        letter=letter,
        when=day,
        ahead=day > as_of,
        changes=tuple(
            f"{row['component'].replace('_', ' ')} {row['rate_pct']:g}% on {row['product_scope']}"
            for row in changes
        ),
        sources=tuple(
            dict.fromkeys(part for row in changes for part in row["source_url"].split(";"))
        ),
    )
