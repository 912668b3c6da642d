"""Scores of medians, quantiles and bands against published months, and error correlations."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from scipy.special import ndtri

from models.forecasting.joint_paths import ErrorCopula, quantiles_of_sums
from models.forecasting.model_names import FALLBACK_MODELS, MODEL, REFERENCE
from models.policy.drawing import ranks_within
from store.arrays import Floats, Ints
from store.months import month_numbers
from store.vocabulary import (
    AGGREGATES,
    ALL,
    FORECASTABLE,
    MAX_HORIZON,
    QUANTILE_COLUMNS,
    QUANTILES,
    WORLD,
)

CUTS: Final = ("horizon", "destination", "cutoff")
"""Columns that a scoreboard groups cells by."""

SCOREBOARD_COLUMNS: Final = (
    "model", "kind", "value", "wape", "mase", "sql", "smape", "coverage80", "below10", "above90",
    "cells",
)  # fmt: skip


def cell_scores(forecasts: pd.DataFrame, truth: pd.DataFrame, scale: pd.DataFrame) -> pd.DataFrame:
    """Errors of each forecast cell.

    Args:
        forecasts: model, destination, cutoff, period, horizon and quantiles, the median among them;
            not modified.
        truth: destination, period, tonnes: the months to score on; rows without tonnes are ignored.
        scale: destination, cutoff, scale: mean absolute seasonal difference up to the cutoff, in
            tonnes.

    Returns:
        The forecasts of months in ``truth``, with tonnes, absolute_error, scaled_error,
        scaled_quantile_loss, is_covered (within p10 and p90) and lead (``lead_of``). Scaled numbers
        are NaN where the scale is 0 or unknown.
    """
    published = truth.dropna(subset=["tonnes"])
    cells = forecasts.merge(published, on=["destination", "period"], validate="many_to_one")
    cells = cells.merge(scale, on=["destination", "cutoff"], how="left", validate="many_to_one")
    error = cells["tonnes"] - cells["p50"]
    size = cells["scale"].where(cells["scale"] > 0)
    loss = np.zeros(len(cells))
    levels = {
        name: level
        for name, level in zip(QUANTILE_COLUMNS, QUANTILES, strict=True)
        if name in cells
    }
    for column, level in levels.items():
        gap = (cells["tonnes"] - cells[column]).to_numpy()
        loss += 2.0 * np.maximum(level * gap, (level - 1.0) * gap)
    return cells.assign(
        absolute_error=error.abs(),
        scaled_error=error.abs() / size,
        scaled_quantile_loss=loss / len(levels) / size,
        is_covered=cells["tonnes"].between(cells["p10"], cells["p90"])
        if {"p10", "p90"} <= levels.keys()
        else np.nan,
        lead=lead_of(cells),
    )


def lead_of(forecasts: pd.DataFrame) -> Ints:
    """Months from that of the as-of to the target, of a panel file the horizon.

    Examples:
        >>> days = {"as_of": "2025-04-25", "period": "2025-06-01"}
        >>> lead_of(pd.DataFrame([days]).apply(pd.to_datetime)).tolist()
        [2]
    """
    if "as_of" not in forecasts:
        return forecasts["horizon"].to_numpy(dtype=np.int64)
    return month_numbers(forecasts["period"]) - month_numbers(forecasts["as_of"])


def summarise(cells: pd.DataFrame, *, horizons: tuple[int, int]) -> pd.DataFrame:
    """Scores by model, for each destination and for all.

    Args:
        cells: As ``cell_scores`` returns.

    Returns:
        One row per model, scope and metric: wape, mase, sql, coverage80, value_added (1 - WAPE /
        WAPE of the seasonal naive on the same cells), with the number of cells.
    """
    low, high = horizons
    scored = cells.loc[cells["horizon"].between(low, high)]
    by_destination = scored.assign(scope=scored["destination"])
    table = _scores_by(pd.concat([scored.assign(scope=ALL), by_destination]), ["model", "scope"])
    table = table.drop(columns=["smape", "bias", "below10", "above90"])
    naive = table.loc[table["model"] == REFERENCE].set_index("scope")["wape"]
    table["value_added"] = 1.0 - table["wape"] / table["scope"].map(naive)
    long = table.melt(["model", "scope", "cells"], var_name="metric", value_name="value")
    return long.assign(horizon_from=low, horizon_to=high).dropna(subset=["value"])


def scoreboard(cells: pd.DataFrame) -> pd.DataFrame:
    """Scores of each model over all cells of any horizon, and by each of ``CUTS``.

    Args:
        cells: As ``cell_scores`` returns; not modified.

    Returns:
        One row per model, kind (``all`` or one of ``CUTS``) and value (the horizon, destination
        or cutoff, as text; ``all`` for all), models in order of name within a value. wape
        (sum of absolute errors over sum of tonnes), mase and sql (means of the scaled errors and
        quantile losses; cells without a scale left out), smape (mean of 2 |error| / (|tonnes| +
        |median|), 0 where both are 0; a share, so a hundredth of M3's figure), coverage80, below10
        and above90 (shares of months below p10 and above p90) and the number of cells. NaN where
        the divisor is 0.
    """
    parts = [
        _scores_by(cells.assign(all="all"), [kind, "model"])
        .rename(columns={kind: "value"})
        .assign(kind=kind)
        .astype({"value": str})
        for kind in ("all", *CUTS)
    ]
    return pd.concat(parts, ignore_index=True)[list(SCOREBOARD_COLUMNS)]


def _scores_by(cells: pd.DataFrame, key: list[str]) -> pd.DataFrame:
    """Scores and the number of cells, one row a group."""
    size = (cells["tonnes"].abs() + cells["p50"].abs()) / 2.0
    symmetric = (cells["absolute_error"] / size.where(size > 0)).mask(size == 0, 0.0)
    is_below, is_above = cells["tonnes"] < cells["p10"], cells["tonnes"] > cells["p90"]
    scored = cells.assign(symmetric_error=symmetric, is_below=is_below, is_above=is_above)
    groups = scored.groupby(key, sort=True, observed=True)
    tonnes = groups["tonnes"].sum()
    table = {
        "wape": groups["absolute_error"].sum() / tonnes.where(tonnes > 0),
        "mase": groups["scaled_error"].mean(),
        "sql": groups["scaled_quantile_loss"].mean(),
        "smape": groups["symmetric_error"].mean(),
        "coverage80": groups["is_covered"].mean(),
        "bias": groups["p50"].sum() / tonnes.where(tonnes > 0) - 1.0,
        "below10": groups["is_below"].mean(),
        "above90": groups["is_above"].mean(),
        "cells": groups.size(),
    }
    return pd.DataFrame(table).reset_index()


LONGEST_LAG: Final = 6
"""Longest lag in months of the error autocorrelation; backtests have few pairs beyond."""

FEWEST_PAIRS: Final = 60
"""Pairs of errors that a correlation needs."""

OUTERMOST: Final = 0.01
"""Distance of ranks from 0 and 1, as no quantile is published beyond."""


def origin_column(cells: pd.DataFrame) -> str:
    """Column that identifies origins: ``as_of`` if given, as several share a cutoff."""
    return "as_of" if "as_of" in cells else "cutoff"


def error_autocorrelation(cells: pd.DataFrame) -> tuple[float, int]:
    """Lag-1 autocorrelation of a forecast's errors, and the number of pairs.

    Errors are normal scores of the actuals within the published quantiles. Two months of one
    forecast correlate as autocorrelation ** lag, fitted to the mean products by lag, weighted by
    pairs. Products are not centred, so that a constant bias counts as correlation.

    Args:
        cells: destination, cutoff, horizon, tonnes and the quantiles, of one model; not modified.

    Returns:
        0 to 1, NaN with too few pairs; sums of destinations are left out.
    """
    scored_cells = _scored(cells)
    origin = origin_column(scored_cells)
    scored = scored_cells[["destination", origin, "horizon", "score"]]
    pairs_of_months = scored.merge(scored, on=["destination", origin], suffixes=("", "_later"))
    lag = pairs_of_months["horizon_later"] - pairs_of_months["horizon"]
    pairs = pairs_of_months.loc[lag.between(1, LONGEST_LAG)].assign(lag=lag)
    if len(pairs) < FEWEST_PAIRS:
        return float("nan"), len(pairs)
    product = pairs["score"] * pairs["score_later"] / float((scored_cells["score"] ** 2).mean())
    by_lag = product.groupby(pairs["lag"]).agg(["mean", "size"])
    means, weights = (by_lag[name].to_numpy(dtype=float) for name in ("mean", "size"))
    return _fitted(means, weights, by_lag.index.to_numpy(dtype=float)), len(pairs)


def _scored(cells: pd.DataFrame) -> pd.DataFrame:
    """Cells of single destinations with ``score``, the normal score of the actual."""
    destinations = cells.loc[~cells["destination"].isin(list(AGGREGATES))]
    ranks = ranks_within(
        destinations[list(QUANTILE_COLUMNS)].to_numpy(float), destinations["tonnes"].to_numpy(float)
    )
    return destinations.assign(score=ndtri(np.clip(ranks, OUTERMOST, 1.0 - OUTERMOST)))


def _fitted(means: Floats, weights: Floats, lags: Floats) -> float:
    """Autocorrelation whose powers fit the means by weighted least squares."""
    from scipy.optimize import minimize_scalar  # noqa: PLC0415 - the service starts without it

    def missed(share: float) -> float:
        return float((weights * (means - share**lags) ** 2).sum())

    return float(minimize_scalar(missed, bounds=(0.0, 1.0), method="bounded").x)


SPAN: Final = 3
"""Months of a scored sum: a quarter, which headlines quote."""

_PATHS: Final = 1_000
"""Simulated paths of each scored sum."""


def error_copula(cells: pd.DataFrame) -> ErrorCopula:
    """Correlation of errors across months and destinations; defaults with few pairs.

    Args:
        cells: destination, cutoff, period, horizon, tonnes and the quantiles, of one model; not
            modified.
    """
    usual = ErrorCopula()
    (carry, _), (share, _) = error_autocorrelation(cells), error_correlation(cells)
    return ErrorCopula(
        usual.carry if np.isnan(carry) else carry, usual.together if np.isnan(share) else share
    )


def error_correlation(cells: pd.DataFrame) -> tuple[float, int]:
    """Correlation of two destinations' errors in one month, and the number of pairs.

    It is 0 to 1, NaN with too few pairs; sums are left out. ``cells`` as for ``error_copula``.
    """
    scored_cells = _scored(cells)
    score = scored_cells["score"]
    months = score.groupby([scored_cells[origin_column(scored_cells)], scored_cells["period"]])
    count = months.size()
    pairs = int((count * (count - 1)).sum()) // 2
    if pairs < FEWEST_PAIRS:
        return float("nan"), pairs
    # The square of a sum holds every pair twice, and each square once.
    products = float((months.sum() ** 2).sum() - (score**2).sum()) / 2.0
    return float(np.clip(products / pairs / float((score**2).mean()), 0.0, 1.0)), pairs


def sum_cells(cells: pd.DataFrame, carry: float) -> pd.DataFrame:
    """Forecasts of three-month sums beside their actuals.

    Args:
        cells: As ``cell_scores`` returns; not modified. Months 1-3, 4-6 and so on are summed where
            all three are scored.
        carry: Lag-1 autocorrelation of errors, 0 to 1.

    Returns:
        model, destination, the origin, horizon and lead (of the last month), tonnes, quantiles,
        scale (sum of the three months), is_covered.
    """
    key = ["model", "destination", origin_column(cells), "window"]
    windows = cells.assign(window=(cells["horizon"] - 1) // SPAN)
    complete = windows.groupby(key)["horizon"].transform("size") == SPAN
    months = windows.loc[complete].sort_values([*key, "horizon"], kind="stable")
    sums = months.groupby(key, sort=True).agg(
        horizon=("horizon", "max"),
        lead=("lead", "max"),
        tonnes=("tonnes", "sum"),
        scale=("scale", "sum"),
    )
    quantiles = months[list(QUANTILE_COLUMNS)].to_numpy(float)
    total = quantiles_of_sums(quantiles.reshape(-1, SPAN, len(QUANTILE_COLUMNS)), carry, _PATHS)
    sums = sums.reset_index().drop(columns="window")
    sums = sums.assign(**dict(zip(QUANTILE_COLUMNS, total.T, strict=True)))
    return sums.assign(is_covered=sums["tonnes"].between(sums["p10"], sums["p90"]))


_KEY: Final = ["model", "scope", "horizon_from", "horizon_to"]

MONTHS_OVER: Final = (-MAX_HORIZON, 0)
"""Leads of months that were over on the day of the forecast: nowcasts."""

LEAD_GROUPS: Final = (MONTHS_OVER, (1, 3), (4, 6), (7, 12), (13, MAX_HORIZON))
"""First and last lead of each group."""

HEADLINE_LEADS: Final = (1, 6)
"""First and last lead of the error and loss that headlines quote."""

BAND_LEADS: Final = (1, 12)
"""The same of the coverage."""

LEAD_SCOPES: Final = (ALL, FORECASTABLE, WORLD, "USA", "DEU", "EU27")


def group_label(first: int, last: int) -> str:
    """A group of leads or horizons in words: ``over`` or e.g. ``1-3``.

    Examples:
        >>> group_label(1, 3), group_label(-12, 0)
        ('1-3', 'over')
    """
    return f"{first}-{last}" if last > 0 else "over"


def lead_groups(cells: pd.DataFrame) -> "pd.Series[str]":
    """Label of each cell's group of leads, ordered; missing beyond the last."""
    edges = [-np.inf, *(last for _, last in LEAD_GROUPS)]
    return pd.cut(cells["lead"], edges, labels=[group_label(*group) for group in LEAD_GROUPS])


def by_scope(cells: pd.DataFrame) -> pd.DataFrame:
    """Cells with their ``scope``: once for all destinations, once for their own.

    Those with ``is_forecastable`` come once more, of all destinations together.
    """
    parts = [cells.assign(scope=ALL), cells.assign(scope=cells["destination"])]
    if "is_forecastable" in cells:
        parts.append(cells.loc[cells["is_forecastable"]].assign(scope=FORECASTABLE))
    return pd.concat(parts)


def lead_scores(
    cells: pd.DataFrame, groups: Sequence[tuple[int, int]] = LEAD_GROUPS
) -> pd.DataFrame:
    """Scores of each model by lead, for each destination and for all.

    Args:
        groups: First and last lead of each; they may overlap.

    Returns:
        One row per group (horizon_from, horizon_to: leads), scope and model: those of
        ``scoreboard`` and bias (sum of medians to sum of tonnes - 1).
    """
    scoped = by_scope(cells)
    parts = [
        _scores_by(scoped.loc[scoped["lead"].between(*group)], ["scope", "model"]).assign(
            horizon_from=group[0], horizon_to=group[1]
        )
        for group in groups
    ]
    return pd.concat(parts, ignore_index=True)


def lead_metrics(cells: pd.DataFrame, models: Sequence[str]) -> pd.DataFrame:
    """``lead_scores`` of some models as rows of stored scores.

    Metrics are lead_wape, lead_mase, lead_sql, lead_coverage80 and lead_bias; horizons are leads:
    ``LEAD_GROUPS`` for ``LEAD_SCOPES``, ``HEADLINE_LEADS`` for all scopes, of ``BAND_LEADS`` the
    coverage alone.
    """
    of_models = cells.loc[cells["model"].isin(models)]
    scores = lead_scores(of_models, (*LEAD_GROUPS, HEADLINE_LEADS, BAND_LEADS))
    shown = scores.loc[_is_group(scores, HEADLINE_LEADS) | scores["scope"].isin(LEAD_SCOPES)]
    columns = [*_KEY, "cells", "wape", "mase", "sql", "coverage80", "bias"]
    long = shown[columns].melt([*_KEY, "cells"], var_name="metric", value_name="value")
    long = long.loc[~_is_group(long, BAND_LEADS) | long["metric"].eq("coverage80")]
    return long.assign(metric="lead_" + long["metric"]).dropna(subset=["value"])


def _is_group(scores: pd.DataFrame, group: tuple[int, int]) -> "pd.Series[bool]":
    return scores["horizon_from"].eq(group[0]) & scores["horizon_to"].eq(group[1])


FEWEST: Final = 20
"""Scored forecasts below which a destination is not judged alone."""

BAND_COVERAGE: Final = "band_coverage_by_lead"
"""Name of the metric in stored scores; its cells are the forecasts scored."""

SUM_COVERAGE: Final = "sum_coverage_by_lead"
"""The same for three-month sums, by the lead of the last month."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """Coverage of one destination's 80% band in one group of leads."""

    lead_from: int
    lead_to: int
    """First and last; the store calls them ``horizon_from`` and ``horizon_to``."""
    share: float
    """NaN without scored forecasts."""
    forecasts: int
    pooled_share: float
    """The same over all destinations."""

    @property
    def is_judged(self) -> bool:
        return self.forecasts >= FEWEST

    @property
    def words(self) -> str:
        if not self.forecasts:
            return "none scored"
        inside = f"{round(self.share * self.forecasts):,} of {self.forecasts:,}"
        return f"{inside} ({self.share:.0%})" if self.is_judged else inside

    def holds(self, lead: int) -> bool:
        """Whether the group includes a lead."""
        return self.lead_from <= lead <= self.lead_to


def coverage_scores(cells: pd.DataFrame, metric: str = BAND_COVERAGE) -> pd.DataFrame:
    """Coverage of each publishable model, by destination and group of leads.

    Args:
        cells: As ``cell_scores`` returns of months, or ``sum_cells`` of sums; not modified.
        metric: ``BAND_COVERAGE`` or ``SUM_COVERAGE``.

    Returns:
        One row per model, scope (a destination or ``ALL``) and group with a scored forecast:
        model, scope, horizon_from, horizon_to, metric, value, cells.
    """
    is_model = cells["model"].isin([MODEL, *FALLBACK_MODELS.values()])
    scored = cells.loc[is_model & (cells["lead"] <= MAX_HORIZON)]
    place = np.searchsorted([last for _, last in LEAD_GROUPS], scored["lead"])
    edges = np.array(LEAD_GROUPS)[place].reshape(-1, 2)
    grouped = scored.assign(horizon_from=edges[:, 0], horizon_to=edges[:, 1])
    by_destination = grouped.assign(scope=grouped["destination"])
    groups = pd.concat([grouped.assign(scope=ALL), by_destination]).groupby(_KEY)["is_covered"]
    coverage = groups.agg(value="mean", cells="size").reset_index()
    return coverage.assign(metric=metric)[[*_KEY, "metric", "value", "cells"]]


def coverage_of(scores: pd.DataFrame, destination: str, status: str) -> tuple[Coverage, ...]:
    """Coverage of a destination's published band, by group of leads.

    Args:
        scores: Of one backtest, the product's model under any name; not modified.
        status: Of its forecast, which names the fallback model if one was used.

    Returns:
        The groups with a scored destination, nearest first; empty without a backtest.
    """
    if scores.empty:
        return ()
    rows = scores.loc[scores["metric"] == BAND_COVERAGE]
    fallback = next((name for step, name in FALLBACK_MODELS.items() if status.endswith(step)), None)
    is_fallback = rows["model"] == fallback
    table = rows.loc[
        is_fallback if is_fallback.any() else ~rows["model"].isin(list(FALLBACK_MODELS.values()))
    ]
    columns = (table[name] for name in ("scope", "horizon_from", "horizon_to", "value", "cells"))
    coverage = {
        (scope, first, last): (float(share), int(count))
        for scope, first, last, share, count in zip(*columns, strict=True)
    }
    return tuple(
        Coverage(
            *group, *coverage.get((destination, *group), (math.nan, 0)), coverage[ALL, *group][0]
        )
        for group in LEAD_GROUPS
        if (ALL, *group) in coverage
    )
