"""Why a forecast is what it is: exact parts in tonnes that add up to its published median.

A median comes about as a chain of ratios: level, season, trees, experts, past errors, policy
response, sums. Their logs add up; the logarithmic mean of first and last rung turns each log into
tonnes without a rest and without an order (LMDI). Source: docs/adr/0012-why.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import lightgbm as lgb
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.build import ALL_FEATURES
from features.origin import Origin
from features.panel.history import EvidenceHistory
from models.explain.contributions import MEAN, log_shares
from models.forecasting.distribution import coherent
from models.forecasting.model_frame import rows_of
from models.policy.policy_effect import PolicyEffect, effect_at
from models.policy.policy_response import respond
from models.registry.served import EXPERTS_TONNES, LEVEL, OFFSET, predict_quantiles
from store.vocabulary import CONTRIBUTIONS, FAMILIES

Floats = NDArray[np.float64]

EXPLAINS: Final[dict[str, str]] = {feature.name: feature.explains for feature in ALL_FEATURES}
"""Family that each feature is told as."""


@dataclass(frozen=True, slots=True)
class Stages:
    """One forecast as it comes about: quantiles and mean of every series and target, in tonnes."""

    model: pd.DataFrame
    """What the model says."""
    coherent: pd.DataFrame
    """The same with sums that add up."""
    answered: pd.DataFrame
    """The same with the effect of controls, before its sums add up again."""
    published: pd.DataFrame


def stages_of(
    heads: Mapping[str, lgb.Booster],
    card: Mapping[str, object],
    rows: pd.DataFrame,
    origin: Origin,
    effect: PolicyEffect,
) -> Stages:
    """Return a forecast stage by stage.

    Args:
        heads: Boosters of the model.
        card: Its card.
        rows: The rows of the origin.
        origin: Where the forecast stands.
        effect: Of the controls there.

    Raises:
        ValueError: As ``models.registry.served.predict_quantiles``.
    """
    return stages_from(predict_quantiles(heads, card, rows), origin, effect)


def stages_from(model: pd.DataFrame, origin: Origin, effect: PolicyEffect) -> Stages:
    """Return a forecast stage by stage, from quantiles and means that need not add up.

    Args:
        model: Quantiles and mean of every series and target, in tonnes.
        origin: Where the forecast stands.
        effect: Of the controls there.
    """
    plain = coherent(model, origin)
    if effect.is_none:
        return Stages(model, plain, plain, plain)
    answer = respond(plain, effect, origin)
    return Stages(model, plain, answer, coherent(answer, origin))


def explained(
    heads: Mapping[str, lgb.Booster],
    card: Mapping[str, object],
    history: EvidenceHistory,
    moment: pd.Timestamp,
) -> pd.DataFrame:
    """Return what a model forecasts at a moment, and why.

    Args:
        heads: Boosters of the model.
        card: Its card.
        history: What is known.
        moment: The moment to forecast at (UTC).

    Returns:
        One row per series and target: destination, period (``YYYY-MM``), p50 and the parts that
        add up to it (``CONTRIBUTIONS``), in tonnes.

    Raises:
        ValueError: As ``models.registry.served.predict_quantiles``.
    """
    origin = history.origin(moment)
    rows = rows_of(origin)
    stages = stages_of(heads, card, rows, origin, effect_at(origin, history.analogs(moment)))
    keys = rows[["destination"]].assign(
        period=rows["period"].dt.strftime("%Y-%m"), p50=stages.published["p50"]
    )
    return pd.concat([keys, contributions(heads, card, rows, origin, stages)], axis=1)


def contributions(
    heads: Mapping[str, lgb.Booster],
    card: Mapping[str, object],
    rows: pd.DataFrame,
    origin: Origin,
    stages: Stages,
) -> pd.DataFrame:
    """Return the parts of each median in tonnes.

    Args:
        heads: Boosters of the model.
        card: Its card; one without ``trees_weight`` has no experts.
        rows: The rows of the origin.
        origin: Where the forecast stands.
        stages: Of the forecast.

    Returns:
        One row per row of ``rows``, columns ``CONTRIBUTIONS``; a row adds up to its published p50.
    """
    return _parts(_model_shares(heads, card, rows), rows, origin, stages)


def plain_contributions(
    said: Floats, rows: pd.DataFrame, origin: Origin, stages: Stages
) -> pd.DataFrame:
    """Return the parts of medians that no model made: level, season, experts, past errors, rest.

    Args:
        said: What the experts or the seasonal naive say of each row, in tonnes.
        rows: The rows of the origin; their level may be unknown, and then nothing starts it.
        origin: Where the forecast stands.
        stages: Of the forecast.

    Returns:
        As ``contributions``.
    """
    shares = {name: np.zeros(len(rows)) for name in (*FAMILIES, "experts", "past_mean")}
    offset = rows[OFFSET].to_numpy(dtype=float)
    base = np.nan_to_num(rows[LEVEL].to_numpy(dtype=float))
    shares["experts"] = _log_ratio(np.maximum(np.nan_to_num(said), 0.0), base, offset)
    return _parts(shares, rows, origin, stages)


def _parts(
    shares: dict[str, Floats], rows: pd.DataFrame, origin: Origin, stages: Stages
) -> pd.DataFrame:
    """Return in tonnes what the speaker's log shares, season, past errors and stages add."""
    offset = rows[OFFSET].to_numpy(dtype=float)
    level = np.nan_to_num(np.repeat(origin.level, len(origin.targets)))
    base = np.nan_to_num(rows[LEVEL].to_numpy(dtype=float))
    shares["season"] += _log_ratio(base, level, offset)
    said = stages.model["p50"].to_numpy()
    shares["past_errors"] = _log_ratio(said, level, offset) - sum(shares.values())
    rest = stage_shares(stages, offset)
    parts = pd.DataFrame({"level": 0.0} | shares | rest, index=rows.index)
    tonnes = in_tonnes(parts.to_numpy(), level + offset)
    return pd.DataFrame(tonnes, index=rows.index, columns=parts.columns).assign(level=level)[
        list(CONTRIBUTIONS)
    ]


