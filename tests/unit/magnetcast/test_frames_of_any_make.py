from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import magnetcast as mc
from store.errors import DataError
from tests.unit.magnetcast.test_frame_forecaster import long

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return long(A=100.0, B=40.0, C=900.0)


def test_frames_of_arrow_with_texts_and_booleans_come_back_as_arrow(frame: pd.DataFrame) -> None:
    month = frame["ds"].dt.month
    panel = frame.assign(
        region=frame["unique_id"].map({"A": "EU", "B": "EU", "C": "US"}),
        sale=np.where(month % 5 == 0, "yes", "no"),
        open=month % 2 == 0,
    )
    past, future = panel[panel["ds"] < "2023-07-01"], panel[panel["ds"] >= "2023-07-01"]
    future = future.drop(columns=["y", "region"])
    expected = mc.Forecaster().fit(past).predict(3, X_df=future)

    model = mc.Forecaster(freq=pd.offsets.MonthBegin(), num_threads=1)
    made = model.fit(pa.Table.from_pandas(past)).predict(3, X_df=pa.Table.from_pandas(future))

    assert isinstance(made, pa.Table)
    pd.testing.assert_frame_equal(made.to_pandas(), expected, check_dtype=False)
    assert {"region=US_there", "sale=yes_there", "open_there"} < {*model.feature_importances_.index}
    with pytest.raises(DataError, match="sale has perhaps, which the panel of fit never had"):
        model.predict(3, X_df=future.assign(sale="perhaps"))
    with pytest.raises(DataError, match=r"open has maybe, which .* Expected numbers"):
        model.predict(3, X_df=future.assign(open="maybe"))


def test_new_months_move_the_forecast_without_a_new_fit_and_features_come_out(
    frame: pd.DataFrame,
) -> None:
    is_past = frame["ds"] < "2023-10-01"
    model = mc.Forecaster().fit(frame[is_past])
    before, gains = model.predict(3), model.feature_importances_

    after = model.update(frame[~is_past]).predict(3)

    assert (before["ds"].min(), after["ds"].min()) == (*pd.to_datetime(["2023-10", "2024-01"]),)
    pd.testing.assert_series_equal(model.feature_importances_, gains)
    features = mc.Forecaster(lags=[12]).preprocess(frame, 2)
    assert list(features)[:3] == ["unique_id", "ds", "y"]
    assert "lag12" in features
    assert len(features.merge(frame)) == len(features) == 3 * (frame["ds"].nunique() - 15)


def test_a_refused_update_changes_nothing(frame: pd.DataFrame) -> None:
    is_past, sale = frame["ds"] < "2023-10-01", frame["ds"].dt.month % 5 == 0
    panel = frame.assign(sale=np.where(sale, "yes", "no"))
    model = mc.Forecaster().fit(panel[is_past])
    before = dict(vars(model))

    for months, message in (
        (panel[~is_past].drop(columns="y"), "update has or lacks y"),
        (panel[~is_past].assign(sale="perhaps"), "sale has perhaps"),
        (panel[~is_past].assign(ds="soon"), "soon"),
    ):
        with pytest.raises(DataError, match=message):
            model.update(months)
        assert all(vars(model)[name] is part for name, part in before.items())


def test_the_signature_in_mlflow_requires_what_predict_does(
    frame: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = mlflow.get_tracking_uri()
    panel = frame.assign(region="EU", sale=np.where(frame["ds"].dt.month % 5 == 0, "yes", "no"))
    past, future = panel[panel["ds"] < "2023-07-01"], panel[panel["ds"] >= "2023-07-01"]
    future = future.drop(columns=["y", "region"]).assign(h=3)
    try:
        mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
        model = mlflow.pyfunc.load_model(mc.Forecaster().fit(past).log_model())

        assert model.metadata.signature.inputs.input_names() == ["h", "unique_id", "ds", "sale"]
        assert len(model.predict(future)) == 9
        with pytest.raises(mlflow.exceptions.MlflowException, match=r"missing inputs.*sale"):
            model.predict(future.drop(columns="sale"))
    finally:
        mlflow.set_tracking_uri(before)
