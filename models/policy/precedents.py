"""Licences on record: what they left month by month, and licences as strict as they were."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from features.controls.analogs import LICENCE, OWN, Analog
from features.controls.controls import Control, tonnes_without
from features.origin import Origin
from models.policy.drawing import LEAST
from models.policy.response import OwnMonths, Response
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

    felt: Control | None
    """The first control that months of all destinations have felt."""
    months: Floats
    """Months since it bound."""
    shares: Floats
    """Share it left of the level before, series x months, at most 1."""
    world: int
    """Row of the widest sum."""
    minerals: tuple[Analog, ...]

    @classmethod
    def at(
        cls, origin: Origin, known: Sequence[Control], analogs: Sequence[Analog]
    ) -> "Precedents":
        """Return those among some controls and analogs."""
        minerals = tuple(one for one in analogs if one.material != OWN)
        world = max(range(len(origin.series)), key=lambda row: len(origin.groups[row]))
        felt = next((one for one in known if one.seen(origin) > 1 and one.hit.all()), None)
        if felt is None:
            return cls(None, np.zeros(0), np.ones((len(origin.series), 0)), world, minerals)
        months, shares = _left_by(felt, origin)
        return cls(felt, months, shares, world, minerals)

    @property
    def exposure(self) -> Floats:
        """What each series lost beside all of them together, 1 where nothing is known."""
        lost = (1.0 - self.shares[:, :EXPOSED_MONTHS]).sum(axis=1)
        if lost[self.world] < LEAST:
            return np.ones(len(lost))
        return np.asarray(np.clip(lost / lost[self.world], *EXPOSURES))

    def kept(self, strictness: str, age: Floats, count: int, seed: int) -> Floats:
        """Return draws of what a licence leaves when it is as strict as a past one.

        The stricter never leaves more than the milder, draw by draw.

        Args:
            age: Months since it binds.

        Returns:
            Draws x series x months, 0 to 1.
        """
        self._check(strictness)
        age, series = np.maximum(age, LEAST), len(self.shares)
        found = np.ones((count, series, len(age)))
        if self.felt is not None:
            apart = np.random.default_rng([seed, 6]).standard_normal((count, 1, len(age)))
            own = np.array([np.interp(age, self.months, row) for row in self.shares])
            found = np.minimum(own * np.exp(Response(()).prior.own_month * apart), 1.0)
        if strictness != APRIL_2025 and self.minerals:
            left = Response(self.minerals).draws(
                age, instrument=LICENCE, destinations=series, count=count, seed=seed
            )
            lost = self.exposure[:, None] * (1.0 - np.minimum(left, 1.0))
            found = np.minimum(found, np.maximum(1.0 - lost, 0.0))
        return np.minimum(found, self._lowest(age)) if strictness == HARDEST else found

    def _lowest(self, age: Floats) -> Floats:
        """Return the least that any licence on another mineral left at an age, 1 where unknown."""
        found = np.ones(len(age))
        for one in self.minerals:
            covered = (age > one.age[0] - 1.0) & (age <= one.age[-1] + 0.5)
            left = np.interp(age, one.age, one.kept)
            found = np.where(covered, np.minimum(found, left), found)
        return found

    def _check(self, strictness: str) -> None:
        if self.felt is None and (strictness == APRIL_2025 or not self.minerals):
            raise DataError(
                message(
                    "No month under such licences (%(strictness)s) is known by then. Expected one "
                    "of a past control. Choose another strictness.",
                    strictness=strictness,
                )
            )


def _left_by(felt: Control, origin: Origin) -> tuple[Floats, Floats]:
    """Return months since a control bound and the share of each series left in them.

    Once trade is on its way back from its lowest month, a later fall is not the control's.
    """
    rows = [int(row) for row in np.flatnonzero(felt.hit & ~origin.is_sum)]
    own = own_months(origin, felt, rows)
    shares = np.tile(own.world, (len(origin.series), 1))
    shares[rows] = np.where(np.isfinite(own.kept), own.kept, own.world)
    for row in shares:
        low = int(row.argmin())
        row[low:] = np.maximum.accumulate(row[low:])
    return own.age, np.minimum(shares, 1.0)


def own_months(origin: Origin, control: Control, rows: Sequence[int]) -> OwnMonths:
    """Return what the months that have felt a control kept of the level without it."""
    seen, level = control.seen(origin), tonnes_without(origin, control)[rows]
    age = control.age(origin.cutoff - seen + 1 + np.arange(seen))
    is_felt = age > 0
    before = np.maximum(level[:, :seen][:, is_felt], LEAST)
    since = origin.tonnes[rows][:, -seen:][:, is_felt]
    return OwnMonths(
        age[is_felt],
        since.sum(axis=0) / before.sum(axis=0),
        since / before,
        origin.stderr[rows][:, -seen:][:, is_felt],
    )
