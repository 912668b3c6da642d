from pathlib import Path

import pandas as pd
import pytest

from sources.files.tree import read_tree, tree_of_panel
from store.errors import DataError

SERIES = ("DEU", "ITA", "JPN", "USA")
HEADER = "destination,part_of\n"


def write(folder: Path, text: str) -> Path:
    path = folder / "sums.csv"
    path.write_text(text, encoding="utf-8")
    return path


def rows_of(parents: dict[str, str | None]) -> pd.DataFrame:
    """Return two rows for each destination."""
    return pd.DataFrame(
        {
            "destination": [*parents, *parents],
            "period": "2020-01",
            "part_of": [*parents.values()] * 2,
        }
    )


def test_rows_become_sums_with_their_parts(tmp_path: Path) -> None:
    text = HEADER + "DEU,EU27\nITA,EU27\nEU27,WLD\nUSA,WLD\n"

    assert read_tree(write(tmp_path, text), SERIES) == {
        "EU27": ("DEU", "ITA"),
        "WLD": ("EU27", "USA"),
    }


def test_a_destination_may_be_part_of_several_sums(tmp_path: Path) -> None:
    two_rows = read_tree(write(tmp_path, HEADER + "DEU,EU27\nDEU,G7\nJPN,G7\n"), SERIES)
    one_cell = read_tree(write(tmp_path, HEADER + "DEU,EU27; G7\nJPN,G7\n"), SERIES)

    assert two_rows == one_cell == {"EU27": ("DEU",), "G7": ("DEU", "JPN")}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        pytest.param("FRA,EU27", "line 3, column 'destination': 'FRA' is not", id="unknown part"),
        pytest.param("DEU,EU27", "line 3, 'DEU' is part of 'EU27' already in line 2", id="twice"),
        pytest.param("ITA,G7;G7", "line 3, 'ITA' is part of 'G7' already in line 3", id="in cell"),
        pytest.param("ITA,", "line 3, column 'part_of': '' is not filled", id="no sum"),
        pytest.param(",EU27", "line 3, column 'destination': '' is not filled", id="nameless"),
        pytest.param("ITA,EU27,1", "line 3, row: 3 cells are not 2", id="too long"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(DataError, match=r"1 bad row in sums\.csv") as caught:
        read_tree(write(tmp_path, f"{HEADER}DEU,EU27\n{line}\n"), SERIES)

    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("DEU,EU27\nEU27,WLD\nWLD,EU27\n", "in a circle: .*WLD is part of", id="two"),
        pytest.param("DEU,DEU\n", "circle: DEU is part of DEU", id="itself"),
        pytest.param("", r"sums\.csv has no rows", id="empty"),
    ],
)
def test_a_file_that_tells_no_tree_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_tree(write(tmp_path, HEADER + text), SERIES)


def test_destinations_that_cannot_be_used_are_no_parts(tmp_path: Path) -> None:
    text = HEADER + "DEU,EU27\nITA,EU27\nFRA,G7\nG7,WLD\nEU27,WLD\n"

    found = read_tree(write(tmp_path, text), ["DEU"], left_out=["ITA", "FRA"])

    assert found == {"EU27": ("DEU",), "WLD": ("EU27",)}


def test_a_panel_tells_its_sums_in_a_column() -> None:
    rows = rows_of({"DEU": "EU27;G7", "ITA": " EU27 ; G7", "EU27": "WLD", "JPN": "", "USA": None})

    assert tree_of_panel(rows) == {
        "EU27": ("DEU", "ITA"),
        "G7": ("DEU", "ITA"),
        "WLD": ("EU27",),
    }


def test_a_destination_whose_sums_change_is_named() -> None:
    rows = pd.concat([rows_of({"DEU": "EU27", "ITA": "EU27"}), rows_of({"ITA": ""})])

    with pytest.raises(DataError, match=r"of p\.csv changes within ITA \('EU27' and ''\)"):
        tree_of_panel(rows, file="p.csv")
