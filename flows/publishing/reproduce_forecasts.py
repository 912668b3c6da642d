"""Forecasts answered again by just those who answered then, whoever would answer today."""

from typing import Final

import numpy as np
import pandas as pd

from features.origin import Origin
from flows.context.console import track
from flows.context.workspace import Workspace
from flows.publishing.scenario_snapshot import NUMBERS, in_order
from models.evaluation.backtest import backtest_evidence
from models.explain.decomposition import stages_from
from models.forecasting.evidence_forecaster import TrainedModel
from models.forecasting.fallback import (
    NAIVE,
    STATISTICAL,
    FallbackForecast,
    modelled,
    plain,
)
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
    said = _said(workspace, origin, features, list(dict.fromkeys(names)))
    count = len(origin.targets)
    table = pd.DataFrame(np.nan, index=range(len(features)), columns=NUMBERS)
    for row, name in enumerate(names):
        own = slice(row * count, (row + 1) * count)
        table.iloc[own] = said[name].table[NUMBERS].to_numpy()[own]
    effect = effect_at(origin, workspace.history.analogs(workspace.as_of))
    made = stages_from(table, origin, effect).published
    return _put_back(rows, features, made)


def _said(
    workspace: Workspace, origin: Origin, features: pd.DataFrame, names: list[str]
) -> dict[str, FallbackForecast]:
    """Return the predictions of each model that answered."""
    said: dict[str, FallbackForecast] = {}
    gone: list[str] = []
    memory: ResidualHistory | None = None
    for name in names:
        status = next((s for start, s in WITHOUT_MODEL.items() if name.startswith(start)), None)
        if status is None:
            try:
                said[name] = modelled(_model(workspace.settings, name), features)
            except StoreError as err:
                gone.append(str(err))
        elif not name.endswith(workspace.spec.digest):
            gone.append(f"the choices of {name}; today's are {workspace.spec.digest}")
        else:
            if memory is None:
                spec = workspace.spec
                memory = backtest_evidence(
                    workspace.history, workspace.as_of, spec=spec, track=track
                ).residuals
            said[name] = plain(status, origin, memory, workspace.spec)
    if gone:
        raise MissingModelError(*gone)
    return said


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
