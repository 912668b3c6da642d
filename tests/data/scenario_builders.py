"""Builders of a forecast to ask what if, and of scenarios."""

import numpy as np
import pandas as pd

from features.controls.analogs import Analog
from models.policy.paired_forecast import ScenarioSnapshot
from sources.files.file_reader import read_scenario
from store.schema.scenario import Scenario
from store.vocabulary import QUANTILE_COLUMNS
from tests.data.builders import at, make_events, make_origin, make_tariffs

AGES = np.arange(12) + 0.5
HALTED = np.array([0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0])
SPREAD = np.array([0.6, 0.7, 0.85, 1.0, 1.15, 1.3, 1.4])

NEUTRAL: dict[str, object] = {"direction": "neutral"}


def halted(name: str, *, kept: float = 1.0) -> Analog:
    """Build a control after which nearly nothing passed, and within a year nearly all."""
    return Analog(name, "gallium", "export_control", AGES, kept * HALTED, 6.0)


def make_standing(
    *,
    events: pd.DataFrame | None = None,
    analogs: tuple[Analog, ...] = (halted("ga"), halted("ge", kept=1.2), halted("sb", kept=0.8)),
) -> ScenarioSnapshot:
    """Build a flat forecast of 2020-07 to 2021-06 of all series as of 2020-07-15."""
    steps = [{"importer": name} for name in ("USA", "EU27", "JPN", "KOR", "VNM", "IND", "THA")]
    past = {
        "component": "S301", "rate_pct": 100.0, "effective_from": "2018-03-01",
        "effective_to": "2018-06-30", "announced_on": "2018-02-01",
    }  # fmt: skip
    origin = make_origin(
        events=make_events(NEUTRAL) if events is None else events,
        tariffs=make_tariffs(*steps, past),
    )
    level = np.repeat(origin.level[:, None], len(origin.targets), axis=1).reshape(-1)
    table = pd.DataFrame(level[:, None] * SPREAD, columns=list(QUANTILE_COLUMNS))
    table["mean"] = level
    return ScenarioSnapshot(at("2020-07-15"), origin, analogs, table, table)


def make_scenario(text: str, snapshot: ScenarioSnapshot) -> Scenario:
    """Read the events and tariffs of a scenario written as YAML."""
    return read_scenario("test.yaml", f"name: test\n{text}".encode(), snapshot.context)
