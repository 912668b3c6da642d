from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest

from features.months import month_label, month_number
from models.evaluation.tuning import METRICS, TunedPanel, TuningResult, panel_errors, tune
from models.learning.spec import SPACE, EngineSpec, sought
from store.errors import DataError

QUICK = EngineSpec(
    pairs=300, rows=1_500, num_iterations=4, num_leaves=4, min_data_in_leaf=20, threads=1
)
FIRST = month_number("2015-01")
BEFORE = month_number("2019-12")
WILD = 1e9


def noisy_table(*, months: int = 72, series: int = 14) -> pd.DataFrame:
    """Seasonal series that also wander, from 2015-01; twelve months beyond ``BEFORE``."""
    draw = np.random.default_rng(7)
    age = np.arange(months)
    wander = 0.1 * draw.standard_normal((series, months)).cumsum(axis=1)
    season = 0.3 * np.sin(age * np.pi / 6 + np.arange(series)[:, None])
    noise = 0.1 * draw.standard_normal((series, months))
    names = pd.Index([f"S{i:02d}" for i in range(series)], name="destination")
    return pd.DataFrame(100.0 * np.exp(wander + season + noise), names, FIRST + age)


def cut(table: pd.DataFrame, name: str = "one.csv", *, before: int = BEFORE) -> TunedPanel:
    return TunedPanel.up_to(name, table, before=before, horizon=3, spec=QUICK)


def searched(*panels: TunedPanel, trials: int = 2) -> TuningResult[EngineSpec]:
    return tune(panels, trials=trials, spec=QUICK, seed=1)


@cache
def found() -> TuningResult[EngineSpec]:
    return searched(cut(noisy_table()))


def test_cutoffs_lie_half_a_year_apart_and_their_targets_end_where_the_panel_may_be_seen() -> None:
    panel = cut(noisy_table())

    assert month_label(panel.held_out) == "2019-09"
    assert [month_label(cutoff) for cutoff in panel.cutoffs] == ["2018-03", "2018-09", "2019-03"]
    assert panel.table.columns[-1] == BEFORE


def test_no_month_is_scored_both_in_the_search_and_in_the_check() -> None:
    panel = TunedPanel.up_to("one", noisy_table(), before=BEFORE, horizon=9, spec=QUICK)

    assert max(panel.cutoffs) + panel.horizon <= panel.held_out


@pytest.mark.parametrize("before", ["2014-01", "2017-12", "2021-01"])
def test_a_panel_without_room_for_search_and_check_is_reported_with_the_months_it_needs(
    before: str,
) -> None:
    with pytest.raises(
        DataError, match=f"no search up to {before}. Expected .* at least 38 months up to it"
    ):
        cut(noisy_table(), before=month_number(before))


@pytest.mark.slow
def test_the_first_trial_is_the_present_spec_and_all_others_are_measured_by_it() -> None:
    trials = found().trials

    assert trials["trial"].tolist() == [0, 1]
    assert trials.loc[0, list(sought(QUICK))].to_dict() == sought(QUICK)
    assert trials.loc[0, "ratio"] == 1.0
    errors = trials[[f"one.csv_{metric}" for metric in METRICS]].to_numpy()
    assert trials.loc[1, "ratio"] == pytest.approx((errors[1] / errors[0]).mean())


@pytest.mark.slow
def test_the_best_trial_is_the_spec_found_and_only_what_is_sought_differs() -> None:
    result = found()

    row = result.trials.loc[result.trials["ratio"].idxmin()]
    assert result.best == row["trial"]
    assert result.searched == pytest.approx(row["ratio"])
    assert sought(result.spec) == row[list(sought(QUICK))].to_dict()
    assert replace(result.spec, **sought(QUICK)) == QUICK
    assert set(result.changed) <= {choice.name for choice in SPACE}


@pytest.mark.slow
def test_months_after_the_last_allowed_change_nothing() -> None:
    table = noisy_table()
    table.loc[:, BEFORE + 1 :] = WILD

    poisoned = searched(cut(table))

    pd.testing.assert_frame_equal(poisoned.trials, found().trials, check_exact=True)
    pd.testing.assert_frame_equal(poisoned.gains, found().gains, check_exact=True)


@pytest.mark.slow
def test_months_of_the_check_do_not_change_the_search() -> None:
    table = noisy_table()
    panel = cut(table)
    table.loc[:, panel.held_out + 1 :] = WILD

    poisoned = searched(cut(table))

    pd.testing.assert_frame_equal(poisoned.trials, found().trials, check_exact=True)
    assert panel_errors(cut(table), (panel.held_out,), QUICK)[0] > 1e3


@pytest.mark.slow
def test_a_forecast_does_not_see_the_months_it_is_scored_on() -> None:
    table = noisy_table()
    panel = cut(table)
    cutoff = panel.cutoffs[-1]
    table.loc[:, cutoff + 1 : cutoff + 3] = np.nan
    table.loc["S03", cutoff + 1] = 0.0

    blank = panel_errors(cut(table), (cutoff,), QUICK)
    table.loc["S03", cutoff + 1] = WILD
    wild = panel_errors(cut(table), (cutoff,), QUICK)

    scale = np.abs(noisy_table().loc["S03", :cutoff].diff(12)).mean()
    assert wild[0] + blank[0] == pytest.approx(WILD / scale)


@pytest.mark.slow
def test_what_is_best_on_other_panels_is_reported_of_each() -> None:
    other = cut(np.sqrt(noisy_table()), "two.csv")
    result = searched(cut(noisy_table()), other)

    gains = result.gains.set_index("panel")
    assert list(gains.index) == ["one.csv", "two.csv"]
    assert gains[["searched", "held_out", "left_out"]].notna().all(axis=None)
    ratio = result.trials.filter(like="two.csv_").to_numpy()
    best_on_two = (ratio / ratio[0]).mean(axis=1).argmin()
    on_one = result.trials.filter(like="one.csv_").to_numpy()
    wanted = (on_one / on_one[0]).mean(axis=1)[best_on_two]
    assert gains.loc["one.csv", "left_out"] == pytest.approx(wanted)


def test_a_panel_without_an_error_to_score_is_refused_by_name() -> None:
    still = noisy_table() * 0.0 + 5.0

    with pytest.raises(DataError, match=r"Panel one.csv has no error .* 0 cells are scored"):
        searched(cut(still))
