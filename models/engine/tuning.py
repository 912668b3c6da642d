"""Search for the engine's choices on early months of panels, and check on later what was found.

A search only looks at the cutoffs of a panel that it searches; the last one is held out and tells,
once the search is over, whether its gain is more than luck.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import numpy as np
import optuna
import pandas as pd
from optuna.samplers import TPESampler

from models.engine.forecast import engine_at
from models.engine.training_set import validation_start
from models.executor import IN_TURN, Executor
from models.learning.spec import EngineSpec, sought, suggested
from models.statistical.seasonality import seasonal_scale
from store.arrays import Floats
from store.errors import DataError
from store.months import YEAR, month_label
from store.progress import Progress, untracked
from store.vocabulary import QUANTILES

APART: Final = 0.5
"""Years between the cutoffs of a panel."""

_SEARCHED: Final = 3
"""Cutoffs searched on, at most."""

_LEVELS: Final = (0.1, 0.5, 0.9)
"""Quantiles whose loss is scored, as in the benchmark's own score."""

CHECKS: Final = 3
"""Seeds that the held-out cutoff is scored with."""

METRICS: Final = ("mase", "sql")


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
        cls,
        name: str,
        table: pd.DataFrame,
        *,
        before: int,
        horizon: int,
        spec: EngineSpec,
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
        past = _least_past(horizon, spec)
        earliest = first + past - 1
        wanted = [newest - apart * back for back in reversed(range(_SEARCHED))]
        cutoffs = tuple(cutoff for cutoff in wanted if cutoff >= earliest)
        if not cutoffs or before > last:
            raise _too_short(name, table, before, past + before - newest)
        return cls(name, table.loc[:, :before], horizon, cutoffs, held_out)


@dataclass(frozen=True, slots=True)
class TuningResult:
    """What a search found and what it is worth."""

    untuned: EngineSpec
    spec: EngineSpec
    """The best: ``untuned`` itself where nothing beat it."""
    best: int
    """Its trial."""
    trials: pd.DataFrame
    """One row a trial in order: trial, the choices sought, ratio, and each panel's mase and sql."""
    gains: pd.DataFrame
    """One row a panel: panel, searched, held_out and left_out, all ratios of the errors to those of
    ``untuned`` on the same cells, below 1 where better. ``searched`` is of the best on the cutoffs
    searched, ``held_out`` on the one that was not; ``left_out`` is of the trial that was best on
    the other panels, on this one's cutoffs searched (NaN where there is no other)."""

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
    panels: Sequence[TunedPanel],
    *,
    trials: int,
    spec: EngineSpec,
    seed: int,
    track: Progress = untracked,
    tell: Callable[[int, EngineSpec, float], None] = lambda *_: None,
    executor: Executor = IN_TURN,
) -> TuningResult:
    """Return the best of some trials; the first is the present spec.

    A panel's errors are the mean scaled error of the median and the mean scaled quantile loss over
    ``_LEVELS``, each as a ratio to the present spec's. The objective is the mean of both ratios
    over all panels. The same panels, trials, spec and seed find the same.

    Args:
        tell: Called as each trial ends, with its number, its spec and its objective.
        executor: Runs the cutoffs of a trial; trials learn from those before.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=TPESampler(seed=seed))
    study.enqueue_trial(dict(sought(spec)))
    specs: list[EngineSpec] = []
    errors: list[Floats] = []
    for number in track(range(trials), "trials"):
        trial = study.ask()
        specs.append(suggested(trial, spec))
        errors.append(
            np.array([panel_errors(one, one.cutoffs, specs[-1], executor) for one in panels])
        )
        ratio = float((errors[-1] / errors[0]).mean())
        study.tell(trial, ratio)
        tell(number, specs[-1], ratio)
    ratios = np.array([(error / errors[0]).mean(axis=1) for error in errors])
    best = int(ratios.mean(axis=1).argmin())
    gains = pd.DataFrame(
        {
            "panel": [panel.name for panel in panels],
            "searched": ratios[best],
            "held_out": [_held_out(panel, specs[best], spec) for panel in panels],
            "left_out": _left_out(ratios),
        }
    )
    table = _trial_table(panels, specs, np.array(errors), ratios)
    return TuningResult(spec, specs[best], best, table, gains)


def panel_errors(
    panel: TunedPanel, cutoffs: Sequence[int], spec: EngineSpec, executor: Executor = IN_TURN
) -> Floats:
    """Return the errors (``METRICS``) of a spec, means over all cells of some cutoffs."""
    found = executor.map(partial(_cell_errors, panel, spec), cutoffs, f"cutoffs of {panel.name}")
    cells = np.concatenate(list(found))
    errors = cells.mean(axis=0) if len(cells) else np.zeros(len(METRICS))
    if not (errors > 0).all():
        raise DataError(
            f"Panel {panel.name} has no error to make smaller from "
            f"{month_label(min(cutoffs))} to "
            f"{month_label(max(cutoffs) + panel.horizon)}: "
            f"{len(cells)} cells are scored. Expected series that differ from the year before. "
            "Leave the panel out, or take another --before."
        )
    return errors


def _cell_errors(panel: TunedPanel, spec: EngineSpec, cutoff: int) -> Floats:
    """Return cells x ``METRICS`` of the forecasts at one cutoff, in the series' seasonal scale."""
    first = int(panel.table.columns[0])
    seen = panel.table.loc[:, :cutoff].to_numpy(dtype=float)
    later = panel.table.loc[:, cutoff + 1 : cutoff + panel.horizon].to_numpy(dtype=float)
    engine = engine_at(
        seen,
        last=cutoff - first,
        horizon=panel.horizon,
        first=first,
        spec=spec,
    )
    places = [QUANTILES.index(level) for level in _LEVELS]
    scale = seasonal_scale(seen)
    parts = []
    for forecast in engine.forecasts():
        unit = scale[forecast.rows][:, None, None]
        gap = later[forecast.rows][:, :, None] - forecast.tonnes[:, :, places]
        loss = 2.0 * np.maximum(np.asarray(_LEVELS) * gap, (np.asarray(_LEVELS) - 1.0) * gap)
        usable = np.isfinite(gap[:, :, 0]) & (unit[:, :, 0] > 0)
        scaled = (loss / np.where(unit > 0, unit, 1.0))[usable]
        parts.append(np.stack([scaled[:, _LEVELS.index(0.5)], scaled.mean(axis=1)], axis=1))
    return np.concatenate(parts) if parts else np.empty((0, len(METRICS)))


