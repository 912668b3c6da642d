import pytest

from service.queries.explain import (
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


def test_a_forecast_is_reported_in_three_sentences_whose_numbers_add_up() -> None:
    result = parts(
        season=22.0, momentum=-14.0, tariffs=-9.0, world=6.0, experts=5.4, past_errors=1.2,
        policy=0.4,
    )  # fmt: skip

    assert forecast_sentences("USA", "2027-01", result) == [
        "United States, January 2027: 492 t.",
        (
            "The average of the last twelve months, estimates included, is "
            "480 t; seasonal pattern: +22 t; recent "
            f"months ran below the yearly average: {MINUS}14 t; tariffs: {MINUS}9 t."
        ),
        (
            "Smaller effects: world market: +6 t; statistical extrapolation of past months: +5 t; "
            "model adjustment: +2 t."
        ),
    ]


def test_rounding_never_breaks_the_sum() -> None:
    result = parts(level=100.4, season=0.4, momentum=0.4, tariffs=0.4)

    assert forecast_sentences("DEU", "2026-03", result) == [
        "Germany, March 2026: 102 t.",
        (
            "The average of the last twelve months, estimates included, is "
            "101 t; model adjustment: +1 t."
        ),
    ]


def test_few_tonnes_are_reported_in_tenths() -> None:
    head, _ = forecast_sentences("ITA", "2026-03", parts(level=4.0, tariffs=-0.25))

    assert head == "Italy, March 2026: 3.8 t."


def test_a_forecast_that_nothing_moves_is_its_level() -> None:
    assert forecast_sentences("WLD", "2026-03", parts(level=5_000.0)) == [
        "World, March 2026: 5,000 t.",
        "The average of the last twelve months, estimates included, is 5,000 t.",
    ]


def test_what_says_nothing_about_the_trade_is_one_part() -> None:
    result = parts(past_errors=-40.0, reconciliation=65.0) | {"not_reproduced": 5.0}

    assert forecast_sentences("USA", "2026-03", result)[1].endswith("; model adjustment: +30 t.")


@pytest.mark.parametrize(
    ("moved", "head"),
    [
        (40.0, "Japan, May 2026: 512 t as of 2026-04-25, 40 t more than on 2026-03-25."),
        (-8.0, "Japan, May 2026: 512 t as of 2026-04-25, 8 t less than on 2026-03-25."),
    ],
)
def test_a_change_is_reported_with_both_days(moved: float, head: str) -> None:
    result = change_sentences(
        "JPN", "2026-05", changed(tariffs=moved), after=512.0, days=("2026-03-25", "2026-04-25")
    )

    sign = "+" if moved > 0 else MINUS
    assert result == [head, f"New tariffs: {sign}{abs(moved):.0f} t."]


def test_no_change_is_reported_as_none() -> None:
    result = change_sentences(
        "JPN", "2026-05", changed(), after=512.0, days=("2026-03-25", "2026-04-25")
    )

    assert result == [
        "Japan, May 2026: 512 t as of 2026-04-25, the same as on 2026-03-25.",
        "No cause of change.",
    ]


def test_changes_that_cancel_out_are_reported_all_the_same() -> None:
    result = change_sentences(
        "JPN",
        "2026-05",
        changed(policy=9.0, model=-9.0),
        after=512.0,
        days=("2026-03-25", "2026-04-25"),
    )

    assert result[0].endswith("the same as on 2026-03-25.")
    assert result[1] == f"New policy events: +9 t; newer model: {MINUS}9 t."


def test_what_is_left_is_reported_alone_where_nothing_else_is_large() -> None:
    result = parts(level=500.0, season=9.0, momentum=8.0, tariffs=7.0, world=2.0, policy=1.0)

    assert forecast_sentences("USA", "2027-01", result)[2] == "Model adjustment: +3 t."
