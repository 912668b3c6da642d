"""Probabilities that announced acts take effect as announced, from the outcomes of earlier ones.

A multinomial logit with few parameters under a prior: most published law comes into force.
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

_AS_ANNOUNCED, POSTPONED, _SOFTENED, _SUSPENDED = range(len(OUTCOMES))

BINDING: Final = ("export_ban", "export_control", "tariff_increase")
_TARIFF: Final = "tariff_increase"
RELAXATION: Final = "export_licence_relaxation"
TRUCES: Final = ("truce", RELAXATION)
"""Acts that, while in force, keep a suspended control from resuming."""

EARLY: Final = pd.Timedelta(days=60)
"""An act that ends or is relaxed this soon after its first day did not come as announced."""

_RECENT: Final = pd.Timedelta(days=90)
"""Talks and truces count this long from their announcement."""

LONGEST_DELAY: Final = 12.0
"""Delay in months of an act postponed without a date; no forecast looks further ahead."""

_ONE_DAY: Final = pd.Timedelta(days=1)
_OPEN: Final = pd.Timestamp("2100-01-01")

Act = Mapping[Hashable, Any]


@dataclass(frozen=True, slots=True)
class Announcement:
    """An act or tariff step announced for a later day."""

    country: str
    destinations: frozenset[str]
    is_tariff: bool
    is_return: bool
    """Whether it is the return of a suspended act."""
    known_since: pd.Timestamp
    due: pd.Timestamp


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an announcement turned out."""

    announcement: Announcement
    index: int
    """Position in ``OUTCOMES``."""
    delay_months: float = 0.0


def announcement_of(act: Act, due: pd.Timestamp) -> Announcement:
    """Announcement of an act for a day: its start, or its return after a suspension."""
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
    act: Act, latest: Act, acts: Sequence[Act], relaxations: Sequence[Act]
) -> list[Outcome]:
    """Outcomes of the announcements that one version of an act makes."""
    begin, resumes, end = (act[n] for n in ("effective_from", "suspended_to", "effective_to"))
    if pd.isna(begin):
        return []
    if act["direction"] == "easing":
        is_truce = act["instrument"] in TRUCES and pd.notna(end)
        is_first = act["available_at"].tz_localize(None).normalize() <= act["announced_on"]
        if not (is_truce and is_first):
            return []
        since = {**act, "suspended_from": act["announced_on"]}
        return [_of_return(announcement_of(since, end + _ONE_DAY), None, relaxations)]
    outcomes = []
    if act["instrument"] in BINDING and begin > act["announced_on"]:
        outcomes.append(_of_start(act, latest, acts, relaxations))
    if act["instrument"] in BINDING and pd.notna(resumes):
        returning = announcement_of(act, resumes + _ONE_DAY)
        outcomes.append(_of_return(returning, latest["suspended_to"], relaxations))
    return outcomes


def _of_start(act: Act, latest: Act, acts: Sequence[Act], relaxations: Sequence[Act]) -> Outcome:
    """Outcome of an announced start, by the latest version of the act's dates."""
    due, paused, end = act["effective_from"], latest["suspended_from"], latest["effective_to"]
    announcement = announcement_of(act, due)
    if paused <= due:  # never where it is NaT
        resumes = latest["suspended_to"]
        if resumes > due:
            return Outcome(announcement, POSTPONED, _months(due, resumes + _ONE_DAY))
        return Outcome(announcement, _SUSPENDED)
    if latest["effective_from"] > due:
        return Outcome(announcement, POSTPONED, _months(due, latest["effective_from"]))
    stop = min((day for day in (paused, end) if pd.notna(day)), default=_OPEN)
    if stop <= due + EARLY and not _is_replaced(act, stop, acts):
        return Outcome(announcement, _SUSPENDED)
    return Outcome(announcement, _SOFTENED if _is_relaxed(act, due, relaxations) else _AS_ANNOUNCED)


def _is_replaced(act: Act, stop: pd.Timestamp, acts: Sequence[Act]) -> bool:
    return any(
        other["issuer"] == act["issuer"]
        and other["instrument"] == act["instrument"]
        and other["effective_from"] in (stop, stop + _ONE_DAY)
        for other in acts
    )


