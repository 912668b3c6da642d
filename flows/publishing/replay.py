"""A publication made anew from the facts and models of then, and how its numbers compare."""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pandas as pd

from flows.context.tables import Known, TableWorkspace
from flows.context.workspace import Workspace
from flows.publishing.published_forecasts import in_order, known_behind, model_of
from models.forecasting.decomposition import stages_from
from models.forecasting.fallback import NUMBERS, modelled
from models.forecasting.model_frame import rows_of
from models.policy.policy_effect import effect_at
from models.registry.served import TrainedModel
from store.errors import DataError
from store.settings import Settings

_SAME = 1e-9
"""Difference up to which a number is reproduced: relative, and in tonnes."""


_CELL: Final = ["destination", "period"]


@dataclass(frozen=True, slots=True)
class Replay:
    """A publication and the same rows recomputed."""

    rows: pd.DataFrame = field(repr=False)
    """As ``store.facts.reading.read_forecasts``."""
    again: pd.DataFrame = field(repr=False)

    @property
    def difference(self) -> str:
        then, now = (table[NUMBERS].to_numpy(dtype=float) for table in (self.rows, self.again))
        apart = ~np.isclose(now, then, rtol=_SAME, atol=_SAME)
        if not apart.any():
            return ""
        row, column = np.unravel_index(int(np.abs(then - now).argmax()), then.shape)
        cell = self.rows.iloc[int(row)]
        return (
            f"{int(apart.sum())} of {apart.size} numbers differ, most of all "
            f"{NUMBERS[int(column)]} of {cell['destination']} in {cell['period']}: "
            f"{then[row, column]:,.3f} published, {now[row, column]:,.3f} now"
        )


def replayed(settings: Settings, rows: pd.DataFrame) -> Replay:
    """Recompute a publication.

    Args:
        rows: All rows of one publication; not modified.
    """
    known = known_behind(settings, rows)
    made = _table(known, rows) if isinstance(known, TableWorkspace) else _evidence(known, rows)
    numbers = made.set_index(_CELL)[NUMBERS].loc[pd.MultiIndex.from_frame(rows[_CELL])]
    return Replay(rows, rows.assign(**{name: numbers[name].to_numpy() for name in NUMBERS}))


def _evidence(workspace: Workspace, rows: pd.DataFrame) -> pd.DataFrame:
    """Return each destination by the model that forecast it, made coherent, as `explain` does."""
    origin = workspace.origin
    features = rows_of(origin)
    in_order(rows, features)
    table = pd.DataFrame(np.nan, index=features.index, columns=NUMBERS)
    for _, own in rows.groupby("model"):
        made = modelled(_model(workspace, own), workspace.snapshot).table
        is_own = features["destination"].isin(set(own["destination"])).to_numpy()
        table.loc[is_own, NUMBERS] = made[NUMBERS].to_numpy()[is_own]
    effect = effect_at(origin, workspace.history.analogs(workspace.as_of))
    published = stages_from(table, origin, effect).published
    return published[NUMBERS].assign(
        destination=features["destination"].to_numpy(),
        period=features["period"].dt.strftime("%Y-%m").to_numpy(),
    )


def _table(known: TableWorkspace, rows: pd.DataFrame) -> pd.DataFrame:
    first = rows.iloc[0]
    if known.data_vintage != first["data_vintage"]:
        raise DataError(
            f"The figures behind {first['model']} have changed. Expected those of "
            f"{first['as_of']:%Y-%m-%d}. Restore them from a backup."
        )
    if first["model"] == known.untrained.model_version:
        made = known.untrained.experts().table
    else:
        made = modelled(_model(known, rows), known.snapshot).table
    return made.assign(period=made["period"].dt.strftime("%Y-%m"))


def _model(known: Known, rows: pd.DataFrame) -> TrainedModel:
    model = model_of(known.settings, rows)
    if model is None:
        raise DataError(
            f"{rows['model'].iloc[0]} cannot be loaded, so what it forecast cannot be recomputed. "
            "Expected a model of the registry: what experts or the seasonal naive forecast without "
            "one is not recomputed. If it was one, restore MLflow's files from a backup."
        )
    return model
