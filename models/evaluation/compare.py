"""How sure a lead over a baseline is: differences of scores with intervals.

Public: :func:`differences`, of any two models; :func:`paired_cells` and :func:`score_differences`,
of two backtests. The gate, ``magnetcast compare`` and scoreboards all use these.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import pandas as pd
from scipy import stats

from models.evaluation.backtest import SCORED_HORIZONS
from models.evaluation.scores import cell_scores
from models.forecasting.forecaster import MODEL
from sources.files.panel import read_month
from store.arrays import Floats, Ints
from store.vocabulary import AGGREGATES, ALL, QUANTILE_COLUMNS

LOSSES: Final = {
    "mase": "scaled_error",
    "sql": "scaled_quantile_loss",
    "wape": "absolute_error",
}
"""Metrics and the errors of a cell they are made of: means of the first two, the sum of the third
over the sum of tonnes."""

_CELL: Final = ("as_of", "cutoff", "destination", "period")
"""What two models' forecasts are paired by; as_of where there is one."""

_LEVEL: Final = 0.95
"""Probability that the difference lies below the upper end of its interval: p05 to p95."""

BETTER: Final = "better"
WORSE: Final = "worse"
UNSURE: Final = "not significant"

DIFFERENCE_COLUMNS: Final = (
    "model", "baseline", "metric", "score", "baseline_score", "difference", "p05", "p95",
    "verdict", "cells",
)  # fmt: skip

CHALLENGER: Final = "challenger"
CHAMPION: Final = "champion"

A: Final = "A"
B: Final = "B"
"""Names of two backtests in tables; differences are those of B less those of A."""

COVERAGE: Final = "coverage80"

SCOPE_COLUMNS: Final = [
    "scope", "metric", A, B, "difference", "p05", "p95", "verdict", "cells",
]  # fmt: skip


