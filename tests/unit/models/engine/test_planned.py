import numpy as np
import pytest

from features.months import month_number
from models.engine.lessons import relative_level
from models.engine.planned import VIEWS, Planned
from sources.covariates import Covariates, Superseded
from tests.data.engine_builders import make_values, make_view

FIRST = month_number("2018-01")


def make_covariates(values: np.ndarray) -> Covariates:
    empty = np.empty(0, dtype=np.int64)
    series = tuple(f"S{row}" for row in range(len(values)))
    none = Superseded(empty, np.empty(0), empty)
    return Covariates("Covariates", ("duty",), series, FIRST, values[None], None, none, ())


def planned(values: np.ndarray, *, last: int = 29) -> Planned:
    needed = np.ones(len(values), dtype=bool)
    return Planned.at(make_covariates(values), last=last, horizon=6, needed=needed)


def test_a_quantity_that_rarely_moves_is_told_in_moves_not_in_stillness() -> None:
    duty = np.zeros((40, 36))
    duty[0, 20:] = 25.0

    found = planned(duty)(29, slice(0, 1))

    assert found[0, 0, VIEWS.index("there")] == pytest.approx(1.0)


def test_a_quantity_that_never_moved_is_told_as_it_is() -> None:
    assert planned(np.zeros((2, 36))).units.tolist() == [1.0]


def test_changes_are_told_once_more_in_proportion_to_the_level() -> None:
    duty = np.zeros((3, 36))
    duty[:, 30:] = 10.0
    told = planned(duty)

    assert told.names[len(VIEWS) :] == ("duty_less_year_of_level", "duty_less_now_of_level")
    assert [told.names[place] for place in told.in_level] == ["duty_less_year", "duty_less_now"]


def test_the_same_share_of_a_calmer_series_is_more_of_its_spreads() -> None:
    values = make_values(series=9)
    view = make_view(values)
    whole = view.gauge(40)

    found = relative_level(view.at(40, slice(None)), whole)

    point = view.at(40, slice(None))
    expected = point.base / whole.spread[:, None]
    expected /= np.median(whole.level / whole.spread)
    np.testing.assert_allclose(found, expected)
    alone = relative_level(view.at(40, np.array([4])), whole)
    np.testing.assert_allclose(alone, found[[4]])


def test_where_nothing_moves_nothing_is_in_proportion() -> None:
    view = make_view(np.zeros((3, 41)))

    np.testing.assert_array_equal(
        relative_level(view.at(40, slice(None)), view.gauge(40)), np.zeros((3, 6))
    )
