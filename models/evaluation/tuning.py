"""Search for a recipe's parameters at past origins, and check at later ones what was found.

A search only looks at the origins that it searches; those held out tell, once it is over, whether
its gain is more than luck.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Generic, Protocol, TypeVar

import numpy as np
import optuna
import pandas as pd
from optuna.samplers import TPESampler

from features.history import EvidenceHistory
from models.engine.training_set import validation_start
from models.evaluation.backtest import backtest_evidence, backtest_panel
from models.evaluation.compare import own_cells
from models.executor import IN_TURN, Executor
from models.forecasting.panel_forecaster import PanelForecaster, PanelSnapshot
from models.learning.spec import EngineSpec, ModelSpec, Spec, sought, suggested
from store.arrays import Floats
from store.errors import DataError
from store.months import YEAR, month_label
from store.progress import Progress, untracked

APART: Final = 0.5
"""Years between the cutoffs of a panel."""

_SEARCHED: Final = 3
"""Cutoffs searched on, at most."""

CHECKS: Final = 3
"""Seeds that the held-out cutoff of a panel is scored with."""

METRICS: Final = ("mase", "sql")
"""Mean scaled error of the median, and mean scaled quantile loss."""

HELD_OUT: Final = pd.DateOffset(years=1)
"""Origins of the magnets' last year are not searched; they check what was found."""

SpecT = TypeVar("SpecT", bound=Spec)
SpecT_contra = TypeVar("SpecT_contra", bound=Spec, contravariant=True)


class Tuned(Protocol[SpecT_contra]):
    """What a search is judged by."""

    @property
    def name(self) -> str: ...

    @property
    def about(self) -> Mapping[str, object]:
        """Return its origins in words, for the report."""
        ...

    def errors(self, spec: SpecT_contra) -> Floats:
        """Return the errors (``METRICS``) of a spec at the origins searched."""
        ...

    def checked(self, spec: SpecT_contra) -> Floats:
        """Return the same at the origins held out."""
        ...


@dataclass(frozen=True, slots=True)
class TunedMagnets:
    """The magnets' backtest, searched up to a year ago."""

    history: EvidenceHistory = field(repr=False)
    as_of: pd.Timestamp
    executor: Executor = IN_TURN
    name: str = "magnets"

    @property
    def about(self) -> Mapping[str, object]:
        return {"held_out_from": f"{self.as_of - HELD_OUT:%Y-%m-%d}"}

    def errors(self, spec: ModelSpec) -> Floats:
        """As ``Tuned.errors``: one backtest."""
        return self._errors(spec, is_late=False)

    def checked(self, spec: ModelSpec) -> Floats:
        """As ``Tuned.checked``, from the same backtest, which is kept."""
        return self._errors(spec, is_late=True)

    def _errors(self, spec: ModelSpec, *, is_late: bool) -> Floats:
        made = backtest_evidence(self.history, self.as_of, spec=spec, executor=self.executor)
        cells, held_out = own_cells(made.cells), self.as_of - HELD_OUT
        if len(cells):
            cells = cells.loc[(cells["as_of"] >= held_out) == is_late]
        if cells.empty:
            raise DataError(
                f"No month is scored {'after' if is_late else 'before'} {held_out:%Y-%m-%d}. "
                "Expected origins to search on and a year of them to check on. Take a later "
                "--as-of, or tune on panels with --panel FILE."
            )
        return _means(cells)


@dataclass(frozen=True, slots=True)
class TunedPanel:
    """A panel to search on; what lies after the last month that may be looked at is not in it."""

    name: str
    table: pd.DataFrame
    """Tonnes, series x consecutive period numbers, NaN where missing."""
    horizon: int
    cutoffs: tuple[int, ...]
    """Searched: numbers of last known periods whose targets end by ``held_out``."""
    held_out: int
    """The cutoff that checks what was found; its targets end at the table's last period."""

    @classmethod
    def up_to(
        cls, name: str, table: pd.DataFrame, *, before: int, horizon: int, spec: EngineSpec
    ) -> "TunedPanel":
        """Return the panel cut off after a month, with cutoffs half a year apart before it.

        Args:
            table: Tonnes, series x consecutive period numbers; not modified.
            spec: The present spec: how much history the engine learns from at least.
        """
        first, last = int(table.columns[0]), int(table.columns[-1])
        held_out = before - horizon
        apart = int(APART * YEAR)
        newest = held_out - max(apart, horizon)
        past = spec.least_history + horizon - validation_start(0, horizon, spec)
        earliest = first + past - 1
        wanted = [newest - apart * back for back in reversed(range(_SEARCHED))]
        cutoffs = tuple(cutoff for cutoff in wanted if cutoff >= earliest)
        if not cutoffs or before > last:
            raise _too_short(name, table, before, past + before - newest)
        return cls(name, table.loc[:, :before], horizon, cutoffs, held_out)

    @property
    def about(self) -> Mapping[str, object]:
        return {
            "horizon": self.horizon,
            "cutoffs": [month_label(cutoff) for cutoff in self.cutoffs],
            "held_out_cutoff": month_label(self.held_out),
        }

    def errors(self, spec: EngineSpec) -> Floats:
        """As ``Tuned.errors``."""
        return panel_errors(self, self.cutoffs, spec)

    def checked(self, spec: EngineSpec) -> Floats:
        """As ``Tuned.checked``, summed over seeds that the search did not use."""
        seeds = (spec.seed + further for further in range(1, CHECKS + 1))
        made = [panel_errors(self, (self.held_out,), replace(spec, seed=seed)) for seed in seeds]
        return np.asarray(np.sum(made, axis=0))


