"""Walk along a history: fit, combine, forecast and learn from errors as they become known.

At each moment only from before it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import lightgbm as lgb
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.build import base_of
from features.origin import Origin
from features.panel.history import EvidenceHistory
from models.forecasting.boosting import fit_heads
from models.forecasting.combination import combination_weights, is_far
from models.forecasting.intervals import Residuals, card_of
from models.forecasting.model_frame import experts_middle, outcome, rows_of, training_set
from models.forecasting.spec import ModelSpec
from models.policy.policy_effect import PolicyEffect, effect_at, respond
from models.reconciliation.reconcile import coherent_factors
from models.registry import served
from models.registry.served import TREES_WEIGHT, HeadValues
from models.statistical.experts import BASELINES
from store.vocabulary import MAX_HORIZON, QUANTILE_COLUMNS

Floats = NDArray[np.float64]

MODEL: Final = "magnetcast"
"""Name of the product's own model in forecasts and scores: trees and experts together."""

UNANSWERED: Final = "no_response"
"""The same without the answer to controls that no month, or few months, have felt."""

TREES: Final = "lightgbm"
EXPERTS: Final = "experts"
"""Names of what it is made of, each alone."""

BASELINE_SPREAD: Final = 0.25
"""Spread that a plain forecast is scored in, log units; its calibration finds the true one."""

NORMAL_80: Final = 2.563
"""Width of a normal's 80 percent band in standard deviations."""

SURE_STDERR: Final = 0.03
"""Months known at least this well may weigh the parts and calibrate a band."""


@dataclass(frozen=True, slots=True)
class RawPrediction:
    """What one model said at one origin, before calibration."""

    origin: Origin
    heads: HeadValues
    """Log ratios of the low, middle and high head, by series, then target."""


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A model ready to forecast."""

    heads: Mapping[str, lgb.Booster]
    card: Mapping[str, object]


@dataclass(slots=True)
class ResidualHistory:
    """What each model said so far, to learn its errors from."""

    said: dict[str, list[RawPrediction]] = field(default_factory=dict)

    def residuals(self, model: str, now: Origin) -> Residuals:
        """Return the errors of a model's forecasts that are known at ``now``."""
        parts = [_errors(said, now) for said in self.said.get(model, [])]
        if not parts:
            return Residuals(*(np.empty(0) for _ in range(4)))
        return Residuals(*(np.concatenate([part[i] for part in parts]) for i in range(4)))


@dataclass(frozen=True, slots=True)
class OriginStep:
    """One moment of the walk."""

    moment: pd.Timestamp
    origin: Origin
    forecasts: pd.DataFrame
    """All models: model, destination, period, horizon, quantiles, mean; coherent."""


def walk(
    history: EvidenceHistory,
    moments: Sequence[pd.Timestamp],
    *,
    spec: ModelSpec,
    refit_at: Sequence[pd.Timestamp],
    memory: ResidualHistory,
) -> Iterator[OriginStep]:
    """Yield the forecasts of the model, its parts and the baselines at each moment, oldest first.

    Args:
        history: The past to walk along.
        moments: When to forecast, ascending.
        spec: Choices of the model.
        refit_at: Moments at which the model is fitted anew; the first must be one.
        memory: Filled on the way with what was said.
    """
    heads: dict[str, lgb.Booster] = {}
    names: tuple[str, ...] = ()
    for moment in moments:
        origin = history.origin(moment)
        if moment in refit_at:
            data = training_set(history.past(moment), origin, spec)
            heads, names = fit_heads(data, spec), data.names
        rows = rows_of(origin)
        trees = served.head_values(heads, {"features": names, "threads": spec.threads}, rows)
        weight = trees_weight(memory, origin, spec)
        effect = effect_at(origin, history.analogs(moment))
        spoken = {
            MODEL: served.combined(trees, {TREES_WEIGHT: weight}, rows),
            TREES: trees,
            EXPERTS: _plain(experts_middle(origin), origin),
            **{name: _plain(says(origin), origin) for name, says in BASELINES.items()},
        }
        tables = []
        for model, said in spoken.items():
            card = card_of(names, memory.residuals(model, origin), spec)
            plain = distribution(said, card, origin, rows)
            if model == MODEL:
                tables.append(answered(plain, effect, origin).assign(model=MODEL))
            tables.append(plain.assign(model=UNANSWERED if model == MODEL else model))
            memory.said.setdefault(model, []).append(RawPrediction(origin, said))
        yield OriginStep(moment, origin, pd.concat(tables, ignore_index=True))


