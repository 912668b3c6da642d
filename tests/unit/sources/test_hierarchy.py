import pandas as pd
import pytest

from sources.files.panel import sums_in
from store.errors import DataError


def rows_of(*pairs: tuple[str, str | None]) -> pd.DataFrame:
    return pd.DataFrame(pairs, columns=["destination", "part_of"])


def test_rows_become_sums_with_their_parts() -> None:
    rows = rows_of(("DEU", "EU27"), ("ITA", "EU27"), ("EU27", "WLD"), ("USA", "WLD"))

    assert sums_in(rows, "t") == {"EU27": ("DEU", "ITA"), "WLD": ("EU27", "USA")}


def test_a_destination_may_be_part_of_several_sums_in_rows_or_in_one_cell() -> None:
    rows = rows_of(("DEU", "EU27"), ("DEU", "G7"), ("JPN", "G7"))
    cells = rows_of(("DEU", " EU27 ; G7"), ("JPN", "G7"), ("DEU", "EU27;G7"), ("USA", None))

    assert sums_in(rows, "t") == sums_in(cells, "t") == {"EU27": ("DEU",), "G7": ("DEU", "JPN")}


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([("DEU", "EU27"), ("EU27", "WLD"), ("WLD", "EU27")], "in a circle: .*WLD is part of"),
        ([("DEU", "DEU")], "Sums of sums.csv run in a circle: DEU is part of DEU"),
    ],
)
def test_sums_that_run_in_a_circle_are_refused(pairs: list[tuple[str, str]], message: str) -> None:
    with pytest.raises(DataError, match=message):
        sums_in(rows_of(*pairs), "sums.csv")


def test_a_table_without_the_column_is_refused() -> None:
    with pytest.raises(DataError, match=r"t has no column part_of\. Expected destination, part_of"):
        sums_in(pd.DataFrame({"destination": ["DEU"]}), "t")
    with pytest.raises(DataError, match="t names no sum: all cells of part_of are empty"):
        sums_in(rows_of(("DEU", ""), ("JPN", None)), "t")


def test_destinations_that_cannot_be_used_are_no_parts() -> None:
    rows = rows_of(("DEU", "EU27"), ("ITA", "EU27"), ("FRA", "G7"), ("G7", "WLD"), ("EU27", "WLD"))

    found = sums_in(rows, "t", left_out=["ITA", "FRA"])

    assert found == {"EU27": ("DEU",), "WLD": ("EU27",)}
