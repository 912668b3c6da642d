"""Forecasts of any origin, scored beside each other on the cells that all of them have."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd

from models.evaluation.backtest import scale_rows
from models.evaluation.compare import DIFFERENCE_COLUMNS, differences
from models.evaluation.scores import cell_scores
from models.forecasting.snapshot import Snapshot
from store.errors import DataError, first_few
from store.months import month_label, month_numbers
from store.vocabulary import QUANTILE_COLUMNS

KEY: Final = ("cutoff", "destination", "period")

COMPARISON_COLUMNS: Final = ("cutoff", *DIFFERENCE_COLUMNS)


def compared_forecasts(snapshot: Snapshot, forecasts: pd.DataFrame, model: str) -> pd.DataFrame:
    """Scores of a model beside those of each other one, over all cutoffs and at each.

    Args:
        snapshot: Panel whose months are the truth.
        forecasts: model, cutoff (``YYYY-MM``), destination, period, ``p50`` and perhaps further
            quantiles and ``mean``; not modified. Quantiles that a model lacks are not scored.

    Returns:
        One row per cutoff (``all`` first), other model and metric: mase, sql, wape with the
        interval of the difference; coverage80, the share within p10 and p90, and bias, the sum of
        means to the sum of what came less 1 (of medians where a model has no means), without one.
    """
    cells = _shared_cells(snapshot, forecasts)
    others = sorted(set(cells["model"]) - {model})
    parts = [("all", cells), *cells.groupby("cutoff")]
    tables = [_table(part, model, others).assign(cutoff=cutoff) for cutoff, part in parts]
    return pd.concat(tables, ignore_index=True)[list(COMPARISON_COLUMNS)]


def _shared_cells(snapshot: Snapshot, forecasts: pd.DataFrame) -> pd.DataFrame:
    names = set(forecasts["model"])
    values = [name for name in (*QUANTILE_COLUMNS, "mean") if name in forecasts]
    lacking = forecasts[values].isna().any()
    used = [name for name in values if not lacking[name] or name == "p50"]
    key = list(KEY)
    if (again := forecasts.duplicated(["model", *key])).any():
        row = forecasts.loc[again].iloc[0]
        raise DataError(
            f"Forecasts have {row['destination']} in {row['period']:%Y-%m} from {row['cutoff']} of "
            f"{row['model']} twice. Expected it once. Remove one."
        )
    count = forecasts.dropna(subset=["p50"]).groupby(key)["model"].nunique()
    shared = forecasts.merge(count[count == len(names)].rename("models").reset_index(), on=key)
    cutoffs = sorted(set(month_numbers(pd.to_datetime(shared["cutoff"])).tolist()))
    inside = [month for month in cutoffs if snapshot.first <= month <= snapshot.cutoff]
    scales = [
        scale_rows(snapshot.series, month, snapshot.tonnes[:, : month - snapshot.first + 1])
        for month in inside
    ]
    if not scales:
        raise DataError(
            f"{first_few(sorted(names))} share no cell of series, cutoff and month. Expected the "
            "same series, cutoffs and months. Compare the names and months of both."
        )
    shared = shared.loc[shared["cutoff"].isin([month_label(month) for month in inside])]
    ahead = month_numbers(shared["period"]) - month_numbers(pd.to_datetime(shared["cutoff"]))
    rows = shared.assign(horizon=ahead)[["model", *key, "horizon", *used]]
    return cell_scores(rows, snapshot.published_months, pd.concat(scales, ignore_index=True))


def _table(cells: pd.DataFrame, model: str, others: Sequence[str]) -> pd.DataFrame:
    groups, point = cells.groupby("model"), "mean" if "mean" in cells else "p50"
    shares = {"bias": groups[point].sum() / groups["tonnes"].sum() - 1.0}
    if cells["is_covered"].notna().all():
        shares["coverage80"] = groups["is_covered"].mean()
    rows = pd.DataFrame(
        {
            "model": model,
            "baseline": other,
            "metric": metric,
            "score": share[model],
            "baseline_score": share[other],
            "difference": share[model] - share[other],
            "p05": np.nan,
            "p95": np.nan,
            "verdict": "",
            "cells": int((cells["model"] == model).sum()),
        }
        for metric, share in shares.items()
        for other in others
    )
    return pd.concat([differences(cells, model, others), rows], ignore_index=True)
