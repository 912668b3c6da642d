from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest

from models.engine import PanelView, trained
from models.forecasting import panel_forecaster
from models.forecasting.panel_forecaster import FittedPanel, PanelForecaster
from models.learning.parameters import PANEL_PRESET
from store.arrays import Floats
from store.vocabulary import QUANTILE_COLUMNS, QUANTILES
from tests.data.engine_builders import (
    BRIEF,
    Forecasts,
    make_engine,
    make_snapshot,
    make_values,
    said,
    said_of,
)

NAN = float("nan")
MONTHS = 60
P10, P50, P90 = (QUANTILES.index(level) for level in (0.1, 0.5, 0.9))


def with_last(row: Floats | list[float] | float) -> Floats:
    """Return a panel of 40 series, the last of which is literal."""
    values = make_values()
    values[-1] = row
    return values


@cache
def plain() -> Forecasts:
    """Return what is said of the panel as it is."""
    return said(make_values())


@cache
def beside_others(name: str) -> Forecasts:
    """Return what is said of the panel with an odd series in its last row."""
    return said(with_last(ODD[name]))


def assert_sound(tonnes: Floats) -> None:
    assert np.isfinite(tonnes).all()
    assert (tonnes >= 0).all()
    assert (np.diff(tonnes, axis=2) >= 0).all()


def wide(base: Floats) -> Floats:
    """Return the distance from the lowest to the highest quantile, to compare changes with."""
    return (base[:, :, -1] - base[:, :, 0])[:, :, None]


class TestEngine:
    def test_forecasts_every_current_series_by_all_quantiles(self) -> None:
        found = plain()

        assert found.rows.tolist() == list(range(40))
        assert found.tonnes.shape == (40, 6, len(QUANTILES))
        assert_sound(found.tonnes)

    def test_the_middle_month_is_near_the_truth_of_a_steady_panel(self) -> None:
        month = np.arange(66)
        values = 50.0 + 10.0 * np.sin(month * np.pi / 6) + 0.0 * np.arange(30.0)[:, None]
        noise = np.random.default_rng(8).normal(scale=0.5, size=values.shape)

        found = said(values + noise, last=59)

        assert found.tonnes[:, :, P50] == pytest.approx(values[:, 60:], abs=2.0)

    def test_bands_widen_with_the_horizon_where_series_wander(self) -> None:
        draw = np.random.default_rng(6)
        values = 100.0 * np.exp(np.cumsum(draw.normal(0.0, 0.05, (40, MONTHS)), axis=1))

        width = np.ptp(said(values, horizon=12).tonnes, axis=2)

        assert np.median(width[:, 11] / width[:, 0]) > 1.15

    def test_skips_series_silent_for_a_year(self) -> None:
        values = make_values()
        values[3, -12:] = NAN
        values[4] = NAN

        assert not {3, 4} & set(said(values).rows.tolist())

    @pytest.mark.slow
    @pytest.mark.parametrize("poison", [1e12, NAN], ids=str)
    def test_months_after_the_cutoff_change_nothing(self, poison: float) -> None:
        values = make_values()
        poisoned = values.copy()
        poisoned[:, 50:] = poison

        honest, wild = (said(table, last=49) for table in (values, poisoned))

        np.testing.assert_array_equal(wild.tonnes, honest.tonnes)
        np.testing.assert_array_equal(wild.mean, honest.mean)

    def test_states_the_same_with_any_number_of_threads(self) -> None:
        two = said_of(make_engine(make_values(), parameters=replace(BRIEF, threads=2)))

        np.testing.assert_array_equal(two.tonnes, plain().tonnes)

    def test_forecasts_by_chunks_as_by_the_whole(self, monkeypatch: pytest.MonkeyPatch) -> None:
        engine = make_engine(make_values())
        whole = plain()

        monkeypatch.setattr(panel_forecaster, "CHUNK", 7)

        chunked = said_of(engine)
        assert [len(rows) for rows in engine.chunks()] == [7, 7, 7, 7, 7, 5]
        np.testing.assert_array_equal(chunked.tonnes, whole.tonnes)
        np.testing.assert_array_equal(chunked.rows, whole.rows)

    def test_of_one_series_it_states_what_it_states_of_all(self) -> None:
        engine = make_engine(make_values())

        alone = engine.forecast(np.array([5]))[list(QUANTILE_COLUMNS)].to_numpy()

        # numpy adds up a single column in another order than many.
        np.testing.assert_allclose(alone, plain().tonnes[5], rtol=1e-9)

    def test_speaks_in_the_unit_of_each_series(self) -> None:
        values = make_values()
        values[::3, -30:] = 0.0
        powers = 2.0 ** np.random.default_rng(2).integers(-40, 41, (40, 1))

        scaled = said(values * powers).tonnes

        np.testing.assert_array_equal(scaled, said(values).tonnes * powers[:, :, None])

    @pytest.mark.slow
    def test_further_features_are_learned_from(self) -> None:
        draw = np.random.default_rng(9)
        values = make_values(months=72)
        shock = np.where(draw.random((40, 72)) < 0.3, 1.8, 1.0)

        def extra(origin: int, rows: Floats, _: object) -> Floats:
            return shock[rows, origin + 1 : origin + 7, None].astype(np.float32)

        parameters = replace(BRIEF, num_iterations=40, pairs=900, rows=5_000)
        known = (values * shock)[:, :66]
        view = PanelView(known, 0, 6, extra, ("shock",))
        boosters, metadata, _ = trained(view, parameters)
        engine = FittedPanel(make_snapshot(known), view, parameters, boosters, metadata, None)

        tonnes = said_of(engine).tonnes[:, :, P50]
        blind = said_of(make_engine(values * shock, last=65, parameters=parameters)).tonnes[
            :, :, P50
        ]
        ratio = tonnes / blind
        assert np.median(ratio[shock[:, 66:] > 1.0]) > 1.2 * np.median(ratio[shock[:, 66:] == 1.0])