def _is_relaxed(act: Act, due: pd.Timestamp, relaxations: Sequence[Act]) -> bool:
    """Whether the issuer relaxes an act for all its destinations soon after it starts."""
    affected = set(str(act["destinations"]).split(";"))
    return any(
        relaxation["instrument"] == RELAXATION
        and str(relaxation["issuer"])[:2] == str(act["issuer"])[:2]
        and act["announced_on"] < relaxation["announced_on"] <= due + EARLY
        and (WORLD in (named := str(relaxation["destinations"]).split(";")) or affected <= {*named})
        for relaxation in relaxations
    )


def _of_return(
    announcement: Announcement, resumes: pd.Timestamp | None, relaxations: Sequence[Act]
) -> Outcome:
    """Outcome of an announced return: postponed while a truce or suspension goes on."""
    ends = [
        relaxation["effective_to"]
        for relaxation in relaxations
        if relaxation["instrument"] in TRUCES
        and announcement.known_since < relaxation["announced_on"] <= announcement.due
        and relaxation["effective_from"] <= announcement.due
        and not relaxation["effective_to"] < announcement.due
        and _is_about(relaxation, announcement.destinations)
    ]
    if resumes is not None:
        ends.append(resumes)
    late = [_months(announcement.due, end + _ONE_DAY) for end in ends if pd.notna(end)]
    late += [LONGEST_DELAY for end in ends if pd.isna(end)]
    months = min(max(late, default=0.0), LONGEST_DELAY)
    return Outcome(announcement, POSTPONED if months > 0 else _AS_ANNOUNCED, months)


def outcomes_of_tariffs(steps: pd.DataFrame) -> list[Outcome]:
    """Outcomes of tariff rises that were announced ahead."""
    outcomes = []
    component_key = ["importer", "component"]
    rated = steps.loc[steps["rate_pct"].notna()].sort_values(
        [*component_key, "effective_from", "rate_pct"]
    )
    records = rated.drop_duplicates([*component_key, "effective_from"], keep="last").to_dict(
        "records"
    )
    for _, part in groupby(records, key=itemgetter(*component_key)):
        rows, before = list(part), 0.0
        for step, following in zip(rows, [*rows[1:], None], strict=True):
            rate, due, end = step["rate_pct"], step["effective_from"], step["effective_to"]
            if rate > before and due > step["announced_on"]:
                later = 0.0 if following is None else following["rate_pct"]
                is_short = end <= due + EARLY and later < rate
                short = _SOFTENED if later > before else _SUSPENDED
                importer = str(step["importer"])
                rise = Announcement(
                    importer[:2], frozenset({importer}), is_tariff=True, is_return=False,
                    known_since=step["announced_on"], due=due,
                )  # fmt: skip
                outcomes.append(Outcome(rise, short if is_short else _AS_ANNOUNCED))
            before = rate
    return outcomes


def announced_rises(steps: pd.DataFrame) -> list[Announcement]:
    """Tariff rises that were announced ahead."""
    return [outcome.announcement for outcome in outcomes_of_tariffs(steps)]


def is_talking(act: Act, destinations: frozenset[str], day: pd.Timestamp) -> bool:
    """Whether a truce holds on a day, or a truce or talks were announced shortly before."""
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
"""Probabilities of the outcomes of an act in force."""

BASE_RATES: Final = (0.85, 0.07, 0.04, 0.04)
"""Prior probabilities of the outcomes."""

_SPREAD: Final = 0.5
"""Prior standard deviation of every coefficient, in log odds: best for predicting each act on
record from those before it (benchmarks/history.md)."""

USUAL_DELAY: Final = 6.0
"""Delay of a postponed act in months without any case on record."""


