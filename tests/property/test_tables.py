import csv
import io
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from sources.files.panel import Panel, read_panel

PLACES = ("DEU", "USA", "Côte d'Ivoire", "德国", "Korea, Rep.")
MONTHS = [f"2024-{month:02d}" for month in range(1, 13)]


@dataclass(frozen=True)
class Quirks:
    """How a file is written."""

    mark: bool
    ends: str
    blank: frozenset[int]
    """Places of blank lines."""
    trailing: bool
    """Whether every line ends in a comma."""

    def written(self, rows: list[list[str]], *, encoding: str = "utf-8") -> bytes:
        lines = []
        for place, row in enumerate(rows):
            lines += [
                "" if place in self.blank and place else None,
                _line(row) + "," * self.trailing,
            ]
        text = self.ends.join(line for line in lines if line is not None) + self.ends
        return (("\ufeff" if self.mark else "") + text).encode(encoding)


def _line(row: list[str]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow(row)
    return out.getvalue()


quirks = st.builds(
    Quirks,
    mark=st.booleans(),
    ends=st.sampled_from(["\n", "\r\n"]),
    blank=st.frozensets(st.integers(1, 8), max_size=3),
    trailing=st.booleans(),
)
tonnes = st.floats(0, 1e7, allow_nan=False).map(lambda value: round(value, 3))
panels = st.dictionaries(
    st.sampled_from(PLACES),
    st.lists(tonnes, min_size=12, max_size=12),
    min_size=2,
    max_size=len(PLACES),
)


def rows_of(panel: dict[str, list[float]]) -> list[list[str]]:
    return [
        ["destination", "period", "tonnes"],
        *(
            [place, month, repr(value)]
            for place, row in panel.items()
            for month, value in zip(MONTHS, row, strict=True)
        ),
    ]


def read(content: bytes) -> Panel:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "panel.csv"
        path.write_bytes(content)
        return read_panel(path)


@given(panels, quirks)
def test_an_honest_panel_is_read_to_the_last_digit(
    panel: dict[str, list[float]], quirk: Quirks
) -> None:
    table = read(quirk.written(rows_of(panel))).table

    assert {place: table.loc[place].tolist() for place in table.index} == panel


@given(panels, quirks, st.sampled_from(["x", "1,234", "inf", "--", "1e400"]), st.data())
def test_a_broken_line_of_a_panel_costs_its_own_series_alone(
    panel: dict[str, list[float]], quirk: Quirks, cell: str, data: st.DataObject
) -> None:
    rows = rows_of(panel)
    place = data.draw(st.integers(1, len(rows) - 1))
    name = rows[place][0]
    rows[place][2] = cell

    read_anyway = read(quirk.written(rows))

    others = {other: row for other, row in panel.items() if other != name}
    table = read_anyway.table
    assert {place: table.loc[place].tolist() for place in table.index} == others
    assert list(read_anyway.refused) == [name]
