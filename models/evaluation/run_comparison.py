"""Two backtests on the cells they share: scores by scope, how sure the difference is, plots.

Public: :func:`shared_cells`, :func:`score_differences`, :func:`comparison_plots`.
"""

from collections.abc import Iterator
from typing import Final

import pandas as pd
from matplotlib.figure import Figure

from models.evaluation.compare import BETTER, WORSE, differences
from models.evaluation.plots import difference_plot, score_plots
from models.evaluation.promotion import CHALLENGER, CHAMPION, own_cells, paired_cells
from store.vocabulary import AGGREGATES, ALL

A: Final = "A"
B: Final = "B"
"""Names of the two in tables and plots; differences are those of B less those of A."""

VERDICTS: Final = {BETTER: "B better", WORSE: "A better"}

COVERAGE: Final = "coverage80"

COLUMNS: Final = [
    "scope", "metric", A, B, "difference", "p05", "p95", "verdict", "cells",
]  # fmt: skip

PLOTTED: Final = 14
"""Scopes in the plot of differences; the table has all."""


def shared_cells(one: pd.DataFrame, other: pd.DataFrame, *, is_newer: bool) -> pd.DataFrame:
    """Return the product's own cells of two backtests that both forecast, as models A and B.

    Both are scored on the months as the later of the two knew them.

    Args:
        one: Cells of backtest A; not modified.
        other: Those of B; not modified.
        is_newer: Whether B is the later one.
    """
    later, earlier = (other, one) if is_newer else (one, other)
    names = {CHALLENGER: B if is_newer else A, CHAMPION: A if is_newer else B}
    pairs = paired_cells(own_cells(later), own_cells(earlier))
    if pairs.empty:
        return pairs
    return pairs.assign(model=pairs["model"].map(names))


def score_differences(cells: pd.DataFrame, *, seed: int) -> pd.DataFrame:
    """Return the scores of A and B by scope with the interval of their difference.

    Args:
        cells: As :func:`shared_cells` returns; not modified.
        seed: Of the draws.

    Returns:
        ``COLUMNS``: one row per scope (all, sums, destinations by size, horizons) and metric. The
        interval is that of ``models.evaluation.compare.differences``; coverage80, the share of
        months within the 80% band, has none.
    """
    tables = [_of_scope(part, seed).assign(scope=scope) for scope, part in _scopes(cells)]
    return pd.concat(tables, ignore_index=True)[COLUMNS]


def comparison_plots(cells: pd.DataFrame, scores: pd.DataFrame) -> dict[str, Figure]:
    """Return figures by name: error by horizon and by origin, and the differences by scope."""
    scopes = list(dict.fromkeys(scores["scope"]))[:PLOTTED]
    rows = scores.rename(columns={"scope": "baseline"}).replace(
        {"verdict": {word: verdict for verdict, word in VERDICTS.items()}}
    )
    words = "B less A, 90% interval: below 0 B is better (green), above A (orange), grey: unsure"
    return {**score_plots(cells), "differences": difference_plot(rows, scopes, words)}


def _scopes(cells: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    yield ALL, cells
    size = cells.loc[cells["model"] == A].groupby("destination")["tonnes"].sum()
    sums = [name for name in AGGREGATES if name in size]
    for name in [*sums, *size.drop(sums).sort_values(ascending=False).index]:
        yield str(name), cells.loc[cells["destination"] == name]
    for horizon, part in cells.groupby("horizon"):
        yield f"{horizon} ahead", part


def _of_scope(cells: pd.DataFrame, seed: int) -> pd.DataFrame:
    found = differences(cells, B, [A], seed=seed).rename(columns={"baseline_score": A, "score": B})
    share = cells.groupby("model")["is_covered"].mean()
    covered = {
        "metric": COVERAGE,
        A: share[A],
        B: share[B],
        "difference": share[B] - share[A],
        "verdict": "",
        "cells": len(cells) // 2,
    }
    table = pd.concat([found, pd.DataFrame([covered])], ignore_index=True)
    return table.assign(verdict=table["verdict"].replace(VERDICTS))
