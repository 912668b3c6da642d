"""A linear stack of the experts: least absolute errors of what they miss, drawn towards none."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FURTHEST: Final = 8.0
"""Spreads beyond which a feature says nothing more."""

ROUNDED: Final = 0.1
"""Errors smaller than this, in spreads, count as squares."""

STILL: Final = 1e-9
"""Standard deviation below which a term does not vary and stays as it is."""

PASSES: Final = 6
"""Times that weights and errors take turns."""

COUNTS: Final = ("horizon", "month", "known_months")
"""Features that are no distances and do not enter as they are."""


@dataclass(frozen=True, slots=True)
class Stack:
    """Weights of what the features say, the more or the less with the horizon."""

    columns: tuple[int, ...]
    horizon: int
    """Column of the horizon."""
    middle: Floats
    unit: Floats
    beta: Floats

    def predict(self, features: NDArray[np.float32]) -> Floats:
        """Return the distance from the base of each row, in spreads."""
        terms = (_terms(features, self.columns, self.horizon) - self.middle) / self.unit
        said = np.zeros(len(terms))
        # Column by column: a matrix product may round a row differently in a larger batch.
        for term, weight in zip(terms.T, self.beta, strict=True):
            said += weight * term
        return said


def fit_stack(
    features: NDArray[np.float32],
    target: Floats,
    weight: Floats,
    *,
    names: tuple[str, ...],
    ridge: float,
) -> Stack:
    """Return the stack with the least weighted absolute errors and a ridge.

    Args:
        features: Cells x features; NaN counts as 0.
        target: Distance of the outcome from the base, in spreads.
        weight: Of each cell.
        names: Of the features.
        ridge: Worth of the belief in 0, in cells.
    """
    columns = tuple(place for place, name in enumerate(names) if name not in COUNTS)
    horizon = names.index("horizon")
    terms = _terms(features, columns, horizon)
    middle, unit = terms.mean(axis=0), terms.std(axis=0)
    middle[0] = 0.0
    unit[unit < STILL] = 1.0
    terms = (terms - middle) / unit
    beta = np.zeros(terms.shape[1])
    for _ in range(PASSES):
        error = target - terms @ beta
        pull = terms * (weight / np.sqrt(error**2 + ROUNDED**2))[:, None]
        gram = pull.T @ terms
        bound = ridge / len(target) * np.trace(gram) / len(gram)
        beta = np.linalg.solve(gram + bound * np.eye(len(gram)), pull.T @ target)
    return Stack(columns, horizon, middle, unit, beta)


def _terms(features: NDArray[np.float32], columns: tuple[int, ...], horizon: int) -> Floats:
    """Return one, the features, the features times the horizon's log, and that log."""
    near = np.nan_to_num(np.clip(features[:, columns], -FURTHEST, FURTHEST)).astype(np.float64)
    later = np.log(features[:, [horizon]].astype(np.float64))
    return np.concatenate([np.ones((len(near), 1)), near, (later - 1.0) * near, later], axis=1)
