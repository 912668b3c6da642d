"""Why a forecast is what it is: exact parts in tonnes that add up to its published median.

A median is a chain of ratios: level, season, boosters, base forecast, past errors, policy
response, sums. Their logs add up; the logarithmic mean of first and last step turns each log into
tonnes without a rest and without an order (LMDI). Source: docs/adr/0012-why.md.
"""

import json
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from features.build import ALL_FEATURES
from features.origin import Origin
from models.forecasting.conditioning import conditioned
from models.forecasting.model_frame import rows_of
from models.forecasting.snapshot import Snapshot
from models.policy.policy_effect import PolicyEffect, respond
from models.quantile_model import (
    BASE_TONNES,
    LEVEL,
    OFFSET,
    SPREAD,
    UNIT,
    TrainedModel,
    base_distance,
    ensemble_weight,
    predict_quantiles,
)
from models.reconciliation import Tree, coherent
from store.arrays import Floats
from store.vocabulary import CONTRIBUTIONS, FAMILIES

TOP: Final = 3

RESPONSE: Final = "policy_response"
"""Name of the effect of the response to a control."""

MEAN: Final = "mean"
"""Name of the part that no feature moves: the mean of the boosters' targets."""

SMALLEST: Final = 1e-6


def log_shares(model: TrainedModel, rows: pd.DataFrame) -> pd.DataFrame:
    """Parts of the log ratio of the combined median to the base.

    Args:
        rows: The rows of the origin.

    Returns:
        One row per row of ``rows``: TreeSHAP contributions by feature and their ``mean``, times the
        ensemble weight, and ``experts_tonnes``.
    """
    middle, metadata = model.boosters["p50"], model.metadata
    names = middle.feature_name()
    matrix = np.ascontiguousarray(rows[names].to_numpy(dtype=float))
    weight = ensemble_weight(metadata, rows)[:, None]
    contributions = weight * np.asarray(middle.predict(matrix, pred_contrib=True))
    shares = pd.DataFrame(contributions, columns=[*names, MEAN], index=rows.index)
    shares[BASE_TONNES] = (1.0 - weight[:, 0]) * base_distance(metadata, rows)
    return shares


def drivers(
    model: TrainedModel, rows: pd.DataFrame, median: pd.Series, answered: pd.Series | None = None
) -> list[str]:
    """The three largest drivers of each forecast away from its level, as JSON.

    The log ratio of the median to the level is the weighted sum of the boosters' and the base
    forecast's. Each feature has its contribution to the median booster, times the ensemble weight.
    The base forecast is one driver, ``experts_tonnes``. The mean of the boosters' targets, the bias
    correction and the reconciliation are no drivers.

    Args:
        rows: The rows of the origin.
        median: p50 of each row before controls that history does not show, in tonnes.
        answered: p50 with the response to those; the difference is the driver ``policy_response``.

    Returns:
        One JSON list of ``[name, tonnes]`` a row, largest first: the tonnes that the median would
        lose without the driver.
    """
    shares = log_shares(model, rows).drop(columns=MEAN)
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


EXPLAINS: Final[dict[str, str]] = {feature.name: feature.explains for feature in ALL_FEATURES}
"""Family that each feature is reported under."""

_FAMILY_OF: Final = EXPLAINS | {BASE_TONNES: "experts", MEAN: "past_mean"}


@dataclass(frozen=True, slots=True)
class Stages:
    """Stages of one forecast: quantiles and mean of every series and target, in tonnes."""

    model: pd.DataFrame
    """The model's own forecast."""
    coherent: pd.DataFrame
    """The same with sums that add up."""
    answered: pd.DataFrame
    """The same with the effect of controls, before its sums add up again."""
    conditioned: pd.DataFrame
    """The same given the figures of months after the cutoff."""
    published: pd.DataFrame


def stages_of(
    model: TrainedModel,
    rows: pd.DataFrame,
    origin: Origin,
    effect: PolicyEffect | None,
    tree: Tree | None = None,
) -> Stages:
    """Forecast of a trained model after each stage, from its own to the published one.

    Args:
        rows: The rows of the origin.
        tree: As ``models.forecasting.conditioning.coherent``.

    Raises:
        ValueError: As ``models.quantile_model.predict_quantiles``.
    """
    return stages_from(
        predict_quantiles(model.boosters, model.metadata, rows), origin, effect, tree
    )


def stages_from(
    model: pd.DataFrame, origin: Origin, effect: PolicyEffect | None, tree: Tree | None = None
) -> Stages:
    """Forecast after each stage, from quantiles and means that need not add up.

    Args:
        model: Quantiles and mean of every series and target, in tonnes.
        effect: None where no policies are known.
    """
    plain = coherent(model, origin, tree)
    answer = plain if effect is None or effect.is_none else respond(plain, effect, origin)
    conditional = conditioned(answer, origin)
    published = plain if conditional is plain else coherent(conditional, origin, tree)
    return Stages(model, plain, answer, conditional, published)


