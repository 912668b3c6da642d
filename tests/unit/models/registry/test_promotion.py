from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from models.evaluation.promotion import (
    CHALLENGER,
    CHAMPION,
    Challenge,
    PromotionDecision,
    judge,
    paired_cells,
)
from models.evaluation.scores import cell_scores
from models.forecasting.forecaster import MODEL
from store.vocabulary import QUANTILE_COLUMNS

WIDTH = (-0.33, -0.26, -0.13, 0.0, 0.13, 0.26, 0.33)
"""A calibrated band of noise of 20 percent."""


def make_cells(*, origins: int = 20, bias: float = 0.0, narrow: float = 1.0) -> pd.DataFrame:
    """Build cells of a backtest: six destinations, two horizons, noise of 20 percent."""
    rng = np.random.default_rng(3)
    rows = []
    for number in range(origins):
        cutoff = pd.Period("2022-01", freq="M") + number
        for destination in ("USA", "DEU", "JPN", "KOR", "ITA", "WLD"):
            for horizon in (1, 2):
                wide = {
                    name: 100.0 * (1.0 + bias) * (1.0 + narrow * step)
                    for name, step in zip(QUANTILE_COLUMNS, WIDTH, strict=True)
                }
                rows.append(
                    {
                        "model": MODEL, "as_of": pd.Timestamp(f"{cutoff + 1}-25", tz="UTC"),
                        "cutoff": str(cutoff), "destination": destination,
                        "period": (cutoff + horizon).to_timestamp(), "horizon": horizon,
                        **wide, "mean": 100.0 * (1.0 + bias),
                    }
                )  # fmt: skip
    said = pd.DataFrame(rows)
    truth = said[["destination", "period"]].drop_duplicates()
    truth = truth.assign(tonnes=100.0 * (1.0 + 0.2 * rng.normal(size=len(truth))))
    scale = said[["destination", "cutoff"]].drop_duplicates().assign(scale=20.0)
    return cell_scores(said, truth, scale)


def trial_of(
    challenger: pd.DataFrame, champion: pd.DataFrame, *, is_refit: bool = False
) -> Challenge:
    return Challenge(
        paired_cells(challenger, champion),
        challenger,
        is_first=False,
        is_refit=is_refit,
        is_older=False,
        shadow="forecast of 2023-09-25",
    )


def broken(decision: PromotionDecision) -> list[str]:
    return [rule.rule for rule in decision.broken]


def test_a_better_challenger_that_was_in_shadow_passes_every_rule() -> None:
    decision = judge(trial_of(make_cells(), make_cells(bias=0.3)))

    assert decision.is_passed
    assert set(decision.table["verdict"]) == {"held"}


def test_a_worse_challenger_is_refused_by_loss_and_by_its_worst_destination() -> None:
    decision = judge(trial_of(make_cells(bias=0.25), make_cells()))

    assert {"loss against the champion", "worst destination"} <= set(broken(decision))
    assert "worse" in decision.reasons


def test_one_ruined_destination_is_refused_whatever_the_rest_gains() -> None:
    champion = make_cells(bias=0.2)
    ruined = make_cells(bias=0.6)
    challenger = make_cells()
    rows = challenger["destination"] == "ITA"
    challenger = challenger.where(~rows, ruined)

    decision = judge(trial_of(challenger, champion))

    assert "worst destination" in broken(decision)
    assert "ITA" in decision.reasons


def test_a_band_far_too_narrow_is_refused() -> None:
    decision = judge(trial_of(make_cells(narrow=0.2), make_cells(narrow=0.2)))

    assert broken(decision) == ["80 % band"]


def test_few_origins_tell_a_new_recipe_from_no_other() -> None:
    assert broken(judge(trial_of(make_cells(origins=11), make_cells(origins=11)))) == [
        "paired origins"
    ]


def test_a_refit_of_the_champions_recipe_needs_neither_shadow_nor_many_origins() -> None:
    same = make_cells(origins=4)

    trial = replace(trial_of(same, same, is_refit=True), shadow="")

    assert judge(trial).is_passed
    assert broken(judge(replace(trial, is_refit=False))) == ["paired origins", "shadow"]


def test_a_new_recipe_waits_for_a_release_in_shadow_unless_told_otherwise() -> None:
    trial = replace(trial_of(make_cells(), make_cells()), shadow="")

    assert broken(judge(trial)) == ["shadow"]
    assert judge(replace(trial, needs_shadow=False)).is_passed


@pytest.mark.parametrize(
    ("change", "rule"),
    [({"is_older": True}, "is newer"), ({"rolled_back": "no good"}, "was not rolled back")],
    ids=["older", "rolled-back"],
)
def test_a_challenger_that_is_old_or_was_taken_back_is_refused(
    change: dict[str, object], rule: str
) -> None:
    trial = replace(trial_of(make_cells(), make_cells()), **change)  # type: ignore[arg-type]

    assert broken(judge(trial)) == [rule]


def test_the_first_champion_needs_no_predecessor_and_no_month_to_score() -> None:
    nothing = pd.DataFrame()

    decision = judge(Challenge(nothing, nothing, is_first=True, is_refit=False, is_older=False))

    assert decision.is_passed
    assert set(decision.table["verdict"]) == {"held", "waived"}


def test_a_pair_without_a_common_month_is_refused() -> None:
    decision = judge(trial_of(make_cells(), pd.DataFrame()))

    assert "loss against the champion" in broken(decision)


def test_the_champion_is_scored_on_the_months_as_known_now() -> None:
    challenger = make_cells()
    stale = make_cells().assign(tonnes=1.0, scaled_quantile_loss=99.0, absolute_error=99.0)

    pairs = paired_cells(challenger, stale)

    loss = pairs.groupby("model")["scaled_quantile_loss"].mean()
    assert loss[CHALLENGER] == pytest.approx(loss[CHAMPION])
