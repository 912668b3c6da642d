"""The trial: the last months replayed by a learner that did not see them.

Its errors weigh the candidates against each other and set the bands.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.engine.bands import GROUPS, Bands, Checked, bands_of, edges_of, sides
from models.engine.learner import CANDIDATES, Learner, Said
from models.engine.lessons import Lessons
from models.engine.spec import EngineSpec

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

NEAR: Final = 3
"""Months ahead up to which a horizon counts as near."""

SHARPNESS: Final = 4.0
"""Power of the inverse errors that weights are in proportion to, before they are shrunk."""

LEAST_CHECKED: Final = 50
"""Cells of a group below which its weights are equal."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the trial taught."""

    weights: Floats
    """Groups x (near, far) x candidates; each adds up to one."""
    bands: Bands

    def middle(self, candidates: Floats, level: Floats) -> Floats:
        """Return the weighed middle of series x months.

        Args:
            candidates: Series x months x candidates, distances from the base in spreads.
            level: Of each series, in spreads.
        """
        group = self.bands.group_of(level)
        return (candidates * self.weights[group][:, _far(candidates.shape[1])]).sum(axis=2)


def _far(horizon: int) -> Ints:
    return (np.arange(1, horizon + 1) > NEAR).astype(np.int64)


def trial_start(last: int, horizon: int, spec: EngineSpec) -> int:
    """Return the column of the first origin of the trial."""
    return last - max(spec.trial_months, horizon)


def before_trial(known: Lessons, start: int) -> NDArray[np.bool_]:
    """Tell which lessons were known when the trial began."""
    return known.origin + known.horizon <= start


def judge(
    learner: Learner | None, known: Lessons, *, horizon: int, last: int, spec: EngineSpec
) -> Verdict:
    """Return weights and bands from the months before the column ``last``.

    Args:
        learner: Fitted to the cells of ``before_trial``.
        known: All lessons.
        horizon: Months to forecast.
        last: Column of the last month known.
        spec: Choices of the engine.
    """
    edges = edges_of(known.level)
    tried = known.part(known.origin >= trial_start(last, horizon, spec))
    equal = np.full((GROUPS, 2, len(CANDIDATES)), 1.0 / len(CANDIDATES))
    if learner is None or not len(tried):
        empty = Checked(*(np.empty(0, dtype) for dtype in (float, int, int, int)))
        return Verdict(equal, bands_of(empty, edges, horizon=horizon, last=last, spec=spec))
    said = learner.says(tried.features)
    group = np.digitize(-tried.level, edges)
    weights = _weights(said, tried, group, spec)
    far = (tried.horizon > NEAR).astype(np.int64)
    middle = (said.candidates * weights[group, far]).sum(axis=1)
    checked = Checked(_scores(said, middle, tried), tried.horizon, group, tried.origin)
    return Verdict(weights, bands_of(checked, edges, horizon=horizon, last=last, spec=spec))


def _weights(said: Said, tried: Lessons, group: Ints, spec: EngineSpec) -> Floats:
    """Return weights in proportion to a power of the inverse error, shrunk to equal ones."""
    equal = 1.0 / len(CANDIDATES)
    weights = np.full((GROUPS, 2, len(CANDIDATES)), equal)
    floor = -tried.base[:, None]
    error = np.abs(np.maximum(said.candidates, floor) - tried.target[:, None])
    error *= tried.weight[:, None]
    for each in range(GROUPS):
        for far in (0, 1):
            cells = (group == each) & ((tried.horizon > NEAR) == bool(far))
            if cells.sum() < LEAST_CHECKED:
                continue
            loss = np.maximum(error[cells].mean(axis=0), 1e-12)
            sharp = (loss.min() / loss) ** SHARPNESS
            weights[each, far] = spec.trust * sharp / sharp.sum() + (1.0 - spec.trust) * equal
    return weights


def _scores(said: Said, middle: Floats, tried: Lessons) -> Floats:
    """Return how far outcomes were from the middle, in units of the head on that side."""
    down, up = sides(middle, said.low, said.high)
    gap = tried.target - np.maximum(middle, -tried.base)
    return gap / np.where(gap < 0, down, up)
