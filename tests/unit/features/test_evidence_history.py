from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import features.evidence_history as history_of
from features.evidence_history import EvidenceHistory, FactDigests, release_moments
from models.forecasting.evidence_forecaster import FACTS
from store.asof import LeakError
from store.digest_cache import DigestCache
from store.months import month_label
from tests.data.builders import World, at, bundled_world, make_world, only_known, poisoned, revised

MOMENT = at("2025-04-25")


def test_past_origins_stay_on_the_25th_and_before_the_moment() -> None:
    moments = release_moments("2019-06-25", at("2019-08-25"))

    assert [str(moment.date()) for moment in moments] == ["2019-06-25", "2019-07-25"]
    assert all(str(moment.tz) == "UTC" for moment in moments)


def test_past_origins_of_the_evidence_are_older_than_the_moment_and_solved_once() -> None:
    history = make_world().unsolved()

    past = history.past(at("2019-09-01"))

    assert [month_label(origin.cutoff) for origin in past] == ["2019-05", "2019-06", "2019-07"]
    assert history.past(at("2019-09-01"))[0] is past[0]


def test_a_panel_is_kept_for_a_month_that_brings_no_figure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world(last="2019-06")
    facts = world.observations, world.events, world.tariffs
    cache = DigestCache(tmp_path, 10**8)
    first = EvidenceHistory(*facts, cache=cache).panel(at("2019-08-26"))
    solved: list[pd.Timestamp] = []

    def note(_facts: object, _prior: object, moment: pd.Timestamp) -> dict[str, object]:
        solved.append(moment)
        return {}

    monkeypatch.setattr(history_of, "_solved", note)

    later = EvidenceHistory(*facts, cache=cache).panel(at("2019-08-27"))

    assert solved == []
    assert (later.as_of, later.cutoff) == (at("2019-08-27"), first.cutoff)
    assert later.tonnes.tobytes() == first.tonnes.tobytes()
    for moment in (at("2019-07-26"), at("2019-09-01")):  # fewer figures known; another month
        with pytest.raises(TypeError):
            EvidenceHistory(*facts, cache=cache).panel(moment)
    assert solved == [at("2019-07-26"), at("2019-09-01")]


def key(history: EvidenceHistory, moment: pd.Timestamp, **choices: int) -> str:
    return history.key(moment, "forecast", choices, fact_names=FACTS)


@pytest.mark.parametrize("change", [only_known, poisoned, revised])
def test_a_cache_key_changes_with_what_was_known_and_with_parameters_alone(
    change: Callable[[World, pd.Timestamp], World],
) -> None:
    before, after = (one.unsolved() for one in (bundled_world(), change(bundled_world(), MOMENT)))
    later = MOMENT + pd.DateOffset(years=1)

    assert key(after, MOMENT) == key(before, MOMENT)
    assert key(after, later) != key(before, later)
    assert key(before, MOMENT, rounds=80) != key(before, MOMENT, rounds=81)


def test_the_last_bit_of_a_number_changes_the_digest_and_no_row_of_later_does() -> None:
    moments = [MOMENT, MOMENT + pd.Timedelta(days=1)]
    rows = pd.DataFrame({"available_at": moments, "value": [0.3, 1.0]})
    before = FactDigests(rows).digest(MOMENT)

    assert FactDigests(rows.assign(value=[0.1 + 0.2, 1.0])).digest(MOMENT) != before
    assert FactDigests(rows.assign(value=[0.3, 2.0])).digest(MOMENT) == before
    with pytest.raises(LeakError):
        FactDigests(rows).digest(pd.Timestamp("2025-04-25"))
