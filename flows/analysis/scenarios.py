"""Scenarios: the forecast of an as_of that they start from, and the service's answers to them."""

import json
from dataclasses import dataclass, field
from typing import Final

import pandas as pd

from features.origin import announced, table_origin
from flows.context.console import echo
from flows.context.stores import store_of
from flows.context.workspace import open_workspace
from flows.publishing.published_forecasts import NUMBERS, in_order, name_of, workspace_behind
from flows.publishing.run_config import MAGNETS, RunConfig
from flows.publishing.table_pipeline import forecast_table_at
from flows.publishing.table_snapshot import open_table
from flows.training.predict import made_at
from models.forecasting.decomposition import stages_of
from models.forecasting.model_frame import rows_of
from models.policy.policy_effect import effect_at
from models.policy.scenario import PairedForecast, PublishedDraws, paired_with
from models.policy.scenario_snapshot import ScenarioSnapshot, learned_shift, nothing_learned
from models.registry import model_store, registry
from service.scenarios.scenario_schema import (
    ANSWER_COLUMNS,
    ScenarioResult,
)
from sources.files.levers import Levers
from sources.files.scenario import Scenario, read_scenario
from store.asof import EVENT_KEY, TARIFF_KEY, known_at
from store.errors import DataError, StoreError
from store.facts.reading import latest_forecast, read_events, read_tariffs
from store.settings import Settings

KEPT: Final = 64
"""Answers kept by what they ask, however it is spelled."""


def scenario_snapshot(
    settings: Settings, as_of: pd.Timestamp, config: RunConfig = MAGNETS
) -> ScenarioSnapshot:
    """Return the forecast of an as_of, ready for scenarios.

    Of the magnets it is what was published as of that day, whatever came in since; without that,
    or its model, it is made as ``predict`` makes it.

    Args:
        settings: Where things are kept.
        as_of: The moment to forecast at (UTC).
        config: What to forecast.

    Raises:
        DataError: The store held too little by then.
    """
    if config.forecaster != "evidence":
        return _of_table(settings, as_of, config.commodity)
    rows = latest_forecast(store_of(settings), as_of=as_of)
    if rows.empty or rows["as_of"].iloc[0].floor("D") != as_of.floor("D"):
        return _of_evidence(settings, as_of)
    try:
        found = published_scenario_snapshot(settings, rows)
    except (DataError, StoreError) as err:
        echo(f"scenario  {name_of(rows)} cannot answer, so the forecast is made anew: {err}")
        return _of_evidence(settings, as_of)
    echo(f"scenario  from the forecast of {name_of(rows)}, data to {rows['cutoff'].max()}")
    return found


def _of_evidence(settings: Settings, as_of: pd.Timestamp) -> ScenarioSnapshot:
    made = made_at(open_workspace(settings, as_of), None, None)
    model = made.model
    learned = nothing_learned if model is None else learned_shift(model.heads, model.card)
    published, ordinary = made.stages.published, made.stages.coherent
    return ScenarioSnapshot(as_of, made.origin, made.analogs, published, ordinary, learned)


def published_scenario_snapshot(settings: Settings, rows: pd.DataFrame) -> ScenarioSnapshot:
    """Return a publication with the model that made it, ready for scenarios.

    Args:
        settings: Where things are kept.
        rows: All rows of one publication (as ``store.facts.reading.read_forecasts``); not modified.

    Raises:
        DataError: Its model is gone, or it does not forecast what the store knows of.
        StoreError: The files of its model cannot be read.
    """
    as_of = pd.Timestamp(rows["as_of"].iloc[0])
    name = str(rows["model"].iloc[0])
    version = registry.named(settings, name)
    if version is None:
        raise DataError(
            f"Model {name}, which made the forecast as of {as_of:%Y-%m-%d}, is not in the "
            "registry. Expected it there. Restore the registry, or publish with `magnetcast run`."
        )
    model = model_store.load(settings, version.version)
    history = workspace_behind(settings, rows).history
    origin, analogs = history.origin(as_of), history.analogs(as_of)
    features = rows_of(origin)
    effect = effect_at(origin, analogs)
    stages = stages_of(model.heads, model.card, features, origin, effect)
    learned = learned_shift(model.heads, model.card)
    published = in_order(rows, features)
    return ScenarioSnapshot(as_of, origin, analogs, published, stages.coherent, learned)


def _of_table(settings: Settings, as_of: pd.Timestamp, commodity: str) -> ScenarioSnapshot:
    """Return the forecast of a full partner table.

    The panel engine sees no policies: all that a scenario changes is the policy response.
    """
    snapshot = open_table(settings, as_of, commodity)
    events = known_at(read_events(snapshot.engine, as_of=as_of), key=EVENT_KEY, as_of=as_of)
    tariffs = known_at(read_tariffs(snapshot.engine, as_of=as_of), key=TARIFF_KEY, as_of=as_of)
    history = open_workspace(settings, as_of).history
    origin = table_origin(
        snapshot.table, events=announced(events), tariffs=tariffs, record=history.record(as_of)
    )
    made = forecast_table_at(snapshot).set_index(["destination", "period"])
    numbers = made.loc[list(origin.series), NUMBERS].reset_index(drop=True)
    return ScenarioSnapshot(
        as_of, origin, history.analogs(as_of), numbers, numbers, nothing_learned
    )


@dataclass(slots=True)
class ScenarioAnswerer:
    """Answers scenarios on one publication's snapshot; equal levers are computed once."""

    snapshot: ScenarioSnapshot
    kept: dict[str, PairedForecast] = field(default_factory=dict)
    base: PublishedDraws = field(init=False)
    """Drawn once for all scenarios."""

    def __post_init__(self) -> None:
        """Draw the published distribution."""
        self.base = PublishedDraws.of(self.snapshot)

    def __call__(self, text: bytes) -> ScenarioResult:
        """Return the answer to a scenario written as YAML or JSON.

        Raises:
            DataError: It is no scenario, or contradicts itself or what is known.
        """
        asked = read_scenario("the scenario", text, self.snapshot.context)
        key = canonical(asked)
        if key not in self.kept:
            if len(self.kept) >= KEPT:
                del self.kept[next(iter(self.kept))]
            self.kept[key] = paired_with(self.base, asked)
        return told_of(asked, self.kept[key])


def canonical(scenario: Scenario) -> str:
    """Return what a scenario asks, the same text for the same levers."""
    sides = [_plain(side) for side in (scenario.levers, scenario.against) if side is not None]
    return json.dumps(sides, sort_keys=True)


def _plain(levers: Levers) -> list[list[object]]:
    acts = [
        {**{name: str(value) for name, value in act.given.items()}, "id": act.event_id}
        for act in levers.acts
    ]
    return [[*acts], [str(lever) for lever in levers.tariffs]]


def told_of(scenario: Scenario, found: PairedForecast) -> ScenarioResult:
    """Return an answer as the service tells it: rounded to the kilogram."""
    table = pd.concat([found.table, found.bands.drop(columns=["base_p50", "scenario_p50"])], axis=1)
    tonnes = table.select_dtypes("number").columns
    table = table.assign(
        **{str(name): table[name].round(3) for name in tonnes},
    )
    return ScenarioResult(
        name=scenario.name,
        description=scenario.description,
        table=table[list(ANSWER_COLUMNS)],
        notes=found.notes,
        warnings=tuple(text for text in table["warning"].unique() if text),
    )
