"""Intermittent demand: its chance and its size, each smoothed on its own."""

from itertools import product
from typing import Final

import numpy as np

from models.statistical.smoothing import Floats, Months, best_of, columns_of

DEMAND_RATES: Final = (0.1, 0.2, 0.3)
"""Smoothing parameters tried for the size of a demand and for its chance alike."""


def tsb(
    months: Months,
    horizon: int,
    *,
    size_rates: tuple[float, ...] = DEMAND_RATES,
    chance_rates: tuple[float, ...] = DEMAND_RATES,
) -> Floats:
    """Return the chance of a demand times its size, each smoothed on its own.

    Source: Teunter, Syntetos and Babai (2011), Intermittent demand: linking forecasting to
    inventory obsolescence.

    Args:
        months: Values; above 0 is a demand.
        horizon: Months ahead; all get the same.
        size_rates: Smoothing parameters to try for the size, which moves with each demand.
        chance_rates: And for the chance, which moves with each known month.
    """
    grid = columns_of(list(product(size_rates, chance_rates)))
    best = best_of(grid, _demand(months, grid))
    said = months.blank(horizon)
    _demand(months, best, said)
    return said


def _demand(months: Months, grid: Floats, said: Floats | None = None) -> Floats:
    """Walk along the months and return the errors, points x series."""
    size_rate, chance_rate = grid
    demand = (months.values > 0).astype(np.float64)
    columns = np.arange(demand.shape[1])
    size = np.tile(months.values[demand.argmax(axis=0), columns], (len(size_rate), 1))
    chance = np.tile(demand[months.first, columns], (len(size_rate), 1))
    loss, error, move = (np.zeros_like(size) for _ in range(3))
    for at, row in enumerate(months.values):
        np.multiply(size, chance, out=move)
        if said is not None:
            said[at] = move[0]
        np.subtract(row, move, out=error)
        error *= months.known[at]
        loss += np.abs(error, out=error)
        np.subtract(row, size, out=move)
        move *= size_rate
        size += np.multiply(move, demand[at], out=move)
        np.subtract(demand[at], chance, out=move)
        move *= chance_rate
        chance += np.multiply(move, months.known[at], out=move)
    if said is not None:
        said[len(months.values) :] = size[0] * chance[0]
    return loss