def stage_shares(stages: Stages, offset: Floats) -> dict[str, Floats]:
    """Return the logs by which controls and sums moved each median."""
    model, plain, answered, published = (
        stage["p50"].to_numpy()
        for stage in (stages.model, stages.coherent, stages.answered, stages.published)
    )
    summed = _log_ratio(plain, model, offset) + _log_ratio(published, answered, offset)
    return {
        "policy_response": _log_ratio(answered, plain, offset),
        "reconciliation": summed,
    }


def reconciled_tonnes(stages: Stages, rows: pd.DataFrame, origin: Origin) -> Floats:
    """Return the part ``reconciliation`` of each median alone, as ``contributions`` does."""
    offset = rows[OFFSET].to_numpy(dtype=float)
    level = np.repeat(origin.level, len(origin.targets))
    summed = stage_shares(stages, offset)["reconciliation"]
    total = _log_ratio(stages.published["p50"].to_numpy(), level, offset)
    return in_tonnes(np.column_stack([summed, total - summed]), level + offset)[:, 0]


def in_tonnes(shares: Floats, start: Floats) -> Floats:
    """Return what each log share is worth in tonnes; a row adds up to ``start * (exp(sum) - 1)``.

    Each is multiplied by the logarithmic mean of start and end, so parts of parts add up to their
    whole and no order of the shares matters.

    Args:
        shares: Logs, rows x parts.
        start: Where each row starts, in tonnes, above 0.
    """
    total = shares.sum(axis=1)
    moved = total != 0.0
    ratio = np.ones_like(total)
    np.divide(np.expm1(total), total, out=ratio, where=moved)
    return np.asarray(shares * (start * ratio)[:, None])


def _model_shares(
    heads: Mapping[str, lgb.Booster], card: Mapping[str, object], rows: pd.DataFrame
) -> dict[str, Floats]:
    """Return what trees and experts add to the log ratio of the middle to the base, by part."""
    told_as = EXPLAINS | {EXPERTS_TONNES: "experts", MEAN: "past_mean"}
    shares = {name: np.zeros(len(rows)) for name in (*FAMILIES, "experts", "past_mean")}
    for name, share in log_shares(heads, card, rows).items():
        shares[told_as[str(name)]] += share.to_numpy()
    return shares


def _log_ratio(after: Floats, before: Floats, offset: Floats) -> Floats:
    return np.asarray(np.log((after + offset) / (before + offset)))
