"""The chances that what is announced comes as announced, from all acts and tariff steps known then.

Few parameters under a prior: with no record most law that is published comes into force.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.special import log_softmax

from features.announcements import (
    OUTCOMES,
    POSTPONED,
    TRUCES,
    Act,
    Announcement,
    Outcome,
    is_talking,
    outcomes_of_act,
    outcomes_of_tariffs,
)
from store.arrays import Floats
from store.asof import EVENT_KEY, TARIFF_KEY, known_at

CERTAIN: Final = (1.0, 0.0, 0.0, 0.0)
"""Chances of the outcomes of what has begun."""

BASE: Final = (0.85, 0.07, 0.04, 0.04)
"""Chances of the outcomes without any record."""

SPREAD: Final = 0.5
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
        """Return the date of the moment, without time zone."""
        return self.as_of.tz_convert("UTC").tz_localize(None).normalize()

    def chances(self, one: Announcement) -> tuple[float, ...]:
        """Return the chances of ``OUTCOMES`` for what is announced; certain once it has begun."""
        if one.due <= self.day:
            return CERTAIN
        found = np.exp(log_softmax(self._features(one, self.day) @ self._weights))
        return tuple(found.tolist())

    @property
    def delay(self) -> float:
        """Return the median number of months by which what was postponed was late."""
        late = [one.months for one in self.past if one.place == POSTPONED]
        return float(np.median(late)) if late else USUAL_DELAY

    @cached_property
    def past(self) -> tuple[Outcome, ...]:
        """Return what was due by the day, each announcement once, and how it turned out."""
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
        """Return the newest version of every act but scheduled days."""
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
        """Return the coefficients, features x outcomes, of a multinomial logit with a prior."""
        prior = np.zeros((6, len(OUTCOMES)))
        prior[0] = np.log(BASE)
        if not self.past:
            return prior
        rows = np.stack([self._features(one.of, one.of.known_since) for one in self.past])
        came = np.eye(len(OUTCOMES))[[one.place for one in self.past]]

        def loss(flat: Floats) -> tuple[float, Floats]:
            weights = flat.reshape(prior.shape)
            log_chance = log_softmax(rows @ weights, axis=1)
            apart = (weights - prior) / SPREAD**2
            slope = rows.T @ (np.exp(log_chance) - came) + apart
            cost = -(came * log_chance).sum() + 0.5 * (apart * (weights - prior)).sum()
            return float(cost), slope.ravel()

        return np.asarray(minimize(loss, prior.ravel(), jac=True).x.reshape(prior.shape))

    def _features(self, one: Announcement, day: pd.Timestamp) -> Floats:
        """Return constant, tariff, return, issued by China, log notice and talks; as of a day."""
        notice = max((one.due - day).days, 1) / 30.0
        talks = any(is_talking(act, one.destinations, day) for act in self._easings)
        flags = (1.0, one.is_tariff, one.is_return, one.country == "CN")
        return np.array([*flags, np.clip(np.log(notice), -2.0, 2.0), talks], dtype=float)
