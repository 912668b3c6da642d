import io
import json
import os
from pathlib import Path

import pandas as pd
import pytest

from features.statistical.base_forecasts import PANEL_FORECASTS
from flows.cli.options import moment
from models.evaluation.compare import DIFFERENCE_COLUMNS
from models.evaluation.scores import CUTS, SCOREBOARD_COLUMNS
from models.forecasting.model_names import MODEL
from store.settings import PROJECT_ROOT
from store.vocabulary import FORECAST_COLUMNS
from tests.data.builders import make_table
from tests.flows.conftest import Call, Published, point_at
from tests.helpers import ended

CSV = ("--format", "csv")


HELP = """
import sys
from flows.cli.command_line import app
app(["--help"], result_action="return_value")
slow = sorted({"pandas", "prefect", "mlflow", "lightgbm"} & set(sys.modules))
print("slow imports:", ", ".join(slow) or "none")
"""

READING = (
    "data vintages", "publications list", "data review list", "status", "config show",
    *(f"{verb} --set learing_rate=1" for verb in ("train", "forecast", "backtest")),
    "backtest --since 2019-06",
)  # fmt: skip

READ = """
import sys
from flows.cli.command_line import main
slow = {"prefect", "mlflow", "lightgbm", "sklearn", "scipy", "pandera", "alembic", "matplotlib"}
for words in sys.argv[1:]:
    sys.argv = ["magnetcast", *words.split()]
    try:
        main()
    except SystemExit:
        pass
    print("slow imports:", *sorted(slow & set(sys.modules)), file=sys.stderr)
"""


@pytest.fixture
def panel(tmp_path: Path) -> Path:
    """A small panel of four series over five years."""
    table = make_table(months=60)
    rows = table.reset_index().melt("destination", var_name="number", value_name="tonnes")
    period = [f"{number // 12}-{number % 12 + 1:02d}" for number in rows["number"]]
    path = tmp_path / "panel.csv"
    rows.assign(period=period)[["destination", "period", "tonnes"]].to_csv(path, index=False)
    return path