@dataclass(frozen=True, eq=False)
class TrackRecord:
    """Announced acts and their outcomes as available at a moment."""

    as_of: pd.Timestamp
    """The moment (UTC)."""
    acts: tuple[pd.DataFrame, ...] = field(repr=False)
    """Policy events, and controls on other minerals; all versions (store contract)."""
    tariffs: pd.DataFrame | None = field(default=None, repr=False)
    """Tariff steps, all versions."""

    @cached_property
    def day(self) -> pd.Timestamp:
        return self.as_of.tz_convert("UTC").tz_localize(None).normalize()

    def chances(self, announcement: Announcement) -> tuple[float, ...]:
        """Probabilities of ``OUTCOMES``; ``CERTAIN`` once an act is in force."""
        if announcement.due <= self.day:
            return CERTAIN
        from scipy.special import log_softmax  # noqa: PLC0415 - half a second

        logits = self._features(announcement, self.day) @ self._coefficients
        probabilities = np.exp(log_softmax(logits))
        return tuple(probabilities.tolist())

    @property
    def delay(self) -> float:
        delays = [outcome.delay_months for outcome in self.past if outcome.index == POSTPONED]
        return float(np.median(delays)) if delays else USUAL_DELAY

    @cached_property
    def past(self) -> tuple[Outcome, ...]:
        tables = [table.loc[table["available_at"] <= self.as_of] for table in self.acts]
        versions = pd.concat(tables).sort_values(["available_at", "event_id"])
        latest = {act["event_id"]: act for act in self._newest}
        outcomes: list[Outcome] = []
        if self.tariffs is not None:
            outcomes += outcomes_of_tariffs(self._known(self.tariffs, TARIFF_KEY))
        for act in versions.to_dict("records"):
            if act["event_id"] in latest:
                outcomes += outcomes_of_act(
                    act, latest[act["event_id"]], self._newest, self._relaxations
                )
        once: dict[tuple[object, ...], Outcome] = {}
        for outcome in outcomes:
            of = outcome.announcement
            if of.due <= self.day:
                once.setdefault((of.country, of.known_since, of.due), outcome)
        return tuple(once.values())

    def _known(self, rows: pd.DataFrame, key: Sequence[str]) -> pd.DataFrame:
        return known_at(rows, key=key, as_of=self.as_of)

    @cached_property
    def _newest(self) -> tuple[Act, ...]:
        known_acts = pd.concat([self._known(table, EVENT_KEY) for table in self.acts])
        return tuple(known_acts.loc[known_acts["evidence"] != "scheduled"].to_dict("records"))

    @cached_property
    def _relaxations(self) -> tuple[Act, ...]:
        kinds = (*TRUCES, "trade_talks")
        return tuple(
            act
            for act in self._newest
            if act["instrument"] in kinds and act["direction"] == "easing"
        )

    @cached_property
    def _coefficients(self) -> Floats:
        """Posterior mode of the logit's coefficients, regressors x outcomes."""
        prior = np.zeros((6, len(OUTCOMES)))  # one row per regressor of _features
        prior[0] = np.log(BASE_RATES)
        if not self.past:
            return prior
        announced = [outcome.announcement for outcome in self.past]
        regressors = np.stack([self._features(each, each.known_since) for each in announced])
        is_outcome = np.eye(len(OUTCOMES))[[outcome.index for outcome in self.past]]

        from scipy.optimize import minimize  # noqa: PLC0415
        from scipy.special import log_softmax  # noqa: PLC0415

        def loss(flat: Floats) -> tuple[float, Floats]:
            coefficients = flat.reshape(prior.shape)
            log_probability = log_softmax(regressors @ coefficients, axis=1)
            pull = (coefficients - prior) / _SPREAD**2  # gradient of the Gaussian prior
            gradient = regressors.T @ (np.exp(log_probability) - is_outcome) + pull
            log_likelihood = (is_outcome * log_probability).sum()
            cost = -log_likelihood + 0.5 * (pull * (coefficients - prior)).sum()
            return float(cost), gradient.ravel()

        return np.asarray(minimize(loss, prior.ravel(), jac=True).x.reshape(prior.shape))

    def _features(self, announcement: Announcement, day: pd.Timestamp) -> Floats:
        """Regressors on a day: constant, tariff, return, China, log notice in months, talks."""
        notice = max((announcement.due - day).days, 1) / 30.0
        talks = any(is_talking(act, announcement.destinations, day) for act in self._relaxations)
        flags = (1.0, announcement.is_tariff, announcement.is_return, announcement.country == "CN")
        return np.array([*flags, np.clip(np.log(notice), -2.0, 2.0), talks], dtype=float)
