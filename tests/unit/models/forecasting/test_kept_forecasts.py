"""A backtest from what was kept has the bits of one that computed everything."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.history import EvidenceHistory
from models.evaluation.backtest import EvidenceBacktest, backtest_evidence
from models.learning.spec import ModelSpec
from store.digest_cache import DigestCache
from tests.data.builders import QUICK, World, at, bundled_world, make_world

AS_OF = at("2020-03-24")
PAST = 3
"""Origins of a backtest at that moment."""

LATER = at("2020-03-01")
"""After the last of them; a release follows before the moment of the backtest."""


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


def backtested(facts: World, folder: Path | None, spec: ModelSpec = QUICK) -> EvidenceBacktest:
    frames = facts.observations, facts.events, facts.tariffs, facts.analog_events
    history = EvidenceHistory(*frames, cache=DigestCache(folder, 10**8))
    return backtest_evidence(history, AS_OF, spec=spec)


def check_same(left: EvidenceBacktest, right: EvidenceBacktest) -> None:
    for name in ("forecasts", "cells", "scores"):
        one, two = getattr(left, name), getattr(right, name)
        pd.testing.assert_frame_equal(one, two, check_exact=True)
    assert left.residuals.predictions.keys() == right.residuals.predictions.keys()
    for name, made in left.residuals.predictions.items():
        for one, two in zip(made, right.residuals.predictions[name], strict=True):
            assert np.array(one.heads).tobytes() == np.array(two.heads).tobytes()
            assert one.origin.tonnes.tobytes() == two.origin.tonnes.tobytes()


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.slow
def test_kept_or_not_the_bits_are_the_same(tmp_path: Path) -> None:
    cold = backtested(world(), tmp_path)
    made = names(tmp_path)

    warm = backtested(world(), tmp_path)

    assert names(tmp_path) == made  # whatever is computed is kept: nothing was
    check_same(warm, cold)
    check_same(warm, backtested(world(), None))
    assert len(cold.cells) > 0


@pytest.mark.slow
def test_a_changed_parameter_computes_forecasts_and_no_panel(tmp_path: Path) -> None:
    backtested(world(), tmp_path)
    made = names(tmp_path)
    other = replace(QUICK, learning_rate=0.1)

    changed = backtested(world(), tmp_path, other)

    check_same(changed, backtested(world(), None, other))
    assert len(names(tmp_path) - made) == PAST


@pytest.mark.slow
def test_figures_known_since_the_last_origin_compute_the_present_panel_alone(
    tmp_path: Path,
) -> None:
    before = world()
    cold = backtested(before, tmp_path)
    made = names(tmp_path)
    figures = before.observations
    is_late = figures["available_at"] > LATER
    late = figures.assign(value=figures["value"].mask(is_late, figures["value"] * 1.5))

    warm = backtested(replace(before, observations=late), tmp_path)

    assert len(names(tmp_path) - made) == 1
    pd.testing.assert_frame_equal(warm.forecasts, cold.forecasts, check_exact=True)
    assert not warm.cells["tonnes"].equals(cold.cells["tonnes"])


@pytest.mark.slow
def test_a_figure_dated_back_is_in_every_forecast_that_could_know_it(tmp_path: Path) -> None:
    before = world()
    backtested(before, tmp_path)
    figures = before.observations
    place = figures.index[figures["commodity"].str.startswith("8505")][0]
    figures = figures.assign(value=figures["value"].mask(figures.index == place, 1_000.0))
    back = replace(before, observations=figures)

    warm = backtested(back, tmp_path)

    check_same(warm, backtested(back, None))


@pytest.mark.slow
def test_files_that_were_cut_short_change_nothing(tmp_path: Path) -> None:
    cold = backtested(world(), tmp_path)
    for path in sorted(tmp_path.iterdir())[::2]:
        path.write_bytes(path.read_bytes()[:-7])

    check_same(backtested(world(), tmp_path), cold)
