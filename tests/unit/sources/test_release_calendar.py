from pathlib import Path

import pandas as pd
import pytest

from sources.bundled.release_calendar import (
    ReleaseCalendar,
    latest_plausible_day,
    release_dates,
    stated_day,
)
from tests.data.store_builders import RELEASE, write_csv


def calendar(tmp_path: Path, *changes: dict[str, str]) -> ReleaseCalendar:
    loaded = release_dates(write_csv(tmp_path / "release_dates.csv", RELEASE, *changes))
    return ReleaseCalendar.from_frame(loaded.tables["release_calendar"])


@pytest.mark.parametrize(
    ("described", "released"),
    [
        ("2025-06-01", "2025-07-20"),
        ("2025-12-01", "2026-01-20"),
        ("2026-01-01", "2026-03-20"),
        ("2026-02-01", "2026-03-20"),
        ("2026-03-01", "2026-04-20"),
    ],
)
def test_the_rule_is_the_twentieth_with_january_and_february_together(
    described: str, released: str
) -> None:
    assert ReleaseCalendar({}).released_on(pd.Timestamp(described)) == pd.Timestamp(released)


VAGUE = "2020-01-24 or 2020-01-31 (a Friday; exact day not printed)"


@pytest.mark.parametrize(
    ("change", "month", "released"),
    [
        ({"period": "2020-01..2020-02", "release_date": "2020-03-25"}, "2020-01", "2020-03-25"),
        ({"period": "2020-01..2020-02", "release_date": "2020-03-25"}, "2020-02", "2020-03-25"),
        ({"period": "2020-01..2020-02", "release_date": "2020-03-25"}, "2020-03", "2020-04-20"),
        ({"what": "headline", "release_date": "2025-07-14"}, "2025-06", "2025-07-20"),
        ({"period": "2019-12", "release_date": VAGUE}, "2019-12", "2020-01-31"),
    ],
    ids=["first month", "second month", "no record", "no detail", "the latest of vague days"],
)
def test_a_day_on_record_of_the_detail_goes_before_the_rule(
    tmp_path: Path, change: dict[str, str], month: str, released: str
) -> None:
    known = calendar(tmp_path, change)

    assert known.released_on(pd.Timestamp(month)) == pd.Timestamp(released)


@pytest.mark.parametrize(
    ("what", "kind"),
    [
        ("headline (all rare earths); detail announced for the 20th", "headline"),
        ("detail by destination, date given beforehand", "detail"),
        ("supplement: all rare-earth products", "supplement"),
        ("SMM report on magnets; customs date not printed", "supplement"),
    ],
)
def test_a_release_is_sorted_by_its_first_word(tmp_path: Path, what: str, kind: str) -> None:
    path = write_csv(tmp_path / "release_dates.csv", RELEASE, {"what": what})

    frame = release_dates(path).tables["release_calendar"]

    assert frame["what"].tolist() == [kind]


@pytest.mark.parametrize(
    ("as_of", "month"),
    [
        ("2025-04-10", "2025-02-01"),
        ("2025-04-19T23:59:59", "2025-02-01"),
        ("2025-04-20", "2025-03-01"),
        ("2026-03-19", "2025-12-01"),
        ("2026-03-20", "2026-02-01"),
    ],
)
def test_the_last_released_month_moves_on_release_day(as_of: str, month: str) -> None:
    moment = pd.Timestamp(as_of, tz="UTC")

    assert ReleaseCalendar({}).last_released(moment) == pd.Timestamp(month)


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
    other = pd.Timestamp("2025-08-15")
    stated = latest_plausible_day(published_on, pd.Timestamp(period), RULE, otherwise=other)
    assert stated == (pd.Timestamp(day) if published_on else max(pd.Timestamp(day), other))


@pytest.mark.parametrize("text", ["soon", "2025-13", "2025-02-30", "July 2025"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a day, a month, a year or empty"):
        stated_day(text)
