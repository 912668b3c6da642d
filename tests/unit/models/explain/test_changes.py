import dataclasses

import numpy as np
import pandas as pd
import pytest

from features.panel.estimation import evidence_panel
from models.forecasting import changes
from models.forecasting.changes import MedianForecast, named_figures, news_of, split, with_effects
from store.vocabulary import CHANGED_INPUTS, CHANGES
from tests.data.builders import at, make_events, make_tariffs
from tests.data.store_builders import make_observations
from tests.data.why_builders import AFTER, BEFORE, KnownFacts, known_by, replay


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
    ("commodity", "input_name"), [("850511", "new_actuals"), ("gallium", "policy")]
)
def test_partners_codes_are_actuals_and_other_minerals_are_policy(
    commodity: str, input_name: str
) -> None:
    result = facts(figure("2019-07-20"), figure("2019-08-20", commodity=commodity))

    assert news_of(result, known_by(result, at("2019-07-25"))).inputs == {input_name}


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


def test_a_new_figure_is_named_with_what_was_expected_and_what_it_moved() -> None:
    made = replay(frozenset({"new_actuals", "revised_actuals"}))
    panel = evidence_panel(made.facts.observations, as_of=AFTER)

    named = named_figures(made.facts, made.news, panel, {("ROW", "2019-06"): 800.0})
    rest, usa = with_effects(made, named)

    assert (rest.destination, rest.first, rest.last, rest.value) == (
        "ROW", "2019-06", "2019-06", 900.0,
    )  # fmt: skip
    assert (rest.expected_t, rest.is_revision, usa.is_revision) == (800.0, False, True)
    assert usa.expected_t is None
    assert rest.published_t == pytest.approx(900.0, rel=0.02)
    before = made.value(frozenset({"passing_time"})).p50
    after = made.value(frozenset({"passing_time", "new_actuals", "revised_actuals"})).p50
    moved = [sum((one.moved or {})["USA"].values()) for one in (usa, rest)]
    assert sum(moved) == pytest.approx((after - before).sum(), abs=0.01)
    assert all(abs(tonnes) > 0.1 for tonnes in moved)


def test_a_figure_of_the_world_counts_by_how_far_it_is_from_what_was_expected() -> None:
    """That a month of the world is known moves the start of the forecast, whatever its value."""
    made, month = replay(frozenset()), pd.Timedelta(days=31)
    before, after = (
        dataclasses.replace(part, moment=part.moment + month) for part in (made.before, made.after)
    )
    july = figure(f"{before.moment + pd.Timedelta(hours=1)}", destination="WLD", value=2000.0)
    july |= dict.fromkeys(("period_from", "period_to"), pd.Timestamp("2019-07-01"))
    rows = pd.concat([made.facts.observations, make_observations(july)], ignore_index=True)
    known = dataclasses.replace(made.facts, observations=rows)
    news = news_of(known, known_by(known, before.moment))
    later = dataclasses.replace(
        made, facts=known, before=before, after=after, news=news, panels={}, cells=made.cells[1:]
    )
    panel = evidence_panel(rows, as_of=after.moment)

    def moved(expected: float) -> float:
        named = named_figures(known, news, panel, {("WLD", "2019-07"): expected})
        (world,) = with_effects(later, named)
        return sum((world.moved or {})["USA"].values())

    assert moved(2000.0) == 0.0
    assert moved(2500.0) < -0.1
    assert moved(1900.0) > 0.1


def test_of_many_figures_of_a_month_the_worlds_is_the_first_whose_effect_is_computed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = replay(frozenset({"new_actuals", "revised_actuals"}))
    panel = evidence_panel(made.facts.observations, as_of=AFTER)
    rest, usa = named_figures(made.facts, made.news, panel, {}).items()
    world = dataclasses.replace(usa[0], destination="WLD")
    monkeypatch.setattr(changes, "_APART", 1)

    found = with_effects(made, {rest[0]: rest[1], world: usa[1]})

    assert {one.destination: one.moved is None for one in found} == {"WLD": False, "ROW": True}


def test_what_another_source_repeats_is_no_new_figure() -> None:
    made = replay(frozenset())
    again = made.facts.observations.query("destination == 'USA'").tail(1)
    again = again.assign(available_at=BEFORE + pd.Timedelta(hours=1), source_url="https://b.org")
    facts = dataclasses.replace(
        made.facts, observations=pd.concat([made.facts.observations, again], ignore_index=True)
    )
    news = news_of(facts, known_by(facts, BEFORE))

    assert news.revised_actuals.sum() == 1
    panel = evidence_panel(facts.observations, as_of=AFTER)
    assert named_figures(facts, news, panel, {}) == {}
