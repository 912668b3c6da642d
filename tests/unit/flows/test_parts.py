"""Panels in parts: the same bits as in one file, refused by name what is wrong, little memory."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from flows.panels.panel_files import PanelFiles, forecast_panel
from flows.panels.parted_panel import predict_parts
from models.executor import untracked
from models.learning.spec import EngineSpec
from sources.files.panel_parts import part_name, part_of, parts_of, write_parts
from store.errors import DataError
from store.settings import PROJECT_ROOT, Settings
from tests.data.part_builders import make_parts, make_table, read_forecasts, rows_of

WHOLE = """
import json, sys
from pathlib import Path
from flows.panels.panel_files import PanelFiles, forecast_panel
from flows.panels.parted_panel import predict_parts
from models.executor import untracked
from store.settings import Settings

panel, out = Path(sys.argv[1]), Path(sys.argv[2])
settings = Settings(threads=1)


def peak() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmHWM")))


before = peak()
if panel.is_dir():
    predict_parts(settings, PanelFiles(panel), horizon=1, out=out)
else:
    for part in forecast_panel(settings, PanelFiles(panel), horizon=1, track=untracked):
        pass
print(json.dumps(peak() - before))
"""


def forecast(panel: Path, out: Path) -> pd.DataFrame:
    predict_parts(Settings(threads=1), PanelFiles(panel), horizon=6, out=out)
    return read_forecasts(out)


def whole(file: Path) -> pd.DataFrame:
    parts = forecast_panel(Settings(threads=1), PanelFiles(file), horizon=6, track=untracked)
    found = pd.concat(parts, ignore_index=True)
    return found.sort_values(["destination", "horizon"], ignore_index=True)


@pytest.mark.slow
def test_parts_say_the_same_bits_as_the_file(tmp_path: Path) -> None:
    file, parts = make_parts(tmp_path, make_table())

    pd.testing.assert_frame_equal(forecast(parts, tmp_path / "out"), whole(file), check_exact=True)


@pytest.mark.slow
def test_parts_say_the_same_bits_with_the_pretrained_network(tmp_path: Path) -> None:
    pytest.importorskip("fracast")
    file, parts = make_parts(tmp_path, make_table(series=12))
    spec, settings = EngineSpec(pairs=300, pretrained=1, threads=1), Settings(threads=1)

    predict_parts(settings, PanelFiles(parts), horizon=3, out=tmp_path / "out", spec=spec)

    found = read_forecasts(tmp_path / "out")
    made = forecast_panel(settings, PanelFiles(file), horizon=3, track=untracked, spec=spec)
    whole = pd.concat(made).sort_values(["destination", "horizon"], ignore_index=True)
    pd.testing.assert_frame_equal(found, whole, check_exact=True)
    assert set(found["status"]) == {"panel, pretrained"}


@pytest.mark.slow
def test_it_does_not_matter_how_a_panel_is_divided(tmp_path: Path) -> None:
    _, few = make_parts(tmp_path, make_table(), count=2)
    _, many = make_parts(tmp_path, make_table(), count=23)

    found = forecast(many, tmp_path / "many")

    pd.testing.assert_frame_equal(found, forecast(few, tmp_path / "few"), check_exact=True)


@pytest.mark.slow
def test_parts_that_end_at_different_months_have_one_cutoff(tmp_path: Path) -> None:
    table = make_table()
    late = [part_of(str(name), 4) == 1 for name in table.index]
    table.iloc[np.flatnonzero(late), -3:] = np.nan
    file, parts = make_parts(tmp_path, table)

    found = forecast(parts, tmp_path / "out")

    pd.testing.assert_frame_equal(found, whole(file), check_exact=True)
    assert set(found["cutoff"]) == {"2019-12"}


@pytest.mark.slow
def test_a_panel_of_more_series_than_teach_states_the_same_bits(tmp_path: Path) -> None:
    file, parts = make_parts(tmp_path, make_table(series=6_050, months=30))

    pd.testing.assert_frame_equal(forecast(parts, tmp_path / "out"), whole(file), check_exact=True)


@pytest.mark.slow
def test_all_parts_can_teach_one_model(tmp_path: Path) -> None:
    _, parts = make_parts(tmp_path, make_table(series=6_050, months=30), count=3)
    files, settings = PanelFiles(parts), Settings(threads=1)

    predict_parts(settings, files, horizon=6, out=tmp_path / "all", teachers="all")
    predict_parts(settings, files, horizon=6, out=tmp_path / "sample")

    found, usual = read_forecasts(tmp_path / "all"), read_forecasts(tmp_path / "sample")
    assert found["destination"].equals(usual["destination"])
    apart = (found["p50"] - usual["p50"]).abs() / (usual["p90"] - usual["p10"])
    assert 0.0 < apart.median() < 0.1


@pytest.mark.slow
def test_a_series_with_a_bad_row_is_refused_and_the_others_are_forecast(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = rows_of(make_table())
    rows.loc[rows["destination"] == "series 7", "tonnes"] = -1.0
    rows.to_parquet(tmp_path / "panel.parquet")
    write_parts(tmp_path / "panel.parquet", tmp_path / "parts", count=3)

    found = forecast(tmp_path / "parts", tmp_path / "out")

    assert "series 7" not in set(found["destination"])
    assert "series 8" in set(found["destination"])
    assert "1 series refused" in capsys.readouterr().err


def test_nothing_is_left_where_no_series_can_be_used(tmp_path: Path) -> None:
    rows = rows_of(make_table()).assign(tonnes=-1.0)
    rows.to_parquet(tmp_path / "panel.parquet")
    write_parts(tmp_path / "panel.parquet", tmp_path / "parts", count=3)

    with pytest.raises(DataError, match="No part has a series that can be used"):
        forecast(tmp_path / "parts", tmp_path / "out")

    assert sorted(path.name for path in tmp_path.iterdir()) == ["panel.parquet", "parts"]


def test_a_series_in_a_part_that_is_not_its_own_is_refused(tmp_path: Path) -> None:
    _, parts = make_parts(tmp_path, make_table())
    own = part_of("series 3", 4)
    stray = parts / part_name((own + 1) % 4, 4) / "more.parquet"
    rows_of(make_table()).query("destination == 'series 3'").to_parquet(stray)

    with pytest.raises(DataError, match=r"series that belong elsewhere: series 3\."):
        forecast(parts, tmp_path / "out")


def test_a_folder_without_parts_states_how_to_divide_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no parts.*magnetcast partition --panel"):
        forecast(tmp_path, tmp_path / "out")


def test_parts_of_two_divisions_are_refused(tmp_path: Path) -> None:
    _, parts = make_parts(tmp_path, make_table())
    (parts / part_name(0, 9)).mkdir()

    with pytest.raises(DataError, match=r"has parts of 4; 9\. Expected one division"):
        parts_of(parts)


def test_what_looks_at_all_series_at_once_is_refused_for_parts(tmp_path: Path) -> None:
    _, parts = make_parts(tmp_path, make_table())

    with pytest.raises(DataError, match="cannot be forecast with --tree"):
        predict_parts(Settings(), PanelFiles(parts, tree=parts), horizon=6, out=tmp_path / "out")


def test_forecasts_of_parts_never_land_in_a_folder_that_is_there(tmp_path: Path) -> None:
    _, parts = make_parts(tmp_path, make_table())

    with pytest.raises(DataError, match="Expected a new folder"):
        forecast(parts, tmp_path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_csv_file_is_divided_cell_by_cell(tmp_path: Path, encoding: str) -> None:
    rows = rows_of(make_table()).astype({"tonnes": str})
    rows.to_csv(tmp_path / "panel.csv", index=False, encoding=encoding)

    count = write_parts(tmp_path / "panel.csv", tmp_path / "parts", count=5)

    found = pq.read_table(tmp_path / "parts").to_pandas()
    assert count == 5
    assert sorted(found["tonnes"].fillna("")) == sorted(rows["tonnes"].fillna(""))
    homes = found["part"].astype(str).str.slice(0, 4).astype(int)
    assert homes.tolist() == [part_of(name, 5) for name in found["destination"]]


def test_a_panel_with_sums_is_not_divided(tmp_path: Path) -> None:
    rows_of(make_table()).assign(part_of="all").to_parquet(tmp_path / "panel.parquet")

    with pytest.raises(DataError, match="sums need all series at once"):
        write_parts(tmp_path / "panel.parquet", tmp_path / "parts", count=2)


@pytest.mark.slow
def test_a_panel_in_parts_is_never_held_whole(tmp_path: Path) -> None:
    table = make_table(series=24_000, months=72)
    file, parts = make_parts(tmp_path, table, count=24)

    there, here = (peak_kb(panel, tmp_path / "out") for panel in (parts, file))

    assert there < here / 2


def peak_kb(panel: Path, out: Path) -> int:
    """Return by how much a forecast raises the peak of resident memory of a process of its own."""
    done = subprocess.run(  # noqa: S603 - our own script, no shell
        [sys.executable, "-c", WHOLE, str(panel), str(out)],
        env={**os.environ, "PYTHONPATH": str(PROJECT_ROOT), "OMP_NUM_THREADS": "1"},
        check=True,
        capture_output=True,
        text=True,
    )
    return int(json.loads(done.stdout))
