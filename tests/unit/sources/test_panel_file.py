import gzip
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sources.files.panel import Panel, read_panel, sums_in
from store.errors import DataError
from store.months import month_number

HEADER = "destination,period,tonnes\n"
GOOD = HEADER + "B,2020-01,2.5\nA,2019-11,1\nA,2020-02,3\n"
SOUND = "".join(f"S,2020-{month:02d},{month}\n" for month in range(1, 13))


def write(folder: Path, text: str, name: str = "panel.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def read(folder: Path, text: str) -> Panel:
    return read_panel(write(folder, text))


def values(panel: Panel, name: str) -> dict[int, float]:
    return {int(month): value for month, value in panel.table.loc[name].dropna().items()}


def test_rows_become_a_dense_table_with_gaps_as_nan(tmp_path: Path) -> None:
    panel = read(tmp_path, GOOD)

    assert list(panel.table.index) == ["A", "B"]
    assert list(panel.table.columns) == [month_number("2019-11") + k for k in range(4)]
    np.testing.assert_array_equal(
        panel.table.to_numpy(), [[1.0, np.nan, np.nan, 3.0], [np.nan, np.nan, 2.5, np.nan]]
    )
    assert panel.table.index.name == "destination"
    assert panel.refused == {}
    short = ("one value only: B", "no value in the last month, 2020-02: B")
    assert panel.notes == ("gaps: 2 months in 1 series", *short)
    assert panel.parts is None


@pytest.mark.parametrize("name", ["panel.csv.gz", "panel.csv.bz2", "panel.parquet", "panel.PQ"])
def test_other_file_forms_read_the_same(tmp_path: Path, name: str) -> None:
    rows = pd.read_csv(io.StringIO(GOOD))
    if name.endswith(("parquet", "PQ")):
        rows.to_parquet(tmp_path / name)
    else:
        rows.to_csv(tmp_path / name, index=False)

    pd.testing.assert_frame_equal(read_panel(tmp_path / name).table, read(tmp_path, GOOD).table)


def test_names_that_look_like_missing_values_are_names(tmp_path: Path) -> None:
    panel = read(tmp_path, HEADER + 'NA,2020-01,1\nnan,2020-01,2\n"Korea, South",2020-01,3\n')

    assert list(panel.table.index) == ["Korea, South", "NA", "nan"]


@pytest.mark.parametrize(
    "period",
    [
        pytest.param("2020-02", id="month"),
        pytest.param("2020/2", id="slash without zero"),
        pytest.param("202002", id="digits"),
        pytest.param("2020-02-29", id="last day"),
        pytest.param("2020/2/29", id="day with slashes"),
        pytest.param(" 2020-02 ", id="spaces"),
        pytest.param("2020-02-01 00:00:00", id="second"),
        pytest.param("2020-02-01T00:00:00.000Z", id="UTC"),
        pytest.param("2020-02-01 00:00:00+08:00", id="offset"),
    ],
)
def test_a_month_is_read_as_written(tmp_path: Path, period: str) -> None:
    panel = read(tmp_path, f"{HEADER}A,{period},1\n")

    assert values(panel, "A") == {month_number("2020-02"): 1.0}
    assert panel.notes == ("one value only: A",)


@pytest.mark.parametrize(
    "column",
    [
        pytest.param(pd.array([pd.Period("2020-02", "M")]), id="months"),
        pytest.param(pd.to_datetime(["2020-02-29"]), id="moments"),
        pytest.param(
            pa.array([np.datetime64("2020-01-31T16:00", "us")]).cast(
                pa.timestamp("us", tz="Asia/Shanghai")
            ),
            id="with zone",
        ),
        pytest.param(pd.Categorical([pd.Timestamp("2020-02-01")]), id="categories of moments"),
        pytest.param(pa.array([pd.Timestamp("2020-02-29").date()]), id="dates"),
        pytest.param([202002], id="integers"),
        pytest.param([202002.0], id="floats"),
        pytest.param(["2020/02"], id="text"),
    ],
)
def test_months_of_parquet_are_read_in_any_type(tmp_path: Path, column: object) -> None:
    path = tmp_path / "panel.parquet"
    cells = column if isinstance(column, pa.Array) else pa.array(pd.Series(column))
    pq.write_table(pa.table({"destination": ["A"], "period": cells, "tonnes": [1]}), path)

    assert values(read_panel(path), "A") == {month_number("2020-02"): 1.0}


def test_numbers_of_parquet_are_read_in_any_type(tmp_path: Path) -> None:
    for column in (
        pa.array([3, None], pa.int16()),
        pa.array(["3.0", ""]),
        pa.array([3.0, np.nan], pa.float32()),
        pa.array(["3.00", None]).cast(pa.decimal128(6, 2)),
        pa.array(["3", None]).dictionary_encode(),
    ):
        path = tmp_path / "panel.parquet"
        months = ["2020-01", "2020-02"]
        pq.write_table(pa.table({"destination": [7, 7], "period": months, "tonnes": column}), path)

        assert values(read_panel(path), "7") == {month_number("2020-01"): 3.0}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("A,2020-13,1", "row 3: 2020-13 is no month"),
        ("A,01/02/2020,1", "row 3: 01/02/2020 is no month"),
        ("A,2020-Q1,1", "row 3: 2020-Q1 is no month"),
        ("A,,1", "row 3: period is empty"),
        ("A,0202-01,1", "row 3: 0202-01 lies outside the years 1700 to 2199"),
        ("A,2020-02,abc", "row 3: tonnes 'abc' is no number"),
        ('A,2020-02,"1,234"', "row 3: tonnes '1,234' is no number"),
        ("A,2020-02,inf", "row 3: tonnes inf is not finite"),
        ("A,2020-02,1e200", "row 3: 1e+200 tonnes is over 1e+100"),
        ("A,2020-02,-5", "row 3: -5.0 tonnes is negative"),
        pytest.param(
            "A,2020-01,2",
            "row 3: 2020-01 stands twice with different tonnes, 2.0 here and 1.0 in row 2",
            id="twice",
        ),
    ],
)
def test_a_series_with_a_bad_row_is_refused_and_takes_no_other_down(
    tmp_path: Path, line: str, reason: str
) -> None:
    panel = read(tmp_path, f"{HEADER}A,2020-01,1\n{line}\n{SOUND}")

    assert panel.refused == {"A": reason}
    assert panel.table.loc["S"].tolist() == list(range(1, 13))
    assert len(panel.table) == 1


