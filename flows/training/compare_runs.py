"""Two MLflow runs or model versions side by side: what they were made with, and how good they were.

Public: :func:`compare_runs`, :class:`RunComparison`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pandas as pd
from mlflow.entities import Run
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from flows.context.run_config import MAGNETS, RunConfig
from flows.training.backtest_records import CELLS, read_cells
from models.evaluation.compare import A, B, model_cells, paired_cells, score_differences
from models.registry import model_registry
from models.registry.runs import find_runs
from store.errors import DataError, StoreError, first_few
from store.settings import Settings
from store.vocabulary import COMMODITY

_FACTS: Final = ("as_of", "data_vintage", "git_commit", "model_version")
"""Tags that tell what a run was made from."""

LONGEST_NUMBER: Final = 6
"""Digits of a version; what is longer is the beginning of a run's identifier."""

_SHOWN: Final = 12
"""Characters of a run's identifier in messages."""


@dataclass(frozen=True, slots=True)
class RunComparison:
    """What tells two runs apart."""

    labels: tuple[str, str]
    """What A and B are, in words."""
    choices: pd.DataFrame
    """choice, A, B: parameters and facts that differ; empty where none is kept."""
    scores: pd.DataFrame
    """As ``models.evaluation.compare.score_differences``."""


@dataclass(frozen=True, slots=True)
class _Side:
    """One of the two: the run that was named, and the backtest behind it."""

    label: str
    run: Run
    backtest: Run
    cells: pd.DataFrame

    @property
    def params(self) -> dict[str, str]:
        made_with = {**self.backtest.data.params, **self.run.data.params}
        tags = {**self.backtest.data.tags, **self.run.data.tags}
        return {**made_with, **{name: tags.get(name, "") for name in _FACTS}}

    @property
    def commodity(self) -> str:
        return self.backtest.data.tags.get("commodity", COMMODITY)

    @property
    def as_of(self) -> pd.Timestamp:
        return pd.Timestamp(self.backtest.data.tags["as_of"])


def compare_runs(settings: Settings, a: str, b: str, config: RunConfig = MAGNETS) -> RunComparison:
    """Compare two runs, or versions of a model, on the cells that both backtests forecast."""
    runs = find_runs(settings, {})
    if not runs:
        raise StoreError(
            f"MLflow's database {settings.tracking_uri} holds no run. Expected two to compare. Run "
            "`magnetcast backtest` or `magnetcast train` first."
        )
    sides = [_side(settings, runs, text, config.model) for text in (a, b)]
    first, second = sides
    if first.backtest.info.run_id == second.backtest.info.run_id:
        raise DataError(
            f"{a} and {b} rest on the same backtest, run "
            f"{first.backtest.info.run_id[:_SHOWN]}. Expected two backtests. "
            "Name runs of two backtests."
        )
    if first.commodity != second.commodity:
        raise DataError(
            f"{a} forecasts {first.commodity}, {b} forecasts {second.commodity}. Expected "
            "runs on the same goods. Name two of them."
        )
    one_cells, other_cells = model_cells(first.cells), model_cells(second.cells)
    if second.as_of >= first.as_of:
        cells = paired_cells(other_cells, one_cells, (B, A))
    else:
        cells = paired_cells(one_cells, other_cells, (A, B))
    if cells.empty:
        cutoffs = (side.cells["cutoff"].agg(["min", "max"]) for side in sides)
        reach = ", ".join(f"cutoffs {earliest} to {latest}" for earliest, latest in cutoffs)
        raise DataError(
            f"{a} and {b} have no scored cell in common: {reach}. "
            "Expected backtests with origins, destinations and months that both forecast. Run "
            "`magnetcast backtest` with the --as-of of the other."
        )
    columns = {A: pd.Series(first.params, dtype=object), B: pd.Series(second.params, dtype=object)}
    params = pd.DataFrame(columns).fillna("")
    choices = params.loc[params[A] != params[B]].rename_axis("choice").reset_index()
    return RunComparison((first.label, second.label), choices, score_differences(cells))


def _side(settings: Settings, runs: Sequence[Run], text: str, model: str) -> _Side:
    """Run that a user names, with the related backtest that scored it and its cells."""
    run, label = _named(settings, runs, text, model)
    for candidate in _related(runs, run):
        cells = read_cells(settings, candidate.info.run_id)
        if len(cells):
            return _Side(label, run, candidate, cells)
    raise DataError(
        f"{label} has no scored cells ({CELLS}). Expected a backtest, or a training or publication "
        "with one, that scored at least one month. Name another run."
    )


def _named(settings: Settings, runs: Sequence[Run], text: str, model: str) -> tuple[Run, str]:
    if text.isdigit() and len(text) <= LONGEST_NUMBER:
        run_id, words = (
            model_registry.at_version(settings, int(text), model).run_id,
            f"version {text}, ",
        )
    else:
        run_id, words = text.lower(), ""
    matches = [run for run in runs if run.info.run_id.startswith(run_id)]
    if len(matches) == 1:
        run = matches[0]
        return run, f"{words}run {run.info.run_id[:_SHOWN]} ({run.info.run_name})"
    which = first_few([run.info.run_id[:_SHOWN] for run in matches]) or "none"
    raise StoreError(
        f"{len(matches)} runs in {settings.tracking_uri} begin with {text!r}: {which}. Expected "
        "one: the identifier of a run, how it begins, or the number of a version. "
        "`mlflow ui` shows all."
    )


def _related(runs: Sequence[Run], run: Run) -> list[Run]:
    """Runs that may hold the cells of a run: itself, those of its job, backtests of its model."""
    job = run.data.tags.get(MLFLOW_PARENT_RUN_ID, run.info.run_id)
    model = run.data.tags.get("model_version")
    kin = [
        candidate
        for candidate in runs
        if job in (candidate.info.run_id, candidate.data.tags.get(MLFLOW_PARENT_RUN_ID))
    ]
    replays = [
        candidate
        for candidate in runs
        if candidate.data.tags.get("flow") == "backtest"
        and candidate.data.tags.get("model_version") == model
    ]
    return [run, *kin, *replays]
