import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models.forecasting.snapshot import Snapshot

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "benchmarks"))

from policy_imports import announced, duty_covariates, forecasts_at, known_on, read_steps, rise_of

from models.learning.parameters import PANEL_PRESET
from store.months import month_number
from tests.data.builders import make_table

SERIES = ["China|333", "China|334", "Germany|333", "Korea, South|336", "Mexico|311"]
CUTOFF = month_number("2018-08")
QUICK = replace(PANEL_PRESET, num_iterations=12, min_data_in_leaf=20, threads=1)


def imports(last: str = "2019-06") -> pd.DataFrame:
    """A panel with the names of US imports."""
    months = month_number(last) - month_number("2015-01") + 1
    table = make_table(months=months, series=len(SERIES), start="2015-01")
    return table.set_axis(pd.Index(SERIES, name="destination"), axis=0)


def test_a_duty_is_unknown_before_it_is_announced_and_its_end_before_it_is_reported() -> None:
    steps = read_steps()
    may = np.array([month_number("2019-02")])

    def duty(day: str) -> float:
        return float(announced(steps, ["China|337"], may, pd.Timestamp(day))[0, 0])

    assert duty("2018-09-16") == 0.0
    assert duty("2018-09-17") == pytest.approx(0.9 * 25.0)
    assert duty("2018-12-01") == pytest.approx(0.9 * 10.0)


def test_acts_announced_after_a_cutoffs_figures_came_out_change_no_covariate(
    tmp_path: Path,
) -> None:
    steps = read_steps()
    late = steps["announced_on"] > known_on(CUTOFF)
    told_late = steps["end_known_on"] > known_on(CUTOFF)
    poisoned = steps.assign(
        points=steps["points"].where(~late, 900.0),
        effective_to=steps["effective_to"].mask(told_late, pd.Timestamp("2018-09-30")),
    )

    true, false = (
        duty_covariates(imports(), 6, tmp_path, result).at(CUTOFF, 6)
        for result in (steps, poisoned)
    )

    assert late.any()
    assert told_late.any()
    np.testing.assert_array_equal(true, false)
    assert true[0, 0, -1] > 0


@pytest.mark.slow
def test_months_and_acts_after_the_cutoff_change_no_forecast(tmp_path: Path) -> None:
    steps, table = read_steps(), imports()
    late = steps["announced_on"] > known_on(CUTOFF)
    wild = table.copy()
    wild.loc[:, CUTOFF + 1 :] = 1e9
    poisoned = steps.assign(points=steps["points"].where(~late, 900.0))

    true, false = (
        forecasts_at(informed(one, tmp_path, result), CUTOFF, parameters=QUICK)
        for one, result in ((table, steps), (wild, poisoned))
    )

    pd.testing.assert_frame_equal(true, false, check_exact=True)


def test_a_series_is_hit_in_the_month_of_the_news_not_after() -> None:
    task = Snapshot.of_panel(imports(), 6)

    def rise(cutoff: str) -> float:
        found = rise_of(task, read_steps(), month_number(cutoff)).set_index("destination")
        return float(found.loc["China|333", "rise"])

    assert rise("2018-08") > 5.0
    assert rise("2018-09") == 0.0


def informed(table: pd.DataFrame, folder: Path, steps: pd.DataFrame) -> Snapshot:
    return replace(quick(table), covariates=duty_covariates(table, 6, folder, steps))


def quick(table: pd.DataFrame) -> Snapshot:
    return Snapshot.of_panel(table, 6)
