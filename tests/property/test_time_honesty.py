import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.build import frame_of
from features.evidence_history import release_moments
from features.origin import Origin, origin_of
from features.panel.estimation import evidence_panel
from features.panel.evidence_panel import EvidencePanel
from models.evaluation.backtest import backtest_panel
from models.forecasting.evidence_forecaster import EvidenceForecaster
from models.forecasting.panel_forecaster import PanelForecaster
from models.forecasting.snapshot import Snapshot
from models.learning.boosters import texts_of
from models.learning.parameters import PANEL_PRESET
from models.policy.policy_effect import PolicyEffect, effect_at
from store.asof import OBSERVATION_KEY, known_at
from store.months import month_number
from tests.data.builders import (
    QUICK,
    World,
    at,
    bundled_world,
    compare_at,
    make_table,
    make_world,
    misjudged,
    only_known,
    poisoned,
    revised,
)
from tests.data.store_builders import make_observations

Change = Callable[[World, pd.Timestamp], World]

UNCHANGED: Change = lambda world, _: world  # noqa: E731 - a name for the ids below


def spoiled(world: World, as_of: pd.Timestamp) -> World:
    """Turn every severity about, poison what was published later and contradict what is known."""
    return revised(poisoned(misjudged(world, as_of), as_of), as_of)


CHANGES = [
    pytest.param(UNCHANGED, id="as they are", marks=pytest.mark.slow),
    pytest.param(spoiled, id="spoiled"),
]
DAYS = [
    *(pytest.param(day, marks=pytest.mark.slow) for day in ("2019-06-25", "2025-04-10")),
    "2025-10-20",
]


def assert_same_panel(left: EvidencePanel, right: EvidencePanel) -> None:
    pd.testing.assert_frame_equal(left.frame, right.frame, check_exact=True)
    pd.testing.assert_frame_equal(left.suspicious, right.suspicious, check_exact=True)
    assert (left.first, left.cutoff) == (right.first, right.cutoff)


def forecast_of(world: World, as_of: pd.Timestamp) -> tuple[pd.DataFrame, dict[str, str], object]:
    """Walk two months up to an as_of, then train there: forecasts, trees and metadata."""
    history = world.history()
    moments = [*release_moments("2019-06-25", as_of)[-2:], as_of]
    forecaster = EvidenceForecaster(QUICK)
    forecasts = pd.concat(compare_at(forecaster, history, *moments), ignore_index=True)
    trained = forecaster.train(Snapshot.of_evidence(history, as_of))
    return forecasts, texts_of(trained.boosters), trained.metadata


@cache
def honest_view(day: str) -> tuple[EvidencePanel, pd.DataFrame]:
    return view_of(only_known(bundled_world(), at(day)), at(day))


def view_of(world: World, as_of: pd.Timestamp) -> tuple[EvidencePanel, pd.DataFrame]:
    panel = evidence_panel(world.observations, as_of=as_of)
    return panel, frame_of(origin_of(panel, events=world.events, tariffs=world.tariffs))


def effect_of(world: World, day: str) -> PolicyEffect:
    history = world.history()
    return effect_at(history.origin(at(day)), history.analogs(at(day)))


@pytest.mark.parametrize("day", DAYS)
@pytest.mark.parametrize("change", CHANGES)
def test_panel_and_features_are_the_same_whatever_came_out_later(change: Change, day: str) -> None:
    panel, frame = view_of(change(bundled_world(), at(day)), at(day))

    expected_panel, expected_frame = honest_view(day)
    assert_same_panel(panel, expected_panel)
    pd.testing.assert_frame_equal(frame, expected_frame, check_exact=True)


_OPENS = {"open", "sqlite3.connect", "socket.connect"}
_is_closed = False


def _refuse(event: str, found: tuple[object, ...]) -> None:
    if _is_closed and event in _OPENS:
        raise PermissionError(f"{event} of {found[0]} while features are made")


sys.addaudithook(_refuse)


@contextmanager
def closed() -> Iterator[None]:
    """Let no file, database or address be opened."""
    global _is_closed  # noqa: PLW0603 - an audit hook stays for ever
    _is_closed = True
    try:
        yield
    finally:
        _is_closed = False


@cache
def origins() -> tuple[Origin, Origin]:
    history = bundled_world().history()
    first, last = (history.origin(at(day)) for day in ("2025-04-25", "2025-10-25"))
    frame_of(first)  # what is loaded once and is no fact: modules, the lunar calendar
    return first, last


def test_features_read_their_origin_and_no_file_database_or_address() -> None:
    _, origin = origins()

    with closed():
        assert len(frame_of(origin))


def test_a_feature_that_reads_a_file_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    _, origin = origins()
    monkeypatch.setattr("features.families.trade.base_of", lambda _: Path(__file__).read_bytes())

    with closed(), pytest.raises(PermissionError, match="while features are made"):
        frame_of(origin)


