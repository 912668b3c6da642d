"""What the parts of the policy benchmark have in common: windows of scored cells."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from models.evaluation.backtest import scale_rows
from models.evaluation.scores import cell_scores
from models.forecasting.panel_forecaster import PanelForecaster, PanelSnapshot, months_of
from models.learning.spec import EngineSpec

DEFAULT = EngineSpec()


@dataclass(frozen=True, slots=True)
class Window:
    """Cells that are scored together."""

    panel: str
    name: str
    cells: pd.DataFrame
    """As ``models.evaluation.scores.cell_scores``; models are without, features, response."""


@dataclass(frozen=True, slots=True)
class Found:
    """What one panel gave."""

    text: str
    """What was done, and which series count as hit."""
    shocks: Sequence[Window]
    calm: Sequence[Window]
    detail: Sequence[Window]


def forecasts_at(task: PanelSnapshot, cutoff: int, *, spec: EngineSpec = DEFAULT) -> pd.DataFrame:
    """Return the product's forecasts at a cutoff, with and without a response to controls."""
    fitted = PanelForecaster(spec, baselines=()).fit(task.at(cutoff))
    return fitted.compare()


def scored(task: PanelSnapshot, forecasts: pd.DataFrame, cutoffs: Sequence[int]) -> pd.DataFrame:
    """Return the cells of forecasts of a panel with their errors."""
    values = task.table.to_numpy(dtype=float)
    first = int(task.table.columns[0])
    scale = pd.concat(
        [scale_rows(task.table.index, cut, values[:, : cut - first + 1]) for cut in cutoffs]
    )
    return cell_scores(forecasts, months_of(task.table), scale)
