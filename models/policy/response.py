"""Policy response: what a control that no month has felt yet leaves of a forecast.

The level kept after a control is one curve over the months since it binds, drawn from those on
other minerals: common to all, moved a little by instrument, and by each act. In logs
it is a Gaussian process, so that with few analogs it is wide and with own months it becomes the
act's own. Draws are joint over months and destinations, and the same for equal seeds: two
scenarios can be compared draw by draw. Source: docs/adr/0010-policy-response.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.controls.analogs import Analog
from store.arrays import Floats, join

FLOOR: Final = 0.02
"""Least share kept that differs from none: below it figures are rounding and last parcels."""

MOST: Final = 1.5
"""Share kept beyond which nothing is believed: a backlog is shipped, but not at twice the trade."""

BEND: Final = 4.0
"""How sharply shares near ``MOST`` are bent towards it."""

DRAWS: Final = 2000
SEED: Final = 20250404


@dataclass(frozen=True, slots=True)
class ResponsePrior:
    """Spreads of the logs of what is kept.

    The values had the best likelihood of each analog given the others, among those known on
    2025-04-10; no month of magnets has a part in them.
    """

    reach: float = 0.7
    """How far a month informs others, in log(1 + months)."""
    common: float = 2.0
    instrument: float = 0.3
    act: float = 0.6
    act_level: float = 0.5
    month: float = 0.6
    """Of a single month of an analog: they are small and come in parcels."""
    own_month: float = 0.25
    """Of a single month of magnets about its curve."""
    destination: float = 0.5


@dataclass(frozen=True, slots=True)
class OwnMonths:
    """Months of the own trade since the control, as far as they are known."""

    age: Floats
    """Months since the control bound."""
    world: Floats
    """Share kept by all destinations together, by month."""
    kept: Floats
    """Share kept, destinations x months; NaN where not known."""
    stderr: Floats
    """Of its log, destinations x months."""


@dataclass(frozen=True, slots=True)
class Response:
    """Curves of the level kept, given the analogs."""

    analogs: tuple[Analog, ...]
    prior: ResponsePrior = ResponsePrior()

    def draws(
        self,
        age: Floats,
        *,
        instrument: str,
        destinations: int,
        own: OwnMonths | None = None,
        count: int = DRAWS,
        seed: int = SEED,
    ) -> Floats:
        """Return draws of the share kept of what a control covers.

        Args:
            age: Months since it bound, of the months asked for; where not above 0, all is kept.
            own: Months already seen of it.

        Returns:
            Draws x destinations x months, at least 0.
        """
        seen = np.empty(0) if own is None else own.age
        random = np.random.default_rng(seed)
        normal = random.standard_normal((count, len(seen) + len(age)))
        free, noise = random.standard_normal((2, count, destinations, len(age)))
        curve = self._curve(np.concatenate([seen, np.maximum(age, 0.0)]), instrument, own, normal)
        before, ahead = curve[:, : len(seen)], curve[:, len(seen) :]
        apart = self._apart(age, before, own, free) + self.prior.own_month * noise
        kept = _bounded(np.exp(ahead[:, None, :] + apart))
        return np.where(age[None, None, :] > 0, kept, 1.0)

    def level(self, age: Floats, *, instrument: str, own: OwnMonths | None = None) -> Floats:
        """Return draws of the act's own curve without the noise of months, draws x months.

        Args:
            age: Months since it bound, above 0.
            own: Months already seen of it.
        """
        seen = np.empty(0) if own is None else own.age
        normal = np.random.default_rng(SEED).standard_normal((DRAWS, len(seen) + len(age)))
        curve = self._curve(np.concatenate([seen, age]), instrument, own, normal)
        return _bounded(np.exp(curve[:, len(seen) :]))

    def influence(self, age: Floats, *, instrument: str) -> dict[str, float]:
        """Return what each act among the analogs counts in the curve, adding up to 1.

        Args:
            age: Months since the control bound, of the months asked for.
        """
        if not self.analogs:
            return {}
        points, _, noise = self._evidence(instrument, None)
        known = self._kernel(points, points) + np.diag(noise**2)
        across = self._kernel(points, _Points.of_act(np.maximum(age, 0.0), instrument))
        share = np.abs(np.linalg.solve(known, across)).sum(axis=1)
        total = pd.Series(share).groupby(points.act).sum()
        return {str(act): float(part) for act, part in (total / total.sum()).items()}

    def _curve(self, age: Floats, instrument: str, own: OwnMonths | None, normal: Floats) -> Floats:
        """Return draws of the act's own curve, draws x months, given analogs and the own world."""
        known, logs, noise = self._evidence(instrument, own)
        asked = _Points.of_act(age, instrument)
        mean, spread = _posterior(
            logs,
            self._kernel(known, known) + np.diag(noise**2),
            self._kernel(known, asked),
            self._kernel(asked, asked),
        )
        return np.asarray(mean + normal @ _root(spread).T)

    def _evidence(self, instrument: str, own: OwnMonths | None) -> tuple["_Points", Floats, Floats]:
        """Return what is known of the curve: points, logs kept, spread of each."""
        points = _Points.of_analogs(self.analogs)
        logs = _logs(np.concatenate([a.kept for a in self.analogs] or [np.empty(0)]))
        noise = np.full(len(logs), self.prior.month)
        if own is None:
            return points, logs, noise
        world = float(np.hypot(self.prior.own_month, self.prior.destination / 2.0))
        return (
            join([points, _Points.of_act(own.age, instrument)]),
            np.concatenate([logs, _logs(own.world)]),
            np.concatenate([noise, np.full(len(own.age), world)]),
        )

    def _apart(self, age: Floats, before: Floats, own: OwnMonths | None, free: Floats) -> Floats:
        """Return how far each destination lies from the curve, given its own months.

        Args:
            age: Of the months asked for.
            before: Draws of the curve at the own months, draws x months.
            own: Own months.
            free: Standard normal draws, draws x destinations x months asked for.
        """
        ahead = self._near(age, age)
        if own is None:
            return np.asarray(free @ _root(ahead).T)
        found = np.empty_like(free)
        for row in range(free.shape[1]):
            seen = np.isfinite(own.kept[row])
            months = _logs(own.kept[row, seen])[None, :] - before[:, seen]
            noise = self.prior.own_month**2 + own.stderr[row, seen] ** 2
            mean, spread = _posterior(
                months.T,
                self._near(own.age[seen], own.age[seen]) + np.diag(noise),
                self._near(own.age[seen], age),
                ahead,
            )
            found[:, row] = mean.T + free[:, row] @ _root(spread).T
        return found

    def _near(self, one: Floats, other: Floats) -> Floats:
        return np.asarray(self.prior.destination**2 * _likeness(one, other, self.prior.reach))

    def _kernel(self, one: "_Points", other: "_Points") -> Floats:
        """Return the covariance of logs kept."""
        prior = self.prior
        near = _likeness(one.age, other.age, prior.reach)
        same = {
            name: (getattr(one, name)[:, None] == getattr(other, name)[None, :])
            for name in ("instrument", "act")
        }
        return np.asarray(
            near * (prior.common**2 + prior.act**2 * same["act"])
            + prior.instrument**2 * same["instrument"]
            + prior.act_level**2 * same["act"]
        )


