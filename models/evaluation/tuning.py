"""Search for the magnets' parameters at past origins, checked on later, held-out origins."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import optuna
import pandas as pd
from optuna.samplers import TPESampler

from models.evaluation.scores import group_label, lead_scores
from models.learning.parameters import ModelParameters, search_values, suggested
from store.errors import DataError
from store.progress import Progress, untracked
from store.vocabulary import ALL

METRICS: Final = ["mase", "sql"]
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
    ``held_out`` are the mean of both errors at all leads relative to ``untuned``, below 1 if
    better, at the origins searched and held out."""
    leads: pd.DataFrame
    """Held-out scores by group of leads: mase, sql, coverage80 and bias of the best parameters, and
    with ``_untuned`` those of ``untuned``."""

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

    The objective is the mean of both errors at all groups of leads, each relative to that of the
    current parameters.

    Args:
        as_of: The moment of the backtests (UTC).
        tell: Called after each trial with its number, parameters and objective.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=TPESampler(seed=parameters.seed))
    study.enqueue_trial(dict(search_values(parameters)))
    tried_parameters: list[ModelParameters] = []
    early: list[pd.DataFrame] = []
    late: list[pd.DataFrame] = []
    for number in track(range(trials), "trials"):
        trial = study.ask()
        tried_parameters.append(suggested(trial, parameters))
        cells = backtested(tried_parameters[-1])
        early.append(_scores_by_lead(cells, as_of, is_late=False))
        late.append(_scores_by_lead(cells, as_of, is_late=True))
        ratio = _ratio(early[-1], early[0])
        study.tell(trial, ratio)
        tell(number, tried_parameters[-1], ratio)
    table = pd.DataFrame([search_values(each) for each in tried_parameters]).assign(
        ratio=[_ratio(scores, early[0]) for scores in early],
        held_out=[_ratio(scores, late[0]) for scores in late],
        **{metric: [scores[metric].mean() for scores in early] for metric in METRICS},
    )
    best = int(table["ratio"].to_numpy().argmin())
    leads = late[best].join(late[0].add_suffix("_untuned"))
    trials_table = table.rename_axis("trial").reset_index()
    return TuningResult(parameters, tried_parameters[best], best, trials_table, leads)


def _ratio(scores: pd.DataFrame, untuned: pd.DataFrame) -> float:
    """Mean of both errors at all leads, relative to those of the current parameters."""
    return float((scores[METRICS] / untuned[METRICS]).mean().mean())


def _scores_by_lead(cells: pd.DataFrame, as_of: pd.Timestamp, *, is_late: bool) -> pd.DataFrame:
    held_out = as_of - HELD_OUT
    if len(cells):
        cells = cells.loc[(cells["as_of"] >= held_out) == is_late]
    if cells.empty:
        raise DataError(
            f"No month is scored {'after' if is_late else 'before'} {held_out:%Y-%m-%d}. "
            "Expected origins to search on and a year of them to check on. Take a later --as-of."
        )
    scores = lead_scores(cells)
    scores = scores.loc[scores["scope"] == ALL]
    groups = zip(scores["horizon_from"], scores["horizon_to"], strict=True)
    table = scores.assign(lead=[group_label(*group) for group in groups]).set_index("lead")
    return table[[*METRICS, "coverage80", "bias"]]
