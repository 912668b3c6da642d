from pathlib import Path

import pandas as pd
import pytest

from service.charts.fan import ReportInput
from service.report.report import fans_of, write_report
from store.vocabulary import FORECAST_COLUMNS
from tests.service.builders import (
    AS_OF,
    CUTOFF,
    make_forecasts,
    make_panel,
    make_scores,
)


def make_table_report(**changes: object) -> ReportInput:
    names = {"EU27_REST": "FRA", "ROW": "MEX"}
    forecasts = make_forecasts()
    history = make_panel()[["destination", "period", "tonnes"]].assign(
        stderr_t=0.0, kind="observed"
    )
    result = {
        "commodity": "850511",
        "as_of": AS_OF,
        "cutoff": CUTOFF,
        "forecasts": forecasts.assign(destination=forecasts["destination"].replace(names)),
        "panel": history.assign(destination=history["destination"].replace(names)),
        "scores": make_scores(),
        "notes": ("2026-05: late, so missing and not zero: <USA>",),
        "model_version": "partners-1",
        "data_vintage": "f00d",
        "sections": False,
    }
    return ReportInput(**{**result, **changes})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("reports") / "2026-11-24-850511"
    write_report(make_table_report(), target)
    return target


def test_the_folder_holds_the_page_the_forecasts_and_the_scores(folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} == {
        "index.html", "forecasts.csv", "scores.csv",
    }  # fmt: skip
    assert tuple(pd.read_csv(folder / "forecasts.csv").columns) == FORECAST_COLUMNS


def test_the_page_names_every_destination_the_commodity_and_the_oddities(folder: Path) -> None:
    page = (folder / "index.html").read_text(encoding="utf-8")

    assert "commodity 850511 to 10 destinations" in page
    assert page.count('<td class="text wrap">') == 12
    for name in ("World", "European Union (27)", "France", "Mexico", "Germany"):
        assert f'class="text">{name}</th>' in page
    assert "late, so missing and not zero: &lt;USA&gt;" in page
    assert "<script" not in page


def test_a_label_is_said_with_the_code_and_may_be_anything_that_prints(tmp_path: Path) -> None:
    result = make_table_report(label="磁 <magnets>", pictures=False)

    page = write_report(result, tmp_path / "written").read_text(encoding="utf-8")

    assert "<h1>China's exports of 磁 &lt;magnets&gt; (850511) to 10 destinations" in page


def test_sums_come_first_and_then_the_largest() -> None:
    assert [fan.destination for fan in fans_of(make_table_report())[:4]] == [
        "WLD",
        "EU27",
        "MEX",
        "DEU",
    ]


@pytest.mark.slow
def test_without_a_backtest_the_page_states_so(tmp_path: Path) -> None:
    result = make_table_report(scores=pd.DataFrame(), notes=(), pictures=False)
    page = write_report(result, tmp_path / "report")

    text = page.read_text(encoding="utf-8")
    assert "its accuracy is not known" in text
    assert "Notes on the figures" not in text
