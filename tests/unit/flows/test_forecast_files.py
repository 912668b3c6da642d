from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import magnetcast as mc
from flows.panels.forecast_files import against
from flows.panels.panel_files import PanelFiles
from models.forecasting.model_names import MODEL
from store.errors import DataError
from store.vocabulary import QUANTILE_COLUMNS

MONTHS = pd.date_range("2020-01", "2022-02", freq="MS")


@pytest.fixture
def panel() -> pd.DataFrame:
    """Two series: 10, then 12 a year on (a usual change of 2), and 13 in the months to score."""
    values = [10.0] * 12 + [12.0] * 12 + [13.0] * 2
    parts = [pd.DataFrame({"unique_id": name, "ds": MONTHS, "y": values}) for name in "AB"]
    return pd.concat(parts, ignore_index=True)


def cells(**columns: object) -> pd.DataFrame:
    """Forecasts of January 2022 from December, and of February, for both series."""
    rows = pd.MultiIndex.from_product([["A", "B"], MONTHS[-2:]], names=["unique_id", "ds"])
    return rows.to_frame(index=False).assign(cutoff="2021-12", **columns)


def test_forecasts_of_others_are_scored_on_the_cells_that_all_have(
    panel: pd.DataFrame, tmp_path: Path
) -> None:
    mine = cells(p10=11.0, p50=[12.0, 12.0, 12.0, 99.0], p90=12.5, model="mine")
    theirs = cells(ETS=16.0, **{"ETS-lo-80": 13.0, "ETS-hi-80": 20.0}).iloc[:3]
    mine.rename(columns={"unique_id": "destination", "ds": "period"}).to_csv(
        tmp_path / "mine.csv", index=False
    )

    table = mc.compare_forecasts(panel, tmp_path / "mine.csv", theirs)

    every = table.loc[table["cutoff"].eq("all")].set_index("metric")
    assert list(table["cutoff"].unique()) == ["all", "2021-12"]
    assert set(every["model"]) == {"mine"}
    assert set(every["baseline"]) == {"ETS"}
    assert (every["cells"] == 3).all()
    # Errors of 1 and 3 to a usual change of 2. Quantiles lose 0.2, 0.5, 0.45 and 0, 1.5, 0.7,
    # doubled, by three and by the usual change.
    expected = {
        "mase": (0.5, 1.5),
        "sql": (1.15 / 3, 2.2 / 3),
        "wape": (1 / 13, 3 / 13),
        "bias": (-1 / 13, 3 / 13),
        "coverage80": (0.0, 1.0),
    }
    for metric, scores in expected.items():
        made = every.loc[metric, ["score", "baseline_score"]].astype(float)
        np.testing.assert_allclose(made, scores, err_msg=metric)
    assert every.loc["mase", "p95"] == pytest.approx(-1.0)
    assert every.loc["mase", "verdict"] == "better"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cutoff": "2019-12"}, "share no cell"),
        ({"unique_id": "A", "ds": "2022-01"}, "have A in 2022-01 from 2021-12 of model 2 twice"),
        ({"p50": "many"}, "A: row 0: p50 'many' is no number"),
    ],
    ids=["cutoff", "twice", "text"],
)
def test_forecasts_that_cannot_be_compared_are_refused(
    panel: pd.DataFrame, change: dict[str, object], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        mc.compare_forecasts(panel, cells(p50=1.0), cells(p50=2.0).assign(**change))


def test_a_file_stands_beside_the_engine_under_its_own_name(
    panel: pd.DataFrame, tmp_path: Path
) -> None:
    own = cells(model=MODEL, mean=13.0, **dict.fromkeys(QUANTILE_COLUMNS, 13.0))
    own = own.rename(columns={"unique_id": "destination", "ds": "period"})
    cells(p50=16.0).to_csv(tmp_path / "naive.csv", index=False)

    table = against(PanelFiles(panel), own, [tmp_path / "naive.csv"])

    assert set(table["baseline"]) == {"naive"}
    assert table.set_index("metric").loc["mase", "score"].tolist() == [0.0, 0.0]
    assert table["score"].notna().sum() == 8  # both cutoffs, but for coverage, which has no band
