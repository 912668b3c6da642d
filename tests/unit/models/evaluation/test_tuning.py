from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from models.evaluation.tuning import METRICS, TuningResult, tune
from models.learning.parameters import MAGNETS_PRESET, SEARCH_SPACE, ModelParameters, search_values
from store.errors import DataError
from tests.data.builders import at

AS_OF = at("2026-01-15")
SPEC = replace(MAGNETS_PRESET, num_leaves=4)
EARLY, LATE = at("2024-10-01"), at("2025-10-01")


def cells_of(parameters: ModelParameters, *, late: float = 1.0) -> pd.DataFrame:
    """Build two cells whose errors fall with the leaves, one searched, one held out."""
    error = 10.0 / parameters.num_leaves
    return pd.DataFrame(
        {
            "as_of": [EARLY, LATE], "model": "magnetcast", "destination": "USA", "lead": 2,
            "scaled_error": [error, late * error],
            "scaled_quantile_loss": [error / 2.0, late * error / 3.0],
            "absolute_error": error, "tonnes": 100.0, "p10": 90.0, "p50": 100.0 + error,
            "p90": 120.0, "is_covered": True,
        }
    )  # fmt: skip


def searched(
    backtested: Callable[[ModelParameters], pd.DataFrame] = cells_of, trials: int = 6
) -> TuningResult:
    return tune(backtested, AS_OF, trials=trials, parameters=SPEC)


def test_the_first_trial_is_the_present_spec_and_all_others_are_measured_by_it() -> None:
    trials = searched().trials

    assert trials["trial"].tolist() == list(range(6))
    assert trials.loc[0, list(search_values(SPEC))].to_dict() == search_values(SPEC)
    assert (trials.loc[0, "ratio"], trials.loc[0, "held_out"]) == (1.0, 1.0)
    errors = trials[list(METRICS)].to_numpy()
    assert trials["ratio"].to_numpy() == pytest.approx((errors / errors[0]).mean(axis=1))


def test_the_best_trial_is_the_spec_found_and_only_what_is_sought_differs() -> None:
    result = searched()

    row = result.trials.loc[result.trials["ratio"].idxmin()]
    assert result.best == row["trial"] > 0
    assert result.searched == pytest.approx(row["ratio"])
    assert search_values(result.parameters) == row[list(search_values(SPEC))].to_dict()
    assert replace(result.parameters, **search_values(SPEC)) == SPEC
    assert set(result.changed) <= set(SEARCH_SPACE)


def test_every_group_of_leads_weighs_alike_and_its_bias_is_shown() -> None:
    def nowcast_gets_worse(parameters: ModelParameters) -> pd.DataFrame:
        ahead, over = cells_of(parameters), cells_of(parameters).assign(lead=0)
        over["scaled_error"], over["scaled_quantile_loss"] = 1.0 / ahead["scaled_error"], 1.0
        return pd.concat([ahead, ahead, ahead, over])

    result = searched(nowcast_gets_worse)

    leaves = result.trials["num_leaves"].to_numpy() / SPEC.num_leaves
    assert result.trials["ratio"].to_numpy() == pytest.approx((2.0 / leaves + leaves + 1.0) / 4.0)
    assert result.leads.index.tolist() == ["over", "1-3"]
    error = 10.0 / result.parameters.num_leaves
    assert result.leads["bias"].to_numpy() == pytest.approx(error / 100.0)
    assert result.leads["bias_untuned"].to_numpy() == pytest.approx(10.0 / 4 / 100.0)


@pytest.mark.slow
def test_the_origins_held_out_do_not_change_the_search() -> None:
    def wild(parameters: ModelParameters) -> pd.DataFrame:
        return cells_of(parameters, late=float(parameters.num_leaves) ** 3)

    usual, other = searched(), searched(wild)

    both = [result.trials.drop(columns="held_out") for result in (usual, other)]
    pd.testing.assert_frame_equal(*both, check_exact=True)
    assert usual.held_out < 1.0 < other.held_out


@pytest.mark.parametrize(
    ("moment", "words"), [(LATE, "before"), (EARLY, "after")], ids=["late alone", "early alone"]
)
def test_without_origins_to_search_or_to_check_nothing_is_sought(
    moment: pd.Timestamp, words: str
) -> None:
    with pytest.raises(DataError, match=f"No month is scored {words} 2025-01-15"):
        searched(lambda parameters: cells_of(parameters).assign(as_of=np.full(2, moment)))
