import numpy as np
import pandas as pd
import pytest

from models.forecasting.changes import MedianForecast, news_of, split, words_of
from store.vocabulary import CHANGED_INPUTS, CHANGES
from tests.data.builders import at, make_events, make_tariffs
from tests.data.store_builders import make_observations
from tests.data.why_builders import BEFORE, KnownFacts, facts_with, known_by


def figure(day: str, **changes: object) -> dict[str, object]:
    june = pd.Timestamp("2019-06-01")
    return {"period_from": june, "period_to": june, "available_at": at(day), **changes}


def facts(*figures: dict[str, object]) -> KnownFacts:
    return KnownFacts(
        make_observations(*figures),
        make_events(),
        make_tariffs(),
        make_events().iloc[:0].assign(material=""),
    )


def test_a_figure_of_what_was_reported_before_is_reported_again_whoever_tells_it() -> None:
    result = facts(
        figure("2019-07-20", value=100.0, source_url="https://example.org/a"),
        figure("2019-08-20", value=110.0, source_url="https://example.org/a"),
        figure("2019-08-21", value=111.0, source_url="https://example.org/b"),
    )

    news = news_of(result, known_by(result, at("2019-07-25")))

    values = result.observations["value"]
    assert values[news.revised_actuals].tolist() == [110.0, 111.0]
    assert not news.new_actuals.any()
    assert news.inputs == {"revised_actuals"}


@pytest.mark.parametrize(
    ("commodity", "input_name"),
    [("850511", "new_actuals"), ("CN85051110", "new_actuals"), ("gallium", "policy")],
)
def test_partners_codes_are_actuals_and_other_minerals_are_policy(
    commodity: str, input_name: str
) -> None:
    result = facts(figure("2019-07-20"), figure("2019-08-20", commodity=commodity))

    assert news_of(result, known_by(result, at("2019-07-25"))).inputs == {input_name}


def test_news_are_counted_in_words_and_events_named() -> None:
    result = facts_with("new_actuals", "revised_actuals", "policy", "tariffs")

    assert words_of(news_of(result, known_by(result, BEFORE)), result) == (
        "new figures: 1; revised figures: 1; tariff steps: 1; policy events: 1 (2019-08-control)"
    )


def test_inputs_are_replaced_in_their_order_and_each_step_is_a_part() -> None:
    asked: list[frozenset[str]] = []

    def value(replaced: frozenset[str]) -> MedianForecast:
        asked.append(replaced)
        size = float(len(replaced))
        return MedianForecast(np.array([100.0 + 10.0 * size**2]), np.array([5.0 + size]))

    changed = frozenset({"model", "tariffs", "passing_time"})
    parts = split(np.array([104.0]), np.array([200.0]), value, changed=changed)

    order = [name for name in CHANGED_INPUTS if name in changed]
    assert asked == [frozenset(order[:count]) for count in range(4)]
    assert list(parts) == list(CHANGES)
    assert {name: float(part[0]) for name, part in parts.items() if part[0]} == {
        "passing_time": 10.0,
        "tariffs": 30.0,
        "model": 50.0,
        "reconciliation": 3.0,
        # 105 were computed where 104 were published, 198 where 200 were
        "not_reproduced": 3.0,
    }