@pytest.mark.parametrize(
    ("make", "day"),
    [
        pytest.param(make_world, "2020-03-25", id="small world in March 2020"),
        pytest.param(bundled_world, "2020-03-31", id="bundled facts", marks=pytest.mark.slow),
    ],
)
def test_whole_forecast_is_the_same_whatever_came_out_later(
    make: Callable[[], World], day: str
) -> None:
    forecasts, trees, metadata = forecast_of(spoiled(make(), at(day)), at(day))

    expected, expected_trees, expected_metadata = forecast_of(only_known(make(), at(day)), at(day))
    pd.testing.assert_frame_equal(forecasts, expected, check_exact=True)
    assert trees == expected_trees
    assert metadata == expected_metadata


@pytest.mark.parametrize(
    "day",
    [
        "2025-04-10",
        *(pytest.param(day, marks=pytest.mark.slow) for day in ("2024-01-25", "2025-10-20")),
    ],
)
def test_policy_effect_is_the_same_whatever_came_out_later(day: str) -> None:
    effect = effect_of(spoiled(bundled_world(), at(day)), day)

    expected = effect_of(only_known(bundled_world(), at(day)), day)
    assert day < "2025" or not expected.is_none
    assert [one.event_id for one in effect.controls] == [o.event_id for o in expected.controls]
    for name in ("retained", "charged", "analog_path", "weight", "freed", "without"):
        np.testing.assert_array_equal(getattr(effect, name), getattr(expected, name), err_msg=name)


def test_forecast_of_a_table_is_the_same_whatever_its_later_months_hold() -> None:
    table = make_table(months=60)
    cutoff = month_number("2021-06")
    poison = table.copy()
    poison.loc[:, table.columns > cutoff] = -1e9

    honest, wild = (
        forecast_of_table(part, cutoff) for part in (table.loc[:, table.columns <= cutoff], poison)
    )

    pd.testing.assert_frame_equal(honest, wild, check_exact=True)


def forecast_of_table(table: pd.DataFrame, cutoff: int) -> pd.DataFrame:
    parameters = replace(PANEL_PRESET, num_iterations=12, min_data_in_leaf=20, threads=1)
    return backtest_panel(
        PanelForecaster(parameters), Snapshot.of_panel(table, 3), [cutoff - 1, cutoff]
    ).forecasts


def test_a_row_counts_from_its_very_moment_and_not_a_second_earlier() -> None:
    rows = make_observations({"available_at": "2025-07-20T09:00:00Z"})
    moment = pd.Timestamp("2025-07-20T09:00:00", tz="UTC")

    seen = known_at(rows, key=OBSERVATION_KEY, as_of=moment)
    before = known_at(rows, key=OBSERVATION_KEY, as_of=moment - pd.Timedelta(seconds=1))

    assert (len(seen), len(before)) == (1, 0)


VERSIONS = st.lists(
    st.fixed_dictionaries(
        {
            "destination": st.sampled_from(["USA", "DEU"]),
            "value": st.floats(1.0, 1e6),
            "available_at": st.integers(1, 28).map(lambda day: f"2025-07-{day:02d}T00:00:00Z"),
        }
    ),
    min_size=1,
    max_size=12,
    unique_by=lambda row: (row["destination"], row["available_at"]),
)


@given(VERSIONS, st.integers(1, 28), st.randoms(use_true_random=False))
def test_view_is_the_newest_known_version_in_any_row_order(
    versions: list[dict[str, object]], day: int, shuffle: object
) -> None:
    as_of = at(f"2025-07-{day:02d}")
    shuffled = list(versions)
    shuffle.shuffle(shuffled)

    view = known_at(make_observations(*versions), key=OBSERVATION_KEY, as_of=as_of)

    newest: dict[object, dict[str, object]] = {}
    for row in sorted(versions, key=lambda row: str(row["available_at"])):
        if pd.Timestamp(str(row["available_at"])) <= as_of:
            newest[row["destination"]] = row
    assert dict(zip(view["destination"], view["value"], strict=True)) == {
        name: row["value"] for name, row in newest.items()
    }
    other = known_at(make_observations(*shuffled), key=OBSERVATION_KEY, as_of=as_of)
    pd.testing.assert_frame_equal(view, other)


@pytest.mark.parametrize("day", [pytest.param("2019-06-25", marks=pytest.mark.slow), "2025-10-20"])
def test_row_order_moves_neither_panel_nor_features(day: str) -> None:
    world, as_of = bundled_world(), at(day)
    _, expected = honest_view(day)
    rng = np.random.default_rng(3)
    mixed = World(
        *(
            frame.iloc[rng.permutation(len(frame))]
            for frame in (world.observations, world.events, world.tariffs)
        )
    )

    _, frame = view_of(mixed, as_of)

    pd.testing.assert_frame_equal(frame, expected, check_exact=True)
