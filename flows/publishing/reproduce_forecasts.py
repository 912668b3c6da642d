"""Forecasts recomputed by just those models that made them, whoever would answer today."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd

from features.origin import Origin
from flows.context.workspace import Workspace
from flows.publishing.published_forecasts import NUMBERS, in_order
from flows.publishing.run_config import changed, config_of
from flows.publishing.table_snapshot import TableSnapshot, open_table
from models.evaluation.backtest import backtest_evidence
from models.forecasting.decomposition import stages_from
from models.forecasting.evidence_forecaster import TrainedModel
from models.forecasting.fallback import FallbackForecast, modelled, plain
from models.forecasting.forecaster import NAIVE, STATISTICAL
from models.forecasting.model_frame import rows_of
from models.forecasting.residual_history import ResidualHistory
from models.policy.policy_effect import effect_at
from models.registry import model_store, registry
from store.errors import StoreError
from store.settings import Settings

WITHOUT_MODEL: Final = {"statistical-": STATISTICAL, "seasonal-naive-": NAIVE}
"""How rows name who speaks without a model, before the digest of the choices."""


class MissingModelError(Exception):
    """What is needed to answer again and is not there."""

    def __init__(self, *things: str) -> None:
        """Take what is gone, each in a clause."""
        super().__init__("; ".join(things))
        self.things = things


def reproduce_evidence(workspace: Workspace, rows: pd.DataFrame) -> pd.DataFrame:
    """Return published rows with their numbers made again from what is known to a workspace.

    Args:
        workspace: What was known then.
        rows: One publication (as ``store.facts.reading.read_forecasts``); not modified.

    Raises:
        MissingModelError: A model is missing or is not what training stored, or the choices of
            then are no more.
        DataError: Other series or months are known now.
    """
    origin = workspace.history.origin(workspace.as_of)
    features = rows_of(origin)
    in_order(rows, features)
    speaker = rows.drop_duplicates("destination").set_index("destination")["model"]
    names = [str(speaker[series]) for series in origin.series]
    forecasts = _forecasts_by(workspace, origin, features, list(dict.fromkeys(names)))
    count = len(origin.targets)
    table = pd.DataFrame(np.nan, index=range(len(features)), columns=NUMBERS)
    for row, name in enumerate(names):
        own = slice(row * count, (row + 1) * count)
        table.iloc[own] = forecasts[name].table[NUMBERS].to_numpy()[own]
    effect = effect_at(origin, workspace.history.analogs(workspace.as_of))
    made = stages_from(table, origin, effect).published
    return _put_back(rows, features, made)


def _forecasts_by(
    workspace: Workspace, origin: Origin, features: pd.DataFrame, names: list[str]
) -> dict[str, FallbackForecast]:
    """Return the predictions of each model that answered."""
    forecasts: dict[str, FallbackForecast] = {}
    gone: list[str] = []
    memory: ResidualHistory | None = None
    for name in names:
        status = next((s for start, s in WITHOUT_MODEL.items() if name.startswith(start)), None)
        if status is None:
            try:
                forecasts[name] = modelled(_model(workspace.settings, name), features)
            except StoreError as err:
                gone.append(str(err))
        elif not name.endswith(workspace.spec.digest):
            gone.append(f"the choices of {name}; today's are {workspace.spec.digest}")
        else:
            if memory is None:
                spec = workspace.spec
                memory = backtest_evidence(
                    workspace.history, workspace.as_of, spec=spec, executor=workspace.executor
                ).residuals
            forecasts[name] = plain(status, origin, memory, workspace.spec)
    if gone:
        raise MissingModelError(*gone)
    return forecasts


def _model(settings: Settings, name: str) -> TrainedModel:
    found = registry.named(settings, name)
    if found is None:
        raise StoreError(f"model {name}: it is not in the registry {settings.tracking_uri}")
    loaded = model_store.load(settings, found.version)
    return TrainedModel(loaded.heads, loaded.card)


def _put_back(rows: pd.DataFrame, features: pd.DataFrame, made: pd.DataFrame) -> pd.DataFrame:
    """Return rows with the numbers of a table by series, then target."""
    keys = pd.MultiIndex.from_arrays(
        [features["destination"], features["period"].dt.strftime("%Y-%m")]
    )
    wanted = pd.MultiIndex.from_frame(rows[["destination", "period"]])
    numbers = made[NUMBERS].set_axis(keys).loc[wanted]
    return rows.assign(**{name: numbers[name].to_numpy() for name in NUMBERS})


def reproduce_table(
    settings: Settings, rows: pd.DataFrame, made_with: Mapping[str, Any]
) -> pd.DataFrame:
    """Return published rows of a full partner table with their numbers recomputed.

    Args:
        settings: Where things are kept.
        rows: One publication (as ``store.facts.reading.read_forecasts``); not modified.
        made_with: The record of the publication; one without an ingest takes all figures.

    Raises:
        MissingModelError: Its figures or its choices are others now.
        DataError: It cannot be forecast now.
    """
    snapshot = _table_then(settings, rows, made_with)
    made = snapshot.forecast(status=snapshot.status)
    keys = pd.MultiIndex.from_frame(rows[["destination", "period"]])
    numbers = made.set_index(["destination", "period"])[NUMBERS].loc[keys]
    return rows.assign(**{name: numbers[name].to_numpy() for name in NUMBERS})


def _table_then(
    settings: Settings, rows: pd.DataFrame, made_with: Mapping[str, Any]
) -> TableSnapshot:
    """Return what was known of a table when it was published.

    Raises:
        MissingModelError: Something that made the publication is gone.
        DataError: There is no table now.
    """
    name, as_of = str(rows["model"].iloc[0]), pd.Timestamp(rows["as_of"].iloc[0])
    config = config_of(str(rows["commodity"].iloc[0]))
    snapshot = open_table(settings, as_of, config.commodity, until=made_with.get("ingest"))
    gone, made_by = _table_apart(rows, snapshot), snapshot.of_family(name)
    if made_by is None:
        today = snapshot.model_family.rstrip("-")
        gone.append(f"the choices of {name}; today's are {today}")
    if made_by is None or gone:
        raise MissingModelError(*gone)
    return made_by


def _table_apart(rows: pd.DataFrame, snapshot: TableSnapshot) -> list[str]:
    """Say what its forecast rested on and is different now."""
    wanted, digest = str(rows["data_vintage"].iloc[0]), snapshot.table.digest
    what = f"the figures of {snapshot.config.commodity}"
    return [] if digest == wanted else [changed(what, wanted, digest)]
