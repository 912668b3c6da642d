from pathlib import Path

import pytest

from sources.files.file_reader import parse_day, read_table
from store.errors import DataError


def save(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_rows_keep_the_line_they_start_on(tmp_path: Path) -> None:
    path = save(tmp_path / "t.csv", 'a,b\n1,"two\nlines"\n\n3,4\r\n5,6')

    table = read_table(path, ("a", "b"))

    assert [(row.line, row.cells["a"]) for row in table.rows] == [(2, "1"), (5, "3"), (6, "5")]
    assert table.rows[0].cells["b"] == "two\nlines"


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
