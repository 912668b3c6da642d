import numpy as np
import pandas as pd
import pytest

from models.reconciliation import add_sums, contradictions, tree_of
from store.errors import DataError
from store.months import month_number

NAN = np.nan
PARTS = {"WLD": ("EU27", "USA"), "EU27": ("DEU", "ITA")}
START = month_number("2020-01")


def table_of(rows: dict[str, list[float]]) -> pd.DataFrame:
    names = sorted(rows)
    months = range(START, START + len(rows[names[0]]))
    index = pd.Index(names, name="destination")
    return pd.DataFrame([rows[name] for name in names], index=index, columns=list(months))


def test_a_tree_knows_the_leaves_below_each_sum() -> None:
    tree = tree_of(PARTS, ["USA", "DEU", "ITA", "JPN", "WLD"])

    assert tree.series == ("DEU", "EU27", "ITA", "JPN", "USA", "WLD")
    assert tree.sum_names == ("EU27", "WLD")
    assert tree.leaf_names == ("DEU", "ITA", "USA")
    assert tree.structure.toarray().tolist() == [[1, 1, 0], [1, 1, 1]]


def test_a_part_that_is_nowhere_is_named() -> None:
    with pytest.raises(DataError, match="does not have: ITA"):
        tree_of(PARTS, ["DEU", "USA"])


def test_missing_sums_are_added_up_from_known_leaves() -> None:
    table = table_of(
        {"DEU": [1.0, NAN, NAN], "ITA": [2.0, 2.0, NAN], "USA": [4.0, NAN, NAN], "JPN": [9.0] * 3}
    )

    found = add_sums(table, tree_of(PARTS, table.index))

    assert list(found.index) == ["DEU", "EU27", "ITA", "JPN", "USA", "WLD"]
    assert found.index.name == "destination"
    np.testing.assert_array_equal(found.loc["EU27"], [3.0, 2.0, NAN])
    np.testing.assert_array_equal(found.loc["WLD"], [7.0, 2.0, NAN])
    pd.testing.assert_frame_equal(found.loc[table.index], table)


def test_sums_that_their_leaves_do_not_add_up_to_are_named_widest_gap_first() -> None:
    table = table_of(
        {
            "DEU": [1.0, 1.0, 1.0],
            "ITA": [2.0, 2.0, 2.0],
            "USA": [4.0, 4.0, 4.0],
            "EU27": [3.0, 3.3, 6.0],
            "WLD": [7.01, 7.1, 7.0],
        }
    )

    assert contradictions(table, tree_of(PARTS, table.index)) == [
        "EU27 in 2 months, e.g. 2020-03: 6, its parts 3",
        "WLD in 1 month, e.g. 2020-02: 7.1, its parts 7",
    ]


def test_a_month_that_lacks_leaves_contradicts_only_by_excess() -> None:
    table = table_of({"DEU": [1.0, 9.0], "ITA": [NAN, NAN], "USA": [1.0, 1.0], "EU27": [3.0, 3.0]})

    assert contradictions(table, tree_of(PARTS, table.index)) == [
        "EU27 in 1 month, e.g. 2020-02: 3, its parts 9"
    ]