@pytest.mark.parametrize("word", ["", " ", "nan", "NaN", "NA", " n/a", "NULL", "None"])
def test_an_empty_value_or_a_word_for_none_is_a_gap(tmp_path: Path, word: str) -> None:
    panel = read(tmp_path, f"{HEADER}A,2020-01,1\nA,2020-02,{word}\nA,2020-03,3\n")

    np.testing.assert_array_equal(panel.table.loc["A"], [1.0, np.nan, 3.0])
    assert panel.refused == {}
    assert panel.notes == ("gaps: 1 month in 1 series",)


def test_rows_that_are_twice_alike_are_read_once_and_noted(tmp_path: Path) -> None:
    panel = read(tmp_path, HEADER + "A,2020-01,1\nA,2020-01,1.0\nA,2020-01,1\nA,2020-02,2\n")

    assert panel.table.to_numpy().tolist() == [[1.0, 2.0]]
    assert panel.notes == ("2 rows with the same series, month and tonnes as another, read once",)


def test_nameless_rows_belong_to_nobody_and_are_noted(tmp_path: Path) -> None:
    panel = read(tmp_path, f"{HEADER},2020-01,5\n{SOUND} ,2020-02,x\n,,\n")

    assert list(panel.table.index) == ["S"]
    assert panel.notes == (
        "rows without destination belong to no series and were left out: row 2; row 15",
    )


def test_what_a_series_is_part_of_is_kept(tmp_path: Path) -> None:
    text = (
        "destination,period,tonnes,part_of\nDEU,2020-01,1,EU\nDEU,2020-02,2,\n"
        "ITA,2020-01,1,EU\nUSA,2020-01,3,\n"
    )

    assert sums_in(read(tmp_path, text).parts, "p") == {"EU": ("DEU", "ITA")}


LATIN = (HEADER + SOUND).encode() + b"C\xf4te,2020-01,1\n"
UNUSABLE: dict[str, tuple[str, bytes | str | None, str]] = {
    "no file": ("none.csv", None, r"does not exist\. Expected CSV, CSV.gz or Parquet"),
    "no Parquet": ("none.parquet", None, r"does not exist\. Expected CSV, CSV.gz or Parquet"),
    "empty": ("a.csv", b"", "cannot be read: No columns to parse"),
    "no rows": ("a.csv", HEADER, "has no rows. Expected a row"),
    "ragged": ("a.parquet", b"PAR1 no", "cannot be read: "),
    "not gzipped": ("a.csv.gz", HEADER, "cannot be read: "),
    "quote": ("a.csv", f'{HEADER}{SOUND}"A,2020-01,1\n', "cannot be read: "),
    "not UTF-8": ("a.csv", LATIN, "is not UTF-8: byte 0xf4 on line 14"),
    "packed, not UTF-8": ("a.csv.gz", gzip.compress(LATIN), "is not UTF-8: byte 0xf4 on line 14"),
    "no period": (
        "a.csv", "destination,month,tonnes\nA,2020-01,1\n",
        r"has no column period\. Expected destination, period, tonnes\. It has destination, month",
    ),
    "no sound series": (
        "a.csv", HEADER + "A,2020-01,-1\nA,2020-02,-1\nB,2020,1\n",
        r"can be used\. A: row 2: -1.0 tonnes is negative; row 3: .*; B: row 4: 2020 is no month\.",
    ),
    **{
        f"every {message}": ("a.csv", HEADER + "".join(f"A,{date},1\n" for date in dates), message)
        for message, dates in {
            "has quarters or weeks, such as 2020Q1": ["2020Q1", "2020Q2"],
            "has quarters or weeks, such as 2020-W01": ["2020-W01", "2020-W02"],
            "has several dates a month": ["2020-01-06", "2020-01-13", "2020-01-20"],
            "3 months apart": ["2020-01", "2020-04", "2020-07", "2020-10"],
        }.items()
    },
}  # fmt: skip


@pytest.mark.parametrize("kind", UNUSABLE)
def test_a_file_that_cannot_be_used_is_refused_by_name(tmp_path: Path, kind: str) -> None:
    name, content, message = UNUSABLE[kind]
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())

    with pytest.raises(DataError, match=message) as caught:
        read_panel(path)

    assert str(caught.value).startswith(f"Panel {path} ")
