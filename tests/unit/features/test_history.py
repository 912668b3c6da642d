import numpy as np
import pandas as pd
import pytest

from features.history import TableHistory, moment_after, release_moments
from features.months import month_label, month_number
from features.origin import bare_origin
from store.errors import DataError
from tests.data.builders import at, make_table, make_world


def test_past_origins_stand_on_the_25th_and_before_the_moment() -> None:
    moments = release_moments("2019-06-25", at("2019-08-25"))

    assert [str(moment.date()) for moment in moments] == ["2019-06-25", "2019-07-25"]
    assert all(str(moment.tz) == "UTC" for moment in moments)


def test_there_is_no_past_before_the_first_release() -> None:
    assert release_moments("2019-06-25", at("2019-06-25")) == []


def test_past_origins_of_the_evidence_are_older_than_the_moment_and_solved_once() -> None:
    history = make_world().history()

    past = history.past(at("2019-09-01"))

    assert [month_label(origin.cutoff) for origin in past] == ["2019-05", "2019-06", "2019-07"]
    assert history.past(at("2019-09-01"))[0] is past[0]


def test_past_origins_of_a_table_have_history_behind_them_and_are_the_newest() -> None:
    history = TableHistory(make_table(months=100), horizon=3)
    cutoff = month_number("2018-01") + 90

    past = history.past(moment_after(cutoff))

    assert len(past) == 60
    assert past[-1].cutoff == cutoff - 1
    short = history.past(moment_after(month_number("2018-01") + 16))
    assert [month_label(origin.cutoff) for origin in short] == ["2019-03", "2019-04"]


def test_an_origin_of_a_table_reads_no_later_column() -> None:
    table = make_table(months=30)

    origin = bare_origin(table, cutoff=month_number("2019-06"), horizon=3)

    assert origin.tonnes.shape == (4, 18)
    targets = [month_label(int(month)) for month in origin.targets]
    assert targets == ["2019-07", "2019-08", "2019-09"]
    np.testing.assert_array_equal(origin.tonnes, table.to_numpy()[:, :18])


@pytest.mark.parametrize("month", ["2017-12", "2020-07"])
def test_a_cutoff_outside_a_table_is_refused(month: str) -> None:
    with pytest.raises(DataError, match=f"Cutoff {month} lies outside the panel"):
        bare_origin(make_table(months=30), cutoff=month_number(month), horizon=3)


def test_the_table_is_not_modified() -> None:
    table = make_table(months=40)
    before = table.copy(deep=True)

    history = TableHistory(table, horizon=3)
    history.past(moment_after(int(table.columns[-1])))

    pd.testing.assert_frame_equal(table, before)
