from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.forecasting.changes import MedianForecast, split
from models.forecasting.decomposition import in_tonnes
from store.vocabulary import CHANGED_INPUTS, CHANGES, NOT_REPRODUCED
from tests.data.why_builders import replay
from tests.examples import few

NEWS = ("new_actuals", "revised_actuals", "tariffs", "policy")
"""Inputs that made worlds tell anew."""

TONNES = st.floats(0.0, 1e5, allow_subnormal=False)


@given(
    shares=st.lists(st.floats(-3.0, 3.0), min_size=1, max_size=12),
    start=st.floats(1e-3, 1e5),
    seed=st.integers(0, 10_000),
)
def test_tonnes_of_shares_add_up_in_any_order(shares: list[float], start: float, seed: int) -> None:
    logs = np.array([shares])
    order = np.random.default_rng(seed).permutation(len(shares))

    tonnes = in_tonnes(logs, np.array([start]))
    shuffled = in_tonnes(logs[:, order], np.array([start]))

    end = start * np.exp(logs.sum())
    assert tonnes.sum() == pytest.approx(end - start, rel=1e-9, abs=1e-9 * (start + end))
    np.testing.assert_allclose(shuffled, tonnes[:, order], rtol=1e-9, atol=1e-9 * (start + end))


@given(
    values=st.lists(st.tuples(TONNES, TONNES), min_size=7, max_size=7),
    before=TONNES,
    after=TONNES,
    changed=st.frozensets(st.sampled_from(CHANGED_INPUTS)),
)
def test_parts_of_any_replay_add_up_to_the_published_change(
    values: list[tuple[float, float]], before: float, after: float, changed: frozenset[str]
) -> None:
    def value(replaced: frozenset[str]) -> MedianForecast:
        own, summed = values[len(replaced)]
        return MedianForecast(np.array([own]), np.array([summed]))

    parts = split(np.array([before]), np.array([after]), value, changed=changed)

    assert set(parts) == set(CHANGES)
    scale = max(before, after, *(own + summed for own, summed in values))
    assert sum(part[0] for part in parts.values()) == pytest.approx(
        after - before, rel=1e-9, abs=1e-9 * scale
    )
    for name in set(CHANGED_INPUTS) - changed:
        assert parts[name][0] == 0.0


@cache
def computed(news: frozenset[str], model: int, destination: str) -> dict[str, np.ndarray]:
    """Return the parts of a change between two forecasts as both are computed."""
    made = replay(news, model=model, destination=destination)
    before, after = (made.value(names).p50 for names in (frozenset(), made.changed))
    parts = split(before, after, made.value, changed=made.changed)
    return {**parts, "change": after - before}


@pytest.mark.slow
@few(8)
@given(
    news=st.frozensets(st.sampled_from(NEWS)),
    model=st.sampled_from([1, 2]),
    destination=st.sampled_from(["USA", "WLD"]),
)
def test_parts_of_a_change_in_a_made_world_add_up(
    news: frozenset[str], model: int, destination: str
) -> None:
    parts = dict(computed(news, model, destination))
    change = parts.pop("change")

    np.testing.assert_allclose(sum(parts.values()), change, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(parts[NOT_REPRODUCED], 0.0, atol=1e-9)
    result = news | ({"model"} if model > 1 else set())
    for name in set(CHANGED_INPUTS) - result:
        assert not parts[name].any(), name


def test_without_a_change_every_part_is_nothing() -> None:
    parts = computed(frozenset(), 1, "USA")

    for name in (*CHANGES, "change"):
        assert not parts[name].any(), name


def test_rows_are_seen_only_from_the_moment_they_were_known() -> None:
    """All news replaced but the moment: the earlier forecaster still sees none of it."""
    made = replay(frozenset(NEWS))

    result = made.value(frozenset(NEWS))

    np.testing.assert_array_equal(result.p50, made.value(frozenset()).p50)
