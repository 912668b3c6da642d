"""The service's results of scenarios on a publication: what the process beside it runs.

It does not import Prefect, which takes as long to load as all the rest.
"""

from dataclasses import replace
from functools import partial

import pandas as pd

from flows.publishing.publication_lookup import in_order, workspace_behind
from models.forecasting.decomposition import stages_of
from models.forecasting.model_frame import rows_of
from models.policy.paired_forecast import PublishedDraws, ScenarioSnapshot, paired_with
from models.policy.policy_effect import effect_at
from models.registry import model_registry
from service.scenario_pool import Compute
from store.errors import DataError
from store.schema.scenario import Scenario, ScenarioResult
from store.settings import Settings


def published_scenario_snapshot(settings: Settings, rows: pd.DataFrame) -> ScenarioSnapshot:
    """Publication, of all its rows, with its model, ready for scenarios."""
    as_of = pd.Timestamp(rows["as_of"].iloc[0])
    name = str(rows["model"].iloc[0])
    version = model_registry.named(settings, name)
    if version is None:
        raise DataError(
            f"Model {name}, which made the forecast as of {as_of:%Y-%m-%d}, is not in the "
            "registry. Expected it there. Restore the registry, or publish with `magnetcast run`."
        )
    model = model_registry.load(settings, version.version)
    history = workspace_behind(settings, rows).history
    origin, analogs = history.origin(as_of), history.analogs(as_of)
    features = rows_of(origin)
    effect = effect_at(origin, analogs)
    stages = stages_of(model, features, origin, effect)
    return ScenarioSnapshot(as_of, origin, analogs, in_order(rows, features), stages.coherent)


def answers_on(settings: Settings, rows: pd.DataFrame) -> Compute:
    """Function that computes scenarios on a publication; arguments as above."""
    return partial(answered, PublishedDraws.of(published_scenario_snapshot(settings, rows)))


def answered(base: PublishedDraws, scenario: Scenario) -> ScenarioResult:
    """Answer to a scenario from the draws of a publication, to the kilogram."""
    result = paired_with(base, scenario)
    return replace(result, table=result.table.round(3))
