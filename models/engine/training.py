"""Training on a panel at a cutoff: boosters on past origins, bands on the errors of a window."""

import numpy as np

from models import quantile_model
from models.engine.panel_view import PanelView, panel_targets, validation_start
from models.learning.boosters import Boosters, fitted
from models.learning.calibration import HALF_KEPT, PastErrors, metadata_of
from models.learning.parameters import ModelParameters
from models.learning.training_set import TrainingSet, training_set
from models.quantile_model import recentred
from store.arrays import Flags, Ints, take


def before_validation(rows: TrainingSet, start: int) -> Flags:
    """Mask of the training rows whose outcome was known when the validation window began."""
    return rows.origin + rows.horizon <= start


def past_errors(
    boosters: Boosters | None,
    rows: TrainingSet,
    *,
    horizon: int,
    last: int,
    parameters: ModelParameters,
) -> PastErrors:
    """Errors of the validation window.

    Args:
        boosters: Fitted to the cells of ``before_validation``.
        rows: All training rows.
        last: Column of the last month known.
    """
    window = take(rows, rows.origin >= validation_start(last, horizon, parameters))
    if boosters is None or not len(window):
        return PastErrors.none()
    distances = quantile_model.in_order(quantile_model.predicted(boosters, window.features, 1))
    centred = recentred(distances, np.array([parameters.ensemble_weight]), np.zeros(1))
    distance = window.target - np.maximum(centred[1], window.lower_bound)
    below, above = quantile_model.sides(centred, parameters.floor_spread, HALF_KEPT)
    return PastErrors(
        horizon=window.horizon.astype(float),
        age=(last - window.origin).astype(float),
        distance=distance,
        spread=np.where(distance < 0, below, above),
    )


def trained(
    view: PanelView, parameters: ModelParameters
) -> tuple[Boosters | None, dict[str, object], TrainingSet]:
    """Boosters that learn from a panel, their metadata, and the training rows.

    With too little to train on there are no boosters, and the bands are the default's.
    """
    rows, last = training_rows(view, parameters), view.last
    before = before_validation(rows, validation_start(last, view.horizon, parameters))
    before_window, final = fitted(rows, [before, np.ones(len(rows), dtype=bool)], last, parameters)
    errors = past_errors(
        before_window, rows, horizon=view.horizon, last=last, parameters=parameters
    )
    return final, metadata_of(rows.names, errors, parameters, view.horizon), rows


def training_rows(view: PanelView, parameters: ModelParameters) -> TrainingSet:
    """Training rows of the past origins of a panel."""
    series = training_series(len(view.tonnes), parameters)
    trained_view = view if series is None else view.part(series)
    return training_set(panel_targets(trained_view, view.last, parameters))


def training_series(count: int, parameters: ModelParameters) -> Ints | None:
    """Numbers of the series that are trained on, ascending; None for all."""
    if count <= parameters.most_series:
        return None
    draw = np.random.default_rng(parameters.seed)
    return np.sort(draw.choice(count, parameters.most_series, replace=False))
