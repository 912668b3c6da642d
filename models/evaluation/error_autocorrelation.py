"""How much of a forecast's miss carries over to its next months."""

from typing import Final

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar
from scipy.special import ndtri

from models.policy.drawing import Floats, ranks_within
from store.vocabulary import AGGREGATES, QUANTILE_COLUMNS

LONGEST_LAG: Final = 6
"""Months apart that are compared; the backtest has few pairs that lie farther apart."""

FEWEST_PAIRS: Final = 60
"""Fewer tell nothing."""

OUTERMOST: Final = 0.01
"""Ranks are kept so far from 0 and 1: nothing is published of the tails beyond."""


def carry_over(cells: pd.DataFrame) -> tuple[float, int]:
    """Return the share of an error that carries into the next month, and the number of pairs.

    Misses are normal scores of the truth within the published quantiles. Two months of one forecast
    that lie k months apart are taken to correlate as the share to the power of k; it is fitted to
    the mean products by lag, weighed by pairs. Products are not centred: a model that always
    errs one way errs together.

    Args:
        cells: destination, cutoff, horizon, tonnes and the quantiles, of one model; not modified.

    Returns:
        Share, 0 to 1, NaN where there are too few pairs; sums of destinations are left out.
    """
    own = cells.loc[~cells["destination"].isin(list(AGGREGATES))]
    at = ranks_within(own[list(QUANTILE_COLUMNS)].to_numpy(float), own["tonnes"].to_numpy(float))
    score = ndtri(np.clip(at, OUTERMOST, 1.0 - OUTERMOST))
    scored = own[["destination", "cutoff", "horizon"]].assign(score=score)
    both = scored.merge(scored, on=["destination", "cutoff"], suffixes=("", "_later"))
    lag = both["horizon_later"] - both["horizon"]
    pairs = both.loc[lag.between(1, LONGEST_LAG)].assign(lag=lag)
    if len(pairs) < FEWEST_PAIRS:
        return float("nan"), len(pairs)
    product = pairs["score"] * pairs["score_later"] / float((score**2).mean())
    by_lag = product.groupby(pairs["lag"]).agg(["mean", "size"])
    means, weights = (by_lag[name].to_numpy(dtype=float) for name in ("mean", "size"))
    return _fitted(means, weights, by_lag.index.to_numpy(dtype=float)), len(pairs)


def _fitted(means: Floats, weights: Floats, lags: Floats) -> float:
    """Return the share whose powers lie nearest to the means."""

    def missed(share: float) -> float:
        return float((weights * (means - share**lags) ** 2).sum())

    return float(minimize_scalar(missed, bounds=(0.0, 1.0), method="bounded").x)