def differences(cells: pd.DataFrame, model: str, baselines: Sequence[str]) -> pd.DataFrame:
    """Return the scores of a model less those of each baseline, with 90% intervals.

    Standard errors are clustered by cutoff and by destination, as errors of one month are alike
    across destinations and those of one destination across months; cutoffs closer than the longest
    horizon count as autocorrelated. Student's t has as many degrees of freedom as the fewer of
    independent cutoffs and destinations leave, so that few of either tell little apart. One cutoff
    is no evidence for other times: the interval is then over destinations alone.

    Args:
        cells: As ``models.evaluation.scores.cell_scores`` returns; not modified.
        baselines: Names of the models it is compared to, each on the cells both forecast.

    Returns:
        One row per baseline and metric (mase, sql, wape): the two scores, difference (below 0 the
        model is better), p05 and p95, verdict (``better``, ``worse`` or ``not significant``, when 0
        lies within p05..p95) and cells compared. NaN without shared cells; the interval also with a
        single series at a single cutoff.

    Source: A. C. Cameron, J. B. Gelbach, D. L. Miller, Robust inference with multiway clustering,
    Journal of Business & Economic Statistics 29 (2011) 238-249; W. K. Newey, K. D. West,
    Econometrica 55 (1987) 703-708.
    """
    own = cells.loc[cells["model"] == model]
    parts = []
    for baseline in baselines:
        pairs = _pairs(own, cells.loc[cells["model"] == baseline])
        rows = [_difference(pairs, metric) for metric in LOSSES]
        parts.append(pd.DataFrame(rows).assign(model=model, baseline=baseline))
    columns = list(DIFFERENCE_COLUMNS)
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def _pairs(own: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    keys = [name for name in _CELL if name in own]
    theirs = other[[*keys, *LOSSES.values()]]
    pairs = own.merge(theirs, on=keys, suffixes=("", "_other"), validate="one_to_one")
    return pairs.sort_values(keys, ignore_index=True)


def _difference(pairs: pd.DataFrame, metric: str) -> dict[str, object]:
    column = LOSSES[metric]
    known = pairs.dropna(subset=[column, f"{column}_other"])
    own, other = (known[name].to_numpy(dtype=float) for name in (column, f"{column}_other"))
    weight = known["tonnes"].to_numpy(dtype=float) if metric == "wape" else np.ones(len(known))
    total = float(weight.sum())
    if total <= 0:
        nothing = dict.fromkeys(("score", "baseline_score", "difference", "p05", "p95"), np.nan)
        return {"metric": metric, **nothing, "verdict": UNSURE, "cells": len(known)}
    difference = float((own - other).sum() / total)
    score = float(own.sum() / total)
    beyond = (own - other - difference * weight) / total
    reach = _half_width(beyond, known)
    low, high = difference - reach, difference + reach
    return {
        "metric": metric,
        "score": score,
        "baseline_score": score - difference,
        "difference": difference,
        "p05": low,
        "p95": high,
        "verdict": BETTER if high < 0 else WORSE if low > 0 else UNSURE,
        "cells": len(known),
    }


def _half_width(beyond: Floats, pairs: pd.DataFrame) -> float:
    row, cutoffs = pd.factorize(pairs["cutoff"], sort=True)
    column, destinations = pd.factorize(pairs["destination"])
    table = np.zeros((len(cutoffs), len(destinations)))
    np.add.at(table, (row, column), beyond)
    numbers = np.array([read_month(cutoff) for cutoff in cutoffs])
    run = _run(numbers, int(pairs["horizon"].max()))
    independent = (len(cutoffs) / run, float(len(destinations)))
    sums = (_autocorrelated(table.sum(axis=1), run), float((table.sum(axis=0) ** 2).sum()))
    found = [
        (variance * count / (count - 1), count - 1)
        for variance, count in zip(sums, independent, strict=True)
        if count > 1
    ]
    if not found:
        return float("nan")
    variances, freedom = zip(*found, strict=True)
    both = sum(variances) - float((table**2).sum()) if len(found) > 1 else 0.0
    return float(stats.t.ppf(_LEVEL, min(freedom)) * np.sqrt(max(both, *variances)))


def _run(cutoffs: Ints, horizon: int) -> int:
    """Return how many cutoffs the longest horizon spans, at most a quarter of all."""
    spanned = np.searchsorted(cutoffs, cutoffs + horizon) - np.arange(len(cutoffs))
    return min(int(spanned.max()), max(1, len(cutoffs) // 4))


def _autocorrelated(sums: Floats, run: int) -> float:
    """Return the sum of squares and products of sums fewer than ``run`` places apart, weighted."""
    found = float((sums**2).sum())
    for lag in range(1, run):
        found += 2.0 * (1.0 - lag / run) * float((sums[lag:] * sums[:-lag]).sum())
    return max(found, 0.0)


def model_cells(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the product's own cells of a backtest within the horizons that are scored."""
    if cells.empty:
        return cells
    low, high = SCORED_HORIZONS
    return cells.loc[(cells["model"] == MODEL) & cells["horizon"].between(low, high)]


def paired_cells(
    later: pd.DataFrame, earlier: pd.DataFrame, names: tuple[str, str] = (CHALLENGER, CHAMPION)
) -> pd.DataFrame:
    """Return the cells both forecast, both scored on the months as the later one knew them.

    Args:
        later: Cells of a backtest (``model_cells``).
        earlier: Those of one made before: its months may have been revised since.
        names: What ``model`` calls the two.
    """
    if later.empty or earlier.empty:
        return pd.DataFrame()
    truth = later[["destination", "period", "tonnes"]].drop_duplicates()
    scale = later[["destination", "cutoff", "scale"]].drop_duplicates()
    key = [name for name in (*_CELL, "horizon") if name in later and name in earlier]
    paired = earlier[[*key, *QUANTILE_COLUMNS, "mean"]].merge(later[key], on=key)
    theirs = cell_scores(paired.assign(model=names[1]), truth, scale)
    ours = later.merge(paired[key], on=key).assign(model=names[0])
    return pd.concat([ours, theirs], ignore_index=True)


def score_differences(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the scores of A and B by scope with the interval of their difference.

    Args:
        cells: As :func:`paired_cells` of models A and B; not modified.

    Returns:
        ``SCOPE_COLUMNS``: one row per scope (all, sums, destinations by size, horizons) and metric;
        coverage80, the share of months within the 80% band, has no interval.
    """
    tables = [_of_scope(part).assign(scope=scope) for scope, part in _scopes(cells)]
    return pd.concat(tables, ignore_index=True)[SCOPE_COLUMNS]


def _scopes(cells: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    yield ALL, cells
    size = cells.loc[cells["model"] == A].groupby("destination")["tonnes"].sum()
    sums = [name for name in AGGREGATES if name in size]
    for name in [*sums, *size.drop(sums).sort_values(ascending=False).index]:
        yield str(name), cells.loc[cells["destination"] == name]
    for horizon, part in cells.groupby("horizon"):
        yield f"{horizon} ahead", part


def _of_scope(cells: pd.DataFrame) -> pd.DataFrame:
    found = differences(cells, B, [A]).rename(columns={"baseline_score": A, "score": B})
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
    return table.assign(verdict=table["verdict"].replace({BETTER: "B better", WORSE: "A better"}))
