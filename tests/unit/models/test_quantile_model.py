import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import quantile_model

LEVELS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
NAMES = ["p05", "p10", "p25", "p50", "p75", "p90", "p95"]
SCORES = (-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0)


def constant_booster(value: float) -> lgb.Booster:
    data = lgb.Dataset(np.zeros((40, 1)), np.full(40, value))
    return lgb.train(
        {"objective": "l2", "verbosity": -1, "num_threads": 1, "deterministic": True}, data, 1
    )


BOOSTERS = {f"p{50 + 40 * side}": constant_booster(float(side)) for side in (-1, 0, 1)}


def make_metadata(
    *,
    bias_correction: tuple[float, ...] = (0.0, 0.5),
    floor: float = 0.05,
    weight: tuple[float, ...] = (0.75, 0.25),
) -> dict[str, object]:
    return {
        "ensemble_weight": list(weight),
        "features": ["tonnes_lag_1m"],
        "floor_spread": floor,
        "bias_correction": list(bias_correction),
        "score_quantiles": {
            name: [score] * len(bias_correction) for name, score in zip(NAMES, SCORES, strict=True)
        },
        "quantiles": list(LEVELS),
        "threads": 1,
    }


def make_rows(
    *,
    horizon: float = 1.0,
    level: float = 100.0,
    offset: float = 0.0,
    lag: float = 0.0,
    base: float | None = None,
) -> pd.DataFrame:
    """Build one row; a base forecast that is left out is that of ``BOOSTERS``."""
    return pd.DataFrame(
        {
            "tonnes_lag_1m": [lag],
            "horizon": [horizon],
            "level_tonnes": [level],
            "offset_tonnes": [offset],
            "experts_tonnes": [level if base is None else base],
        }
    )


def test_quantiles_are_the_level_times_the_exponent_of_the_scaled_scores() -> None:
    forecast = quantile_model.predict_quantiles(BOOSTERS, make_metadata(), make_rows(offset=10.0))

    expected = [110.0 * np.exp(score) - 10.0 for score in SCORES]
    assert list(forecast.columns) == [*NAMES, "mean"]
    np.testing.assert_allclose(forecast[NAMES].iloc[0], expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("horizon", "median"),
    [(0.0, 100.0), (1.0, 100.0), (2.0, 164.872127), (99.0, 164.872127)],
    ids=["before-the-first", "first", "last", "beyond-the-last"],
)
def test_each_horizon_has_its_own_shift_and_far_ones_take_the_nearest(
    horizon: float, median: float
) -> None:
    forecast = quantile_model.predict_quantiles(
        BOOSTERS, make_metadata(), make_rows(horizon=horizon)
    )

    assert forecast["p50"].iloc[0] == pytest.approx(median)


@pytest.mark.parametrize(
    ("horizon", "weight"), [(1.0, 0.75), (2.0, 0.25), (99.0, 0.25)], ids=["near", "far", "beyond"]
)
def test_boosters_and_base_forecasts_meet_in_their_weights_at_each_horizon(
    horizon: float, weight: float
) -> None:
    metadata = make_metadata(bias_correction=(0.0, 0.0))
    rows = make_rows(horizon=horizon, offset=10.0, base=430.0)

    forecast = quantile_model.predict_quantiles(BOOSTERS, metadata, rows).iloc[0]

    centre = (1.0 - weight) * np.log(440.0 / 110.0)
    assert forecast["p50"] == pytest.approx(110.0 * np.exp(centre) - 10.0)
    assert forecast["p90"] == pytest.approx(110.0 * np.exp(centre + 1.0) - 10.0)
    assert forecast["p10"] == pytest.approx(max(110.0 * np.exp(centre - 1.0) - 10.0, 0.0))


