"""The chances that what is announced comes as announced, from all acts and tariff steps known then.

Few parameters under a prior: with no record most law that is published comes into force.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

import numpy as np
import pandas as pd

from store.arrays import Floats
from store.asof import EVENT_KEY, TARIFF_KEY, known_at
from store.vocabulary import WORLD

OUTCOMES: Final = ("as announced", "postponed", "softened", "suspended")

_CAME, POSTPONED, _SOFTENED, _SUSPENDED = range(len(OUTCOMES))

BINDING: Final = ("export_ban", "export_control", "tariff_increase")
_TARIFF: Final = "tariff_increase"
RELAXATION: Final = "export_licence_relaxation"
TRUCES: Final = ("truce", RELAXATION)
"""Acts that, while in force, keep a suspended control from resuming."""

EARLY: Final = pd.Timedelta(days=60)
"""An act that ends, or is eased, this soon after its first day did not come as announced."""

_RECENT: Final = pd.Timedelta(days=90)
"""Talks and truces count this long from their announcement."""

LONGEST_DELAY: Final = 12.0
"""Months beyond which no forecast looks."""

_ONE_DAY: Final = pd.Timedelta(days=1)
_OPEN: Final = pd.Timestamp("2100-01-01")

Act = Mapping[Hashable, Any]


@dataclass(frozen=True, slots=True)
class Announcement:
    """Something announced for a later day."""

    country: str
    destinations: frozenset[str]
    is_tariff: bool
    is_return: bool
    """The return of what was suspended."""
    known_since: pd.Timestamp
    due: pd.Timestamp


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an announcement turned out."""

    of: Announcement
    place: int
    """In ``OUTCOMES``."""
    months: float = 0.0
    """By which it was late."""


def announcement_of(act: Act, due: pd.Timestamp) -> Announcement:
    """Return what an act announces for a day: its beginning, or its return after a suspension."""
    is_return = bool(due > act["effective_from"])
    since = act["suspended_from"] if is_return else act["announced_on"]
    return Announcement(
        country=str(act["issuer"]).partition("-")[0],
        destinations=frozenset(str(act["destinations"]).split(";")),
        is_tariff=act["instrument"] == _TARIFF,
        is_return=is_return,
        known_since=since,
        due=due,
    )


def outcomes_of_act(
    act: Act, latest: Act, acts: Sequence[Act], easings: Sequence[Act]
) -> list[Outcome]:
    """Return what one version of an act announces, and how it turned out."""
    begin, resumes, end = (act[n] for n in ("effective_from", "suspended_to", "effective_to"))
    if pd.isna(begin):
        return []
    if act["direction"] == "easing":
        is_truce = act["instrument"] in TRUCES and pd.notna(end)
        is_first = act["available_at"].tz_localize(None).normalize() <= act["announced_on"]
        if not (is_truce and is_first):
            return []
        since = {**act, "suspended_from": act["announced_on"]}
        return [_returned(announcement_of(since, end + _ONE_DAY), None, easings)]
    found = []
    if act["instrument"] in BINDING and begin > act["announced_on"]:
        found.append(_begun(act, latest, acts, easings))
    if act["instrument"] in BINDING and pd.notna(resumes):
        again = announcement_of(act, resumes + _ONE_DAY)
        found.append(_returned(again, latest["suspended_to"], easings))
    return found


def _begun(act: Act, latest: Act, acts: Sequence[Act], easings: Sequence[Act]) -> Outcome:
    due, paused, end = act["effective_from"], latest["suspended_from"], latest["effective_to"]
    one = announcement_of(act, due)
    if paused <= due:  # never where it is NaT
        again = latest["suspended_to"]
        if again > due:
            return Outcome(one, POSTPONED, _months(due, again + _ONE_DAY))
        return Outcome(one, _SUSPENDED)
    if latest["effective_from"] > due:
        return Outcome(one, POSTPONED, _months(due, latest["effective_from"]))
    stop = min((day for day in (paused, end) if pd.notna(day)), default=_OPEN)
    if stop <= due + EARLY and not _is_replaced(act, stop, acts):
        return Outcome(one, _SUSPENDED)
    return Outcome(one, _SOFTENED if _is_eased(act, due, easings) else _CAME)