def train(
    history: EvidenceHistory, moment: pd.Timestamp, *, spec: ModelSpec, memory: ResidualHistory
) -> TrainedModel:
    """Return the model as it can be trained at a moment.

    Its weights and bands are from what ``memory`` holds.
    """
    origin = history.origin(moment)
    data = training_set(history.past(moment), origin, spec)
    card = card_of(data.names, memory.residuals(MODEL, origin), spec)
    weight = trees_weight(memory, origin, spec).tolist()
    return TrainedModel(fit_heads(data, spec), {**card, TREES_WEIGHT: weight})


def trees_weight(memory: ResidualHistory, now: Origin, spec: ModelSpec) -> Floats:
    """Return what the trees count beside the experts, by horizon 1 to 18.

    Learned from the errors of both that are known at ``now``.
    """
    trees, experts = (memory.residuals(name, now) for name in (TREES, EXPERTS))
    error = np.abs(np.stack([trees.distance, experts.distance], axis=1))
    error *= 0.5 ** (trees.age / spec.calibration_half_life_months)[:, None]
    prior = np.array([spec.trees_prior, 1.0 - spec.trees_prior])
    weights = combination_weights(error, trees.horizon, trust=spec.trust, prior=prior)
    return np.asarray(weights[is_far(np.arange(1, MAX_HORIZON + 1)), 0])


def distribution(
    values: HeadValues, card: Mapping[str, object], origin: Origin, rows: pd.DataFrame
) -> pd.DataFrame:
    """Return coherent quantiles and means of every series and target, in tonnes.

    Args:
        values: What a model says, in the order of ``rows``.
        card: How to read it.
        origin: Where the forecast stands.
        rows: The rows of the origin.

    Returns:
        destination, period, horizon, quantiles, mean; in the order of ``rows``.
    """
    table = coherent(served.quantiles_of(values, card, rows), origin)
    keys: pd.DataFrame = rows[["destination", "period", "horizon"]].astype({"horizon": int})
    return pd.concat([keys, table], axis=1)


def coherent(table: pd.DataFrame, origin: Origin) -> pd.DataFrame:
    """Return quantiles and means scaled so that the means add up.

    Those of the destinations then add up to those of the sums.

    Args:
        table: Quantiles and mean of every series and target of the origin, by series, then target.
        origin: Where the forecast stands.
    """
    shape = (len(origin.series), len(origin.targets))
    mean = table["mean"].to_numpy().reshape(shape)
    spread = (table["p90"] - table["p10"]).to_numpy().reshape(shape) / NORMAL_80
    factor = coherent_factors(mean, spread, origin.groups).reshape(-1)
    return table[[*QUANTILE_COLUMNS, "mean"]].mul(factor, axis=0)


def answered(table: pd.DataFrame, effect: PolicyEffect, origin: Origin) -> pd.DataFrame:
    """Return a coherent forecast with the controls' effect in it, coherent again.

    Args:
        table: Quantiles and mean of every series and target, with any further columns.
        effect: Of the controls at the origin.
        origin: Where the forecast stands.
    """
    if effect.is_none:
        return table
    values = coherent(respond(table, effect, origin), origin)
    return table.assign(**{str(name): values[name] for name in values})


def _plain(said: Floats, origin: Origin) -> HeadValues:
    """Return a plain forecast, series x targets in tonnes, in the form of head values."""
    offset = origin.offset[:, None]
    tonnes = np.maximum(np.nan_to_num(said), 0.0)
    middle = np.log((tonnes + offset) / (base_of(origin) + offset)).reshape(-1)
    return middle - BASELINE_SPREAD, middle, middle + BASELINE_SPREAD


def _errors(said: RawPrediction, now: Origin) -> tuple[Floats, Floats, Floats, Floats]:
    ratio, stderr = outcome(said.origin, now)
    horizon = np.broadcast_to(said.origin.horizons.astype(float), ratio.shape)
    sure = (np.isfinite(ratio) & (stderr <= SURE_STDERR)).reshape(-1)
    low, middle, high = said.heads
    age = np.full(int(sure.sum()), float(now.cutoff - said.origin.cutoff))
    return (
        horizon.reshape(-1)[sure],
        age,
        (ratio.reshape(-1) - middle)[sure],
        ((high - low) / 2.0)[sure],
    )


def plainly(model: str, origin: Origin) -> RawPrediction:
    """Return what the experts or a baseline say at an origin, as ``walk`` remembers it.

    Args:
        model: ``EXPERTS`` or a name of ``BASELINES``.
        origin: Where the forecast stands.
    """
    said = experts_middle(origin) if model == EXPERTS else BASELINES[model](origin)
    return RawPrediction(origin, _plain(said, origin))
