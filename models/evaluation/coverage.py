"""How often the 80% band held: the one definition that pages, API, reports and notes quote.

Coverage is the share of scored forecasts whose month came out within p10 and p90, by group of
horizons, always with their number. Public: :func:`coverage_scores`, :func:`coverage_of`.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from models.forecasting.forecaster import MODEL, SPEAKER
from store.vocabulary import ALL, MAX_HORIZON

HORIZON_GROUPS: Final = ((1, 3), (4, 6), (7, 12), (13, MAX_HORIZON))
"""First and last month ahead of each group."""

FEWEST: Final = 20
"""Scored forecasts below which a destination is not judged alone."""

BAND_COVERAGE: Final = "band_coverage"
"""Name of the metric in stored scores; its cells are the forecasts counted."""

SUM_COVERAGE: Final = "sum_coverage"
"""The same for three months taken together, by the horizon of the last."""

_KEY: Final = ["model", "scope", "horizon_from", "horizon_to"]


@dataclass(frozen=True, slots=True)
class Coverage:
    """How often the 80% band of one destination held in one group of horizons."""

    horizon_from: int
    horizon_to: int
    share: float
    """NaN where nothing was scored."""
    forecasts: int
    pooled_share: float
    """The same over all destinations."""
    pooled_forecasts: int

    @property
    def is_judged(self) -> bool:
        """Tell whether enough forecasts were scored to quote the destination's own share."""
        return self.forecasts >= FEWEST

    @property
    def words(self) -> str:
        """Return the share with its number, or that there are too few and the pooled share."""
        if self.is_judged:
            return _share(self.share, self.forecasts)
        too_few = f"too few months to judge ({self.forecasts})"
        if math.isnan(self.pooled_share):
            return too_few
        pooled = _share(self.pooled_share, self.pooled_forecasts)
        return f"{too_few}; all destinations {pooled}"

    def holds(self, horizon: int) -> bool:
        """Tell whether a horizon is one of the group."""
        return self.horizon_from <= horizon <= self.horizon_to


def _share(share: float, forecasts: int) -> str:
    return f"{share:.0%} of {forecasts:,}"


def coverage_scores(cells: pd.DataFrame, metric: str = BAND_COVERAGE) -> pd.DataFrame:
    """Return the coverage of each model that may be published, by destination and horizon group.

    Args:
        cells: As ``models.evaluation.scores.cell_scores`` returns, of months, or of sums; not
            modified.
        metric: What they are, ``BAND_COVERAGE`` or ``SUM_COVERAGE``.

    Returns:
        One row per model, scope (a destination or ``ALL``) and group with a scored forecast:
        model, scope, horizon_from, horizon_to, metric, value, cells.
    """
    spoke = cells["model"].isin([MODEL, *SPEAKER.values()])
    own = cells.loc[spoke & (cells["horizon"] <= MAX_HORIZON)]
    lasts = np.array([last for _, last in HORIZON_GROUPS])
    place = np.searchsorted(lasts, own["horizon"])
    edges = np.array(HORIZON_GROUPS)[place].reshape(-1, 2)
    grouped = own.assign(horizon_from=edges[:, 0], horizon_to=edges[:, 1])
    each = grouped.assign(scope=grouped["destination"])
    groups = pd.concat([grouped.assign(scope=ALL), each]).groupby(_KEY)["is_covered"]
    found = groups.agg(value="mean", cells="size").reset_index()
    return found.assign(metric=metric)[[*_KEY, "metric", "value", "cells"]]


def coverage_of(
    scores: pd.DataFrame, destination: str, status: str, metric: str = BAND_COVERAGE
) -> tuple[Coverage, ...]:
    """Return the coverage of a destination's published band, by horizon group.

    Args:
        scores: Of one backtest, the product's own model under any name; not modified.
        destination: Whose band it is.
        status: Of its forecast: where a fallback answered, the coverage is the fallback's.
        metric: Of the band of months, or of that of sums.

    Returns:
        The groups in which any destination was scored, nearest first; none without a backtest.
    """
    if scores.empty:
        return ()
    held = scores.loc[scores["metric"] == metric]
    speaker = next((name for step, name in SPEAKER.items() if status.endswith(step)), None)
    spoke = held["model"] == speaker
    table = held.loc[spoke if spoke.any() else ~held["model"].isin(list(SPEAKER.values()))]
    columns = (table[name] for name in ("scope", "horizon_from", "horizon_to", "value", "cells"))
    known = {
        (scope, first, last): (float(share), int(count))
        for scope, first, last, share, count in zip(*columns, strict=True)
    }
    return tuple(
        Coverage(*group, *known.get((destination, *group), (math.nan, 0)), *known[ALL, *group])
        for group in HORIZON_GROUPS
        if (ALL, *group) in known
    )
