from dataclasses import replace
from datetime import date
from functools import cache

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.policy.paired_forecast import ScenarioSnapshot, paired
from store.schema.scenario import STRICTNESS
from tests.data.builders import make_events
from tests.data.scenario_builders import make_scenario, make_standing
from tests.examples import few

MONTHS = st.integers(1, 11).map(lambda n: f"{2020 + (n + 6) // 12}-{(n + 6) % 12 + 1:02d}")
RATES = st.floats(0, 120).map(lambda rate: round(rate, 1))


@cache
def snapshot() -> ScenarioSnapshot:
    return make_standing()


def usa(text: str) -> pd.DataFrame:
    asked = snapshot()
    table = paired(asked, make_scenario(text, asked), draws=100).table
    return table.loc[table["destination"] == "USA"].set_index("period")


@pytest.mark.slow
@few(8)
@given(rate=RATES, more=st.floats(0.5, 60), month=MONTHS, notice=st.integers(0, 60))
def test_a_higher_tariff_never_raises_whom_it_hits_while_it_binds(
    rate: float, more: float, month: str, notice: int
) -> None:
    start = pd.Timestamp(f"{month}-10")
    announced = max(start - pd.Timedelta(days=notice), pd.Timestamp("2020-07-15"))
    text = "tariffs: [{importer: USA, rate_pct: %s, effective_from: %s, announced_on: %s}]"
    days = (f"{start:%Y-%m-%d}", f"{announced:%Y-%m-%d}")

    low, high = (usa(text % (round(r, 1), *days)) for r in (rate, rate + more))

    binding = low.index > month
    for name in ("scenario_p50", "scenario_mean"):
        assert (high[name][binding] <= low[name][binding] * (1 + 1e-12)).all()
    if rate > 2.1:
        assert (low["scenario_p50"][binding] <= low["base_p50"][binding]).all()


LEVELS = ("export_ban", "hardest", "minerals", "april_2025")
"""Strictest first; less than all of them: no act."""


@cache
def controlled() -> ScenarioSnapshot:
    """The same world after three months under a control that hit each destination otherwise."""
    events = make_events({"event_id": "felt", "effective_from": "2020-04-04"})
    found = make_standing(events=events)
    tonnes = found.origin.tonnes.copy()
    tonnes[:, -3:] *= np.random.default_rng(1).uniform(0.05, 1.2, (len(tonnes), 3))
    return replace(found, origin=replace(found.origin, tonnes=tonnes))


@pytest.mark.slow
@few(6)
@given(
    place=st.sampled_from(["USA", "JPN", "EU27", "WLD"]),
    day=st.dates(date(2020, 7, 15), date(2021, 5, 31)),
    diverted=st.sampled_from([0, 50]),
)
def test_the_stricter_never_leaves_more_and_all_adds_up(
    place: str, day: date, diverted: int
) -> None:
    asked, floor = controlled(), 0.0
    for level in (*LEVELS, ""):
        kind = "export_ban" if level == "export_ban" else "export_control"
        strict = f", strictness: {level}" if level in STRICTNESS else ""
        text = "events: []" if not level else (
            f"events: [{{event_id: new, instrument: {kind}, destinations: [{place}], "
            "covers: magnets, covered_share: 1, covered_because: all, "
            f"effective_from: {day}, diverted_pct: {diverted}{strict}}}]"
        )  # fmt: skip
        table = paired(asked, make_scenario(text, asked), draws=100).table
        wide = table.pivot_table(index="period", columns="destination", values="scenario_mean")

        own = wide if place == "WLD" else wide[list(asked.origin.affected_by(place))]
        assert (own >= floor - 1e-9).all(axis=None)
        floor = own
        members = wide.drop(columns=["WLD", "EU27"]).sum(axis=1)
        np.testing.assert_allclose(members, wide["WLD"], rtol=1e-9)
        np.testing.assert_array_equal(
            table["difference_mean"], table["scenario_mean"] - table["base_mean"]
        )


@pytest.mark.slow
@few(6)
@given(
    kind=st.sampled_from(["export_control", "export_ban", "quota", "entity_list"]),
    place=st.sampled_from(["USA", "JPN", "EU27", "WLD"]),
    month=MONTHS,
)
def test_a_restriction_raises_no_sum_above_its_members(kind: str, place: str, month: str) -> None:
    asked = snapshot()
    text = (
        f"events: [{{event_id: new, instrument: {kind}, destinations: [{place}], "
        "covers: magnets, covered_share: 1, covered_because: all, "
        f"effective_from: {month}-01}}]"
    )

    table = paired(asked, make_scenario(text, asked), draws=100).table
    wide = table.pivot_table(index="period", columns="destination", values="scenario_mean")

    members = wide.drop(columns=["WLD", "EU27"]).sum(axis=1)
    np.testing.assert_allclose(members, wide["WLD"], rtol=1e-9)
    assert (table["scenario_p50"] >= 0).all()
    assert (table["difference_p10"] <= table["difference_p90"]).all()
