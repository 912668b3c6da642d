"""Search for the magnets' parameters at past origins, checked on later, held-out origins."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import optuna
import pandas as pd
from optuna.samplers import TPESampler

from models.learning.parameters import ModelParameters, search_values, suggested
from store.arrays import Floats
from store.errors import DataError
from store.progress import Progress, untracked

METRICS: Final = ("mase", "sql")
"""Mean scaled error of the median, and mean scaled quantile loss."""

HELD_OUT: Final = pd.DateOffset(years=1)
"""Origins of the last year are held out from the search."""

Backtested = Callable[[ModelParameters], pd.DataFrame]
"""Backtest cells (``compare.model_cells``) of a model with some parameters."""


@dataclass(frozen=True, slots=True)
class TuningResult:
    """The best parameters of a search and the errors of all its trials."""

    untuned: ModelParameters
    parameters: ModelParameters
    """The best parameters: ``untuned`` if no trial beat it."""
    best: int
    """Number of the best trial."""
    trials: pd.DataFrame
    """One row a trial in order: trial, its parameters, ratio, held_out, mase and sql. ``ratio`` and
    ``held_out`` are the mean of both errors relative to ``untuned``, below 1 if better, at the
    origins searched and held out."""

    @property
    def searched(self) -> float:
        return float(self.trials["ratio"].iloc[self.best])

    @property
    def held_out(self) -> float:
        return float(self.trials["held_out"].iloc[self.best])

    @property
    def changed(self) -> dict[str, tuple[int | float, int | float]]:
        old, new = self.untuned.by_name, self.parameters.by_name
        return {name: (old[name], new[name]) for name in old if old[name] != new[name]}


def tune(
    backtested: Backtested,
    as_of: pd.Timestamp,
    *,
    trials: int,
    parameters: ModelParameters,
    track: Progress = untracked,
    tell: Callable[[int, ModelParameters, float], Any] = lambda *_: None,
) -> TuningResult:
    """Best of some trials, the first with the current parameters; deterministic.

    The objective is the mean of both errors, each relative to that of the current parameters.

    Args:
        as_of: The moment of the backtests (UTC).
        tell: Called after each trial with its number, parameters and objective.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=TPESampler(seed=parameters.seed))
    study.enqueue_trial(dict(search_values(parameters)))
    tried_parameters: list[ModelParameters] = []
    early: list[Floats] = []
    late: list[Floats] = []
    for number in track(range(trials), "trials"):
        trial = study.ask()
        tried_parameters.append(suggested(trial, parameters))
        cells = backtested(tried_parameters[-1])
        early.append(_errors(cells, as_of, is_late=False))
        late.append(_errors(cells, as_of, is_late=True))
        ratio = float((early[-1] / early[0]).mean())
        study.tell(trial, ratio)
        tell(number, tried_parameters[-1], ratio)
    table = pd.DataFrame([search_values(each) for each in tried_parameters]).assign(
        ratio=[float((error / early[0]).mean()) for error in early],
        held_out=[float((error / late[0]).mean()) for error in late],
        **dict(zip(METRICS, zip(*early, strict=True), strict=True)),
    )
    best = int(table["ratio"].to_numpy().argmin())
    return TuningResult(
        parameters, tried_parameters[best], best, table.rename_axis("trial").reset_index()
    )


def _errors(cells: pd.DataFrame, as_of: pd.Timestamp, *, is_late: bool) -> Floats:
    held_out = as_of - HELD_OUT
    if len(cells):
        cells = cells.loc[(cells["as_of"] >= held_out) == is_late]
    if cells.empty:
        raise DataError(
            f"No month is scored {'after' if is_late else 'before'} {held_out:%Y-%m-%d}. "
            "Expected origins to search on and a year of them to check on. Take a later --as-of."
        )
    return cells[["scaled_error", "scaled_quantile_loss"]].mean().to_numpy(dtype=float)
