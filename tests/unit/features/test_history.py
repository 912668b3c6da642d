import numpy as np
import pytest

from features.months import month_label, month_number
from features.panel.history import release_moments
from store.errors import DataError
from tests.data.builders import at, make_world


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


def test_estimates_of_a_month_grow_sure_with_its_release() -> None:
    found = (
        make_world()
        .history()
        .estimates(month_number("2020-06"), [at("2020-07-01"), at("2020-07-25")])
    )

    assert list(found.columns) == ["as_of", "days", "destination", "tonnes", "stderr"]
    assert list(found["days"].unique()) == [0, 24]
    before, after = (part.set_index("destination") for _, part in found.groupby("days"))
    assert before.loc["USA", "stderr"] > 0.1
    assert after.loc["USA", "stderr"] < 0.01
    assert np.isfinite(found["tonnes"]).all()


def test_an_estimate_of_a_month_that_runs_yet_is_refused() -> None:
    with pytest.raises(DataError, match="ends on 2020-07-01 runs yet on 2020-06-30"):
        make_world().history().estimates(month_number("2020-06"), [at("2020-06-30")])