@pytest.mark.parametrize("stderr", [0.0, 0.4, 3.0])
def test_months_that_are_estimates_widen_the_band_in_squares(stderr: float) -> None:
    metadata = {**make_metadata(bias_correction=(0.0, 0.0)), "history_weight": 0.5}
    rows = make_rows().assign(recent_stderr_log=stderr)

    plain, wide = (
        np.log(quantile_model.predict_quantiles(BOOSTERS, one, rows)[NAMES].iloc[0] / 100.0)
        for one in (make_metadata(bias_correction=(0.0, 0.0)), metadata)
    )

    own = (plain["p90"] - plain["p10"]) / quantile_model.NORMAL_80
    assert wide["p50"] == pytest.approx(0.0)
    np.testing.assert_allclose(wide, plain * np.hypot(own, 0.5 * stderr) / own, atol=1e-12)


@pytest.mark.parametrize(
    ("values", "levels", "mean"),
    [
        ([0.0, 4.0], [0.25, 0.75], 2.0),
        ([0.0, 10.0, 100.0], [0.05, 0.5, 0.95], 32.0),
        ([7.0], [0.5], 7.0),
    ],
    ids=["two-levels", "skewed", "one-level"],
)
def test_mean_integrates_the_piecewise_linear_quantile_function(
    values: list[float], levels: list[float], mean: float
) -> None:
    found = quantile_model.mean_of_quantiles(np.array([values]), np.array(levels))

    assert found.tolist() == pytest.approx([mean])


@given(
    scores=st.lists(st.floats(-8, 8), min_size=7, max_size=7),
    level=st.floats(0, 1e5),
    offset=st.floats(0, 1e3),
    horizon=st.integers(-3, 40),
)
def test_quantiles_never_cross_and_never_turn_negative(
    scores: list[float], level: float, offset: float, horizon: int
) -> None:
    metadata = make_metadata()
    metadata["score_quantiles"] = {
        name: [score] * 2 for name, score in zip(NAMES, scores, strict=True)
    }
    rows = make_rows(horizon=horizon, level=level, offset=offset)

    forecast = quantile_model.predict_quantiles(BOOSTERS, metadata, rows).iloc[0]

    assert (forecast[NAMES].diff().dropna() >= 0.0).all()
    assert (forecast >= 0.0).all()
    # Up to the last bit of a sum of seven products.
    assert forecast["p05"] * (1 - 1e-12) <= forecast["mean"] <= forecast["p95"] * (1 + 1e-12)


def test_sides_that_differ_much_keep_their_ratio_and_others_come_together() -> None:
    none = np.zeros(3)
    low, high = np.array([-1.0, -1.0, -0.2]), np.array([1.0, 1.1, 2.0])

    below, above = quantile_model.sides((low, none, high), 0.05, 0.4)

    np.testing.assert_allclose(below + above, high - low)
    ratios = np.log(above / below) / np.log(np.array([np.e, 1.1, 10.0]))
    np.testing.assert_allclose(ratios, [0.0, 0.0537, 0.9707], atol=1e-4)


def test_a_stored_model_without_sides_has_one_spread() -> None:
    skewed = {**BOOSTERS, "p90": constant_booster(3.0)}
    metadata = {**make_metadata(), "unit": "scales of the series"}
    rows = make_rows().assign(usual_move_tonnes=1.0)

    before = quantile_model.predict_quantiles(skewed, metadata, rows)
    after = quantile_model.predict_quantiles(skewed, {**metadata, "sides": 0.4}, rows)

    assert (before["p50"] - before["p10"]).item() == pytest.approx(2.0)
    assert (before["p90"] - before["p50"]).item() == pytest.approx(2.0)
    assert (after["p90"] - after["p50"]).item() > 2.5 * (after["p50"] - after["p10"]).item()


def test_bands_of_calm_series_are_wider_where_the_metadata_say_so() -> None:
    rows = pd.concat([make_rows()] * 3, ignore_index=True)
    rows = rows.assign(usual_move_tonnes=1.0, spread_log=[-4.0, -2.0, 0.0])
    metadata = {**make_metadata(), "unit": "scales of the series"}

    stored, calmer = (
        quantile_model.predict_quantiles(BOOSTERS, some, rows)
        for some in (metadata, {**metadata, "calm": (0.05, -2.0)})
    )

    assert stored.drop_duplicates().shape[0] == 1
    np.testing.assert_array_equal(calmer["p50"], stored["p50"])
    width = (calmer["p90"] - calmer["p10"]) / (stored["p90"] - stored["p10"])
    np.testing.assert_allclose(width, np.exp([0.1, 0.0, -0.1]))


