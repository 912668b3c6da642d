from dataclasses import replace
from functools import cache
from pathlib import Path
from shutil import copytree

import numpy as np
import pandas as pd
import pytest

from features.evidence_history import EvidenceHistory
from models.evaluation.backtest import Backtest, backtest_evidence
from models.executor import IN_TURN, Executor
from models.learning.parameters import ModelParameters
from store.digest_cache import DigestCache
from tests.data.builders import QUICK, World, at, bundled_world, make_world

pytestmark = pytest.mark.slow

AS_OF = at("2020-03-24")
PAST = 3
"""Origins of a backtest at that moment."""

LATER = at("2020-03-01")
"""After the last of them; a release follows before the moment of the backtest."""


@cache
def world() -> World:
    plain, bundled = make_world(last="2020-02"), bundled_world()
    figures = bundled.observations
    others = figures.loc[~figures["commodity"].str.startswith("8505")]
    older = [
        frame.assign(available_at=frame["available_at"] - pd.DateOffset(years=6))
        for frame in (others, bundled.analog_events)
    ]
    observations = pd.concat([plain.observations, older[0]], ignore_index=True)
    return replace(plain, observations=observations, analog_events=older[1])


def backtested(
    facts: World,
    folder: Path | None,
    parameters: ModelParameters = QUICK,
    *,
    executor: Executor = IN_TURN,
) -> Backtest:
    frames = facts.observations, facts.events, facts.tariffs, facts.analog_events
    history = EvidenceHistory(*frames, cache=DigestCache(folder, 10**8))
    return backtest_evidence(history, AS_OF, parameters=parameters, executor=executor)


def check_same(left: Backtest, right: Backtest) -> None:
    for name in ("forecasts", "cells", "scores"):
        one, two = getattr(left, name), getattr(right, name)
        pd.testing.assert_frame_equal(one, two, check_exact=True)
    assert left.residuals.predictions.keys() == right.residuals.predictions.keys()
    for name, made in left.residuals.predictions.items():
        for one, two in zip(made, right.residuals.predictions[name], strict=True):
            assert np.array(one.boosters).tobytes() == np.array(two.boosters).tobytes()
            assert one.origin.tonnes.tobytes() == two.origin.tonnes.tobytes()


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Backtest, Path]:
    """The backtest that computed everything, and the folder of what it kept: only copied."""
    folder = tmp_path_factory.mktemp("first")
    return backtested(world(), folder), folder


@pytest.fixture
def cold(first: tuple[Backtest, Path]) -> Backtest:
    """The backtest that computed everything."""
    return first[0]


@pytest.fixture
def kept(first: tuple[Backtest, Path], tmp_path: Path) -> Path:
    """Return what that backtest kept, in a folder of this test's own."""
    return Path(copytree(first[1], tmp_path / "kept"))


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_kept_or_not_in_one_process_or_in_two_the_bits_are_the_same(
    cold: Backtest, kept: Path
) -> None:
    made = names(kept)

    warm = backtested(world(), kept)

    assert names(kept) == made  # whatever is computed is kept: nothing was
    check_same(warm, cold)
    check_same(warm, backtested(world(), None, executor=Executor(processes=2, items_per_process=1)))
    assert len(cold.cells) > 0


def test_a_changed_parameter_computes_forecasts_and_no_panel(cold: Backtest, kept: Path) -> None:
    made = names(kept)

    changed = backtested(world(), kept, replace(QUICK, learning_rate=0.1))

    assert not changed.forecasts["p50"].equals(cold.forecasts["p50"])
    assert len(names(kept) - made) == PAST


def test_figures_known_since_the_last_origin_compute_the_present_panel_alone(
    cold: Backtest, kept: Path
) -> None:
    made = names(kept)
    figures = world().observations
    is_late = figures["available_at"] > LATER
    late = figures.assign(value=figures["value"].mask(is_late, figures["value"] * 1.5))

    warm = backtested(replace(world(), observations=late), kept)

    assert len(names(kept) - made) == 1
    pd.testing.assert_frame_equal(warm.forecasts, cold.forecasts, check_exact=True)
    assert not warm.cells["tonnes"].equals(cold.cells["tonnes"])


def test_a_figure_dated_back_is_in_every_forecast_that_could_know_it(kept: Path) -> None:
    figures = world().observations
    place = figures.index[figures["commodity"].str.startswith("8505")][0]
    figures = figures.assign(value=figures["value"].mask(figures.index == place, 1_000.0))
    back = replace(world(), observations=figures)

    warm = backtested(back, kept)

    check_same(warm, backtested(back, None))
