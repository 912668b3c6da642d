from dataclasses import replace

import numpy as np

from features.build import features_at
from features.controls.controls import (
    TRANSIENT_MONTHS,
    adjusted_history,
    controls_at,
    steady_history,
    tonnes_without,
)
from features.origin import Origin
from store.arrays import Floats
from tests.data.builders import make_events, make_origin

START = 9
"""Column of the first month under the control, counted back from the last month."""


def controlled(**act: object) -> Origin:
    """Origin whose last nine months lie under a control that stops nine tenths of the trade."""
    origin = make_origin(events=make_events({"effective_from": "2019-10-04", **act}))
    tonnes = origin.tonnes.copy()
    tonnes[:, -START:] *= 0.1
    return replace(origin, tonnes=tonnes)


def test_the_first_months_of_a_control_are_raised_to_the_level_without_it() -> None:
    origin = controlled()
    (control,) = controls_at(origin)

    adjusted = adjusted_history(origin)

    span = slice(-START, -START + TRANSIENT_MONTHS)
    members = ~origin.is_sum
    level = tonnes_without(origin, control)[members, :TRANSIENT_MONTHS]
    np.testing.assert_allclose(adjusted[members, span], level)
    np.testing.assert_array_equal(adjusted[:, :-START], origin.tonnes[:, :-START])
    np.testing.assert_array_equal(adjusted[:, span.stop :], origin.tonnes[:, span.stop :])


def test_sums_rise_with_their_members() -> None:
    origin = controlled(destinations="USA")
    usa, world = origin.series.index("USA"), origin.series.index("WLD")

    raised = adjusted_history(origin) - origin.tonnes

    np.testing.assert_allclose(raised[world], raised[usa])
    assert raised[usa].max() > 0.0


def test_months_above_the_level_stay() -> None:
    origin = controlled()
    tonnes = origin.tonnes.copy()
    tonnes[:, -START:] *= 50.0

    above = replace(origin, tonnes=tonnes)

    np.testing.assert_array_equal(adjusted_history(above), tonnes)


def test_without_an_observed_strong_control_nothing_changes() -> None:
    for act in ({"covered_share": 0.1}, {"effective_from": "2021-01-01"}, {"direction": "easing"}):
        origin = controlled(**act)

        assert adjusted_history(origin) is origin.tonnes


def test_a_steady_history_lacks_the_first_year_of_a_control() -> None:
    origin = controlled(destinations="USA")
    usa, deu, world = (origin.series.index(name) for name in ("USA", "DEU", "WLD"))

    steady = steady_history(origin)

    assert np.isnan(steady[usa, -START:]).all()
    assert np.isnan(steady[world, -START:]).all()
    np.testing.assert_array_equal(steady[:, :-START], origin.tonnes[:, :-START])
    np.testing.assert_array_equal(steady[deu], origin.tonnes[deu])


def test_the_second_year_of_a_control_is_history_again() -> None:
    origin = make_origin(events=make_events({"effective_from": "2019-05-04"}))
    months = 14

    steady = steady_history(origin)

    assert np.isnan(steady[0, -months : -months + 12]).all()
    np.testing.assert_array_equal(steady[0, -months + 12 :], origin.tonnes[0, -months + 12 :])


def test_months_to_come_are_forecast_without_the_months_of_a_control() -> None:
    origin = controlled()
    features = features_at(origin)
    naive = features.base_forecasts["seasonal_naive"]
    is_ahead = origin.targets > origin.today

    over, ahead = (history(origin)[:, -12:] for history in (adjusted_history, carried_years))
    np.testing.assert_allclose(naive[:, ~is_ahead], over[:, ~is_ahead])
    np.testing.assert_allclose(naive[:, is_ahead], ahead[:, is_ahead])
    drawdown = features.features[0, 0, features.names.index("tonnes_drawdown_24m_log")]
    assert drawdown < -1.0


def carried_years(origin: Origin) -> Floats:
    """Tonnes in which the months under the control repeat those of the year before it."""
    tonnes = origin.tonnes.copy()
    tonnes[:, -START:] = tonnes[:, -START - 12 : -12]
    return tonnes
