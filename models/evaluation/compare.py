"""Differences of scores between models, with confidence intervals.

Public: :func:`differences`, of any two models; :func:`rule_losses`, of the model and simple rules;
:func:`paired_cells`, :func:`score_differences`, of two backtests. For gate, verb and scoreboards.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import pandas as pd
from scipy import stats

from models.evaluation.scores import cell_scores, lead_groups, lead_of
from models.forecasting.model_names import FALLBACK_MODELS, MODEL
from sources.files.panel import read_month
from store.arrays import Floats
from store.vocabulary import AGGREGATES, ALL, QUANTILE_COLUMNS

LOSSES: Final = {"mase": "scaled_error", "sql": "scaled_quantile_loss", "wape": "absolute_error"}
"""Error of a cell behind each metric: means for the first two, for wape the sum over the sum of
tonnes."""

_CELL: Final = ("as_of", "cutoff", "destination", "period")
"""Columns by which two models' forecasts are paired; as_of if both have it."""

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

SCOPE_COLUMNS: Final = [
    "scope", "metric", A, B, "difference", "p05", "p95", "verdict", "cells",
]  # fmt: skip


def differences(cells: pd.DataFrame, model: str, baselines: Sequence[str]) -> pd.DataFrame:
    """Scores of a model less those of each baseline, with 90% intervals.

    Standard errors are clustered by cutoff and by destination, as errors correlate across the
    destinations of a month and the months of a destination; cutoffs closer than the longest
    horizon count as autocorrelated. The degrees of freedom of Student's t come from the smaller
    number of independent clusters. With one cutoff the interval is over destinations alone.

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
    model_rows = cells.loc[cells["model"] == model]
    keys, parts = [name for name in _CELL if name in cells], []
    for baseline in baselines:
        errors = cells.loc[cells["model"] == baseline, [*keys, *LOSSES.values()]]
        pairs = model_rows.merge(
            errors, on=keys, suffixes=("", "_other"), validate="one_to_one"
        ).sort_values(keys, ignore_index=True)
        rows = [_difference(pairs, metric) for metric in LOSSES]
        parts.append(pd.DataFrame(rows).assign(model=model, baseline=baseline))
    columns = list(DIFFERENCE_COLUMNS)
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def _difference(pairs: pd.DataFrame, metric: str) -> dict[str, object]:
    column = LOSSES[metric]
    complete = pairs.dropna(subset=[column, f"{column}_other"])
    model_errors, baseline_errors = (
        complete[name].to_numpy(dtype=float) for name in (column, f"{column}_other")
    )
    weight = (
        complete["tonnes"].to_numpy(dtype=float) if metric == "wape" else np.ones(len(complete))
    )
    total = float(weight.sum())
    if total <= 0:
        nothing = dict.fromkeys(("score", "baseline_score", "difference", "p05", "p95"), np.nan)
        return {"metric": metric, **nothing, "verdict": UNSURE, "cells": len(complete)}
    difference = float((model_errors - baseline_errors).sum() / total)
    score = float(model_errors.sum() / total)
    deviation = (model_errors - baseline_errors - difference * weight) / total
    half_width = _half_width(deviation, complete)
    low, high = difference - half_width, difference + half_width
    return {
        "metric": metric,
        "score": score,
        "baseline_score": score - difference,
        "difference": difference,
        "p05": low,
        "p95": high,
        "verdict": BETTER if high < 0 else WORSE if low > 0 else UNSURE,
        "cells": len(complete),
    }


def _half_width(deviation: Floats, pairs: pd.DataFrame) -> float:
    row, cutoffs = pd.factorize(pairs["cutoff"], sort=True)
    column, destinations = pd.factorize(pairs["destination"])
    table = np.zeros((len(cutoffs), len(destinations)))
    np.add.at(table, (row, column), deviation)
    numbers = np.array([read_month(cutoff) for cutoff in cutoffs])
    reach = np.searchsorted(numbers, numbers + pairs["horizon"].max()) - np.arange(len(numbers))
    # Cutoffs within the longest horizon overlap; at most a quarter of all counts.
    lags = min(int(reach.max()), max(1, len(numbers) // 4))
    independent = (len(cutoffs) / lags, float(len(destinations)))
    sums = (_autocorrelated(table.sum(axis=1), lags), float((table.sum(axis=0) ** 2).sum()))
    terms = [
        (variance * count / (count - 1), count - 1)
        for variance, count in zip(sums, independent, strict=True)
        if count > 1
    ]
    if not terms:
        return float("nan")
    variances, freedom = zip(*terms, strict=True)
    two_way = sum(variances) - float((table**2).sum()) if len(terms) > 1 else 0.0
    return float(stats.t.ppf(_LEVEL, min(freedom)) * np.sqrt(max(two_way, *variances)))


def _autocorrelated(sums: Floats, lags: int) -> float:
    """Bartlett-weighted variance of a total of autocorrelated terms (Newey, West)."""
    total = float((sums**2).sum())
    for lag in range(1, lags):
        total += 2.0 * (1.0 - lag / lags) * float((sums[lag:] * sums[:-lag]).sum())
    return max(total, 0.0)


def model_cells(cells: pd.DataFrame) -> pd.DataFrame:
    """Cells of the product's model in a backtest, all published months, with their lead."""
    if cells.empty:
        return cells
    model_rows = cells.loc[cells["model"] == MODEL]
    return model_rows.assign(lead=lead_of(model_rows))


