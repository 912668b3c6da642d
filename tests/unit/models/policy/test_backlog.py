import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.policy.policy_effect import faded, withheld, worked_off


def test_what_is_held_back_fades_and_a_backlog_is_gone_after_nine_months() -> None:
    share, age = np.array([0.25, 0.25, 1.5, 1.5]), np.array([2.0, 10.0, 8.9, 9.0])

    left = faded(share, np.full(4, 0.5), age)

    np.testing.assert_allclose(left, [0.5, 0.5, 1.5, 1.0])


def test_what_is_withheld_is_the_shortfall_that_no_month_has_made_up() -> None:
    level = np.full((2, 4), 100.0)
    past = np.array([[40.0, 90.0, 130.0, 100.0], [100.0, 50.0, 110.0, np.nan]])

    # 60, then 60 more, then 40 made up; a month that is not known changes nothing
    assert withheld(past, level) == pytest.approx(80.0)


def test_no_stock_is_left_of_a_control_that_held_nothing_back_in_the_end() -> None:
    level = np.full((1, 3), 100.0)

    assert withheld(np.array([[90.0, 150.0, 95.0]]), level) == pytest.approx(5.0)


def test_a_path_gives_back_the_stock_once_and_alike_to_all_destinations() -> None:
    level = np.full((2, 3), 100.0)
    path = np.array([[[130.0, 130.0, 130.0], [110.0, 110.0, 110.0]]])

    limited = worked_off(path, level, 60.0)

    # 40 of 60 in the first month, of the 40 asked for in the second half, then nothing
    np.testing.assert_allclose(limited, [[[130.0, 115.0, 100.0], [110.0, 105.0, 100.0]]])


def test_what_a_path_holds_back_itself_may_be_given_back_later() -> None:
    limited = worked_off(np.array([[[70.0, 150.0]]]), np.full((1, 2), 100.0), 0.0)

    np.testing.assert_allclose(limited, [[[70.0, 130.0]]])


MONTHS = st.integers(1, 8)


@given(data=st.data(), months=MONTHS, series=st.integers(1, 4), stock=st.floats(0.0, 500.0))
def test_no_backlog_gives_back_more_than_was_withheld(
    data: st.DataObject, months: int, series: int, stock: float
) -> None:
    size = series * months
    tonnes = st.lists(st.floats(0.0, 400.0), min_size=size, max_size=size)
    path = np.array(data.draw(tonnes)).reshape(1, series, months)
    level = np.array(data.draw(tonnes)).reshape(series, months)

    limited = worked_off(path, level, stock)

    held_back = stock + np.maximum(level - path, 0.0).sum(axis=1).cumsum(axis=1)
    given_back = np.maximum(limited - level, 0.0).sum(axis=1).cumsum(axis=1)
    assert (given_back <= held_back + 1e-6).all()
    assert (limited <= path + 1e-9).all()
    np.testing.assert_allclose(np.minimum(limited, level), np.minimum(path, level))
