"""Every choice of the models in frozen, printable places, and which of them a search may change."""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Final

if TYPE_CHECKING:
    from optuna import Trial


@dataclass(frozen=True, slots=True)
class Spec:
    """Choices of a model."""

    uncounted: ClassVar[frozenset[str]] = frozenset()
    """Choices that leave the numbers as they are and stay out of the digest."""

    @property
    def choices(self) -> dict[str, int | float]:
        """Return every choice by name."""
        return asdict(self)

    @property
    def digest(self) -> str:
        """Return a short fingerprint of all choices that count."""
        counted = {name: one for name, one in self.choices.items() if name not in self.uncounted}
        return hashlib.sha256(json.dumps(counted, sort_keys=True).encode()).hexdigest()[:8]


@dataclass(frozen=True, slots=True)
class ModelSpec(Spec):
    """Choices of the magnets' model.

    Source: docs/adr/0002-direct-global-model.md, docs/adr/0006-combination-for-magnets.md.
    """

    rounds: int = 80
    learning_rate: float = 0.05
    leaves: int = 4
    least_rows: int = 100
    """Rows in a leaf, at least."""
    l2: float = 5.0
    feature_share: float = 0.5
    bins: int = 63
    smoothing: float = 0.08
    """Width in log units within which the quantile loss is rounded off."""
    half_life_months: float = 48.0
    """Age at which a past origin counts half."""
    cell_noise: float = 0.25
    """Spread of the log ratio that remains where a cell is known exactly; sets how fast uncertain
    cells lose weight."""
    stderr_limit: float = 0.5
    """Cells less certain than this (log units) train nothing."""
    trees_prior: float = 1.0
    """Weight of the trees before any error is known; the experts have the rest."""
    trust: float = 0.25
    """How far measured weights of trees and experts count against the prior."""
    calibration_half_life_months: float = 12.0
    """Age at which an earlier error counts half, for weights and bands."""
    calibration_prior: float = 12.0
    """Worth of the default residuals, in forecasts."""
    floor_spread: float = 0.05
    seed: int = 20250404
    threads: int = 1
    """One is fastest for the few thousand rows of the magnets, and gives the same bits on any
    machine."""


@dataclass(frozen=True, slots=True)
class EngineSpec(Spec):
    """Choices of the engine. Source: docs/adr/0005-panel-engine.md.

    Found by ``magnetcast train --tune N``.
    """

    uncounted: ClassVar = frozenset({"threads"})

    pairs: int = 8_000
    """Pairs of series and past origin to train on, at most."""
    most_series: int = 6_000
    """Series that past origins look at, at most: more are not worth their time."""
    rows: int = 10_000
    """Cells of those pairs that a fit sees, at most."""
    step: int = 2
    """Months between past origins."""
    span: int = 60
    """Months back to the earliest past origin, besides the horizon."""
    least_history: int = 14
    """Months of the panel that a past origin needs behind it."""
    half_life: float = 60.0
    """Age at which a past origin counts half, in months."""
    ridge: float = 1000.0
    """Worth of the belief that the experts' middle needs no correction, in rows."""
    rounds: int = 40
    learning_rate: float = 0.1
    leaves: int = 15
    least_rows: int = 100
    l2: float = 1.0
    feature_share: float = 0.4
    row_share: float = 0.7
    bins: int = 63
    trial_months: int = 12
    """Months of the validation window, which sets weights and bands; at least the horizon."""
    trust: float = 0.5
    """How far measured weights count against equal ones."""
    band_prior: float = 300.0
    """Worth of the heads' own quantiles, in cells of the validation window."""
    band_half_life: float = 12.0
    """Age at which a cell of the window counts half for the bands, in months."""
    band_growth: float = 0.2
    """How much wider than the window asks bands are a whole window ahead, nearer months in step:
    far months are seen from few of its origins, which overlap and share their shocks."""
    other_groups: float = 0.3
    """What a cell of another group of volatility counts."""
    adaption: float = 0.05
    """How far one month's misses move the level of the bands (ACI's gamma)."""
    seed: int = 20250404
    threads: int = 2
    """Workers; the numbers are the same with any number of them."""

    def validation_length(self, horizon: int) -> int:
        """Return the months of the validation window."""
        return max(self.trial_months, horizon)


DIGITS: Final = 3
"""Significant digits of a found number: more would tell of the panel's noise."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A number of the engine's spec and the range it is sought in."""

    name: str
    low: float
    high: float
    log: bool = False
    """Whether a step is a share of the number, not an amount."""

    def suggested(self, trial: "Trial", now: float) -> int | float:
        """Return what a trial asks for, in the range made wide enough for the present number."""
        low, high = min(self.low, now), max(self.high, now)
        if isinstance(now, int):
            return trial.suggest_int(self.name, int(low), int(high), log=self.log)
        number = trial.suggest_float(self.name, low, high, log=self.log)
        return float(f"{number:.{DIGITS}g}")


SPACE: Final = (
    Choice("rounds", 20, 120, log=True),
    Choice("learning_rate", 0.02, 0.2, log=True),
    Choice("leaves", 4, 31, log=True),
    Choice("least_rows", 20, 400, log=True),
    Choice("l2", 0.1, 50.0, log=True),
    Choice("feature_share", 0.15, 0.9),
    Choice("ridge", 50.0, 20_000.0, log=True),
    Choice("half_life", 12.0, 240.0, log=True),
    Choice("span", 24, 96),
    Choice("step", 1, 4),
    Choice("trust", 0.0, 1.0),
    Choice("band_prior", 20.0, 3_000.0, log=True),
    Choice("band_half_life", 4.0, 60.0, log=True),
    Choice("other_groups", 0.0, 1.0),
)
"""Left alone are ``pairs``, ``rows`` and ``bins``, which buy accuracy with time, and what no panel
of a few cutoffs can tell: ``adaption``, the seed. Rounds and leaves end at twice what is quick."""


def suggested(trial: "Trial", spec: EngineSpec) -> EngineSpec:
    """Return the spec that a trial asks for; what is not sought stays as it is."""
    now = spec.choices
    found = {choice.name: choice.suggested(trial, now[choice.name]) for choice in SPACE}
    return replace(spec, **found)  # type: ignore[arg-type]


def sought(spec: EngineSpec) -> dict[str, int | float]:
    """Return what a search may change, by name."""
    return {choice.name: spec.choices[choice.name] for choice in SPACE}
