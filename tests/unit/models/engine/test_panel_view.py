from dataclasses import replace

import numpy as np
import pytest

from models.engine import panel_targets, past_origins
from models.learning.boosters import training_set
from models.learning.parameters import PANEL_PRESET
from tests.data.engine_builders import BRIEF, make_values, make_view

NAN = float("nan")
ALL = slice(None)


class TestPanelView:
    def test_an_origin_does_not_see_what_comes_after_it(self) -> None:
        values = make_values(series=12)
        poisoned = values.copy()
        poisoned[:, 41:] = 1e12

        honest, wild = (make_view(table).at(40, ALL) for table in (values, poisoned))

        np.testing.assert_array_equal(honest.features, wild.features)
        np.testing.assert_array_equal(honest.base, wild.base)

    def test_origins_together_have_the_features_of_each_apart(self) -> None:
        values = make_values(series=12)
        values[0, :10], values[1, 20:25], values[2, ::3], values[3, :16] = NAN, NAN, 0.0, 0.0
        view, places = make_view(values), [(52, np.arange(12)), (27, np.arange(4)), (14, ALL)]

        for (origin, rows), joint in zip(places, view.at_all(places), strict=True):
            alone = view.at(origin, rows)
            np.testing.assert_allclose(joint.features, alone.features, rtol=1e-6)
            np.testing.assert_allclose(joint.base, alone.base, rtol=1e-12)

    def test_months_after_the_last_one_known_are_unknown(self) -> None:
        view = make_view(np.arange(20.0)[None, :], horizon=4)

        assert view.after(10, ALL, 19).tolist() == [[11.0, 12.0, 13.0, 14.0]]
        np.testing.assert_array_equal(view.after(10, ALL, 12), [[11.0, 12.0, NAN, NAN]])
        np.testing.assert_array_equal(view.after(12, ALL, 12), [[NAN] * 4])


class TestPastOrigins:
    def test_go_back_in_steps_from_the_month_before(self) -> None:
        parameters = replace(PANEL_PRESET, step=3, span=12, least_history=14)

        assert past_origins(50, 6, parameters) == [49, 46, 43, 40, 37, 34]

    def test_need_a_history(self) -> None:
        assert past_origins(16, 6, replace(PANEL_PRESET, step=1, least_history=14)) == [15, 14, 13]
        assert past_origins(13, 6, replace(PANEL_PRESET, least_history=14)) == []


class TestTrainingRows:
    def test_tell_what_came_of_what_was_said(self) -> None:
        view = make_view(make_values(series=8))
        found = training_set(panel_targets(view, 59, BRIEF))

        cell = int(np.flatnonzero((found.origin == 50) & (found.horizon == 3))[4])
        point = view.at(50, ALL)
        spread, base = point.stats.spread[4], point.base[4, 2]
        assert found.target[cell] == pytest.approx((view.tonnes[4, 53] - base) / spread)
        assert found.lower_bound[cell] == pytest.approx(-base / spread)
        distance = (point.base_forecasts["theta"][4, 2] - base) / spread
        assert found.base_forecasts["theta"][cell] == pytest.approx(distance)
        np.testing.assert_array_equal(found.features[cell], point.features[4, 2])

    def test_poisoned_later_months_change_nothing(self) -> None:
        values = make_values(series=8)
        poisoned = values.copy()
        poisoned[:, 50:] = -1e12

        honest, wild = (
            training_set(panel_targets(make_view(table), 49, BRIEF)) for table in (values, poisoned)
        )

        np.testing.assert_array_equal(honest.features, wild.features)
        np.testing.assert_array_equal(honest.target, wild.target)
