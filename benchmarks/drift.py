"""How often the monitors raise a false alarm, and how often a true one, in made-up worlds.

Prints the tables of ADR 24 and ADR 28. Months are logs of errors: neighbours alike by
``alike``, normal or with heavy tails. A cause is a jump of the level (errors), or a band too
narrow (coverage).
"""

import argparse

import numpy as np
import pandas as pd

from models.monitoring import RECENT, coverage_drift, score_drift

ALIKE = (0.0, 0.3, 0.6)
MONTHS = (12, 15, 24, 36)
CELLS = 30
SPREAD = 0.5
"""Standard deviation of a month's log error, as in the replay of magnets."""


def series(rng: np.random.Generator, count: int, alike: float, *, heavy: bool) -> np.ndarray:
    """Return a stationary series of unit spread."""
    noise = rng.standard_t(4, count) / np.sqrt(2.0) if heavy else rng.standard_normal(count)
    found = np.empty(count)
    found[0] = noise[0]
    for i in range(1, count):
        found[i] = alike * found[i - 1] + np.sqrt(1.0 - alike**2) * noise[i]
    return found


def edge_of(alike: float, *, heavy: bool) -> float:
    """Return the half width of a band that holds four fifths of a world's cells."""
    rng = np.random.default_rng(1)
    shock = series(rng, 200_000, alike, heavy=heavy)
    result = np.sqrt(0.4) * shock + np.sqrt(0.6) * rng.standard_normal(len(shock))
    return float(np.quantile(np.abs(result), 0.8))


EDGE = {(heavy, alike): edge_of(alike, heavy=heavy) for heavy in (False, True) for alike in ALIKE}


def world(
    rng: np.random.Generator, count: int, alike: float, *, heavy: bool, jump: float, band: float
) -> pd.DataFrame:
    """Return months as ``models.monitoring.monthly``: our errors and hits of the band.

    A common shock of each month moves all cells, so hits go together.
    """
    own = SPREAD * series(rng, count, alike, heavy=heavy)
    own[-RECENT:] += jump
    shock = series(rng, count, alike, heavy=heavy)
    own_part = rng.standard_normal((count, CELLS))
    miss = np.abs(np.sqrt(0.4) * shock[:, None] + np.sqrt(0.6) * own_part)
    edge = EDGE[heavy, alike] * band
    return pd.DataFrame(
        {
            "own": own,
            "covered": (miss <= edge).mean(axis=1),
            "cells": CELLS,
        }
    )


def rates(draws: int, seed: int) -> pd.DataFrame:
    """Return how often each monitor raises an alarm, one row a kind of world."""
    rows = []
    for count in MONTHS:
        for alike in ALIKE:
            for heavy in (False, True):
                rng = np.random.default_rng(seed)
                still, moved = [
                    [
                        [reading.fired for reading in (score_drift(w), coverage_drift(w))]
                        for _ in range(draws)
                        for w in [world(rng, count, alike, heavy=heavy, jump=jump, band=band)]
                    ]
                    for jump, band in ((0.0, 1.0), (np.log(3.0), 0.6))
                ]
                rows.append(
                    (count, alike, "heavy" if heavy else "normal", *np.mean(still, axis=0),
                     *np.mean(moved, axis=0))
                )  # fmt: skip
    names = ["months", "alike", "tails", "score", "coverage", "score x3", "band x0.6"]
    return pd.DataFrame(rows, columns=names)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    table = rates(options.draws, options.seed)
    print(table.to_string(index=False, float_format=lambda value: f"{value:.3f}"))


if __name__ == "__main__":
    main()
