from features.history import release_moments
from features.months import month_label
from tests.data.builders import at, make_world


def test_past_origins_stay_on_the_25th_and_before_the_moment() -> None:
    moments = release_moments("2019-06-25", at("2019-08-25"))

    assert [str(moment.date()) for moment in moments] == ["2019-06-25", "2019-07-25"]
    assert all(str(moment.tz) == "UTC" for moment in moments)


def test_there_is_no_past_before_the_first_release() -> None:
    assert release_moments("2019-06-25", at("2019-06-25")) == []


def test_past_origins_of_the_evidence_are_older_than_the_moment_and_solved_once() -> None:
    history = make_world().unsolved()

    past = history.past(at("2019-09-01"))

    assert [month_label(origin.cutoff) for origin in past] == ["2019-05", "2019-06", "2019-07"]
    assert history.past(at("2019-09-01"))[0] is past[0]