def explained(model: TrainedModel, snapshot: Snapshot) -> pd.DataFrame:
    """Medians that a model forecasts from a snapshot, and their parts.

    Returns:
        One row per series and target: destination, period (``YYYY-MM``), p50 and the parts that
        add up to it (``CONTRIBUTIONS``), in tonnes.

    Raises:
        ValueError: As ``models.quantile_model.predict_quantiles``.
    """
    origin = snapshot.origin
    rows = rows_of(origin)
    stages = stages_of(model, rows, origin, snapshot.effect, snapshot.tree)
    keys = rows[["destination"]].assign(
        period=rows["period"].dt.strftime("%Y-%m"), p50=stages.published["p50"]
    )
    return pd.concat([keys, contributions(model, rows, origin, stages)], axis=1)


def contributions(
    model: TrainedModel, rows: pd.DataFrame, origin: Origin, stages: Stages
) -> pd.DataFrame:
    """Parts of each median, in tonnes.

    Args:
        rows: The rows of the origin.

    Returns:
        One row per row of ``rows``, columns ``CONTRIBUTIONS``; a row adds up to its published p50.
    """
    shares = _no_shares(rows)
    for name, share in log_shares(model, rows).items():
        shares[_FAMILY_OF[str(name)]] += share.to_numpy()
    if UNIT in model.metadata:
        return _parts_in_moves(shares, rows, origin, stages)
    level = np.nan_to_num(np.repeat(origin.level, len(origin.targets)))
    base = np.nan_to_num(rows[LEVEL].to_numpy(dtype=float))
    shares["season"] += log_ratio(base, level, rows[OFFSET].to_numpy(dtype=float))
    return _parts(shares, rows, level, stages)


def _parts_in_moves(
    shares: dict[str, Floats], rows: pd.DataFrame, origin: Origin, stages: Stages
) -> pd.DataFrame:
    """Parts of a model whose boosters count in scales of the series: tonnes, which need no logs."""
    parts = {name: share * rows[SPREAD].to_numpy() for name, share in shares.items()}
    level = rows["destination"].map(dict(zip(origin.series, origin.level, strict=True))).to_numpy()
    modelled, published = (stage["p50"].to_numpy() for stage in (stages.model, stages.published))
    parts["experts"] += rows[LEVEL].to_numpy() - level
    parts |= {"level": level, "past_errors": modelled - level - sum(parts.values())}
    parts["reconciliation"] = published - modelled
    return pd.DataFrame(parts, index=rows.index).reindex(
        columns=list(CONTRIBUTIONS), fill_value=0.0
    )


def rule_contributions(by_rule: Floats, rows: pd.DataFrame, stages: Stages) -> pd.DataFrame:
    """Parts of medians by a simple rule: what the rule says, past errors, controls, sums.

    Args:
        by_rule: Of each row, in tonnes; it is the part ``level``, and where unknown counts as 0.
        rows: The rows of the origin.

    Returns:
        As ``contributions``.
    """
    return _parts(_no_shares(rows), rows, np.nan_to_num(by_rule), stages)


def _parts(
    shares: dict[str, Floats], rows: pd.DataFrame, level: Floats, stages: Stages
) -> pd.DataFrame:
    """Parts of each median in tonnes, from a level, log shares, past errors and stages."""
    offset = rows[OFFSET].to_numpy(dtype=float)
    predicted = stages.model["p50"].to_numpy()
    shares["past_errors"] = log_ratio(predicted, level, offset) - sum(shares.values())
    for name, share in stage_shares(stages, offset).items():
        shares[name] = shares.get(name, 0.0) + share
    parts = pd.DataFrame({"level": 0.0} | shares, index=rows.index)
    tonnes = in_tonnes(parts.to_numpy(), level + offset)
    return pd.DataFrame(tonnes, index=rows.index, columns=parts.columns).assign(level=level)[
        list(CONTRIBUTIONS)
    ]


def stage_shares(stages: Stages, offset: Floats) -> dict[str, Floats]:
    """Log ratios by which controls, later figures and sums change each median."""
    model, plain, answered, conditional, published = (
        stage["p50"].to_numpy()
        for stage in (
            stages.model, stages.coherent, stages.answered, stages.conditioned, stages.published
        )
    )  # fmt: skip
    summed = log_ratio(plain, model, offset) + log_ratio(published, conditional, offset)
    return {
        "policy_response": log_ratio(answered, plain, offset),
        "trade": log_ratio(conditional, answered, offset),
        "reconciliation": summed,
    }


def in_tonnes(shares: Floats, start: Floats) -> Floats:
    """Log shares in tonnes, rows x parts; a row adds up to ``start * (exp(sum) - 1)``.

    Each is multiplied by the logarithmic mean of start and end, so the order of the shares does not
    matter, and parts of parts add up to their whole.

    Args:
        shares: Logs, rows x parts.
        start: Where each row starts, in tonnes, above 0.
    """
    total = shares.sum(axis=1)
    moved = total != 0.0
    ratio = np.ones_like(total)
    np.divide(np.expm1(total), total, out=ratio, where=moved)
    return np.asarray(shares * (start * ratio)[:, None])


def _no_shares(rows: pd.DataFrame) -> dict[str, Floats]:
    return {name: np.zeros(len(rows)) for name in (*FAMILIES, "experts", "past_mean")}


def log_ratio(after: Floats, before: Floats, offset: Floats) -> Floats:
    """Log of a ratio of tonnes, both with the offset added."""
    return np.asarray(np.log((after + offset) / (before + offset)))
