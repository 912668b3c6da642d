from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.months import month_number
from sources.panel_file import read_panel
from store.errors import DataError

GOOD = "destination,period,tonnes\nB,2020-01,2.5\nA,2019-11,1\nA,2020-02,3\n"


def write(folder: Path, text: str, name: str = "panel.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_rows_become_a_dense_table_with_gaps_as_nan(tmp_path: Path) -> None:
    table = read_panel(write(tmp_path, GOOD))

    assert list(table.index) == ["A", "B"]
    assert list(table.columns) == [month_number("2019-11") + k for k in range(4)]
    np.testing.assert_array_equal(
        table.to_numpy(), [[1.0, np.nan, np.nan, 3.0], [np.nan, np.nan, 2.5, np.nan]]
    )


def test_further_columns_are_ignored(tmp_path: Path) -> None:
    text = "unit,tonnes,destination,period\nusd,7,A,2020-01\n"

    assert read_panel(write(tmp_path, text)).to_numpy().tolist() == [[7.0]]


def test_gzipped_csv_and_parquet_read_the_same(tmp_path: Path) -> None:
    plain = write(tmp_path, GOOD)
    rows = pd.read_csv(plain)
    rows.to_csv(tmp_path / "panel.csv.gz", index=False)
    rows.to_parquet(tmp_path / "panel.parquet")

    expected = read_panel(plain)
    pd.testing.assert_frame_equal(read_panel(tmp_path / "panel.csv.gz"), expected)
    pd.testing.assert_frame_equal(read_panel(tmp_path / "panel.parquet"), expected)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        pytest.param("A,2020-13,1", "row 3, period='2020-13'", id="no such month"),
        pytest.param("A,2020,1", "row 3, period='2020'", id="a year"),
        pytest.param("A,2020-02-01,1", "row 3, period='2020-02-01'", id="a day"),
        pytest.param("A,2020-02,", "row 3, tonnes=''", id="no number"),
        pytest.param("A,2020-02,nan", "row 3, tonnes='nan'", id="not a number"),
        pytest.param("A,2020-02,inf", "row 3, tonnes='inf'", id="infinite"),
        pytest.param("A,2020-02,-1", "row 3, tonnes='-1'", id="negative"),
        pytest.param("A,2020-02,many", "row 3, tonnes='many'", id="a word"),
        pytest.param("A,2020-01,2", "row 3, period='2020-01' stands twice", id="duplicate"),
        pytest.param(" ,2020-02,2", "row 3, destination=' '", id="nameless"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, line: str, message: str) -> None:
    path = write(tmp_path, f"destination,period,tonnes\nA,2020-01,1\n{line}\n")

    with pytest.raises(DataError, match="has 1 bad rows") as caught:
        read_panel(path)

    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_many_bad_rows_are_counted_and_five_shown(tmp_path: Path) -> None:
    lines = "".join(f"A,2020-{month:02d},-1\n" for month in range(1, 9))

    with pytest.raises(DataError, match=r"has 8 bad rows.*\(8 in all\)") as caught:
        read_panel(write(tmp_path, "destination,period,tonnes\n" + lines))

    assert str(caught.value).count("tonnes='-1'") == 5


def test_a_missing_column_is_named_with_those_there_are(tmp_path: Path) -> None:
    path = write(tmp_path, "destination,month,tonnes\nA,2020-01,1\n")

    with pytest.raises(DataError, match=r"has no column period.*It has destination, month, tonnes"):
        read_panel(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.csv does not exist"):
        read_panel(tmp_path / "none.csv")


def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "latin.csv"
    path.write_bytes("destination,period,tonnes\nCôte,2020-01,1\n".encode("latin-1"))

    with pytest.raises(DataError, match="is not UTF-8"):
        read_panel(path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("empty.csv", b"", id="empty"),
        pytest.param("torn.parquet", b"PAR1 no", id="torn parquet"),
        pytest.param("plain.csv.gz", b"destination,period,tonnes\n", id="not gzipped"),
        pytest.param("ragged.csv", b"destination,period,tonnes\nA,2020-01,1,2,3\nB\n", id="ragged"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)

    with pytest.raises(DataError, match=name):
        read_panel(tmp_path / name)


def test_a_panel_without_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"panel\.csv"):
        read_panel(write(tmp_path, "destination,period,tonnes\n"))