def test_a_row_alone_is_forecast_exactly_as_among_others(
    mlflow_boosters: dict[str, str], mlflow_metadata: dict[str, object], mlflow_rows: pd.DataFrame
) -> None:
    boosters = {name: lgb.Booster(model_str=text) for name, text in mlflow_boosters.items()}

    together = quantile_model.predict_quantiles(boosters, mlflow_metadata, mlflow_rows)
    alone = [
        quantile_model.predict_quantiles(boosters, mlflow_metadata, mlflow_rows.iloc[[place]])
        for place in range(40)
    ]

    pd.testing.assert_frame_equal(pd.concat(alone), together.head(40), check_exact=True)


def test_missing_columns_are_named() -> None:
    rows = make_rows().drop(columns=["tonnes_lag_1m", "level_tonnes"])

    with pytest.raises(ValueError, match=r"^2 columns are missing .*: level_tonnes, tonnes_lag_1m"):
        quantile_model.predict_quantiles(BOOSTERS, make_metadata(), rows)


@pytest.mark.parametrize("column", ["horizon", "level_tonnes", "offset_tonnes", "experts_tonnes"])
def test_what_scales_a_row_must_be_finite(column: str) -> None:
    rows = make_rows().assign(**{column: np.nan})

    with pytest.raises(ValueError, match=rf"^1 of 1 rows to predict have no finite {column}"):
        quantile_model.predict_quantiles(BOOSTERS, make_metadata(), rows)


@pytest.mark.parametrize(
    ("level", "scale", "stopped", "expected"),
    [
        # Quantiles of 0, 0, 25, 50, 150, 250 and 450 have the mean 106.25.
        pytest.param(50.0, 100.0, 0.0, 400.0, id="median below 0.6 of it: of the last years"),
        pytest.param(50.0, 100.0, 9.0, 106.25, id="stopped: of the quantiles"),
        # Those of 0, 50, 75, 100, 200, 300 and 500 have 152.5; 100 is 0.656 of it.
        pytest.param(100.0, 100.0, 0.0, 354.016393, id="between 0.6 and 0.9: a mixture"),
        pytest.param(100.0, 1.0, 0.0, 100.525, id="0.995 of it: of the quantiles"),
    ],
)
def test_the_mean_of_a_skewed_series_is_that_of_its_last_years(
    level: float, scale: float, stopped: float, expected: float
) -> None:
    scores = dict(zip(NAMES, [[-1.0], [-0.5], [-0.25], [0.0], [1.0], [2.0], [4.0]], strict=True))
    metadata = make_metadata(bias_correction=(0.0,), weight=(1.0,)) | {
        "score_quantiles": scores,
        quantile_model.UNIT: "scales of the series",
        **quantile_model.SKEWNESS,
    }
    rows = make_rows(level=level).assign(
        **{
            quantile_model.SPREAD: scale,
            quantile_model.STOPPED_MONTHS: stopped,
            quantile_model.RECENT_MEAN: 400.0,
        }
    )

    forecast = quantile_model.predict_quantiles(BOOSTERS, metadata, rows)

    assert forecast["mean"].item() == pytest.approx(expected)
    assert forecast["p50"].item() == level


def test_no_mean_of_a_skewed_series_lies_below_its_lowest_quantile() -> None:
    scores = dict(zip(NAMES, [[0.0], [0.0], [0.0], [0.0], [1.0], [2.0], [4.0]], strict=True))
    metadata = make_metadata(bias_correction=(0.0,), weight=(1.0,)) | {
        "score_quantiles": scores,
        quantile_model.UNIT: "scales of the series",
        **quantile_model.SKEWNESS,
    }
    of_last_years = {quantile_model.STOPPED_MONTHS: 0.0, quantile_model.RECENT_MEAN: 1.0}
    rows = make_rows(level=50.0).assign(**{quantile_model.SPREAD: 100.0}, **of_last_years)

    forecast = quantile_model.predict_quantiles(BOOSTERS, metadata, rows)

    assert forecast["mean"].item() == forecast["p05"].item() == 50.0
