from pathlib import Path

import pytest

from sources.by_hand import figure_file, table_file
from sources.csvtable import read_table
from sources.published import COLUMNS
from store.errors import DataError

NAMES = ("event_id", "announced_on", "destinations")


def test_yaml_rows_read_as_the_csv_they_mean(tmp_path: Path) -> None:
    told = tmp_path / "acts.yaml"
    told.write_text(
        "- {event_id: one, announced_on: 2026-08-01, destinations: [USA, JPN]}\n- {event_id: two}\n"
    )

    table = read_table(table_file(told, NAMES, folder=tmp_path / "typed"), NAMES)

    assert [row.cells for row in table.rows] == [
        {"event_id": "one", "announced_on": "2026-08-01", "destinations": "USA;JPN"},
        {"event_id": "two", "announced_on": "", "destinations": ""},
    ]


def test_csv_is_taken_as_it_is(tmp_path: Path) -> None:
    assert table_file(tmp_path / "a.csv", NAMES, folder=tmp_path) == tmp_path / "a.csv"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("- {event: x}\n", "Unknown columns in a.yaml: event", id="unknown column"),
        pytest.param("event_id: x\n", "holds dict, not rows", id="a mapping"),
        pytest.param("", "holds NoneType, not rows", id="empty"),
        pytest.param("- [", "is not YAML", id="broken"),
        pytest.param("- !!python/object/apply:os.getcwd []\n", "is not YAML", id="code"),
    ],
)
def test_bad_yaml_is_refused_by_name(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(text)

    with pytest.raises(DataError, match=said):
        table_file(tmp_path / "a.yaml", NAMES, folder=tmp_path / "typed")

    assert not (tmp_path / "typed").exists()


def test_a_typed_figure_is_a_table_of_one_row(tmp_path: Path) -> None:
    cells = {"period": "2026-08", "destination": "USA", "source_url": "https://example.org/a"}

    table = read_table(figure_file(cells, COLUMNS, folder=tmp_path), COLUMNS)

    assert len(table.rows) == 1
    assert table.rows[0].cells["source_name"] == "example.org"
    assert table.rows[0].cells["period"] == "2026-08"


def test_a_source_that_cannot_be_looked_up_is_refused(tmp_path: Path) -> None:
    cells = {"period": "2026-08", "destination": "USA", "source_url": "a newspaper"}

    with pytest.raises(DataError, match="'a newspaper' is no address"):
        figure_file(cells, COLUMNS, folder=tmp_path)
