import sys
from pathlib import Path

import pandas as pd
import pytest

from models.forecasting.model_names import MODEL
from tests.data.cell_builders import make_cells

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "benchmarks"))

from magnets import DRAWS, Replay, quote


@pytest.fixture(scope="module")
def replay() -> Replay:
    worse = make_cells(origins=24, bias=0.4).assign(model="drift")
    return Replay(pd.concat([make_cells(origins=24), worse], ignore_index=True))


def test_an_entry_has_its_interval_and_bias_and_a_worse_model_a_ratio_above_one(
    replay: Replay,
) -> None:
    error = replay.rows["ALL", MODEL, "1-3"]["wape"]
    drawn = replay.drawn["ALL", MODEL, "1-3"]

    assert len(drawn) == DRAWS
    assert drawn.min() < error < drawn.max()
    assert drawn.mean() == pytest.approx(error, rel=0.1)
    assert replay.ratio("ALL", MODEL, "1-3") == "1.00 (1.00 to 1.00)"
    assert float(replay.ratio("ALL", "drift", "1-3").split("(")[1][:4]) > 1.0
    assert replay.entry("ALL", "drift", "1-3").endswith("; +40%")
    assert replay.entry("ALL", "drift", "7-12") == "-"


def test_a_window_has_its_own_origins(replay: Replay) -> None:
    part = replay.from_to("2022-03", "2022-05")

    assert part.cells["as_of"].dt.strftime("%Y-%m").unique().tolist() == [
        "2022-03", "2022-04", "2022-05",
    ]  # fmt: skip
    assert part.quoted("USA", MODEL)[1].count(";") == 2


def test_a_page_is_brought_up_to_date_below_the_heading_alone(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    table = "| world, magnetcast | old |\n| world | old |\n"
    page.write_text(f"# Page\n\n## One\n\n{table}\n## Two\n\n{table}", encoding="utf-8")

    quote(page, "## One", {"world, magnetcast": ["1.0%", "2.0%"]})

    one, _, two = page.read_text(encoding="utf-8").partition("## Two")
    assert "| world, magnetcast | 1.0% | 2.0% |\n| world | old |" in one
    assert two == f"\n\n{table}"
