"""A publication made anew from the facts and models of then, and how its numbers compare."""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pandas as pd

from flows.context.workspace import Workspace
from flows.publishing.publication_lookup import in_order, model_of, workspace_behind
from models.forecasting.decomposition import stages_from
from models.forecasting.fallback import NUMBERS, modelled, plain
from models.forecasting.model_frame import rows_of
from models.forecasting.model_names import FALLBACK_PREFIXES
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
        published, recomputed = (
            table[NUMBERS].to_numpy(dtype=float) for table in (self.rows, self.again)
        )
        apart = ~np.isclose(recomputed, published, rtol=_SAME, atol=_SAME)
        if not apart.any():
            return ""
        row, column = np.unravel_index(
            int(np.abs(published - recomputed).argmax()), published.shape
        )
        cell = self.rows.iloc[int(row)]
        return (
            f"{int(apart.sum())} of {apart.size} numbers differ, most of all "
            f"{NUMBERS[int(column)]} of {cell['destination']} in {cell['period']}: "
            f"{published[row, column]:,.3f} published, {recomputed[row, column]:,.3f} now"
        )


def replayed(settings: Settings, rows: pd.DataFrame) -> Replay:
    """Recompute a publication from all its rows."""
    workspace = workspace_behind(settings, rows)
    snapshot = workspace.snapshot
    features = rows_of(snapshot.origin)
    in_order(rows, features)
    forecasts = pd.DataFrame(np.nan, index=features.index, columns=NUMBERS)
    for name, model_rows in rows.groupby("model"):
        forecast = _forecast_of(workspace, str(name), model_rows, features)
        is_forecast = features["destination"].isin(set(model_rows["destination"])).to_numpy()
        forecasts.loc[is_forecast, NUMBERS] = forecast[NUMBERS].to_numpy()[is_forecast]
    published = stages_from(forecasts, snapshot.origin, snapshot.effect, snapshot.tree).published
    months = features["period"].dt.strftime("%Y-%m")
    by_cell = published.set_index([features["destination"], months])
    numbers = by_cell[NUMBERS].loc[pd.MultiIndex.from_frame(rows[_CELL])]
    return Replay(rows, rows.assign(**{name: numbers[name].to_numpy() for name in NUMBERS}))


def _forecast_of(
    workspace: Workspace, name: str, published_rows: pd.DataFrame, features: pd.DataFrame
) -> pd.DataFrame:
    """Forecast of each row by the model of a name.

    A fallback is recomputed for partner tables only: the table alone sets its bands there.
    """
    for rule, prefix in FALLBACK_PREFIXES.items():
        if name.startswith(f"{prefix}-") and not workspace.calibrates_fallback:
            bands = workspace.rule_metadata(rule, None)
            return plain(rule, workspace.origin, features, bands).table
    model = model_of(workspace.settings, published_rows)
    if model is None:
        raise DataError(
            f"{name} cannot be loaded, so what it forecast cannot be recomputed. Expected a model "
            "of the registry: what experts or the seasonal naive forecast without one is not "
            "recomputed. If it was one, restore MLflow's files from a backup."
        )
    return modelled(model, features).table
