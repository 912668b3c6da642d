"""A destination as it would have gone on, made of other destinations that an event left alone."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

Floats = NDArray[np.float64]

FIT_MONTHS: Final = 36
"""Months before an event that the weights are fitted on."""

LEVEL_MONTHS: Final = 12
"""Last months before an event whose mean is the size of a destination: one of each season."""

OWN_NOISE: Final = 0.1
"""Spread of a month about any mix of others, as a share of the level; how much a month teaches."""

WEIGHT_SPREAD: Final = 0.3
"""Spread of a weight about the equal one before any month is seen."""

SUM_FORCE: Final = 1e4
"""How hard the weights are held to a sum of one."""


@dataclass(frozen=True, slots=True)
class SyntheticControl:
    """One destination remade from donors."""

    weights: Floats
    """One a donor: none negative, sum one."""
    path: Floats
    """Tonnes of each month after the fit."""
    miss: Floats
    """Fitted less true months before, as a share of the level: how well the donors can do it."""


def remade(
    target: Floats, donors: Floats, *, stderr: Floats | None = None, after: int
) -> SyntheticControl:
    """Return a destination remade from donors that follow it in the months before.

    Args:
        target: Tonnes by month, the last ``after`` of them after the event; these are not read.
        donors: The same months of each donor, donors x months; at least one donor.
        stderr: Standard error of the log of ``target``; uncertain months count less in the fit.
        after: How many months lie after the event.

    Returns:
        Weights from at most ``FIT_MONTHS`` months before, each series in units of its last year.
    """
    start = max(target.shape[0] - after - FIT_MONTHS, 0)
    stop = target.shape[0] - after
    level = _level(target[None, :stop])[0]
    sizes = _level(donors[:, :stop])
    observed = target[start:stop] / level
    others = donors[:, start:] / sizes[:, None]
    doubt = np.zeros_like(observed) if stderr is None else stderr[start:stop]
    weights = fitted_weights(observed, others[:, : stop - start], doubt)
    mixed = weights @ others
    return SyntheticControl(
        weights, level * mixed[stop - start :], mixed[: stop - start] - observed
    )


def fitted_weights(observed: Floats, others: Floats, doubt: Floats) -> Floats:
    """Return the weights of donors: none negative, sum one, drawn towards equal ones.

    Args:
        observed: The months of the target in units of its level.
        others: The months of each donor in units of its level, donors x months.
        doubt: Standard error of the log of ``observed``.
    """
    count, months = others.shape
    certainty = OWN_NOISE / np.hypot(OWN_NOISE, doubt)
    ridge = OWN_NOISE / WEIGHT_SPREAD
    rows = [
        others.T * certainty[:, None],
        np.eye(count) * ridge,
        np.full((1, count), SUM_FORCE),
    ]
    aims = [observed * certainty, np.full(count, ridge / count), np.full(1, SUM_FORCE)]
    found, _ = nnls(np.vstack(rows), np.concatenate(aims), maxiter=30 * (count + months))
    weights = np.asarray(found, dtype=np.float64)
    return np.asarray(weights / weights.sum(), dtype=np.float64)


def _level(tonnes: Floats) -> Floats:
    """Return the mean of each row's last year, never quite zero."""
    return np.asarray(np.maximum(tonnes[:, -LEVEL_MONTHS:].mean(axis=1), 1e-9))
