import hashlib
from pathlib import Path

import pandas as pd
import pytest

from sources.files.csv_table import content_of, parse_day, read_table
from store.errors import DataError


def save(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_rows_keep_the_line_they_start_on(tmp_path: Path) -> None:
    path = save(tmp_path / "t.csv", 'a,b\n1,"two\nlines"\n\n3,4\r\n5,6')

    table = read_table(path, ("a", "b"))

    assert [(row.line, row.cells["a"]) for row in table.rows] == [(2, "1"), (5, "3"), (6, "5")]
    assert table.rows[0].cells["b"] == "two\nlines"


def test_the_digest_is_that_of_the_bytes(tmp_path: Path) -> None:
    path = save(tmp_path / "t.csv", "a\n1\n")

    assert read_table(path, ("a",)).sha256 == hashlib.sha256(b"a\n1\n").hexdigest()


def test_a_byte_order_mark_is_no_part_of_the_header(tmp_path: Path) -> None:
    path = save(tmp_path / "t.csv", b"\xef\xbb\xbfa\n1\n")

    assert [row.cells for row in read_table(path, ("a",)).rows] == [{"a": "1"}]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a,b\n1,caf\xe9\n", r"t\.csv is not UTF-8: byte 0xe9 on line 2"),
        (b"\xff\xfea\x00", r"t\.csv is not UTF-8: byte 0xff on line 1"),
        (b"a\n1\n", r"Wrong columns in t\.csv: missing b\. Expected a, b"),
        (b"a,b,c\n", "unknown c"),
        (b"a,b,b\n", "repeated b"),
        (b"", "missing a; b"),
        (b'a,b\n1,"open\n', r"t\.csv is not CSV from line 2 on"),
    ],
    ids=["latin-1", "utf-16", "missing", "unknown", "repeated", "empty file", "open quote"],
)
def test_a_file_of_another_kind_is_refused_at_once(
    tmp_path: Path, content: bytes, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        read_table(save(tmp_path / "t.csv", content), ("a", "b"))


def test_a_missing_file_names_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"Cannot read t\.csv .*MAGNETCAST_DATA_DIR"):
        read_table(tmp_path / "t.csv", ("a",))


def test_lines_of_a_wrong_length_wait_for_the_other_problems(tmp_path: Path) -> None:
    table = read_table(save(tmp_path / "t.csv", "a,b\n1\n2,x\n"), ("a", "b"))
    table.rows[0].number("b")

    with pytest.raises(DataError) as caught:
        table.problems.raise_if_any()

    assert str(caught.value) == (
        "2 bad rows in t.csv: line 2, row: 1 cells are not 2, as in the header; "
        "line 3, column 'b': 'x' is not a plain number. "
        "Correct these lines; nothing was taken over."
    )


def test_five_problems_are_shown_and_all_are_counted(tmp_path: Path) -> None:
    table = read_table(save(tmp_path / "t.csv", "a\n" + "x\n" * 7), ("a",))
    for row in table.rows:
        row.number("a")

    with pytest.raises(DataError, match=r"^7 bad rows .*line 6, .*'x' .*\(7 in all\)") as caught:
        table.problems.raise_if_any()

    assert "line 7" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "nan", "NaN", "inf", "1e3", "1,238", "0x1", "--1", "1.", "\u0661"]
)
def test_only_plain_decimals_are_numbers(tmp_path: Path, text: str) -> None:
    table = read_table(save(tmp_path / "t.csv", f'a,b\n"{text}",.\n'), ("a", "b"))
    table.rows[0].number("a")

    with pytest.raises(DataError, match="is not a plain number"):
        table.problems.raise_if_any()


@pytest.mark.parametrize("text", ["2025-02-30", "20250201", "2025-2-1", "2025-W05-1", "01.02.2025"])
def test_only_days_of_the_calendar_are_days(text: str) -> None:
    with pytest.raises(ValueError, match="a day"):
        parse_day(text)


def test_a_day_is_a_naive_midnight() -> None:
    assert parse_day("2024-02-29") == pd.Timestamp("2024-02-29")


def test_a_file_without_end_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(DataError, match="zero has more than 64 MB"):
        content_of(Path("/dev/zero"))
