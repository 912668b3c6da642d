"""Licences on record: what they left month by month, and licences as strict as they were."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from features.controls.analogs import LICENCE, MAGNET_MATERIAL, Analog
from features.controls.controls import Control, tonnes_without
from features.origin import Origin
from models.policy.drawing import LEAST
from models.policy.response import ObservedMonths, Response
from store.arrays import Floats
from store.errors import DataError
from store.messages import message
from store.schema.scenario import STRICTNESS

HARDEST, MINERALS, APRIL_2025 = STRICTNESS

EXPOSED_MONTHS: Final = 3
"""Months of the first control on magnets by which destinations are compared."""

EXPOSURES: Final = (0.5, 1.5)
"""Least and most that a destination is said to lose beside all together."""


@dataclass(frozen=True, slots=True)
class Precedents:
    """Past licences as known at an origin."""

    control: Control | None
    """The first control observed in months of all destinations."""
    months: Floats
    """Months since it bound."""
    shares: Floats
    """Share it left of the level before, series x months, at most 1."""
    world: int
    """Row of the widest sum."""
    minerals: tuple[Analog, ...]

    @classmethod
    def at(
        cls, origin: Origin, controls: Sequence[Control], analogs: Sequence[Analog]
    ) -> "Precedents":
        """Past licences among some controls and analogs."""
        minerals = tuple(
            candidate for candidate in analogs if candidate.material != MAGNET_MATERIAL
        )
        world = max(range(len(origin.series)), key=lambda row: len(origin.groups[row]))
        control = next(
            (
                candidate
                for candidate in controls
                if candidate.seen(origin) > 1 and candidate.hit.all()
            ),
            None,
        )
        if control is None:
            return cls(None, np.zeros(0), np.ones((len(origin.series), 0)), world, minerals)
        months, shares = _share_by_month(control, origin)
        return cls(control, months, shares, world, minerals)

    @property
    def exposure(self) -> Floats:
        """What each series lost beside all of them together, 1 where nothing is known."""
        lost = (1.0 - self.shares[:, :EXPOSED_MONTHS]).sum(axis=1)
        if lost[self.world] < LEAST:
            return np.ones(len(lost))
        return np.asarray(np.clip(lost / lost[self.world], *EXPOSURES))

    def retained(self, strictness: str, age: Floats, count: int, seed: int) -> Floats:
        """Draws of what a licence leaves when it is as strict as a past one.

        The stricter never leaves more than the milder, draw by draw.

        Args:
            age: Months since it binds.

        Returns:
            Draws x series x months, 0 to 1.
        """
        if self.control is None and (strictness == APRIL_2025 or not self.minerals):
            raise DataError(
                message(
                    "There is no month under such licences (%(strictness)s) before that date. "
                    "Choose another strictness.",
                    strictness=strictness,
                )
            )
        age, series = np.maximum(age, LEAST), len(self.shares)
        retained = np.ones((count, series, len(age)))
        if self.control is not None:
            apart = np.random.default_rng([seed, 6]).standard_normal((count, 1, len(age)))
            by_month = np.array([np.interp(age, self.months, row) for row in self.shares])
            retained = np.minimum(by_month * np.exp(Response(()).prior.own_month * apart), 1.0)
        if strictness != APRIL_2025 and self.minerals:
            under_minerals = Response(self.minerals).draws(
                age, instrument=LICENCE, destinations=series, count=count, seed=seed
            )
            lost = self.exposure[:, None] * (1.0 - np.minimum(under_minerals, 1.0))
            retained = np.minimum(retained, np.maximum(1.0 - lost, 0.0))
        return np.minimum(retained, self._lowest(age)) if strictness == HARDEST else retained

    def _lowest(self, age: Floats) -> Floats:
        """Least that any licence on another mineral left at an age or later, 1 where unknown.

        Later months count too: licences on record had their lowest months at different ages, and
        month by month their least would jump up and down as none of them did.
        """
        lowest = np.ones(len(age))
        for analog in self.minerals:
            covered = (age > analog.age[0] - 1.0) & (age <= analog.age[-1] + 0.5)
            share = np.interp(age, analog.age, analog.retained)
            lowest = np.where(covered, np.minimum(lowest, share), lowest)
        order = np.argsort(age)
        lowest[order] = np.minimum.accumulate(lowest[order][::-1])[::-1]
        return lowest


def _share_by_month(control: Control, origin: Origin) -> tuple[Floats, Floats]:
    """Months since a control bound and the share of each series left in them.

    Once trade is on its way back from its lowest month, a later fall is not the control's.
    """
    rows = [int(row) for row in np.flatnonzero(control.hit & ~origin.is_sum)]
    observed = observed_months(origin, control, rows)
    shares = np.tile(observed.world, (len(origin.series), 1))
    shares[rows] = np.where(np.isfinite(observed.retained), observed.retained, observed.world)
    for row in shares:
        low = int(row.argmin())
        row[low:] = np.maximum.accumulate(row[low:])
    return observed.age, np.minimum(shares, 1.0)


def observed_months(origin: Origin, control: Control, rows: Sequence[int]) -> ObservedMonths:
    """Share of the level without a control in the months observed under it."""
    count, level = control.seen(origin), tonnes_without(origin, control)[rows]
    age = control.age(origin.cutoff - count + 1 + np.arange(count))
    is_observed = age > 0
    before = np.maximum(level[:, :count][:, is_observed], LEAST)
    since = origin.tonnes[rows][:, -count:][:, is_observed]
    return ObservedMonths(
        age[is_observed],
        since.sum(axis=0) / before.sum(axis=0),
        since / before,
        origin.stderr[rows][:, -count:][:, is_observed],
    )
