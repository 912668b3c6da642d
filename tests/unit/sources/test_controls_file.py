from pathlib import Path

import pandas as pd
import pytest

from sources.files.controls import PanelControl, read_controls
from store.errors import DataError

SERIES = ["Japan|250410", "Japan|380110", "USA|250410"]
HEADER = (
    "event_id,announced_on,effective_from,effective_to,end_known_on,instrument,destinations,share,"
    "materials\n"
)
GOOD = "act,2023-10-20,2023-12-01,,,export_control,*|250410,0.8,natural graphite\n"


def read(folder: Path, rows: str) -> tuple[PanelControl, ...]:
    path = folder / "controls.csv"
    path.write_text(HEADER + rows, encoding="utf-8")
    return read_controls(path, SERIES, instruments=("export_ban", "export_control"))


def test_a_star_stays_for_any_letters_of_a_series(tmp_path: Path) -> None:
    (control,) = read(tmp_path, GOOD)

    assert control.hit.tolist() == [True, False, True]
    assert control.materials == ("natural graphite",)
    assert control.share == 0.8


def test_several_series_may_be_named(tmp_path: Path) -> None:
    (control,) = read(tmp_path, GOOD.replace("*|250410", "Japan|380110; USA|250410"))

    assert control.hit.tolist() == [False, True, True]


def test_an_end_is_not_known_before_it_was_reported(tmp_path: Path) -> None:
    (control,) = read(tmp_path, GOOD.replace(",,,export", ",2024-06-30,2024-05-15,export"))

    assert control.end_at(pd.Timestamp("2024-05-14")) is None
    assert control.end_at(pd.Timestamp("2024-05-15")) == pd.Timestamp("2024-06-30")


def test_an_end_without_a_day_is_known_from_the_announcement(tmp_path: Path) -> None:
    (control,) = read(tmp_path, GOOD.replace(",,,export", ",2024-06-30,,export"))

    assert control.end_at(pd.Timestamp("2023-10-20")) == pd.Timestamp("2024-06-30")


@pytest.mark.parametrize(
    ("good", "bad", "message"),
    [
        ("2023-10-20", "20.10.2023", "column 'announced_on': '20.10.2023' is not a day YYYY-MM-DD"),
        ("2023-12-01", "", "column 'effective_from': '' is not filled"),
        ("01,,", "01,2023-11-30,", "'2023-11-30' is not on or after effective_from 2023-12-01"),
        ("export_control", "quota", "'quota' is not one of export_ban, export_control"),
        ("*|250410", "*|250490", "is not of the panel: it has no '\\*\\|250490'"),
        ("*|250410", "", "column 'destinations': '' is not filled"),
        ("0.8", "80", "column 'share': '80' is not within 0 and 1"),
        ("0.8", "0", "column 'share': '0' is not above 0"),
        ("0.8", "most", "column 'share': 'most' is not a plain number"),
    ],
)
def test_a_bad_cell_is_named_with_its_line(
    tmp_path: Path, good: str, bad: str, message: str
) -> None:
    other = GOOD.replace("act,", "other,")

    with pytest.raises(DataError, match=f"1 bad row in controls.csv: line 3.*{message}"):
        read(tmp_path, other + GOOD.replace(good, bad))


def test_an_act_reported_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="'act' is not new, for line 2 has it"):
        read(tmp_path, GOOD + GOOD)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"Controls file controls\.csv has no rows"):
        read(tmp_path, "")
