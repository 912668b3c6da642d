import pytest

from features.controls.episodes import PartialActs
from features.months import month_label, month_number
from store.errors import DataError
from store.vocabulary import DESTINATIONS
from tests.data.builders import at, make_events

ON_USA = {
    "event_id": "usa",
    "announced_on": "2025-02-10",
    "effective_from": "2025-03-05",
    "instrument": "tariff_increase",
    "destinations": "USA",
}


def acts(*changes: dict[str, object], as_of: str = "2025-12-25") -> PartialActs:
    return PartialActs(make_events(*changes), DESTINATIONS, as_of=at(as_of))


def test_an_act_on_one_destination_is_an_episode_from_the_month_it_binds() -> None:
    (episode,) = acts(ON_USA).recent()

    assert (episode.event_id, episode.hit) == ("usa", frozenset(["USA"]))
    assert (month_label(episode.base_end), month_label(episode.start)) == ("2025-02", "2025-03")
    assert month_label(episode.end(month_number("2025-12")) - 1) == "2025-08"
    assert month_label(episode.end(month_number("2025-04")) - 1) == "2025-04"


def test_goods_sent_ahead_of_an_act_announced_long_before_are_three_months_old_at_most() -> None:
    (episode,) = acts({**ON_USA, "announced_on": "2024-01-01"}).recent()

    assert month_label(episode.base_end) == "2024-12"


def test_acts_on_the_same_within_a_month_are_one_episode() -> None:
    changes = [
        {**ON_USA, "event_id": name, "effective_from": day}
        for name, day in (("a", "2025-03-05"), ("b", "2025-04-01"), ("c", "2025-07-01"))
    ]

    first, second = acts(*changes).recent()

    assert (first.event_id, first.others, second.event_id) == ("a", ("b",), "c")
    assert month_label(first.end(month_number("2026-12")) - 1) == "2025-09"


@pytest.mark.parametrize(
    "change",
    [
        {"destinations": "WLD"},
        {"effective_from": None},
        {"effective_from": "2026-01-01"},
        {"effective_from": "2024-01-01"},
        {"instrument": "entity_list"},
        {"direction": "easing"},
        {"evidence": "scheduled"},
        {"suspended_from": "2025-03-01"},
        {"destinations": "GBR"},
    ],
    ids=[
        "on everybody", "without a day", "not yet", "long ago", "weak", "easing", "scheduled",
        "suspended before it bound", "on nobody in the table",
    ],
)  # fmt: skip
def test_what_is_no_recent_strong_act_on_a_part_is_no_episode(change: dict[str, object]) -> None:
    assert acts({**ON_USA, **change}).recent() == ()


def test_an_act_is_not_seen_before_it_is_announced() -> None:
    assert acts(ON_USA, as_of="2025-02-09").recent() == ()
    with pytest.raises(DataError, match="no policy event known on 2025-02-09"):
        acts(ON_USA, as_of="2025-02-09").named("usa")


def test_a_tariff_on_all_origins_hits_the_importer_alone() -> None:
    (episode,) = acts({**ON_USA, "destinations": "USA;WLD"}).recent()

    assert episode.hit == {"USA"}


def test_the_eu_is_its_members() -> None:
    (episode,) = acts({**ON_USA, "destinations": "EU27"}).recent()

    assert episode.hit == {"DEU", "ITA", "EU27_REST"}


def test_a_weak_act_may_be_named() -> None:
    assert acts({**ON_USA, "instrument": "entity_list"}).named("usa").hit == {"USA"}


def test_an_act_on_everybody_may_be_named_and_makes_three_months_troubled() -> None:
    known = acts({"event_id": "all", "announced_on": "2025-04-04", "effective_from": "2025-04-04"})

    assert known.is_on_all(known.named("all"))
    assert [month_label(month) for month in known.troubled()] == ["2025-04", "2025-05", "2025-06"]


def test_an_act_on_a_part_troubles_nobody_else() -> None:
    assert acts(ON_USA).troubled() == ()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"direction": "easing"}, "takes nothing from anybody"),
        ({"effective_from": None}, "does not bind on 2025-12-25"),
        ({"destinations": "GBR"}, "does not list by itself"),
    ],
    ids=["easing", "not in force", "unlisted"],
)
def test_a_named_act_that_takes_nothing_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        acts({**ON_USA, **change}).named("usa")


def test_an_unknown_act_is_refused_with_known_ones() -> None:
    with pytest.raises(DataError, match=r"Expected an event_id, such as usa\."):
        acts(ON_USA).named("other")


def test_versions_known_later_are_not_seen() -> None:
    later = {**ON_USA, "available_at": "2025-06-01", "destinations": "JPN"}

    assert acts(ON_USA, later, as_of="2025-05-31").recent()[0].hit == {"USA"}
    assert acts(ON_USA, later, as_of="2025-06-01").recent()[0].hit == {"JPN"}
