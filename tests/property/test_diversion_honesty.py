"""What is reported of diversion at an as_of does not change with anything that came out later."""

import pandas as pd

from features.controls.episodes import PartialActs
from features.panel.evidence import evidence_panel
from flows.cli.scenario_commands import question_of
from models.event_study.diversion import find_diversion
from models.event_study.diversion_paths import TradeFlows
from models.event_study.diversion_words import diversion_table, sentences
from tests.data.builders import World, at, bundled_world, only_known, poisoned, revised

AS_OF = at("2025-12-25")


def reported(world: World) -> tuple[pd.DataFrame, list[str]]:
    flows = TradeFlows.of_panel(evidence_panel(world.observations, as_of=AS_OF))
    acts = PartialActs(world.events, flows.names, as_of=AS_OF)
    tables, lines = [], []
    for episode in acts.recent():
        found = find_diversion(flows, question_of(flows, acts, episode))
        tables.append(diversion_table(episode, found))
        lines += sentences(episode, found)
    return pd.concat(tables, ignore_index=True), lines


def test_the_future_changes_nothing_that_is_reported() -> None:
    world = bundled_world()
    table, lines = reported(only_known(world, AS_OF))

    later_table, later_lines = reported(revised(poisoned(world, AS_OF), AS_OF))

    assert len(table) > 0
    pd.testing.assert_frame_equal(table, later_table, check_exact=True)
    assert lines == later_lines
