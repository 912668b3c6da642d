from dataclasses import replace
from functools import cache
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest

from features.evidence_history import EvidenceHistory, release_moments
from features.statistical import base_forecasts
from features.statistical.base_forecasts import BASELINES
from models import quantile_model
from models.evaluation.backtest import backtest_panel
from models.forecasting.evidence_forecaster import EvidenceForecaster
from models.forecasting.model_frame import rows_of
from models.forecasting.model_names import BASE_MEDIAN, MODEL
from models.forecasting.panel_forecaster import PanelForecaster
from models.forecasting.residual_history import TREES
from models.forecasting.snapshot import Snapshot
from models.learning.boosters import texts_of
from models.learning.parameters import PANEL_PRESET
from store.months import month_number
from store.vocabulary import QUANTILE_COLUMNS
from tests.data.builders import QUICK, at, compare_at, make_table, make_world

NUMBERS = [*QUANTILE_COLUMNS, "mean"]
MOMENTS = release_moments("2020-04-25", at("2020-06-26"))
CUTOFFS = (month_number("2021-05"), month_number("2021-06"))
SMALL = replace(PANEL_PRESET, num_iterations=12, min_data_in_leaf=20, threads=1)


def panel_forecasts() -> pd.DataFrame:
    history = make_world().unsolved()
    return pd.concat(compare_at(EvidenceForecaster(QUICK), history, *MOMENTS))


def table_forecasts() -> pd.DataFrame:
    result = backtest_panel(
        PanelForecaster(SMALL), Snapshot.of_panel(make_table(months=60), 3), CUTOFFS
    )
    return result.forecasts.assign(as_of=result.forecasts["cutoff"])


MAKERS = {"evidence panel": panel_forecasts, "table": table_forecasts}
RUNS = {name: cache(make) for name, make in MAKERS.items()}
SPEAKERS = [
    *(("evidence panel", name) for name in (MODEL, TREES, BASE_MEDIAN, *BASELINES)),
    *(("table", name) for name in (MODEL, BASE_MEDIAN, *base_forecasts.PANEL_FORECASTS)),
]


@pytest.mark.parametrize(("source", "model"), SPEAKERS)
class TestEveryModel:
    def forecasts(self, source: str, model: str) -> pd.DataFrame:
        frame = RUNS[source]()
        return frame.loc[frame["model"] == model].reset_index(drop=True)

    def test_forecasts_each_month_of_each_series_once(self, source: str, model: str) -> None:
        frame = self.forecasts(source, model)

        assert not frame.duplicated(["as_of", "destination", "period"]).any()
        series = frame.groupby("as_of")["destination"].nunique()
        assert series.min() == series.max() > 0
        for _, group in frame.groupby(["as_of", "destination"]):
            assert list(group["horizon"]) == list(range(1, len(group) + 1))
            months = group["period"].dt.year * 12 + group["period"].dt.month
            assert (months.diff().dropna() == 1).all()

    def test_quantiles_are_finite_tonnes_and_do_not_cross(self, source: str, model: str) -> None:
        frame = self.forecasts(source, model)

        assert np.isfinite(frame[NUMBERS]).all(axis=None)
        assert (frame[NUMBERS] >= 0).all(axis=None)
        assert (np.diff(frame[list(QUANTILE_COLUMNS)], axis=1) >= -1e-9).all()
        assert frame["mean"].between(frame["p05"], frame["p95"]).all()

    @pytest.mark.slow
    def test_same_past_and_seed_give_the_same_forecast(self, source: str, model: str) -> None:
        again = again_of(source)

        mine = again.loc[again["model"] == model].reset_index(drop=True)
        pd.testing.assert_frame_equal(mine, self.forecasts(source, model), check_exact=True)


@cache
def again_of(source: str) -> pd.DataFrame:
    return MAKERS[source]()


class TestOwnModel:
    @pytest.mark.slow
    def test_a_saved_model_states_the_same_to_the_bit(self, tmp_path: Path) -> None:
        history: EvidenceHistory = make_world().history()
        trained = EvidenceForecaster(QUICK).train(Snapshot.of_evidence(history, MOMENTS[-1]))
        rows = rows_of(history.origin(MOMENTS[-1]))
        for name, text in texts_of(trained.boosters).items():
            (tmp_path / f"{name}.txt").write_text(text, encoding="utf-8")

        loaded = {
            name: lgb.Booster(model_str=(tmp_path / f"{name}.txt").read_text(encoding="utf-8"))
            for name in quantile_model.BOOSTERS
        }

        pd.testing.assert_frame_equal(
            quantile_model.predict_quantiles(loaded, trained.metadata, rows),
            quantile_model.predict_quantiles(trained.boosters, trained.metadata, rows),
            check_exact=True,
        )
