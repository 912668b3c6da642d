"""What scenarios start from: the forecast of an as_of, and what it was made of."""

import pandas as pd

from features.origin import announced
from features.panel.table_origin import table_origin
from flows.context.workspace import open_workspace
from flows.publishing.run_config import MAGNETS, RunConfig
from flows.publishing.table_pipeline import forecast_table_at
from flows.publishing.table_snapshot import open_table
from flows.training.predict import made_at
from models.explain.decomposition import stages_of
from models.forecasting.model_frame import rows_of
from models.policy.learned import learned_shift, nothing_learned
from models.policy.policy_effect import effect_at
from models.policy.scenario_snapshot import ScenarioSnapshot
from models.registry import model_store, registry
from store.asof import EVENT_KEY, TARIFF_KEY, known_at
from store.errors import DataError
from store.facts.reading import read_events, read_tariffs
from store.settings import Settings
from store.vocabulary import QUANTILE_COLUMNS

NUMBERS = [*QUANTILE_COLUMNS, "mean"]


def scenario_snapshot(
    settings: Settings, as_of: pd.Timestamp, config: RunConfig = MAGNETS
) -> ScenarioSnapshot:
    """Return the forecast of an as_of, made as ``predict`` makes it, ready for scenarios.

    Args:
        settings: Where things are kept.
        as_of: The moment to forecast at (UTC).
        config: What to forecast.

    Raises:
        DataError: The store held too little by then.
    """
    if config.forecaster == "evidence":
        return _of_evidence(settings, as_of)
    return _of_table(settings, as_of, config.commodity)


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
    history = open_workspace(settings, as_of).history
    origin, analogs = history.origin(as_of), history.analogs(as_of)
    features = rows_of(origin)
    effect = effect_at(origin, analogs)
    stages = stages_of(model.heads, model.card, features, origin, effect)
    learned = learned_shift(model.heads, model.card)
    published = in_order(rows, features)
    return ScenarioSnapshot(as_of, origin, analogs, published, stages.coherent, learned)


def in_order(rows: pd.DataFrame, features: pd.DataFrame) -> pd.DataFrame:
    """Return the numbers of a publication by series, then target.

    Args:
        rows: All rows of one publication; not modified.
        features: As ``models.forecasting.model_frame.rows_of`` of its origin; not modified.

    Raises:
        DataError: A series or month of one is not in the other.
    """
    keys = pd.MultiIndex.from_arrays(
        [features["destination"], features["period"].dt.strftime("%Y-%m")]
    )
    found = rows.set_index(["destination", "period"])[NUMBERS]
    if len(found) != len(keys) or not keys.isin(found.index).all():
        raise DataError(
            f"The forecast as of {rows['as_of'].iloc[0]:%Y-%m-%d} has {len(found)} rows that are "
            f"not the {len(keys)} series and months known there. Expected the same. "
            "Publish anew with `magnetcast run`."
        )
    return found.loc[keys].reset_index(drop=True)


def _of_table(settings: Settings, as_of: pd.Timestamp, commodity: str) -> ScenarioSnapshot:
    """Return the forecast of a full partner table.

    The panel engine sees no policies: all that a scenario changes is the policy response.
    """
    snapshot = open_table(settings, as_of, commodity)
    events = known_at(read_events(snapshot.engine, as_of=as_of), key=EVENT_KEY, as_of=as_of)
    tariffs = known_at(read_tariffs(snapshot.engine, as_of=as_of), key=TARIFF_KEY, as_of=as_of)
    origin = table_origin(snapshot.table, events=announced(events), tariffs=tariffs)
    analogs = open_workspace(settings, as_of).history.analogs(as_of)
    made = forecast_table_at(snapshot).set_index(["destination", "period"])
    numbers = made.loc[list(origin.series), NUMBERS].reset_index(drop=True)
    return ScenarioSnapshot(as_of, origin, analogs, numbers, numbers, nothing_learned)
