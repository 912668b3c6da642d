from dataclasses import replace

import pandas as pd
import pytest

from models.evaluation.compare import CHALLENGER, CHAMPION, paired_cells, rule_losses
from models.evaluation.promotion import Challenge, PromotionDecision, judge
from tests.data.cell_builders import make_cells


def trial_of(
    challenger: pd.DataFrame, champion: pd.DataFrame, *, is_refit: bool = False
) -> Challenge:
    return Challenge(
        paired_cells(challenger, champion),
        challenger,
        is_first=False,
        is_refit=is_refit,
        is_older=False,
    )


def broken(decision: PromotionDecision) -> list[str]:
    return [rule.rule for rule in decision.broken]


def test_a_better_challenger_passes_every_rule() -> None:
    decision = judge(trial_of(make_cells(), make_cells(bias=0.3)))

    assert decision.is_passed
    assert set(decision.table["verdict"]) == {"held"}


def test_a_worse_challenger_is_refused_by_loss_and_by_its_worst_destination() -> None:
    decision = judge(trial_of(make_cells(bias=0.25), make_cells()))

    assert {"loss against the champion", "worst destination"} <= set(broken(decision))


def test_new_parameters_as_good_as_the_champions_are_refused_and_a_refit_passes() -> None:
    cells = make_cells()

    assert broken(judge(trial_of(cells, cells))) == ["loss against the champion"]
    assert judge(trial_of(cells, cells, is_refit=True)).is_passed


def test_one_ruined_destination_is_refused_whatever_the_rest_gains() -> None:
    challenger = make_cells()
    challenger = challenger.where(challenger["destination"] != "ITA", make_cells(bias=0.6))

    decision = judge(trial_of(challenger, make_cells(bias=0.2)))

    assert "worst destination" in broken(decision)
    assert "ITA" in decision.reasons


def test_a_band_far_too_narrow_is_refused() -> None:
    decision = judge(trial_of(make_cells(narrow=0.2), make_cells(bias=0.3, narrow=0.2)))

    assert broken(decision) == ["80% band"]


@pytest.mark.parametrize(
    ("narrow", "is_held"), [(0.7, False), (1.0, True), (2.5, False)], ids=["narrow", "80%", "wide"]
)
def test_a_band_of_a_year_covers_65_to_95_percent_and_the_bias_is_told(
    narrow: float, *, is_held: bool
) -> None:
    cells = make_cells(origins=24, bias=0.05, narrow=narrow)

    decision = judge(trial_of(cells, cells, is_refit=True))

    band = next(rule for rule in decision.rules if rule.rule == "80% band")
    assert (band.verdict == "held") == is_held
    assert "of 25 months; by lead over" in band.measured
    assert "(bias +5%)" in band.measured


def test_months_already_over_do_not_make_up_for_a_band_too_narrow_ahead() -> None:
    wide, narrow = make_cells(origins=24), make_cells(origins=24, narrow=0.3)
    cells = wide.where(wide["lead"] <= 0, narrow)
    nowcasts = pd.concat([wide.loc[wide["lead"] <= 0]] * 4)

    decision = judge(replace(trial_of(cells, cells), challenger_cells=pd.concat([cells, nowcasts])))

    band = next(rule for rule in decision.broken if rule.rule == "80% band")
    assert float(band.measured.split("%")[0].split()[-1]) > 65


def test_a_lead_that_gets_much_worse_is_refused_whatever_the_rest_gains() -> None:
    challenger = make_cells(origins=30)
    ahead = challenger["lead"] > 0
    challenger = challenger.where(~ahead, make_cells(origins=30, bias=0.4))
    champion = make_cells(origins=30, bias=0.9).where(~ahead, make_cells(origins=30, bias=0.2))

    decision = judge(trial_of(challenger, champion))

    assert set(broken(decision)) == {"worst lead", "80% band"}
    assert "worst lead: 1-3 +" in decision.reasons


