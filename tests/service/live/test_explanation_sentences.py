import pytest

from service.queries.explanation_sentences import (
    CAUSES,
    CHANGE_CAUSES,
    change_sentences,
    forecast_sentences,
)
from service.words import MINUS
from store.vocabulary import CHANGES, CONTRIBUTIONS


def parts(**changes: float) -> dict[str, float]:
    return dict.fromkeys(CONTRIBUTIONS, 0.0) | {"level": 480.0} | changes


def changed(**changes: float) -> dict[str, float]:
    return dict.fromkeys(CHANGES, 0.0) | changes


def test_every_part_has_its_words() -> None:
    own = {"past_errors", "reconciliation", "level"}  # shown as adjustment, or as the first part

    assert {*CAUSES} - {"adjustment"} == {*CONTRIBUTIONS} - own
    assert {*CHANGE_CAUSES} == {*CHANGES}


LEVEL = "The average of the last twelve months, estimates included, is "


@pytest.mark.parametrize(
    ("contributions", "total", "sentences"),
    [
        ({"season": 22.0, "momentum": -14.0, "tariffs": -9.0, "world": 6.0, "experts": 5.4,
          "past_errors": 1.2, "policy": 0.4}, "492 t",
         [(f"{LEVEL}480 t; seasonal pattern: +22 t; recent months ran below the yearly average: "
          f"{MINUS}14 t; tariffs: {MINUS}9 t."),
          ("Smaller effects: world market: +6 t; statistical extrapolation of past months: +5 t; "
          "model adjustment: +2 t.")]),
        ({"level": 100.4, "season": 0.4, "momentum": 0.4, "tariffs": 0.4}, "102 t",
         [f"{LEVEL}101 t; model adjustment: +1 t."]),
        ({"level": 5_000.0}, "5,000 t", [f"{LEVEL}5,000 t."]),
        ({"past_errors": -40.0, "reconciliation": 65.0, "not_reproduced": 5.0}, "510 t",
         [f"{LEVEL}480 t; model adjustment: +30 t."]),
    ],
    ids=["all parts", "rounding keeps the sum", "level alone", "adjustments are one part"],
)  # fmt: skip
def test_the_sentences_of_a_forecast_add_up_to_its_median(
    contributions: dict[str, float], total: str, sentences: list[str]
) -> None:
    assert forecast_sentences("USA", "2027-01", parts(**contributions)) == [
        f"United States, January 2027: {total}.", *sentences,
    ]  # fmt: skip


def test_few_tonnes_are_in_tenths_and_a_small_rest_stands_alone() -> None:
    head, _ = forecast_sentences("ITA", "2026-03", parts(level=4.0, tariffs=-0.25))
    rest = parts(level=500.0, season=9.0, momentum=8.0, tariffs=7.0, world=2.0, policy=1.0)

    assert head == "Italy, March 2026: 3.8 t."
    assert forecast_sentences("USA", "2027-01", rest)[2] == "Model adjustment: +3 t."


@pytest.mark.parametrize(
    ("changes", "compared", "causes"),
    [
        ({"tariffs": 40.0}, "40 t more than", "New tariffs: +40 t."),
        ({"tariffs": -8.0}, "8 t less than", f"New tariffs: {MINUS}8 t."),
        ({}, "the same as", "No cause of change."),
        ({"policy": 9.0, "model": -9.0}, "the same as",
         f"New policy events: +9 t; newer model: {MINUS}9 t."),
    ],
)  # fmt: skip
def test_a_change_names_both_days_and_every_cause(
    changes: dict[str, float], compared: str, causes: str
) -> None:
    days = ("2026-03-25", "2026-04-25")

    assert change_sentences("JPN", "2026-05", changed(**changes), after=512.0, days=days) == [
        f"Japan, May 2026: 512 t as of 2026-04-25, {compared} on 2026-03-25.", causes,
    ]  # fmt: skip
