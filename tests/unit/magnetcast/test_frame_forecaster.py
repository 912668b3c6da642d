import re
from collections.abc import Callable
from pathlib import Path

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from lightgbm import LGBMRegressor
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV

import magnetcast as mc
from flows.panels.panel_files import PanelFiles, forecast_panel
from models.learning.parameters import PANEL_PRESET
from store.errors import DataError
from store.progress import untracked

MONTHS = pd.date_range("2018-01-01", "2023-12-01", freq="MS")


def long(**series: float) -> pd.DataFrame:
    """Return series in Nixtla's format, each at a level, with a season and some noise."""
    noise = np.random.default_rng(7)
    season = 1 + 0.2 * np.sin(np.arange(len(MONTHS)) * np.pi / 6)
    parts = [
        pd.DataFrame(
            {
                "unique_id": name,
                "ds": MONTHS,
                "y": level * season * noise.lognormal(0, 0.05, len(MONTHS)),
            }
        )
        for name, level in series.items()
    ]
    return pd.concat(parts, ignore_index=True)


def ours(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.rename(columns={"unique_id": "destination", "ds": "period", "y": "tonnes"})


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return long(A=100.0, B=40.0, C=900.0)


@pytest.fixture(scope="module")
def forecasts(frame: pd.DataFrame) -> pd.DataFrame:
    return mc.Forecaster().fit(frame).predict(3, quantiles=[0.1, 0.9])


def test_the_numbers_are_those_of_predict_on_the_same_file(
    frame: pd.DataFrame, forecasts: pd.DataFrame, tmp_path: Path
) -> None:
    frame.to_csv(tmp_path / "panel.csv", index=False)
    files = PanelFiles(tmp_path / "panel.csv")

    expected = forecast_panel(files, horizon=3, track=untracked, parameters=PANEL_PRESET)[0]

    np.testing.assert_array_equal(forecasts["magnetcast"], expected["p50"])
    np.testing.assert_array_equal(forecasts["magnetcast-q-90"], expected["p90"])
    assert list(forecasts["ds"].dt.strftime("%Y-%m")) == list(expected["period"])
    assert list(forecasts["unique_id"]) == list(expected["destination"])


def test_names_of_columns_and_integer_ids_come_back(
    frame: pd.DataFrame, forecasts: pd.DataFrame
) -> None:
    numbered = frame.assign(unique_id=frame["unique_id"].map({"A": 1, "B": 2, "C": 3}))
    theirs = numbered.rename(columns={"unique_id": "sku", "ds": "month", "y": "sales"})

    made = (
        mc.Forecaster().fit(theirs, id_col="sku", time_col="month", target_col="sales").predict(3)
    )
    fitted = mc.Forecaster().fit(ours(frame))
    own = fitted.predict(3)

    labels = ["destination", "cutoff", "period", "horizon", "p10", "p50", "p90", "mean"]
    assert list(own.columns) == labels
    assert list(fitted.cross_validation(h=1).columns) == [*labels, "tonnes"]
    np.testing.assert_array_equal(own["p10"], forecasts["magnetcast-q-10"])
    assert list(made.columns[:3]) == ["sku", "month", "magnetcast"]
    assert made["sku"].unique().tolist() == [1, 2, 3]
    np.testing.assert_array_equal(made["magnetcast"], forecasts["magnetcast"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ids", "kind"),
    [
        ((1, 2, 3), "int64"),
        ((1.0, 2.0, 3.0), "float64"),
        ((0.5, 1.0, 7.25), "float64"),
        ((7, "b", 8.5), "object"),
        ((20, 10, 30), "category"),
    ],
)
def test_ids_of_any_type_work_where_texts_do(
    frame: pd.DataFrame, ids: tuple[object, ...], kind: str, tmp_path: Path
) -> None:
    names = dict(zip("ABC", ids, strict=True))
    texts = {name: f"{name:g}" if isinstance(name, float) else str(name) for name in (*ids, 99)}
    panel = frame.assign(unique_id=frame["unique_id"].map(names).astype(kind))
    months = pd.date_range("2018-01-01", "2024-06-01", freq="MS")
    grid = pd.MultiIndex.from_product([[*ids, 99], months], names=["unique_id", "ds"])
    known = grid.to_frame(index=False).assign(name="tariff", value=grid.codes[1] % 5)

    model = mc.Forecaster().fit(panel, covariates=known, tree={99: list(ids)})
    made = model.predict(3)
    model.save(tmp_path / "model.json")
    pd.testing.assert_frame_equal(mc.Forecaster.load(tmp_path / "model.json").predict(3), made)
    axes = model.plot([ids[1], 99], 3).axes
    assert [axis.get_title() for axis in axes] == [texts[ids[1]], "99"]
    assert [len(line.get_xdata()) for line in axes[0].lines] == [len(MONTHS), 3]
    assert len(axes[0].collections) == 1

    panel, known = (
        rows.assign(unique_id=rows["unique_id"].astype(object).map(texts))
        for rows in (panel, known)
    )
    tree = {"99": [texts[name] for name in ids]}
    expected = mc.Forecaster().fit(panel, covariates=known, tree=tree).predict(3)
    assert set(made["unique_id"]) == {*ids, 99}
    made = made.assign(unique_id=made["unique_id"].map(texts).astype("str"))
    pd.testing.assert_frame_equal(made, expected, check_dtype=False)


@pytest.mark.parametrize("tree", [{}, {"all": ["A", "B", "C"]}])
def test_a_window_of_cross_validation_knows_the_months_before_alone(
    frame: pd.DataFrame, tree: dict[str, list[str]]
) -> None:
    past = frame.loc[frame["ds"] <= "2023-09-01"]

    made = mc.Forecaster().fit(frame, tree=tree).cross_validation(h=3, n_windows=2)

    last = made.loc[made["cutoff"] == "2023-09-01"].reset_index(drop=True)
    assert made["cutoff"].unique().tolist() == [*pd.to_datetime(["2023-06-01", "2023-09-01"])]
    alone = mc.Forecaster().fit(past, tree=tree).predict(3)
    pd.testing.assert_frame_equal(last[list(alone)], alone)
    late = frame.loc[frame["ds"] > "2023-09-01"]
    sums = [late.groupby("ds")["y"].sum() for _ in tree]
    np.testing.assert_allclose(last["y"], np.concatenate([late["y"], *sums]))


@pytest.mark.slow
def test_a_search_of_scikit_learn_compares_parameters_on_held_out_months(
    frame: pd.DataFrame,
) -> None:
    late = (frame["ds"] > "2023-06-01").to_numpy()
    split = [(np.flatnonzero(~late), np.flatnonzero(late))]

    found = GridSearchCV(mc.Forecaster(), {"ensemble_weight": [0.0, 1.0]}, cv=split).fit(frame)

    one, other = found.cv_results_["mean_test_score"]
    assert -1.0 < one < 0.0
    assert one != other
    with pytest.raises(ValueError, match=r"All the 3 fits failed(?s:.*)cv=\[\(early, late\)\]"):
        GridSearchCV(mc.Forecaster(), {"ensemble_weight": [0.5]}, cv=3).fit(frame)


@pytest.mark.parametrize("transforms", [None, [(np.log1p, np.expm1)]])
def test_a_score_is_the_error_in_the_unit_of_the_panel(
    frame: pd.DataFrame, transforms: list[object] | None
) -> None:
    is_late = frame["ds"] > "2023-06-01"
    model = mc.Forecaster(target_transforms=transforms).fit(frame[~is_late])

    both = model.predict(6).merge(frame)
    changes = frame[~is_late].groupby("unique_id")["y"].diff(12).abs()
    scale = changes.groupby(frame["unique_id"]).mean()
    errors = (both["y"] - both["magnetcast"]).abs() / both["unique_id"].map(scale)
    assert model.score(frame[is_late]) == pytest.approx(-errors.mean())


@pytest.mark.slow
def test_estimators_of_scikit_learn_forecast_beside_the_engine(
    frame: pd.DataFrame, tmp_path: Path
) -> None:
    estimators = [Ridge(), LGBMRegressor(n_estimators=20, verbosity=-1), Ridge(alpha=1e9)]
    model = mc.Forecaster(estimators, "MS", lags=[12])

    made = model.cross_validation(df=frame, n_windows=2, h=3, level=[80])

    plain = mc.Forecaster(lags=[12]).cross_validation(df=frame, n_windows=2, h=3, level=[80])
    pd.testing.assert_frame_equal(made[list(plain)], plain)
    for name in ("Ridge", "LGBMRegressor", "Ridge2"):
        assert (made[name] / made["y"] - 1).abs().mean() < 0.1
        assert made["y"].between(made[f"{name}-lo-80"], made[f"{name}-hi-80"]).mean() > 0.6
    assert (made["Ridge"] != made["Ridge2"]).all()
    named = mc.Forecaster({"tall": Ridge()}).fit(frame, tree={"all": ["A", "B", "C"]})
    expected = named.predict(2, quantiles=[0.9])
    named.save(tmp_path / "model.json")
    again = mc.Forecaster.load(tmp_path / "model.json", models={"tall": Ridge()})
    pd.testing.assert_frame_equal(again.predict(2, quantiles=[0.9]), expected)
    assert list(expected)[4:] == ["mean", "tall", "tall-q-90"]
    with pytest.raises(DataError, match="Too little to train on"):
        mc.Forecaster(Ridge()).fit(frame[frame["ds"] < "2019-06-01"]).predict(1)


class RollingMean(BaseEstimator):
    """As mlforecast's lag transform, which is recognised by name and parameters."""

    def __init__(self, window_size: int, groupby: list[str] | None = None) -> None:
        self.window_size, self.groupby, self.min_samples = window_size, groupby, None


@pytest.mark.slow
def test_dates_and_lag_transforms_of_mlforecast_are_features(frame: pd.DataFrame) -> None:
    seen: list[pd.Timestamp] = []

    def is_spring(dates: pd.DatetimeIndex) -> object:
        seen.extend(dates)
        return dates.month.isin([3, 4, 5])

    dates, ends = ["quarter", is_spring], frame.assign(ds=frame["ds"] + pd.offsets.MonthEnd(0))
    mean = [lambda months: months.rolling(3).mean()]
    ours, theirs = (
        mc.Forecaster(date_features=dates, lag_transforms={2: transforms}).fit(ends).predict(3)
        for transforms in (mean, [RollingMean(3)])
    )

    pd.testing.assert_frame_equal(theirs, ours)
    assert max(seen) == pd.Timestamp("2024-03-31")
    model = mc.Forecaster(date_features=["days_in_month", is_spring]).fit(ends)
    assert {"days_in_month", "is_spring"} < set(model.feature_importances_.index)
    for wrong in (RollingMean(3, ["size"]), Ridge()):
        with pytest.raises(DataError, match="lag_transforms has"):
            mc.Forecaster(lag_transforms={1: [wrong]}).fit(frame)


@pytest.mark.parametrize(
    ("dated", "expected"),
    [
        (lambda ds: ds + pd.offsets.MonthEnd(0), pd.Timestamp("2024-02-29")),
        (lambda ds: ds + pd.Timedelta(days=14), pd.Timestamp("2024-02-15")),
        (
            lambda ds: ds.dt.tz_localize("Asia/Shanghai"),
            pd.Timestamp("2024-02-01", tz="Asia/Shanghai"),
        ),
    ],
    ids=["end", "15th", "zone"],
)
def test_dates_come_back_as_they_went_in(
    frame: pd.DataFrame, dated: Callable[..., object], expected: pd.Timestamp
) -> None:
    model = mc.Forecaster().fit(frame.assign(ds=dated(frame["ds"])))

    assert model.predict(2, quantiles=[])["ds"][1] == expected
    assert set(model.cross_validation(h=2)["ds"]) < set(dated(frame["ds"]))
    with pytest.warns(UserWarning, match="several days of the month, forecasts on the first"):
        mc.Forecaster().fit(frame.assign(ds=frame["ds"] + pd.to_timedelta(frame.index % 9, "D")))


def test_a_series_that_ends_earlier_is_forecast_from_its_own_end(frame: pd.DataFrame) -> None:
    early = frame.loc[(frame["unique_id"] != "B") | (frame["ds"] < "2023-10-01")]

    with pytest.warns(UserWarning, match="no value in the last month"):
        model = mc.Forecaster().fit(early, target_col="y")
    made = model.predict(2, level=[80])

    starts = made.groupby("unique_id")["ds"].min().dt.strftime("%Y-%m").to_dict()
    assert starts == {"A": "2024-01", "B": "2023-10", "C": "2024-01"}
    truth = frame.loc[frame["unique_id"] == "B"].set_index("ds")["y"]
    middle = made.loc[made["unique_id"] == "B"].set_index("ds")["magnetcast"]
    assert (middle / truth - 1).abs().max() < 0.2
    assert len(model.plot(["B"], 2).axes[0].lines[1].get_xdata()) == 2
    files = PanelFiles(early)
    rows = forecast_panel(files, horizon=2, track=untracked, parameters=PANEL_PRESET)[0]
    np.testing.assert_array_equal(rows["p50"], made["magnetcast"])
    assert rows.groupby("destination")["cutoff"].first().to_dict()["B"] == "2023-09"
    with pytest.warns(UserWarning, match="in the months of the windows, not forecast: B"):
        model.cross_validation(h=3)
    with pytest.warns(UserWarning, match="no value in the last month|tree") as notes:
        mc.Forecaster().fit(early, tree={"all": ["A", "B", "C"]})
    assert "tree: forecast in the months of the others: B" in {str(each.message) for each in notes}


def test_a_level_between_two_of_the_model_lies_between_them(frame: pd.DataFrame) -> None:
    made = mc.Forecaster().fit(ours(frame)).predict(1, quantiles=[0.5, 0.6, 0.75])

    expected = made["p50"] + 0.4 * (made["p75"] - made["p50"])
    np.testing.assert_allclose(made["p60"], expected)


def test_parts_add_up_to_the_sums_of_a_tree(frame: pd.DataFrame) -> None:
    fitted = mc.Forecaster().fit(ours(frame), tree={"all": ["A", "B", "C"]})

    made = fitted.predict(3)

    mean = made.pivot_table(index="destination", columns="period", values="mean")
    np.testing.assert_allclose(mean.loc["all"], mean.loc[["A", "B", "C"]].sum(), rtol=1e-9)


@pytest.mark.parametrize(
    ("transforms", "reason"),
    [
        (None, r"1 series refused.*B: row 75: -3.0 y is negative.*\(allow_negative=True\)"),
        ([(np.log1p, np.expm1)], "B: row 75: target_transforms cannot take y -3.0"),
    ],
)
def test_a_bad_series_is_refused_by_name_with_its_row(
    frame: pd.DataFrame, transforms: list[object] | None, reason: str
) -> None:
    bad = frame.assign(y=frame["y"].where(frame.index != 75, -3.0))

    with pytest.raises(NotFittedError):
        mc.Forecaster().predict(1)
    with pytest.warns(UserWarning, match=reason):
        model = mc.Forecaster(target_transforms=transforms).fit(bad)

    assert list(model.refused_) == ["B"]
    assert set(model.predict(1)["unique_id"]) == {"A", "C"}


@pytest.mark.slow
def test_a_series_that_stopped_stays_there_and_its_band_holds_as_many_returns_as_the_panel(
    frame: pd.DataFrame,
) -> None:
    months, others = frame["ds"].dt.strftime("%Y-%m"), frame["unique_id"] != "B"
    stopped = frame.assign(y=frame["y"].where(others | (months < "2023-07"), 0.0))
    pauses = [
        part.assign(
            unique_id=f"{part['unique_id'].iloc[0]}{year}",
            y=part["y"].where(~months.between(f"{year}-01", f"{year}-06"), 0.0),
        )
        for year in (2020, 2021, 2022)
        for _, part in frame[others].groupby("unique_id")
    ]

    alone, among = (
        mc.Forecaster().fit(panel).predict(12, level=[80, 99]).query("unique_id == 'B'")
        for panel in (stopped, pd.concat([stopped, *pauses]))
    )

    assert (alone["magnetcast"] == 0).all()
    assert (alone["magnetcast-hi-99"] > 20).all()
    assert (among["magnetcast"] > 0).all()
    high = "magnetcast-hi-80"
    assert (among[high].to_numpy() > alone[high].to_numpy()).all()


@pytest.mark.slow
def test_negative_values_are_forecast_where_that_is_allowed() -> None:
    frame = long(A=100.0, B=40.0)
    sunk = frame.assign(y=frame["y"].where(frame["unique_id"] == "A", frame["y"] - 45.0))

    made = mc.Forecaster(allow_negative=True).fit(sunk).predict(12, level=[80])

    below = made.loc[made["unique_id"] == "B"]
    last = sunk.loc[sunk["unique_id"] == "B", "y"].tail(12).to_numpy()
    assert (below["magnetcast"] < 0).any()
    assert np.abs(below["magnetcast"] - last).mean() < 6.0
    assert (below["magnetcast-lo-80"] <= below["magnetcast"]).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda model, df: model.fit(df).predict(0), "h 0 is out of range"),
        (
            lambda model, df: model.fit(df).score(df),
            r"cv=\[\(early, late\)\], not a number of folds",
        ),
        (lambda model, df: model.fit(df).predict(1, quantiles=[1.0]), "quantiles has 1.0"),
        (lambda model, df: model.fit(df).predict(1, level=[0.8]), "percent, such as 80 for 0.8"),
        (lambda model, df: model.fit(df).predict(1, ids=["A", "Q"]), "ids has Q, which"),
        (
            lambda model, df: model.fit(df.assign(w=df.index - 3), weight_col="w"),
            "Panel has -3 as w in row 0",
        ),
        (lambda model, df: model.set_params(stale="keep").fit(df), "stale 'keep' is unknown"),
        (
            lambda model, df: model.fit(df.rename(columns={"y": "sales"})),
            "Panel has no column y.*id_col=, time_col= and target_col= name others",
        ),
        (
            lambda model, df: model.fit(
                df.pivot_table("y", index="unique_id", columns="ds").reset_index()
            ),
            "Panel has a column a month or series.*df.melt",
        ),
        (
            lambda model, df: model.fit(
                df.pivot_table("y", index="ds", columns="unique_id").reset_index()
            ),
            "Panel has a column a month or series.*of a column of dates df.melt",
        ),
        (
            lambda model, df: model.fit(df.assign(price=[1, "low"] * (len(df) // 2))),
            "Panel has price, a column of texts and numbers mixed",
        ),
        (lambda model, df: model.fit(df.iloc[:0]), "Panel has no rows"),
        (lambda model, df: model.fit(df, tree={"all": ["A", "X"]}), "X"),
        (
            lambda model, df: model.fit(
                df, covariates=df.drop(columns="y").assign(name="tariff", value=df.index % 3)
            ).predict(2),
            "lacks values to forecast after 2023-12: tariff of A",
        ),
        (
            lambda model, df: model.fit(df).predict(
                1, X_df=pd.DataFrame({"unique_id": ["A", "Z"], "ds": "2024-01", "price": 1.0})
            ),
            "X_df has Z; price, which the panel of fit does not have",
        ),
    ],
)
def test_what_cannot_be_used_is_refused(
    frame: pd.DataFrame, call: Callable[..., object], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        call(mc.Forecaster(), frame)


def test_bands_have_the_names_of_mlforecast_and_reach_any_level(frame: pd.DataFrame) -> None:
    made = mc.Forecaster().fit(frame).predict(2, level=[80, 95, 99.8])

    lows = [f"magnetcast-lo-{level}" for level in ("99.8", "95", "80")]
    highs = [f"magnetcast-hi-{level}" for level in ("80", "95", "99.8")]
    assert list(made) == ["unique_id", "ds", "magnetcast", *lows, *highs, "mean"]
    assert (made[[*lows, "magnetcast", *highs]].diff(axis=1).iloc[:, 1:] > 0).all(axis=None)
    inner, outer = (made["magnetcast"] - made[f"magnetcast-lo-{each}"] for each in ("95", "99.8"))
    assert (outer / inner).between(2.0, 4.0).all()


@pytest.mark.slow
def test_cross_validation_of_a_frame_needs_no_fit_and_one_model_is_enough(
    frame: pd.DataFrame,
) -> None:
    model = mc.Forecaster()

    anew = model.cross_validation(df=frame, n_windows=3, h=6, step_size=1, level=[80])
    once = model.cross_validation(frame, 3, 6, step_size=1, refit=False, level=[80])

    assert list(anew)[:5] == ["unique_id", "ds", "cutoff", "y", "magnetcast"]
    first = anew["cutoff"] == anew["cutoff"].min()
    pd.testing.assert_frame_equal(anew.loc[first], once.loc[first])
    low = "magnetcast-lo-80"
    assert (anew.loc[~first, low] != once.loc[~first, low]).any()
    assert once["cutoff"].nunique() == 3


def promoted(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a panel that a campaign, known ahead, doubles in some months."""
    draw = np.random.default_rng(3)
    campaign = (draw.random(len(frame)) < 0.3).astype(float)
    size = frame["unique_id"].map({"A": 1.0, "B": 2.0, "C": 3.0})
    return frame.assign(y=frame["y"] * (1 + campaign), campaign=campaign, size=size)


@pytest.mark.slow
def test_further_columns_are_known_ahead_and_their_future_comes_with_predict() -> None:
    panel = promoted(long(**dict.fromkeys("ABC", 100.0)))
    past = panel.loc[panel["ds"] < "2023-07-01"]
    future = panel.loc[panel["ds"] >= "2023-07-01"]
    model = mc.Forecaster().fit(past, static_features=["size"])

    made = model.predict(6, X_df=future[["unique_id", "ds", "campaign"]])

    with pytest.raises(DataError, match="lacks values to forecast after 2023-06: campaign of A"):
        model.predict(6)
    both = made.merge(future, on=["unique_id", "ds"])
    on, off = (both.loc[both["campaign"] == each, "magnetcast"] for each in (1.0, 0.0))
    assert on.mean() > 1.3 * off.mean()


def moving(months: pd.DataFrame, horizon: int) -> pd.DataFrame:
    """Return the mean of the last three months, said of each month ahead."""
    mean = months.tail(3).mean()
    return pd.concat([mean] * horizon, axis=1).T


@pytest.mark.slow
def test_functions_give_features_and_base_forecasts_without_the_source(frame: pd.DataFrame) -> None:
    model = mc.Forecaster(
        {"moving": moving},
        "MS",
        lags=[1, 12],
        lag_transforms={1: [lambda months: months.rolling(3).max()]},
        features={"gaps": lambda months, _: months.isna().sum()},
    )

    made = model.fit(frame).predict(3)

    names = {"moving", "lag1", "lag12", "transform0_lag1", "gaps"}
    assert names < set(model.feature_importances_.index)
    assert model.feature_importances_.is_monotonic_decreasing
    assert (made["magnetcast"] != mc.Forecaster().fit(frame).predict(3)["magnetcast"]).any()
    wrong = mc.Forecaster(features={"all": lambda months, _: months}).fit(frame)
    with pytest.raises(DataError, match="Feature 'all' has shape"):
        wrong.predict(1)


def test_a_custom_feature_sees_nothing_after_the_origin(frame: pd.DataFrame) -> None:
    seen: list[pd.Timestamp] = []

    def last(months: pd.DataFrame, _: int) -> "pd.Series[float]":
        seen.append(months.index[-1])
        return months.iloc[-1]

    mc.Forecaster({"last": lambda months, h: [last(months, h)] * h}).cross_validation(
        df=frame, n_windows=1, h=3
    )

    assert max(seen) == pd.Timestamp("2023-09-01")


@pytest.mark.slow
def test_transformed_values_come_back_in_their_own_unit(frame: pd.DataFrame) -> None:
    model = mc.Forecaster(target_transforms=[(np.log1p, np.expm1)])

    made = model.cross_validation(df=frame, h=3, level=[80])

    plain = mc.Forecaster().cross_validation(df=frame, h=3)
    np.testing.assert_allclose(made["y"], plain["y"])
    np.testing.assert_allclose(made["magnetcast"], plain["magnetcast"], rtol=0.1)
    assert (made["magnetcast-lo-80"] < made["magnetcast"]).all()


@pytest.mark.slow
def test_fitted_values_are_forecasts_a_month_ahead_beside_the_months(frame: pd.DataFrame) -> None:
    made = mc.Forecaster().fit(frame).forecast_fitted_values(level=[90])

    bands = ["magnetcast-lo-90", "magnetcast-hi-90"]
    assert list(made) == ["unique_id", "ds", "y", "magnetcast", *bands, "mean"]
    assert made["ds"].max() == MONTHS[-1]
    assert (made["magnetcast"] / made["y"] - 1).abs().median() < 0.1


@pytest.mark.slow
def test_a_saved_forecaster_forecasts_the_same_without_training(
    frame: pd.DataFrame, tmp_path: Path
) -> None:
    panel = promoted(frame)
    future = panel.loc[panel["ds"] >= "2023-07-01", ["unique_id", "ds", "campaign"]]
    model = mc.Forecaster({"moving": moving}, learning_rate=0.05)
    model.fit(panel.loc[panel["ds"] < "2023-07-01"])
    expected = model.predict(3, level=[80], X_df=future)
    model.save(tmp_path / "model.json")

    again = mc.Forecaster.load(tmp_path / "model.json", models={"moving": moving})

    assert again.get_params()["learning_rate"] == 0.05
    pd.testing.assert_frame_equal(again.predict(3, level=[80], X_df=future), expected, rtol=1e-9)
    with pytest.raises(DataError, match="was saved with models"):
        mc.Forecaster.load(tmp_path / "model.json")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (r"split_feature=\d+", "split_feature=99999"),
        (r"split_feature=\d+ ", "split_feature="),
        (r"left_child=-?\d+", "left_child=7777"),
        (r"left_child=\d+", "left_child=0"),
        (r"leaf_value=\S+ ", "leaf_value="),
        (r"tree_sizes=\d+", "tree_sizes=1"),
        ('"quantiles": .0.05, ', '"quantiles": ['),
        ('"score_quantiles"', '"scores"'),
        ('"models"', '"model"'),
        ("^.", ""),
    ],
)
def test_an_edited_file_is_refused_in_a_sentence(
    frame: pd.DataFrame, tmp_path: Path, old: str, new: str
) -> None:
    model = mc.Forecaster(num_iterations=2).fit(frame)
    expected = model.predict(6)
    model.save(file := tmp_path / "model.json")
    text = file.read_text()
    file.write_text(re.sub(old, new, text, count=1))

    assert file.read_text() != text
    if old.startswith("tree_sizes"):  # is not read
        pd.testing.assert_frame_equal(mc.Forecaster.load(file).predict(6), expected)
        return
    with pytest.raises(DataError, match=r"model.json cannot be read \(.*Expected a file as save"):
        mc.Forecaster.load(file)


MAKES: dict[str, Callable[[pd.DataFrame], object]] = {
    "nullable": lambda df: df.convert_dtypes(),
    "pyarrow": lambda df: df.convert_dtypes(dtype_backend="pyarrow"),
    "categories": lambda df: df.astype({"unique_id": "category", "kind": "category"}),
    "strings": lambda df: df.assign(ds=df["ds"].dt.strftime("%Y-%m"), y=df["y"].map(repr)),
    "pyarrow.Table": pa.Table.from_pandas,
    "polars": lambda df: pytest.importorskip("polars").from_pandas(df),
}


@pytest.mark.parametrize("make", MAKES)
def test_columns_of_any_make_give_the_same_numbers(frame: pd.DataFrame, make: str) -> None:
    df = frame.assign(kind=frame["unique_id"].map({"A": "one", "B": "two", "C": "one"}))
    df["y"] = df["y"].where(df.index != 20)
    short = mc.Forecaster(num_iterations=5)
    with pytest.warns(UserWarning, match="gaps: 1 month in 1 series"):
        expected = clone(short).fit(df).predict(2, level=[80])

    with pytest.warns(UserWarning, match="gaps: 1 month in 1 series"):
        made = short.fit(theirs := MAKES[make](df)).predict(2, level=[80])

    values = made if isinstance(made, pd.DataFrame) else nw.from_native(made).to_pandas()
    for name in expected.columns[2:]:
        np.testing.assert_array_equal(values[name], expected[name])
    assert list(values["unique_id"].astype("str")) == list(expected["unique_id"])
    if isinstance(theirs, pd.DataFrame):
        assert made["unique_id"].dtype == theirs["unique_id"].dtype
    else:
        assert type(made) is type(theirs)


def test_what_is_not_forecast_stands_in_one_table_and_can_be_forecast(frame: pd.DataFrame) -> None:
    ended = frame.loc[(frame["unique_id"] != "B") | (frame["ds"] < "2022-10-01")]
    bad = ended.assign(y=ended["y"].where(ended["unique_id"] != "C", -1.0))
    short = mc.Forecaster(num_iterations=5)

    with pytest.warns(UserWarning, match="no value in the last month|refused|left_out_") as notes:
        model = clone(short).fit(bad)
    assert any("not forecast (left_out_): B" in str(note.message) for note in notes)
    reasons = model.left_out_.set_index("unique_id")["reason"]
    assert list(reasons.index) == ["B", "C"]
    assert reasons["B"].startswith("ended in 2022-09")
    assert "-1.0 y is negative" in reasons["C"]
    assert set(model.predict(1)["unique_id"]) == {"A"}

    with pytest.warns(UserWarning, match="no value in the last month, 2023-12: B"):
        every = short.set_params(stale="forecast").fit(ended).predict(2)
    assert short.left_out_.empty
    months = every.loc[every["unique_id"] == "B", "ds"].dt.strftime("%Y-%m")
    assert list(months) == ["2022-10", "2022-11"]
    asked = short.predict(2, ids=["C", "B"])
    pd.testing.assert_frame_equal(
        asked, every.loc[every["unique_id"] != "A"].reset_index(drop=True)
    )


def test_a_month_without_weight_teaches_nothing(frame: pd.DataFrame) -> None:
    is_late = frame["ds"] >= "2021-01-01"
    doubled = frame.assign(y=frame["y"].where(is_late, frame["y"] * (1 + frame.index % 2)))
    short = mc.Forecaster({"tall": Ridge()}, num_iterations=20)

    plain, weighted = (
        clone(short).fit(doubled.assign(w=weights), weight_col="w").predict(3)
        for weights in (1.0, is_late.astype(float))
    )

    without = clone(short).fit(doubled).predict(3)
    pd.testing.assert_frame_equal(plain[["magnetcast"]], without[["magnetcast"]])
    for name in ("magnetcast", "tall"):
        assert (weighted[name] != plain[name]).all()