def rule_losses(cells: pd.DataFrame) -> pd.DataFrame:
    """Loss of the product's model less that of each simple rule of a backtest.

    Returns:
        Rows of :func:`differences`, first the rules that are better beyond chance, best first.
    """
    if cells.empty:
        return pd.DataFrame(columns=list(DIFFERENCE_COLUMNS))
    rules = [name for name in FALLBACK_MODELS.values() if name in set(cells["model"])]
    table = differences(cells, MODEL, rules)
    table = table.loc[table["metric"].eq("sql") & table["cells"].gt(0)]
    is_spared = table["verdict"].ne(WORSE)
    return table.assign(is_spared=is_spared).sort_values(["is_spared", "baseline_score"])


def paired_cells(
    later: pd.DataFrame, earlier: pd.DataFrame, names: tuple[str, str] = (CHALLENGER, CHAMPION)
) -> pd.DataFrame:
    """Cells that both backtests forecast, scored on the later one's actuals.

    Args:
        later: Cells of a backtest (``model_cells``).
        earlier: Those of an earlier one, whose actuals may have been revised since.
        names: Names of the two in the column ``model``.
    """
    if later.empty or earlier.empty:
        return pd.DataFrame()
    truth = later[["destination", "period", "tonnes"]].drop_duplicates()
    scale = later[["destination", "cutoff", "scale"]].drop_duplicates()
    key = [name for name in (*_CELL, "horizon") if name in later and name in earlier]
    paired = earlier[[*key, *QUANTILE_COLUMNS, "mean"]].merge(later[key], on=key)
    earlier_cells = cell_scores(paired.assign(model=names[1]), truth, scale)
    later_cells = later.merge(paired[key], on=key).assign(model=names[0])
    return pd.concat([later_cells, earlier_cells], ignore_index=True)


def score_differences(cells: pd.DataFrame) -> pd.DataFrame:
    """Scores of A and B by scope with the interval of their difference.

    Args:
        cells: As :func:`paired_cells` of models A and B; not modified.

    Returns:
        ``SCOPE_COLUMNS``: one row per scope (all, groups of leads, sums, destinations by size) and
        metric; coverage80, the share of months within the 80% band, and bias, the sum of medians
        to the sum of tonnes less 1, have no interval.
    """
    tables = [_of_scope(part).assign(scope=scope) for scope, part in _scopes(cells)]
    return pd.concat(tables, ignore_index=True)[SCOPE_COLUMNS]


def _scopes(cells: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    yield ALL, cells
    for group, part in cells.groupby(lead_groups(cells), observed=True):
        yield f"lead {group}", part
    size = cells.loc[cells["model"] == A].groupby("destination")["tonnes"].sum()
    sums = [name for name in AGGREGATES if name in size]
    for name in [*sums, *size.drop(sums).sort_values(ascending=False).index]:
        yield str(name), cells.loc[cells["destination"] == name]


def _of_scope(cells: pd.DataFrame) -> pd.DataFrame:
    table = differences(cells, B, [A]).rename(columns={"baseline_score": A, "score": B})
    groups = cells.groupby("model")
    shares = {
        "coverage80": groups["is_covered"].mean(),
        "bias": groups["p50"].sum() / groups["tonnes"].sum() - 1.0,
    }
    rows = pd.DataFrame(
        {"metric": metric, A: share[A], B: share[B], "difference": share[B] - share[A]}
        for metric, share in shares.items()
    ).assign(verdict="", cells=len(cells) // 2)
    all_metrics = pd.concat([table, rows], ignore_index=True)
    return all_metrics.assign(
        verdict=all_metrics["verdict"].replace({BETTER: "B better", WORSE: "A better"})
    )
