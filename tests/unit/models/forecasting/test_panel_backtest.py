from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest

from models.evaluation.backtest import Backtest, backtest_panel
from models.forecasting.model_names import MODEL
from models.forecasting.panel_forecaster import PanelForecaster
from models.forecasting.snapshot import Snapshot
from models.learning.parameters import PANEL_PRESET
from store.months import month_number
from tests.data.builders import make_table

SPEC = replace(PANEL_PRESET, num_iterations=12, min_data_in_leaf=20, threads=1)
CUTOFFS = (month_number("2021-06"), month_number("2021-12"))


FORECASTER = PanelForecaster(SPEC)


def make_snapshot(*, months: int = 60) -> Snapshot:
    return Snapshot.of_panel(make_table(months=months), 3)


def predict(snapshot: Snapshot) -> pd.DataFrame:
    fitted = FORECASTER.fit(snapshot)
    return pd.concat(fitted.predict(), ignore_index=True)


@cache
def result() -> Backtest:
    return backtest_panel(FORECASTER, make_snapshot(), CUTOFFS)


def test_the_scale_of_a_panel_is_the_seasonal_step_up_to_the_cutoff() -> None:
    known = make_table(months=60).loc["S2", : CUTOFFS[0]].to_numpy()

    cell = result().cells.query("destination == 'S2' and cutoff == '2021-06'").iloc[0]

    expected = np.abs(known[12:] - known[:-12]).mean()
    assert cell["scaled_error"] == pytest.approx(cell["absolute_error"] / expected)


def test_a_panel_is_forecast_in_the_backtest_as_it_is_live() -> None:
    table = make_table(months=60)

    predicted = predict(Snapshot.of_panel(table.loc[:, : CUTOFFS[0]], 3))

    own = result().forecasts.query(f"model == '{MODEL}' and cutoff == '2021-06'")
    expected = own[predicted.columns].reset_index(drop=True)
    pd.testing.assert_frame_equal(predicted, expected, check_exact=True)
