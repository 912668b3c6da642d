"""What a panel's periods are: found from its dates, named, or refused in a sentence."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sources.files.panel import Panel, PanelOptions, panel_of, read_panel
from store.errors import DataError


def panel(
    dates: list[str] | pd.DatetimeIndex | pd.PeriodIndex, **others: list[str]
) -> pd.DataFrame:
    """Return series with a value at each of some dates."""
    series = {"A": dates, "B": dates, **others}
    parts = [
        pd.DataFrame({"unique_id": name, "ds": own, "y": np.arange(1.0, len(own) + 1)})
        for name, own in series.items()
    ]
    return pd.concat(parts, ignore_index=True)


def texts(start: str, periods: int, freq: str, form: str = "%Y-%m-%d") -> list[str]:
    return list(pd.date_range(start, periods=periods, freq=freq).strftime(form))


def read(frame: pd.DataFrame, freq: str | None = None) -> Panel:
    return panel_of(frame, PanelOptions(freq=freq))


QUARTER_NAMES = [f"{year}Q{quarter}" for year in (2020, 2021) for quarter in (1, 2, 3, 4)]
WEEK_NAMES = [f"2020-W{week:02d}" for week in range(45, 54)] + ["2021-W01"]

INFERRED = {
    "months": (texts("2020-01-01", 8, "MS"), "MS", "2020-01", "2020-08"),
    "month names": (texts("2020-01-01", 8, "MS", "%Y-%m"), "MS", "2020-01", "2020-08"),
    "every month but one": (texts("2020-01-01", 8, "MS")[::7], "MS", "2020-01", "2020-08"),
    "quarter ends": (texts("2020-03-31", 8, "QE"), "QE-DEC", "2020-03-31", "2021-12-31"),
    "quarter starts": (texts("2020-01-01", 8, "QS"), "QS-JAN", "2020-01-01", "2021-10-01"),
    "fiscal quarters": (texts("2020-01-31", 8, "QE-JAN"), "QE-OCT", "2020-01-31", "2021-10-31"),
    "quarter names": (QUARTER_NAMES, "QS-JAN", "2020Q1", "2021Q4"),
    "months of quarters": (texts("2020-03-31", 8, "QE", "%Y-%m"), "QS-MAR", "2020-03", "2021-12"),
    "Mondays": (texts("2020-01-06", 60, "W-MON"), "W-MON", "2020-01-06", "2021-02-22"),
    "Sundays": (texts("2020-01-05", 60, "W-SUN"), "W-SUN", "2020-01-05", "2021-02-21"),
    "week names": (WEEK_NAMES, "W-MON", "2020-W45", "2021-W01"),
    "sparse weeks": (texts("2020-01-06", 8, "35D"), "W-MON", "2020-01-06", "2020-09-07"),
    "quarter periods": (
        pd.period_range("2020Q1", periods=8, freq="Q"),
        "QS-JAN",
        "2020Q1",
        "2021Q4",
    ),
    "week stamps": (
        pd.date_range("2020-01-05", periods=60, freq="W"),
        "W-SUN",
        "2020-01-05",
        "2021-02-21",
    ),
}


@pytest.mark.parametrize(("dates", "alias", "first", "last"), INFERRED.values(), ids=INFERRED)
def test_the_dates_tell_the_frequency_and_how_it_is_written(
    dates: list[str], alias: str, first: str, last: str
) -> None:
    found = read(panel(dates))

    assert found.frequency.alias == alias
    numbers = [int(found.table.columns[place]) for place in (0, -1)]
    assert [found.frequency.label(number) for number in numbers] == [first, last]
    assert np.diff(found.table.columns).tolist() == [1] * (found.table.shape[1] - 1)


REFUSED = {
    "days": (texts("2020-01-01", 90, "D"), "has dates of days"),
    "hours": (texts("2020-01-01", 300, "h", "%Y-%m-%d %H:%M"), "has dates of days"),
    "fortnights": (texts("2020-01-06", 40, "14D"), "14 days apart at the median"),
    "years": (texts("2000-12-31", 20, "YE"), "dates that are a year apart"),
    "half years": (texts("2010-06-30", 20, "2QE"), "dates that are half a year apart"),
    "every other month": (texts("2010-01-01", 20, "2MS"), "dates that are two months apart"),
}


@pytest.mark.parametrize(("dates", "message"), REFUSED.values(), ids=REFUSED)
def test_other_frequencies_are_refused_in_a_sentence(dates: list[str], message: str) -> None:
    with pytest.raises(DataError, match=message) as raised:
        read(panel(dates))

    assert "--freq M, Q or W" in str(raised.value)


def test_a_week_off_its_weekday_is_reported_by_row() -> None:
    dates = [*texts("2020-01-06", 30, "W-MON"), "2020-08-04"]

    found = read(panel(texts("2020-01-06", 30, "W-MON"), C=dates))

    assert list(found.table.index) == ["A", "B"]
    assert found.refused == {
        "C": "row 90: 2020-08-04 is no week: weeks of this panel are dated on a Monday"
    }


def test_a_series_of_quarters_among_months_is_refused_by_name() -> None:
    months = texts("2018-01-01", 36, "MS")

    found = read(panel(months, C=months[::3], D=months[::2]))

    assert list(found.table.index) == ["A", "B", "D"]
    assert found.refused["C"].startswith("its 12 dates are those of quarters")


@pytest.mark.parametrize(
    ("dates", "freq", "alias"),
    [
        (texts("2020-01-01", 3, "QS"), "Q", "QS-JAN"),
        (texts("2020-01-01", 3, "QS"), "QS-JAN", "QS-JAN"),
        (texts("2020-03-31", 8, "QE"), "q", "QE-DEC"),
        (texts("2020-03-31", 8, "QE"), "QE-DEC", "QE-DEC"),
        (QUARTER_NAMES, "QE", "QE-DEC"),
        (texts("2020-01-06", 3, "W-MON"), "W", "W-MON"),
        (texts("2020-01-06", 3, "W-MON"), "W-MON", "W-MON"),
        (texts("2010-06-30", 20, "2QE"), "M", "MS"),
        (texts("2010-06-30", 20, "2QE"), "ME", "ME"),
        (texts("2010-06-30", 20, "2QE"), "Q", "QE-DEC"),
    ],
)
def test_a_frequency_that_is_named_holds(dates: list[str], freq: str, alias: str) -> None:
    assert read(panel(dates), freq).frequency.alias == alias


@pytest.mark.parametrize(
    ("freq", "message"),
    [
        ("D", "Frequency 'D' is none that panels can have"),
        ("WS", "Frequency 'WS' is none that panels can have"),
        ("W-XYZ", "Frequency 'W-XYZ' has no such day"),
        ("W-TUE", "Frequency 'W-TUE' does not fit Panel"),
        ("Q", "Frequency 'Q' does not fit Panel"),
    ],
)
def test_a_frequency_that_does_not_hold_is_refused(freq: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(panel(texts("2020-01-06", 60, "W-MON")), freq)


def test_two_values_for_one_quarter_are_refused_by_its_name(tmp_path: Path) -> None:
    rows = [f"A,{name},1" for name in QUARTER_NAMES] + ["A,2021-Q4,2"]
    (tmp_path / "panel.csv").write_text(
        "\n".join(["unique_id,ds,y", *rows, *rows[:1]]) + "\nB,2020Q1,1\n"
    )

    found = read_panel(tmp_path / "panel.csv")

    assert "2021Q4 stands twice with different tonnes" in found.refused["A"]
