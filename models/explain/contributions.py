"""What moved a forecast most: exact contributions of the trees' features and of the experts."""

import json
from collections.abc import Mapping
from typing import Final

import lightgbm as lgb
import numpy as np
import pandas as pd

from models.registry.served import EXPERTS_TONNES, TREES_WEIGHT, experts_ratio, trees_weight

TOP: Final = 3

RESPONSE: Final = "policy_response"
"""Name of what the answer to a control does."""

MEAN: Final = "mean"
"""Name of what no feature moves: the mean of the trees' targets."""

SMALLEST: Final = 1e-6


def log_shares(
    heads: Mapping[str, lgb.Booster], card: Mapping[str, object], rows: pd.DataFrame
) -> pd.DataFrame:
    """Return what adds up to the log ratio of the combined middle to the base.

    Args:
        heads: Boosters of the model.
        card: Its card; one without ``trees_weight`` has no experts.
        rows: The rows of the origin.

    Returns:
        One row per row of ``rows``: TreeSHAP contributions by feature and their ``mean``, times the
        trees' weight, and ``experts_tonnes`` if the card weighs the experts.
    """
    names = heads["p50"].feature_name()
    matrix = np.ascontiguousarray(rows[names].to_numpy(dtype=float))
    weight = trees_weight(card, rows)[:, None]
    found = weight * np.asarray(heads["p50"].predict(matrix, pred_contrib=True))
    shares = pd.DataFrame(found, columns=[*names, MEAN], index=rows.index)
    if TREES_WEIGHT in card:
        shares[EXPERTS_TONNES] = (1.0 - weight[:, 0]) * experts_ratio(rows)
    return shares


def drivers(
    heads: Mapping[str, lgb.Booster],
    card: Mapping[str, object],
    rows: pd.DataFrame,
    median: pd.Series,
    answered: pd.Series | None = None,
) -> list[str]:
    """Return the three things that moved each forecast most away from its level, as JSON.

    The log ratio of the median to the level is the weighed sum of what the trees and the experts
    say. Of the trees' part each feature has its contribution to the middle head, times the trees'
    weight. The experts see past months only and are one thing, ``experts_tonnes``: their log ratio
    times their weight. What no feature moves is left out: the mean of the trees' targets, the shift
    from past errors, and the factor that makes the sums add up.

    Args:
        heads: Boosters of the model.
        card: Its card; one without ``trees_weight`` has no experts.
        rows: The rows of the origin.
        median: p50 of each row before controls that history does not show, in tonnes.
        answered: p50 with the answer to those; its difference is one thing, ``policy_response``.

    Returns:
        One JSON list of ``[name, tonnes]`` a row, largest first; tonnes are what the median would
        lose without it.
    """
    shares = log_shares(heads, card, rows).drop(columns=MEAN)
    names, share = list(shares), shares.to_numpy()
    tonnes = median.to_numpy()[:, None] * -np.expm1(-share)
    if answered is not None:
        names = [*names, RESPONSE]
        tonnes = np.hstack([tonnes, (answered - median).to_numpy()[:, None]])
        after, before = (np.maximum(p50.to_numpy(), SMALLEST) for p50 in (answered, median))
        share = np.hstack([share, np.log(after / before)[:, None]])
    order = np.argsort(-np.abs(share), axis=1, kind="stable")[:, :TOP]
    return [
        json.dumps([[names[i], round(float(values[i]), 1)] for i in best])
        for best, values in zip(order, tonnes, strict=True)
    ]
