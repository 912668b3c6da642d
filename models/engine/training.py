"""Train on a panel at a cutoff: heads on past origins, bands on the errors of a window."""

import numpy as np

from features.statistical.pretrained import NAME as PRETRAINED
from models import quantile_model
from models.engine.training_set import PanelView, training_set, validation_start
from models.learning.calibration import PastErrors, card_of, trees_weight
from models.learning.heads import Heads, TrainingSet, fitted
from models.learning.parameters import ModelParameters
from models.quantile_model import moved_to
from store.arrays import Flags, Ints, take


def before_validation(known: TrainingSet, start: int) -> Flags:
    """Tell which training rows were known when the validation window began."""
    return known.origin + known.horizon <= start


def past_errors(
    heads: Heads | None, known: TrainingSet, *, horizon: int, last: int, parameters: ModelParameters
) -> PastErrors:
    """Return the errors of the validation window, in spreads.

    Args:
        heads: Fitted to the cells of ``before_validation``.
        known: All training rows.
        last: Column of the last month known.
    """
    window = take(known, known.origin >= validation_start(last, horizon, parameters))
    if heads is None or not len(window):
        return PastErrors.none()
    values = quantile_model.in_order(quantile_model.predicted(heads, window.features, 1))
    weight = trees_weight(window.horizon, parameters)
    network = np.nan_to_num(window.base_forecasts.get(PRETRAINED, np.zeros(1)))
    low, middle, high = moved_to(values, weight, network / 2.0)
    return PastErrors(
        horizon=window.horizon.astype(float),
        age=(last - window.origin).astype(float),
        distance=window.target - np.maximum(middle, window.least),
        spread=(high - low) / 2.0,
    )


def trained(
    view: PanelView, parameters: ModelParameters
) -> tuple[Heads | None, dict[str, object], TrainingSet]:
    """Return the heads that learn from a panel, their card, and the training rows.

    With too little to train on there are no heads, and the card's bands are the default's.
    """
    rows, last = training_series(len(view.tonnes), parameters), view.last
    known = training_set(view if rows is None else view.part(rows), last, parameters)
    before = before_validation(known, validation_start(last, view.horizon, parameters))
    before_window, final = fitted(
        known, [before, np.ones(len(known), dtype=bool)], last, parameters
    )
    errors = past_errors(
        before_window, known, horizon=view.horizon, last=last, parameters=parameters
    )
    return final, card_of(known.names, errors, parameters, view.horizon), known


def training_series(count: int, parameters: ModelParameters) -> Ints | None:
    """Return which of some series are trained on, ascending; None for all."""
    if count <= parameters.most_series:
        return None
    draw = np.random.default_rng(parameters.seed)
    return np.sort(draw.choice(count, parameters.most_series, replace=False))
