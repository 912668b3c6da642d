"""What every model keeps, the product's own and the baselines: one class, one model a run."""

from functools import cache
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest

from features.build import frame_of
from features.history import EvidenceHistory, TableHistory, moment_after, release_moments
from features.months import month_number
from models import served
from models.boosting import texts_of
from models.experts import BASELINES
from models.rolling import MODEL, Memory, train, walk
from store.vocabulary import QUANTILE_COLUMNS
from tests.data.builders import QUICK, at, make_table, make_world

NUMBERS = [*QUANTILE_COLUMNS, "mean"]
MOMENTS = release_moments("2020-04-25", at("2020-06-26"))
CUTOFF = month_number("2021-06")


def panel_forecasts() -> pd.DataFrame:
    history = make_world().history()
    steps = walk(history, MOMENTS, spec=QUICK, refit_at=MOMENTS, memory=Memory())
    return pd.concat([step.forecasts.assign(as_of=step.moment) for step in steps])


def table_forecasts() -> pd.DataFrame:
    history = TableHistory(make_table(months=60), horizon=3)
    moments = [moment_after(CUTOFF - 1), moment_after(CUTOFF)]
    steps = walk(history, moments, spec=QUICK, refit_at=moments, memory=Memory())
    return pd.concat([step.forecasts.assign(as_of=step.moment) for step in steps])


MAKERS = {"evidence panel": panel_forecasts, "table": table_forecasts}
RUNS = {name: cache(make) for name, make in MAKERS.items()}


@pytest.mark.parametrize("model", [MODEL, *BASELINES])
@pytest.mark.parametrize("source", list(RUNS))
class TestEveryModel:
    def forecasts(self, source: str, model: str) -> pd.DataFrame:
        frame = RUNS[source]()
        return frame.loc[frame["model"] == model].reset_index(drop=True)

    def test_speaks_once_of_each_series_and_month(self, source: str, model: str) -> None:
        frame = self.forecasts(source, model)

        assert len(frame) > 0
        assert not frame.duplicated(["as_of", "destination", "period"]).any()
        series = frame.groupby("as_of")["destination"].nunique()
        assert series.min() == series.max()

    def test_horizons_count_from_one(self, source: str, model: str) -> None:
        frame = self.forecasts(source, model)

        for _, group in frame.groupby(["as_of", "destination"]):
            assert list(group["horizon"]) == list(range(1, len(group) + 1))
            months = group["period"].dt.year * 12 + group["period"].dt.month
            assert (months.diff().dropna() == 1).all()

    def test_numbers_are_finite_tonnes_of_at_least_zero(self, source: str, model: str) -> None:
        frame = self.forecasts(source, model)

        assert np.isfinite(frame[NUMBERS]).all(axis=None)
        assert (frame[NUMBERS] >= 0).all(axis=None)

    def test_quantiles_do_not_cross(self, source: str, model: str) -> None:
        frame = self.forecasts(source, model)

        assert (np.diff(frame[list(QUANTILE_COLUMNS)], axis=1) >= -1e-9).all()
        assert frame["mean"].between(frame["p05"], frame["p95"]).all()

    def test_same_past_and_seed_give_the_same_forecast(self, source: str, model: str) -> None:
        again = again_of(source)

        mine = again.loc[again["model"] == model].reset_index(drop=True)
        pd.testing.assert_frame_equal(mine, self.forecasts(source, model), check_exact=True)


@cache
def again_of(source: str) -> pd.DataFrame:
    return MAKERS[source]()


@cache
def zero_forecasts() -> pd.DataFrame:
    table = make_table(months=60)
    table.loc["S0"] = 0.0
    moment = moment_after(CUTOFF)
    history = TableHistory(table, horizon=3)
    [step] = walk(history, [moment], spec=QUICK, refit_at=[moment], memory=Memory())
    return step.forecasts.loc[step.forecasts["destination"] == "S0"]


@pytest.mark.parametrize("model", [MODEL, *BASELINES])
def test_a_series_of_zeros_is_forecast_as_zeros(model: str) -> None:
    own = zero_forecasts().loc[zero_forecasts()["model"] == model]

    assert len(own) == 3
    assert (own["p50"] <= 1e-6).all()


class TestOwnModel:
    def test_a_saved_model_says_the_same_to_the_bit(self, tmp_path: Path) -> None:
        history: EvidenceHistory = make_world().history()
        trained = train(history, MOMENTS[-1], spec=QUICK, memory=Memory())
        rows = frame_of(history.origin(MOMENTS[-1]))
        for name, text in texts_of(trained.heads).items():
            (tmp_path / f"{name}.txt").write_text(text, encoding="utf-8")

        loaded = {
            name: lgb.Booster(model_str=(tmp_path / f"{name}.txt").read_text(encoding="utf-8"))
            for name in served.HEADS
        }

        pd.testing.assert_frame_equal(
            served.predict_quantiles(loaded, trained.card, rows),
            served.predict_quantiles(trained.heads, trained.card, rows),
            check_exact=True,
        )