def _held_out(panel: TunedPanel, spec: EngineSpec, untuned: EngineSpec) -> float:
    """Return the ratio of a spec's errors to the untuned at the cutoff the search did not see."""
    errors, usual = (
        np.sum([panel_errors(panel, (panel.held_out,), one) for one in _reseeded(some)], axis=0)
        for some in (spec, untuned)
    )
    return float((errors / usual).mean())


def _reseeded(spec: EngineSpec) -> list[EngineSpec]:
    """Return a spec with seeds the search did not use, so that no lucky draw is taken for skill."""
    return [replace(spec, seed=spec.seed + further) for further in range(1, CHECKS + 1)]


def _left_out(ratios: Floats) -> list[float]:
    """Return for each panel the ratio there of the trial that is best on the others."""
    count = ratios.shape[1]
    if count == 1:
        return [float("nan")]
    others = [np.delete(ratios, place, axis=1).mean(axis=1).argmin() for place in range(count)]
    return [float(ratios[trial, place]) for place, trial in enumerate(others)]


def _trial_table(
    panels: Sequence[TunedPanel], specs: Sequence[EngineSpec], errors: Floats, ratios: Floats
) -> pd.DataFrame:
    choices = pd.DataFrame([sought(spec) for spec in specs])
    scores = {
        f"{panel.name}_{metric}": errors[:, place, column]
        for place, panel in enumerate(panels)
        for column, metric in enumerate(METRICS)
    }
    table = choices.assign(ratio=ratios.mean(axis=1), **scores)
    return table.rename_axis("trial").reset_index()


def _least_past(horizon: int, spec: EngineSpec) -> int:
    """Return the periods up to a cutoff with which the engine learns something before its trial."""
    return spec.least_history + horizon - validation_start(0, horizon, spec)


def _too_short(name: str, table: pd.DataFrame, before: int, needed: int) -> DataError:
    first, last = (month_label(int(table.columns[place])) for place in (0, -1))
    return DataError(
        f"Panel {name} runs from {first} to {last}, which allows no search up to "
        f"{month_label(before)}. Expected a month of the panel with at least "
        f"{needed} months up to it, for a cutoff to search on, one to check on and a "
        "past for both. Take another --before or a shorter --horizon."
    )
