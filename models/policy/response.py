"""Policy response: share of a forecast that a control not observed yet lets through.

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
class ObservedMonths:
    """Known months of trade in magnets under a control."""

    age: Floats
    """Months since the control bound."""
    world: Floats
    """Share retained by all destinations together, by month."""
    retained: Floats
    """Share retained, destinations x months; NaN where not known."""
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
        observed: ObservedMonths | None = None,
        count: int = DRAWS,
        seed: int = SEED,
    ) -> Floats:
        """Draws of the share kept of what a control covers.

        Args:
            age: Months since it bound, of the months asked for; where not above 0, all is kept.
            observed: Months already known of it.

        Returns:
            Draws x destinations x months, at least 0.
        """
        past_age = np.empty(0) if observed is None else observed.age
        random = np.random.default_rng(seed)
        normal = random.standard_normal((count, len(past_age) + len(age)))
        free, noise = random.standard_normal((2, count, destinations, len(age)))
        curve = self._curve(
            np.concatenate([past_age, np.maximum(age, 0.0)]), instrument, observed, normal
        )
        before, ahead = curve[:, : len(past_age)], curve[:, len(past_age) :]
        apart = self._apart(age, before, observed, free) + self.prior.own_month * noise
        share = _bounded(np.exp(ahead[:, None, :] + apart))
        return np.where(age[None, None, :] > 0, share, 1.0)

    def level(
        self, age: Floats, *, instrument: str, observed: ObservedMonths | None = None
    ) -> Floats:
        """Draws of the act's own curve without the noise of months, draws x months.

        Args:
            age: Months since it bound, above 0.
            observed: Months already known of it.
        """
        past_age = np.empty(0) if observed is None else observed.age
        normal = np.random.default_rng(SEED).standard_normal((DRAWS, len(past_age) + len(age)))
        curve = self._curve(np.concatenate([past_age, age]), instrument, observed, normal)
        return _bounded(np.exp(curve[:, len(past_age) :]))

    def _curve(
        self, age: Floats, instrument: str, observed: ObservedMonths | None, normal: Floats
    ) -> Floats:
        """Draws of the act's own curve, draws x months, given analogs and the own world."""
        points, logs, noise = self._evidence(instrument, observed)
        ahead = _Points.of_act(age, instrument)
        mean, spread = _posterior(
            logs,
            self._kernel(points, points) + np.diag(noise**2),
            self._kernel(points, ahead),
            self._kernel(ahead, ahead),
        )
        return np.asarray(mean + normal @ _root(spread).T)

    def _evidence(
        self, instrument: str, observed: ObservedMonths | None
    ) -> tuple["_Points", Floats, Floats]:
        """Observations of the curve: their points, log shares and standard deviations."""
        points = _Points.of_analogs(self.analogs)
        logs = _logs(np.concatenate([a.retained for a in self.analogs] or [np.empty(0)]))
        noise = np.full(len(logs), self.prior.month)
        if observed is None:
            return points, logs, noise
        world = float(np.hypot(self.prior.own_month, self.prior.destination / 2.0))
        return (
            join([points, _Points.of_act(observed.age, instrument)]),
            np.concatenate([logs, _logs(observed.world)]),
            np.concatenate([noise, np.full(len(observed.age), world)]),
        )

    def _apart(
        self, age: Floats, before: Floats, observed: ObservedMonths | None, free: Floats
    ) -> Floats:
        """Deviation of each destination from the curve, given its own months.

        Args:
            age: Of the months asked for.
            before: Draws of the curve at the known months, draws x months.
            observed: Months already known of it.
            free: Standard normal draws, draws x destinations x months asked for.
        """
        ahead = self._near(age, age)
        if observed is None:
            return np.asarray(free @ _root(ahead).T)
        deviations = np.empty_like(free)
        for row in range(free.shape[1]):
            is_known = np.isfinite(observed.retained[row])
            months = _logs(observed.retained[row, is_known])[None, :] - before[:, is_known]
            noise = self.prior.own_month**2 + observed.stderr[row, is_known] ** 2
            mean, spread = _posterior(
                months.T,
                self._near(observed.age[is_known], observed.age[is_known]) + np.diag(noise),
                self._near(observed.age[is_known], age),
                ahead,
            )
            deviations[:, row] = mean.T + free[:, row] @ _root(spread).T
        return deviations

    def _near(self, first: Floats, second: Floats) -> Floats:
        return np.asarray(self.prior.destination**2 * _correlation(first, second, self.prior.reach))

    def _kernel(self, first: "_Points", second: "_Points") -> Floats:
        """Covariance of logs kept."""
        prior = self.prior
        near = _correlation(first.age, second.age, prior.reach)
        same = {
            name: (getattr(first, name)[:, None] == getattr(second, name)[None, :])
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
        """Months of the act asked about."""
        return cls(age, np.repeat(instrument, len(age)), np.repeat("", len(age)))


def _logs(shares: Floats) -> Floats:
    return np.log(np.maximum(shares, FLOOR))


def _bounded(shares: Floats) -> Floats:
    """Shares bent towards ``MOST``; small ones stay as they are."""
    bent: Floats = shares / (1.0 + (shares / MOST) ** BEND) ** (1.0 / BEND)
    return bent


def _correlation(ages: Floats, other_ages: Floats, reach: float) -> Floats:
    """Correlation of months since a control, first x other, 0 to 1."""
    log_age, other_log_age = (np.log1p(np.maximum(age, 0.0)) for age in (ages, other_ages))
    gap = (log_age[:, None] - other_log_age[None, :]) / reach
    return np.asarray(np.exp(-0.5 * gap**2))


def _posterior(
    logs: Floats, covariance: Floats, across: Floats, target: Floats
) -> tuple[Floats, Floats]:
    """Posterior mean and covariance of the target points given observed logs."""
    if not len(logs):
        return np.zeros((target.shape[0], *logs.shape[1:])), target
    gain = np.linalg.solve(covariance, across).T
    return gain @ logs, target - gain @ across


def _root(covariance: Floats) -> Floats:
    """Root of a covariance, whatever rounding made of its smallest eigenvalues."""
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2.0)
    root: Floats = vectors * np.sqrt(np.maximum(values, 0.0))
    return root
