"""Forecasts answered again by just those who answered then, whoever would answer today."""

from typing import Final

import numpy as np
import pandas as pd

from features.origin import Origin
from flows.console import track
from flows.standing import NUMBERS, in_order
from flows.table_stand import forecast_of, open_table
from flows.workspace import Workspace
from models import registry
from models.backtest import replay
from models.frame import rows_of
from models.ladder import NAIVE, STATISTICAL, Model, Spoken, modelled, plain
from models.policy_effect import effect_at
from models.rolling import Memory
from models.why import stages_from
from store.errors import StoreError
from store.settings import Settings
from store.vocabulary import BY_PARTNER

WITHOUT_MODEL: Final = {"statistical-": STATISTICAL, "seasonal-naive-": NAIVE}
"""How rows name who speaks without a model, before the digest of the choices."""


class Gone(Exception):  # noqa: N818 - no fault: what a publication was made from is no more
    """What is needed to answer again and is not there."""

    def __init__(self, *things: str) -> None:
        """Take what is gone, each in a clause."""
        super().__init__("; ".join(things))
        self.things = things


def answered_again(workspace: Workspace, rows: pd.DataFrame) -> pd.DataFrame:
    """Return published rows with their numbers made again from what is known to a workspace.

    Args:
        workspace: What was known then.
        rows: One publication (as ``store.reading.read_forecasts``); not modified.

    Raises:
        Gone: A model is missing or is not what training stored, or the choices of then are no more.
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


def table_again(settings: Settings, rows: pd.DataFrame, ingest: int | None) -> pd.DataFrame:
    """Return published rows of a full partner table with their numbers made again.

    Args:
        settings: Where things are kept.
        rows: One publication (as ``store.reading.read_forecasts``); not modified.
        ingest: Number of the last ingest then; None takes all.

    Raises:
        Gone: Its figures or choices are others now.
    """
    as_of = pd.Timestamp(rows["as_of"].iloc[0])
    commodity = str(rows["commodity"].iloc[0]).removesuffix(BY_PARTNER)
    stand = open_table(settings, as_of, commodity, until=ingest)
    wanted, name = str(rows["data_vintage"].iloc[0]), str(rows["model"].iloc[0])
    gone = []
    if stand.table.digest != wanted:
        gone.append(
            f"the figures of {commodity}: digest {wanted[:12]} then, {stand.table.digest[:12]} now"
        )
    if not name.startswith(stand.model_family):
        gone.append(f"the choices of {name}; today's are {stand.model_family.rstrip('-')}")
    if gone:
        raise Gone(*gone)
    made = forecast_of(stand).set_index(["destination", "period"])[NUMBERS]
    keys = pd.MultiIndex.from_frame(rows[["destination", "period"]])
    return rows.assign(**{number: made.loc[keys, number].to_numpy() for number in NUMBERS})


def _said(
    workspace: Workspace, origin: Origin, features: pd.DataFrame, names: list[str]
) -> dict[str, Spoken]:
    """Return what each who answered says."""
    said: dict[str, Spoken] = {}
    gone: list[str] = []
    memory: Memory | None = None
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
                memory = replay(workspace.history, workspace.as_of, spec=spec, track=track).memory
            said[name] = plain(status, origin, memory, workspace.spec)
    if gone:
        raise Gone(*gone)
    return said


def _model(settings: Settings, name: str) -> Model:
    found = registry.named(settings, name)
    if found is None:
        raise StoreError(f"model {name}: it is not in the registry {settings.tracking_uri}")
    loaded = registry.load(settings, found.version)
    return Model(loaded.heads, loaded.card)


def _put_back(rows: pd.DataFrame, features: pd.DataFrame, made: pd.DataFrame) -> pd.DataFrame:
    """Return rows with the numbers of a table by series, then target."""
    keys = pd.MultiIndex.from_arrays(
        [features["destination"], features["period"].dt.strftime("%Y-%m")]
    )
    wanted = pd.MultiIndex.from_frame(rows[["destination", "period"]])
    numbers = made[NUMBERS].set_axis(keys).loc[wanted]
    return rows.assign(**{name: numbers[name].to_numpy() for name in NUMBERS})
