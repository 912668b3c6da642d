import numpy as np
import pandas as pd

from features.origin import origin_of
from store.months import month_number
from tests.data.builders import at, make_events, make_tariffs, make_world
from tests.data.store_builders import make_observations

NO_EVENTS = make_events().iloc[:0]
NO_TARIFFS = make_tariffs().iloc[:0]


def test_a_later_figure_is_in_the_row_of_its_series_and_the_column_of_its_month() -> None:
    whole = make_world(last="2019-06")
    panel = whole.history().panel(at("2019-07-25")).cut(month_number("2019-03"))

    origin = origin_of(panel, events=NO_EVENTS, tariffs=NO_TARIFFS)

    assert origin.later is not None
    cells = zip(origin.later.row, origin.later.column, origin.later.tonnes, strict=True)
    entries = {(origin.series[r], int(origin.targets[c])): tonnes for r, c, tonnes in cells}
    # April to June 2019 are known, as whole tonnes; targets begin in April.
    months = [month_number(month) for month in ("2019-04", "2019-05", "2019-06")]
    assert origin.targets[0] == months[0]
    assert sorted({month for _, month in entries}) == months
    levels = whole.observations.set_index(["destination", "period_from"])["value"]
    for name, text in (("USA", "2019-04"), ("WLD", "2019-05"), ("JPN", "2019-06")):
        expected = levels[name, pd.Timestamp(text)]
        assert abs(entries[name, month_number(text)] - expected) <= 0.5


def test_targets_reach_a_year_beyond_the_last_complete_month() -> None:
    # The figures of May came out on 20 June; by 25 July June is complete and late.
    panel = make_world(last="2019-05").history().panel(at("2019-07-25"))

    origin = origin_of(panel, events=NO_EVENTS, tariffs=NO_TARIFFS)

    assert (origin.cutoff, origin.late_months, origin.today) == (
        month_number("2019-05"), 1, month_number("2019-07"),
    )  # fmt: skip
    assert (origin.targets[0], origin.targets[-1]) == (
        month_number("2019-06"), month_number("2020-06"),
    )  # fmt: skip
    assert np.array_equal(origin.horizons, np.arange(1, 14))


def test_indices_are_those_usable_and_known_of_their_own_months() -> None:
    panel = make_world(last="2019-05").history().panel(at("2019-07-25"))
    template = {
        "commodity": "cny_usd", "destination": "WLD", "measure": "index", "unit": "index",
        "available_at": "2019-07-01",
    }  # fmt: skip
    rows = [("2019-05-01", 6.9, True), ("2019-06-01", 7.0, False), ("2020-06-01", 7.5, True)]
    indices = make_observations(
        *(
            {**template, "period_from": month, "period_to": month, "value": value, "usable": usable}
            for month, value, usable in rows
        )
    )

    origin = origin_of(panel, events=NO_EVENTS, tariffs=NO_TARIFFS, indices=indices)

    values = origin.index("cny_usd")
    # January 2016 is the first month, May 2019 the 41st, June 2020 the 54th and last.
    assert np.flatnonzero(np.isfinite(values)).tolist() == [40, 53]
    assert values[[40, 53]].tolist() == [6.9, 7.5]