def test_a_refit_of_the_champions_parameters_needs_no_many_origins() -> None:
    same = make_cells(origins=4)

    trial = trial_of(same, same, is_refit=True)

    assert judge(trial).is_passed
    assert "paired origins" in broken(judge(replace(trial, is_refit=False)))
    assert "paired origins" not in broken(judge(replace(trial, is_refit=False, fewest=4)))


@pytest.mark.parametrize(
    ("change", "rule"),
    [({"is_older": True}, "is newer"), ({"rolled_back": "no good"}, "was not rolled back")],
    ids=["older", "rolled-back"],
)
def test_a_challenger_that_is_old_or_was_taken_back_is_refused(
    change: dict[str, object], rule: str
) -> None:
    trial = replace(trial_of(make_cells(), make_cells(bias=0.3)), **change)

    assert broken(judge(trial)) == [rule]


def test_the_first_champion_needs_no_predecessor_and_no_month_to_score() -> None:
    nothing = pd.DataFrame()

    decision = judge(Challenge(nothing, nothing, is_first=True, is_refit=False, is_older=False))

    assert decision.is_passed
    assert set(decision.table["verdict"]) == {"held", "waived"}


def test_a_pair_without_a_common_month_waits_for_a_person() -> None:
    decision = judge(trial_of(make_cells(), pd.DataFrame()))

    assert not decision.is_passed
    assert not decision.is_compared
    assert broken(decision) == []
    open_rules = [rule.rule for rule in decision.of("not compared")]
    assert open_rules == [
        "paired origins", "loss against the champion", "worst destination", "worst lead",
    ]  # fmt: skip


def test_a_refit_passes_by_its_parameters_where_nothing_is_kept_to_compare_with() -> None:
    decision = judge(trial_of(make_cells(), pd.DataFrame(), is_refit=True))

    assert decision.is_passed
    verdicts = decision.table.set_index("rule")["verdict"]
    assert verdicts["same parameters"] == "held"
    assert verdicts["loss against the champion"] == "waived"


def test_the_champion_is_scored_on_the_months_as_known_now() -> None:
    challenger = make_cells()
    stale = make_cells().assign(tonnes=1.0, scaled_quantile_loss=99.0, absolute_error=99.0)

    pairs = paired_cells(challenger, stale)

    loss = pairs.groupby("model")["scaled_quantile_loss"].mean()
    assert loss[CHALLENGER] == pytest.approx(loss[CHAMPION])


def test_margins_of_refits_do_not_add_up_over_a_year() -> None:
    a_bit_worse = trial_of(make_cells(bias=0.21), make_cells(bias=0.2), is_refit=True)
    best = paired_cells(a_bit_worse.challenger_cells, make_cells())

    assert judge(a_bit_worse).is_passed
    ratcheted = judge(replace(a_bit_worse, best=best))
    assert broken(ratcheted) == ["loss against the best champion of a year"]


def with_rule(cells: pd.DataFrame, *, bias: float) -> pd.DataFrame:
    rule = make_cells(bias=bias).assign(model="last_value")
    return rule_losses(pd.concat([cells, rule], ignore_index=True))


@pytest.mark.parametrize("is_first", [True, False], ids=["first", "later"])
def test_a_model_that_loses_to_a_simple_rule_beyond_chance_is_refused_first_or_later(
    *, is_first: bool
) -> None:
    cells = make_cells(bias=0.4)
    later = trial_of(cells, cells, is_refit=True)
    trial = replace(later, rule_losses=with_rule(cells, bias=0.0))
    if is_first:
        trial = replace(trial, cells=pd.DataFrame(), is_first=True, is_refit=False)

    decision = judge(trial)

    assert "loss against simple rules" in broken(decision)
    assert decision.better_rule == "last_value"
    assert "of last_value (+" in decision.reasons
    assert judge(replace(trial, rule_losses=rule_losses(cells))).better_rule == ""


def test_a_model_as_good_as_a_simple_rule_passes() -> None:
    cells = make_cells()

    decision = judge(
        replace(trial_of(cells, cells, is_refit=True), rule_losses=with_rule(cells, bias=0.0))
    )

    assert decision.is_passed
    assert decision.better_rule == ""