def _is_replaced(act: Act, stop: pd.Timestamp, acts: Sequence[Act]) -> bool:
    return any(
        other["issuer"] == act["issuer"]
        and other["instrument"] == act["instrument"]
        and other["effective_from"] in (stop, stop + _ONE_DAY)
        for other in acts
    )


def _is_eased(act: Act, due: pd.Timestamp, easings: Sequence[Act]) -> bool:
    """Return whether its issuer eases an act on all whom it hits soon after its first day."""
    hit = set(str(act["destinations"]).split(";"))
    return any(
        easing["instrument"] == RELAXATION
        and str(easing["issuer"])[:2] == str(act["issuer"])[:2]
        and act["announced_on"] < easing["announced_on"] <= due + EARLY
        and (WORLD in (named := str(easing["destinations"]).split(";")) or hit <= {*named})
        for easing in easings
    )


def _returned(one: Announcement, resumes: pd.Timestamp | None, easings: Sequence[Act]) -> Outcome:
    ends = [
        easing["effective_to"]
        for easing in easings
        if easing["instrument"] in TRUCES
        and one.known_since < easing["announced_on"] <= one.due
        and easing["effective_from"] <= one.due
        and not easing["effective_to"] < one.due
        and _is_about(easing, one.destinations)
    ]
    if resumes is not None:
        ends.append(resumes)
    late = [_months(one.due, end + _ONE_DAY) for end in ends if pd.notna(end)]
    late += [LONGEST_DELAY for end in ends if pd.isna(end)]
    months = min(max(late, default=0.0), LONGEST_DELAY)
    return Outcome(one, POSTPONED if months > 0 else _CAME, months)


def outcomes_of_tariffs(steps: pd.DataFrame) -> list[Outcome]:
    """Return the rises announced ahead among known tariff steps, and how they turned out."""
    found = []
    what = ["importer", "component"]
    rated = steps.loc[steps["rate_pct"].notna()].sort_values([*what, "effective_from", "rate_pct"])
    records = rated.drop_duplicates([*what, "effective_from"], keep="last").to_dict("records")
    for _, part in groupby(records, key=itemgetter(*what)):
        rows, before = list(part), 0.0
        for step, following in zip(rows, [*rows[1:], None], strict=True):
            rate, due, end = step["rate_pct"], step["effective_from"], step["effective_to"]
            if rate > before and due > step["announced_on"]:
                later = 0.0 if following is None else following["rate_pct"]
                is_short = end <= due + EARLY and later < rate
                short = _SOFTENED if later > before else _SUSPENDED
                hit = str(step["importer"])
                rise = Announcement(
                    hit[:2], frozenset({hit}), is_tariff=True, is_return=False,
                    known_since=step["announced_on"], due=due,
                )  # fmt: skip
                found.append(Outcome(rise, short if is_short else _CAME))
            before = rate
    return found


def announced_rises(steps: pd.DataFrame) -> list[Announcement]:
    """Return the rises announced ahead among known tariff steps."""
    return [one.of for one in outcomes_of_tariffs(steps)]


def is_talking(act: Act, destinations: frozenset[str], day: pd.Timestamp) -> bool:
    """Return whether a truce is in force on a day, or was agreed, or talks held, shortly before."""
    if act["announced_on"] > day or not _is_about(act, destinations):
        return False
    is_truce = act["instrument"] == "truce" and act["effective_from"] <= day
    return bool((is_truce and day <= act["effective_to"]) or act["announced_on"] + _RECENT >= day)


def _is_about(act: Act, destinations: frozenset[str]) -> bool:
    named = frozenset(str(act["destinations"]).split(";"))
    return WORLD in named | destinations or bool(named & destinations)


def _months(first: pd.Timestamp, last: pd.Timestamp) -> float:
    return float((last - first).days) / 30.44


CERTAIN: Final = (1.0, 0.0, 0.0, 0.0)
"""Chances of the outcomes of what has begun."""

BASE_RATES: Final = (0.85, 0.07, 0.04, 0.04)
"""Chances of the outcomes without any record."""

_SPREAD: Final = 0.5
"""Prior standard deviation of every coefficient, in log odds; it foretold each act on record best
from those before it (docs/adr/0049-announced-acts.md)."""