@dataclass(frozen=True, slots=True)
class _Points:
    """Months of acts."""

    age: Floats
    instrument: NDArray[np.str_]
    act: NDArray[np.str_]

    @classmethod
    def of_analogs(cls, analogs: Sequence[Analog]) -> "_Points":
        count = [len(analog.age) for analog in analogs]
        return cls(
            np.concatenate([analog.age for analog in analogs] or [np.empty(0)]),
            np.repeat(np.array([analog.instrument for analog in analogs], dtype=str), count),
            np.repeat(np.array([analog.event_id for analog in analogs], dtype=str), count),
        )

    @classmethod
    def of_act(cls, age: Floats, instrument: str) -> "_Points":
        """Return months of the act asked about."""
        return cls(age, np.repeat(instrument, len(age)), np.repeat("", len(age)))


def _logs(kept: Floats) -> Floats:
    return np.log(np.maximum(kept, FLOOR))


def _bounded(kept: Floats) -> Floats:
    """Return shares bent towards ``MOST``; small ones stay as they are."""
    bent: Floats = kept / (1.0 + (kept / MOST) ** BEND) ** (1.0 / BEND)
    return bent


def _likeness(one: Floats, other: Floats, reach: float) -> Floats:
    """Return how alike months since a control are, 0 to 1."""
    first, second = (np.log1p(np.maximum(age, 0.0)) for age in (one, other))
    gap = (first[:, None] - second[None, :]) / reach
    return np.asarray(np.exp(-0.5 * gap**2))


def _posterior(logs: Floats, known: Floats, across: Floats, asked: Floats) -> tuple[Floats, Floats]:
    """Return mean and covariance of what is asked, given what is known."""
    if not len(logs):
        return np.zeros((asked.shape[0], *logs.shape[1:])), asked
    gain = np.linalg.solve(known, across).T
    return gain @ logs, asked - gain @ across


def _root(covariance: Floats) -> Floats:
    """Return a root of a covariance, whatever rounding made of its smallest eigenvalues."""
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2.0)
    root: Floats = vectors * np.sqrt(np.maximum(values, 0.0))
    return root
