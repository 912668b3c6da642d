"""A forecast by a recipe on trial: trained, shown and neither registered nor published."""

import pandas as pd

from flows.context.workspace import open_workspace
from flows.training.predict import Forecast, forecast_of, made_on, trained_step
from models.evaluation.backtest import backtest_evidence
from models.forecasting.model_frame import rows_of
from models.learning.spec import ModelSpec
from store.settings import Settings


def trial_forecast(settings: Settings, as_of: pd.Timestamp, spec: ModelSpec) -> Forecast:
    """Return what a model trained at an as_of by a recipe forecasts alone, whoever is champion.

    Raises:
        DataError: It cannot answer for some destination.
    """
    workspace = open_workspace(settings, as_of, spec=spec)
    origin = workspace.history.origin(as_of)
    seen = backtest_evidence(workspace.history, as_of, spec=spec, executor=workspace.executor)
    steps = [trained_step(workspace, rows_of(origin), seen)]
    return forecast_of(made_on(workspace, steps, origin))