def panel_errors(panel: TunedPanel, cutoffs: Sequence[int], spec: EngineSpec) -> Floats:
    """Return the errors (``METRICS``) of a spec, means over all cells of some cutoffs."""
    snapshot = PanelSnapshot(panel.table, panel.horizon)
    made = backtest_panel(PanelForecaster(spec, baselines=()), snapshot, cutoffs)
    cells = own_cells(made.cells).dropna(subset=["scaled_error"])
    errors = _means(cells) if len(cells) else np.zeros(len(METRICS))
    if not (errors > 0).all():
        raise DataError(
            f"Panel {panel.name} has no error to make smaller from "
            f"{month_label(min(cutoffs))} to "
            f"{month_label(max(cutoffs) + panel.horizon)}: "
            f"{len(cells)} cells are scored. Expected series that differ from the year before. "
            "Leave the panel out, or take another --before."
        )
    return errors


def _means(cells: pd.DataFrame) -> Floats:
    return cells[["scaled_error", "scaled_quantile_loss"]].mean().to_numpy(dtype=float)


@dataclass(frozen=True, slots=True)
class TuningResult(Generic[SpecT]):
    """What a search found and what it is worth."""

    untuned: SpecT
    spec: SpecT
    """The best: ``untuned`` itself where nothing beat it."""
    best: int
    """Its trial."""
    trials: pd.DataFrame
    """One row a trial in order: trial, the choices sought, ratio, and each panel's mase and sql."""
    gains: pd.DataFrame
    """One row a panel: panel, searched, held_out and left_out, all ratios of the errors to those of
    ``untuned`` on the same cells, below 1 where better. ``searched`` is of the best where it was
    searched, ``held_out`` where it was not; ``left_out`` is of the trial that was best on the other
    panels, on this one (NaN where there is no other)."""

    @property
    def searched(self) -> float:
        return float(self.gains["searched"].mean())

    @property
    def held_out(self) -> float:
        return float(self.gains["held_out"].mean())

    @property
    def changed(self) -> dict[str, tuple[int | float, int | float]]:
        old, new = self.untuned.choices, self.spec.choices
        return {name: (old[name], new[name]) for name in old if old[name] != new[name]}


def tune(
    panels: Sequence[Tuned[SpecT]],
    *,
    trials: int,
    spec: SpecT,
    seed: int,
    track: Progress = untracked,
    tell: Callable[[int, SpecT, float], Any] = lambda *_: None,
) -> TuningResult[SpecT]:
    """Return the best of some trials; the first is the present spec.

    The objective is the mean of all errors, each as a ratio to the present spec's. The same panels,
    trials, spec and seed find the same.

    Args:
        tell: Called as each trial ends, with its number, its spec and its objective.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=TPESampler(seed=seed))
    study.enqueue_trial(dict(sought(spec)))
    specs: list[SpecT] = []
    errors: list[Floats] = []
    for number in track(range(trials), "trials"):
        trial = study.ask()
        specs.append(suggested(trial, spec))
        errors.append(np.array([one.errors(specs[-1]) for one in panels]))
        ratio = float((errors[-1] / errors[0]).mean())
        study.tell(trial, ratio)
        tell(number, specs[-1], ratio)
    ratios = np.array([(error / errors[0]).mean(axis=1) for error in errors])
    best = int(ratios.mean(axis=1).argmin())
    gains = pd.DataFrame(
        {
            "panel": [panel.name for panel in panels],
            "searched": ratios[best],
            "held_out": [
                float((panel.checked(specs[best]) / panel.checked(spec)).mean()) for panel in panels
            ],
            "left_out": _left_out(ratios),
        }
    )
    table = _trial_table(panels, specs, np.array(errors), ratios)
    return TuningResult(spec, specs[best], best, table, gains)


def _left_out(ratios: Floats) -> list[float]:
    """Return for each panel the ratio there of the trial that is best on the others."""
    count = ratios.shape[1]
    if count == 1:
        return [float("nan")]
    others = [np.delete(ratios, place, axis=1).mean(axis=1).argmin() for place in range(count)]
    return [float(ratios[trial, place]) for place, trial in enumerate(others)]


def _trial_table(
    panels: Sequence[Tuned[SpecT]], specs: Sequence[SpecT], errors: Floats, ratios: Floats
) -> pd.DataFrame:
    choices = pd.DataFrame([sought(spec) for spec in specs])
    scores = {
        f"{panel.name}_{metric}": errors[:, place, column]
        for place, panel in enumerate(panels)
        for column, metric in enumerate(METRICS)
    }
    table = choices.assign(ratio=ratios.mean(axis=1), **scores)
    return table.rename_axis("trial").reset_index()


def _too_short(name: str, table: pd.DataFrame, before: int, needed: int) -> DataError:
    first, last = (month_label(int(table.columns[place])) for place in (0, -1))
    return DataError(
        f"Panel {name} runs from {first} to {last}, which allows no search up to "
        f"{month_label(before)}. Expected a month of the panel with at least "
        f"{needed} months up to it, for a cutoff to search on, one to check on and a "
        "past for both. Take another --before or a shorter --horizon."
    )