@pytest.fixture
def at_published(published: Published, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Point the environment at the store on which the main job ran."""
    point_at(published.folder, data_dir, monkeypatch)


def test_help_imports_nothing_slow_and_makes_no_file(tmp_path: Path) -> None:
    alone = {"PYTHONPATH": str(PROJECT_ROOT), "PATH": "", "COLUMNS": "120"}
    answer = ended("-c", HELP, cwd=tmp_path, env=alone)
    assert answer.returncode == 0, answer.stderr
    assert list(tmp_path.iterdir()) == []
    assert answer.stdout.rstrip().endswith("slow imports: none")


@pytest.mark.usefixtures("at_published")
def test_a_reading_verb_imports_nothing_slow() -> None:
    answer = ended("-c", READ, *READING)

    lines = [line for line in answer.stderr.splitlines() if line.startswith("slow imports:")]
    assert lines == ["slow imports:"] * len(READING), answer.stderr
    assert answer.stderr.count("Did you mean") == sum("--set" in words for words in READING)


@pytest.mark.parametrize(
    ("text", "stamp"),
    [
        ("2025-04-10", "2025-04-10T23:59:59+00:00"),
        ("2025-04-10T00:00", "2025-04-10T00:00:00+00:00"),
        ("2025-04-10T06:30", "2025-04-10T06:30:00+00:00"),
        ("2025-04-10T06:30+02:00", "2025-04-10T04:30:00+00:00"),
    ],
)
def test_an_as_of_is_a_utc_moment(text: str, stamp: str) -> None:
    assert moment(text).isoformat() == stamp


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("panel bad.csv", "A: row 2: -1.0 tonnes is negative"),
        ("panel bad.csv", "in Python Forecaster(allow_negative=True)"),
        ("panel bad.csv --cutoffs 2021-06", "A: row 2: -1.0 tonnes is negative"),
        ("panel panel.csv --horizon 0 --cutoffs 2021-06", "--horizon 0 is out of range"),
        ("panel panel.csv --cutoffs 2021-06 --format json", "--format json has nothing to show"),
        ("forecast --panel panel.csv --as-of 2021-06-30", "Expected `magnetcast panel FILE`"),
        ("predict --as-of 2021-06-30", "is called forecast"),
        ("backtest --panel=panel.csv", "`magnetcast backtest` has no option --panel"),
        ("panel panel.csv --cutoffs soon", "has a month that cannot be read"),
        ("panel panel.csv --cutoffs 2031-01", "lies outside the panel"),
    ],
)
def test_a_bad_panel_or_option_is_one_message_and_no_result(
    magnetcast: Call, panel: Path, monkeypatch: pytest.MonkeyPatch, words: str, message: str
) -> None:
    monkeypatch.chdir(panel.parent)
    Path("bad.csv").write_text("destination,period,tonnes\nA,2020-01,-1\n", encoding="utf-8")

    code, out, err = magnetcast(*words.split())

    assert (code, out) == (1, "")
    assert message in err


@pytest.mark.usefixtures("place")
def test_predict_of_a_panel_writes_the_months_after_it(magnetcast: Call, panel: Path) -> None:
    code, out, _ = magnetcast("panel", str(panel), "--horizon", "3", *CSV)

    table = pd.read_csv(io.StringIO(out))
    assert code == 0
    assert tuple(table.columns) == FORECAST_COLUMNS
    assert len(table) == 4 * 3
    assert sorted(table["period"].unique()) == ["2023-01", "2023-02", "2023-03"]
    assert set(table["cutoff"]) == {"2022-12"}
    assert set(table["model"]) == {MODEL}


@pytest.mark.slow
@pytest.mark.usefixtures("place")
def test_backtest_of_a_panel_writes_forecasts_scores_and_plots(
    magnetcast: Call, panel: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "out" / "deep"

    code, out, _ = magnetcast(
        *("panel", str(panel), "--horizon", "3"),
        *("--cutoffs", "2021-12,2022-06", "--out", str(folder)),
    )

    assert (code, out) == (0, "")
    table = pd.read_csv(folder / "forecasts.csv")
    assert tuple(table.columns) == FORECAST_COLUMNS
    assert sorted(table["cutoff"].unique()) == ["2021-12", "2022-06"]
    assert len(table) == 2 * 4 * 3
    cells = pd.read_csv(folder / "cells.csv")
    assert len(cells) == len(table) * cells["model"].nunique()
    assert set(cells["model"]) == {MODEL, "experts", *PANEL_FORECASTS}
    scores = json.loads((folder / "scores.json").read_text(encoding="utf-8"))
    assert {row["model"] for row in scores} == {MODEL, "experts", *PANEL_FORECASTS}
    board = pd.read_csv(folder / "scoreboard.csv")
    assert tuple(board.columns) == SCOREBOARD_COLUMNS
    assert set(board["kind"]) == {"all", *CUTS}
    assert set(board.loc[board["kind"] == "all", "cells"]) == {2 * 4 * 3}
    differences = pd.read_csv(folder / "differences.csv")
    assert tuple(differences.columns) == DIFFERENCE_COLUMNS


@pytest.mark.slow
@pytest.mark.usefixtures("place")
def test_estimated_months_of_a_panel_are_not_scored_on(
    magnetcast: Call, panel: Path, tmp_path: Path
) -> None:
    rows = pd.read_csv(panel)
    last = rows["period"] == "2022-09"
    rows.assign(kind=last.map({True: "estimated", False: "observed"})).to_csv(panel, index=False)

    _, _, err = magnetcast(
        *("panel", str(panel), "--horizon", "3"),
        *("--cutoffs", "2022-06", "--out", str(tmp_path / "out")),
    )

    assert "4 estimated months are not scored on" in err
    cells = pd.read_csv(tmp_path / "out" / "cells.csv")
    assert set(cells["period"]) == {"2022-07-01", "2022-08-01"}


INTERRUPTED = """
import signal, sys
from flows.cli.command_line import main
signal.signal(signal.SIGALRM, signal.default_int_handler)
signal.setitimer(signal.ITIMER_REAL, 0.02)
sys.argv = ["magnetcast", "up"]
main()
"""


def test_an_interrupt_while_a_verb_is_loaded_is_no_traceback(tmp_path: Path) -> None:
    home = {**os.environ, "MAGNETCAST_HOME": str(tmp_path)}
    answer = ended("-c", INTERRUPTED, cwd=PROJECT_ROOT, env=home)

    assert (answer.returncode, answer.stderr.strip()) == (130, "stopped")
