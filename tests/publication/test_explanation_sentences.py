import json
import re
from dataclasses import replace

import pytest

from publication.queries.explanation_sentences import (
    CAUSES,
    CHANGE_CAUSES,
    change_sentences,
    explanation,
    forecast_sentences,
)
from publication.state import Memo, Publication
from publication.words import MINUS
from store.vocabulary import CHANGES, CONTRIBUTIONS, NOT_REPRODUCED


def parts(**changes: float) -> dict[str, float]:
    return dict.fromkeys(CONTRIBUTIONS, 0.0) | {"level": 480.0} | changes


def test_every_part_has_its_words() -> None:
    assert {*CAUSES} - {"adjustment"} == {*CONTRIBUTIONS, NOT_REPRODUCED} - {"level"}
    assert {*CHANGE_CAUSES} == {*CHANGES}


@pytest.mark.parametrize(
    ("contributions", "total"),
    [
        ({"season": 22.0, "momentum": -14.0, "tariffs": -9.0, "world": 6.0, "experts": 5.4,
          "past_errors": 1.2, "policy": 0.4}, 492.0),
        ({"level": 100.4, "season": 0.4, "momentum": 0.4, "tariffs": 0.4}, 102.0),
        ({"level": 5_000.0}, 5000.0),
        ({"past_errors": -40.0, "reconciliation": 65.0, "not_reproduced": 5.0}, 510.0),
        ({"level": 4.0, "tariffs": -0.25}, 3.8),
    ],
    ids=["all parts", "rounding", "level alone", "adjustments", "tenths of a tonne"],
)  # fmt: skip
def test_the_figures_of_a_forecasts_sentences_add_up_to_its_median(
    contributions: dict[str, float], total: float
) -> None:
    said = " ".join(forecast_sentences("USA", "2027-01", parts(**contributions)))

    figures = re.findall(r"(?:is|:) ([+-]?[\d.]+)\st", said.replace(MINUS, "-").replace(",", ""))
    median, *summands = map(float, figures)
    assert (median, sum(summands)) == pytest.approx((total, total))


def test_a_rule_starts_from_what_it_says_itself_and_names_each_step_from_there() -> None:
    stages = {"level": 779.0, "past_errors": -9.0, "reconciliation": 6.0, "policy_response": -60.0}

    _, first, *rest = forecast_sentences("DEU", "2027-01", parts(**stages), "last_value")

    assert rest == []
    assert first.replace("\xa0", " ") == (
        f"The last value is 779 t; export controls and announced tariffs: {MINUS}60 t; bias "
        f"correction from past errors: {MINUS}9 t; reconciling destinations with the world total: "
        "+6 t."
    )


def test_the_data_have_the_parts_of_a_month_that_are_stored_and_its_sentences(
    publication: Publication,
) -> None:
    rows = publication.published.forecasts
    month = publication.latest["period"].min()
    is_first = rows["destination"].eq("USA") & rows["period"].eq(month)
    told = rows.assign(contributions=None)
    told.loc[is_first, "contributions"] = json.dumps(parts(tariffs=-9.0004))
    state = replace(
        publication, published=replace(publication.published, forecasts=told), memo=Memo()
    )

    first, second, *_ = explanation(state, "USA")["months"]

    assert first["parts"] == parts(tariffs=-9.0)
    assert first["sentences"] == forecast_sentences("USA", first["period"], parts(tariffs=-9.0004))
    assert (second["parts"], second["sentences"]) == (None, [])


@pytest.mark.parametrize(
    ("changes", "compared"),
    [
        ({"tariffs": 40.0}, "40 t more than"),
        ({"tariffs": -8.0}, "8 t less than"),
        ({"policy": 9.0, "model": -9.0}, "the same as"),
    ],
)
def test_a_change_is_the_sum_of_its_causes(changes: dict[str, float], compared: str) -> None:
    causes = dict.fromkeys(CHANGES, 0.0) | changes
    days = ("2026-03-25", "2026-04-25")

    assert (
        f", {compared} on" in change_sentences("JPN", "2026-05", causes, after=512.0, days=days)[0]
    )
