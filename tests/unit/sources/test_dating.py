import pandas as pd
import pytest

from sources.bundled.release_calendar import ReleaseCalendar, latest_plausible_day, stated_day

RULE = ReleaseCalendar({})


@pytest.mark.parametrize(
    ("published_on", "period", "day"),
    [
        ("2025-07-21", "2025-06-01", "2025-07-21"),
        ("2025-07-07", "2025-06-01", "2025-07-07"),
        ("2025-08", "2025-06-01", "2025-08-31"),
        ("2025-07", "2025-06-01", "2025-07-31"),
        ("2025", "2025-03-01", "2025-12-31"),
        ("", "2025-06-01", "2025-07-20"),
        ("", "2026-01-01", "2026-03-20"),
        ("2025-10-20", "2026-07-01", "2026-08-20"),
        ("2025-06-30", "2025-06-01", "2025-07-20"),
        ("2025-06", "2025-06-01", "2025-07-20"),
        ("2025", "2025-12-01", "2026-01-20"),
        ("2024", "2025-03-01", "2025-04-20"),
    ],
    ids=[
        "day", "day before the 20th", "later month", "month", "year", "nothing stated",
        "nothing stated, joint release", "day before the period", "last day of the period",
        "month of the period", "year of the period", "earlier year",
    ],
)  # fmt: skip
def test_the_latest_day_a_figure_can_have_become_known(
    published_on: str, period: str, day: str
) -> None:
    assert latest_plausible_day(published_on, pd.Timestamp(period), RULE) == pd.Timestamp(day)


def test_another_day_serves_only_where_none_is_stated() -> None:
    june, august = pd.Timestamp("2025-06-01"), pd.Timestamp("2025-08-15")

    assert latest_plausible_day("", june, RULE, otherwise=august) == august
    assert latest_plausible_day("2025-07-21", june, RULE, otherwise=august) == pd.Timestamp(
        "2025-07-21"
    )


@pytest.mark.parametrize("text", ["soon", "2025-13", "2025-02-30", "July 2025"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a day, a month, a year or empty"):
        stated_day(text)