class TestManySeries:
    def test_training_rows_are_drawn_from_some(self) -> None:
        values = make_values()
        some = replace(BRIEF, most_series=15)

        engine = make_engine(values, parameters=some)

        newest = (engine.training_set.origin == 58) & (engine.training_set.horizon == 1)
        assert newest.sum() == 15
        assert_sound(said_of(engine).tonnes)


class TestTooLittleToLearn:
    def test_bands_widen_with_the_horizon(self) -> None:
        engine = make_engine(make_values(months=13), horizon=8)
        tonnes = said_of(engine).tonnes

        assert engine.boosters is None
        up = tonnes[:, :, P90] - tonnes[:, :, P50]
        np.testing.assert_allclose(up[:, 7], 8**PANEL_PRESET.horizon_growth * up[:, 0])

    @pytest.mark.parametrize("wander", [0.0, 1.0])
    def test_bands_hold_what_moves_as_before(self, wander: float) -> None:
        draw = np.random.default_rng(4)
        noise = draw.normal(size=(400, 14))
        values = 100.0 + wander * np.cumsum(noise, axis=1) + (1.0 - wander) * noise

        tonnes = said(values, last=12, horizon=1).tonnes[:, 0]

        hit = (tonnes[:, P10] <= values[:, 13]) & (values[:, 13] <= tonnes[:, P90])
        assert hit.mean() == pytest.approx(0.8, abs=0.12)

    @pytest.mark.parametrize("months", [1, 2, 12, 13, 16])
    def test_a_young_panel_is_forecast(self, months: int) -> None:
        assert_sound(said(make_values(months=months)).tonnes)

    @pytest.mark.parametrize("value", [0.0, 7.0])
    def test_a_panel_that_never_moves_stays(self, value: float) -> None:
        tonnes = said(np.full((12, MONTHS), value)).tonnes

        assert tonnes[:, :, P50] == pytest.approx(np.full((12, 6), value))
        assert (np.ptp(tonnes, axis=2) <= 0.1 * value).all()


