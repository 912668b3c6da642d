from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from flows.panels.panel_files import PanelFiles, forecast_panel
from flows.panels.partitions import panel_ends, predict_folder
from models.learning.parameters import PANEL_PRESET
from store.errors import DataError
from store.progress import untracked
from store.settings import Settings
from store.vocabulary import QUANTILE_COLUMNS

pytest.importorskip("dask.dataframe")

pytestmark = pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning")  # of Dask

MONTHS = pd.period_range("2019-01", periods=60, freq="M").strftime("%Y-%m")
BRIEF = replace(PANEL_PRESET, pairs=400, num_iterations=5)
KEY = ["destination", "period"]


def rows(count: int = 12) -> pd.DataFrame:
    draw = np.random.default_rng(5)
    season = 1 + 0.3 * np.sin(np.arange(len(MONTHS)) * np.pi / 6)
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "destination": f"S{number:02d}",
                    "period": MONTHS,
                    "tonnes": 50 * (number + 1) * season * draw.lognormal(0, 0.1, len(MONTHS)),
                }
            )
            for number in range(count)
        ],
        ignore_index=True,
    )


def written(folder: Path, *parts: pd.DataFrame) -> PanelFiles:
    folder.mkdir()
    for number, part in enumerate(parts):
        part.to_parquet(folder / f"{number}.parquet", index=False)
    return PanelFiles(folder)


def numbered(panel: pd.DataFrame) -> pd.DataFrame:
    """Return a panel whose series are named by numbers."""
    return panel.assign(destination=panel["destination"].str[1:].astype(int) + 10)


def whole(home: Path, panel: pd.DataFrame) -> pd.DataFrame:
    """Return the forecasts of the same panel in one file."""
    panel.to_csv(home / "panel.csv", index=False)
    files = PanelFiles(home / "panel.csv")
    return forecast_panel(files, horizon=3, track=untracked, parameters=BRIEF)[0]


def apart(made: pd.DataFrame, expected: pd.DataFrame) -> float:
    """Return by how much quantiles differ at most, as a share."""
    names = list(QUANTILE_COLUMNS)
    made, expected = (one.set_index(KEY).sort_index()[names] for one in (made, expected))
    assert list(made.index) == list(expected.index)
    return float((made / expected - 1).abs().to_numpy().max())


PARTS = {
    "whole series": (slice(7 * 60), slice(7 * 60, None)),
    "series in several files": (slice(None, None, 2), slice(1, None, 2)),
}
"""Rows of each file of a folder."""


@pytest.mark.parametrize(
    ("parts", "dask"),
    [
        ("whole series", ""),
        pytest.param("series in several files", "", marks=pytest.mark.slow),
        pytest.param("whole series", "local:2", marks=pytest.mark.slow),
    ],
)
def test_a_folder_is_forecast_as_its_series_in_one_file(
    tmp_path: Path, parts: str, dask: str
) -> None:
    panel, out = rows(), tmp_path / "out"
    files = written(tmp_path / "in", *(panel.iloc[part] for part in PARTS[parts]))

    settings = Settings(home=tmp_path, dask=dask)
    predict_folder(settings, files, horizon=3, out=out, parameters=BRIEF)

    assert apart(pd.read_parquet(out), whole(tmp_path, panel)) < 1e-9


@pytest.mark.slow
def test_a_folder_of_numbered_series_is_forecast_too(tmp_path: Path) -> None:
    panel = numbered(rows())

    predict_folder(
        Settings(home=tmp_path),
        written(tmp_path / "in", panel),
        horizon=3,
        out=tmp_path / "out",
        parameters=BRIEF,
    )

    assert apart(pd.read_parquet(tmp_path / "out"), whole(tmp_path, panel)) < 1e-9


def test_the_first_pass_keeps_the_first_and_the_last_month_alone_in_memory() -> None:
    panel = panel_ends(rows(), PanelFiles(rows()))

    assert panel is not None
    memory = values = panel.table.to_numpy()
    while memory.base is not None:
        memory = memory.base
    assert memory.nbytes == values.nbytes == 12 * 2 * 8


def test_a_series_that_was_not_drawn_is_forecast_too(tmp_path: Path) -> None:
    files = written(tmp_path / "in", rows())
    parameters, settings = replace(BRIEF, most_series=8), Settings(home=tmp_path)

    predict_folder(settings, files, horizon=3, out=tmp_path / "out", parameters=parameters)

    assert pd.read_parquet(tmp_path / "out")["destination"].nunique() == 12


def test_forecasts_go_into_a_new_folder_that_a_failure_does_not_leave(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    files = written(tmp_path / "in", rows(2).assign(tonnes="many"))

    with pytest.raises(DataError, match="Expected a new folder"):
        predict_folder(settings, files, horizon=3, out=tmp_path / "in", parameters=BRIEF)
    with pytest.raises(DataError, match="no series that can be used"):
        predict_folder(settings, files, horizon=3, out=tmp_path / "out", parameters=BRIEF)

    assert sorted(path.name for path in tmp_path.iterdir() if "out" in path.name) == []