USUAL_DELAY: Final = 6.0
"""Months by which a postponed act is late where no case is known."""


@dataclass(frozen=True, eq=False)
class TrackRecord:
    """What is known at a moment of announced acts and how they turned out."""

    as_of: pd.Timestamp
    """The moment (UTC)."""
    acts: tuple[pd.DataFrame, ...] = field(repr=False)
    """Policy events, and controls on other minerals; all versions (store contract)."""
    tariffs: pd.DataFrame | None = field(default=None, repr=False)
    """Tariff steps, all versions."""

    @cached_property
    def day(self) -> pd.Timestamp:
        return self.as_of.tz_convert("UTC").tz_localize(None).normalize()

    def chances(self, one: Announcement) -> tuple[float, ...]:
        """Return the chances of ``OUTCOMES`` for what is announced; certain once it has begun."""
        if one.due <= self.day:
            return CERTAIN
        from scipy.special import log_softmax  # noqa: PLC0415 - half a second

        found = np.exp(log_softmax(self._features(one, self.day) @ self._weights))
        return tuple(found.tolist())

    @property
    def delay(self) -> float:
        late = [one.months for one in self.past if one.place == POSTPONED]
        return float(np.median(late)) if late else USUAL_DELAY

    @cached_property
    def past(self) -> tuple[Outcome, ...]:
        tables = [one.loc[one["available_at"] <= self.as_of] for one in self.acts]
        versions = pd.concat(tables).sort_values(["available_at", "event_id"])
        latest = {act["event_id"]: act for act in self._newest}
        found = (
            []
            if self.tariffs is None
            else outcomes_of_tariffs(self._known(self.tariffs, TARIFF_KEY))
        )
        for act in versions.to_dict("records"):
            if act["event_id"] in latest:
                found += outcomes_of_act(act, latest[act["event_id"]], self._newest, self._easings)
        once: dict[tuple[object, ...], Outcome] = {}
        for one in found:
            if one.of.due <= self.day:
                once.setdefault((one.of.country, one.of.known_since, one.of.due), one)
        return tuple(once.values())

    def _known(self, rows: pd.DataFrame, key: Sequence[str]) -> pd.DataFrame:
        return known_at(rows, key=key, as_of=self.as_of)

    @cached_property
    def _newest(self) -> tuple[Act, ...]:
        known = pd.concat([self._known(one, EVENT_KEY) for one in self.acts])
        return tuple(known.loc[known["evidence"] != "scheduled"].to_dict("records"))

    @cached_property
    def _easings(self) -> tuple[Act, ...]:
        kinds = (*TRUCES, "trade_talks")
        return tuple(
            act
            for act in self._newest
            if act["instrument"] in kinds and act["direction"] == "easing"
        )

    @cached_property
    def _weights(self) -> Floats:
        prior = np.zeros((6, len(OUTCOMES)))
        prior[0] = np.log(BASE_RATES)
        if not self.past:
            return prior
        rows = np.stack([self._features(one.of, one.of.known_since) for one in self.past])
        outcome = np.eye(len(OUTCOMES))[[one.place for one in self.past]]

        from scipy.optimize import minimize  # noqa: PLC0415
        from scipy.special import log_softmax  # noqa: PLC0415

        def loss(flat: Floats) -> tuple[float, Floats]:
            weights = flat.reshape(prior.shape)
            log_chance = log_softmax(rows @ weights, axis=1)
            apart = (weights - prior) / _SPREAD**2
            slope = rows.T @ (np.exp(log_chance) - outcome) + apart
            cost = -(outcome * log_chance).sum() + 0.5 * (apart * (weights - prior)).sum()
            return float(cost), slope.ravel()

        return np.asarray(minimize(loss, prior.ravel(), jac=True).x.reshape(prior.shape))

    def _features(self, one: Announcement, day: pd.Timestamp) -> Floats:
        """Return constant, tariff, return, issued by China, log notice and talks; as of a day."""
        notice = max((one.due - day).days, 1) / 30.0
        talks = any(is_talking(act, one.destinations, day) for act in self._easings)
        flags = (1.0, one.is_tariff, one.is_return, one.country == "CN")
        return np.array([*flags, np.clip(np.log(notice), -2.0, 2.0), talks], dtype=float)