HALF = [5.0, 8.0, 6.0] * 10
ODD = {
    "constant": 7.0,
    "leading empty": [NAN] * 30 + HALF,
    "one value at the end": [NAN] * 59 + [4.0],
    "every other month": [NAN, 4.0, NAN, 6.0] * 15,
    "every third month missing": [4.0, NAN, 6.0] * 20,
    "one value a year": ([NAN] * 11 + [4.0]) * 5,
    "huge": [1e15, 3e15] * 30,
    "tiny": [1e-9, 3e-9] * 30,
    "all magnitudes": [1e-9, 1e15, 0.0, 1.0] * 15,
    "exploding": (1e-9 * 4.0 ** np.arange(60)).tolist(),
    "fading": (1e15 * 0.25 ** np.arange(60)).tolist(),
    "one huge month": [1.0] * 20 + [1e15] + [0.0] * 39,
    "a huge last month": [1.0] * 59 + [1e15],
    "ended": [50.0] * 20 + [0.0] * 40,
    "rare": ([0.0] * 19 + [50.0]) * 3,
}


class TestOddSeries:
    @pytest.mark.slow
    @pytest.mark.parametrize("name", ODD)
    def test_get_a_sound_forecast(self, name: str) -> None:
        found = beside_others(name)

        assert found.rows[-1] == 39
        assert_sound(found.tonnes)

    # What may change: the pooled season, the panel's momentum, and what the model makes of its
    # rows. None of these moves a forecast further than a part of its own band.
    @pytest.mark.parametrize(
        "name",
        [
            "a huge last month",
            *(
                pytest.param(name, marks=pytest.mark.slow)
                for name in ODD
                if name != "a huge last month"
            ),
        ],
    )
    def test_leave_the_others_nearly_alone(self, name: str) -> None:
        others = plain().tonnes[:-1]

        changed = np.abs(beside_others(name).tonnes[:-1] - others) / wide(others)

        assert np.median(changed) < 0.05
        assert changed.max() < 0.5

    def test_of_zeros_are_forecast_as_zeros(self) -> None:
        assert not said(with_last(0.0)).tonnes[-1].any()


@pytest.mark.slow
def test_a_tenth_of_skewed_outcomes_lies_on_either_side_of_the_band() -> None:
    draw = np.random.default_rng(8)
    values = np.exp(draw.normal(3.0, 1.0, (300, 1))) * draw.lognormal(0.0, 1.0, (300, 78))
    engine = make_engine(values, last=71, parameters=replace(PANEL_PRESET, threads=1))

    tonnes = said_of(engine).tonnes

    outcome = values[:, 72:]
    below, above = outcome < tonnes[:, :, P10], outcome > tonnes[:, :, P90]
    assert 0.06 < below.mean() < 0.14
    assert 0.06 < above.mean() < 0.14
    assert (tonnes[:, :, P10] > 0).mean() > 0.9


def generated(kind: str, count: int, seed: int) -> tuple[Floats, Floats]:
    """Return six years and six months of series without trend, and the level of each month."""
    draw, months = np.random.default_rng(seed), np.arange(78)
    size = np.exp(draw.normal(4, 1, (count, 1)))
    season = 1 + 0.2 * np.sin(2 * np.pi * (months + draw.uniform(0, 12, (count, 1))) / 12)
    shape = (count, len(months))
    if kind == "intermittent":
        level = size * np.ones(shape)
        noise = (draw.random(shape) < 0.25) * draw.lognormal(-0.125, 0.5, shape) * 4
        return level * noise, level
    spread = {"skewed": 1.0, "calm": 0.1}[kind]
    level = size * season
    return level * draw.lognormal(-(spread**2) / 2, spread, shape), level


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["intermittent", "skewed", "calm"])
def test_means_add_up_to_what_comes_at_every_lead(kind: str) -> None:
    values, level = generated(kind, 400, 1)

    fitted = PanelForecaster(PANEL_PRESET).fit(make_snapshot(values[:, :72]))
    table = pd.concat(fitted.predict())

    means = table["mean"].to_numpy().reshape(-1, 6).sum(axis=0)
    np.testing.assert_allclose(means / level[:, 72:].sum(axis=0), 1.0, atol=0.03)
