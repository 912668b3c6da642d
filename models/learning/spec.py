"""Every choice of the models in frozen, printable places, and which of them a search may change."""

import hashlib
import json
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, get_type_hints

if TYPE_CHECKING:
    from optuna import Trial


@dataclass(frozen=True, slots=True)
class Bounds:
    """The range a parameter may have, its unit, and what it does."""

    low: float
    high: float
    unit: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Spec:
    """Choices of a model."""

    uncounted: ClassVar[frozenset[str]] = frozenset()
    """Choices that leave the numbers as they are and stay out of the digest."""
    added: ClassVar[frozenset[str]] = frozenset()
    """Choices of later versions: unchanged they stay out of it too, so that it is as it was."""

    @property
    def choices(self) -> dict[str, int | float]:
        """Return every choice by name."""
        return asdict(self)

    @property
    def digest(self) -> str:
        """Return a short fingerprint of all choices that count."""
        left_out = self.uncounted | self.added.difference(self.changed)
        counted = {name: one for name, one in self.choices.items() if name not in left_out}
        return hashlib.sha256(json.dumps(counted, sort_keys=True).encode()).hexdigest()[:8]

    @property
    def changed(self) -> dict[str, int | float]:
        """Return the choices that differ from the defaults, by name."""
        defaults = type(self)().choices
        return {name: one for name, one in self.choices.items() if one != defaults[name]}

    @classmethod
    def bounds(cls) -> dict[str, Bounds]:
        """Return what is known of each choice, by name."""
        hints = get_type_hints(cls, include_extras=True)
        return {one.name: hints[one.name].__metadata__[0] for one in fields(cls)}


Rounds = Annotated[int, Bounds(1, 5_000, "trees", "trees of each head")]
LearningRate = Annotated[float, Bounds(1e-4, 1, "share", "step of each tree")]
Leaves = Annotated[int, Bounds(2, 1_024, "leaves", "leaves of a tree, at most")]
LeastRows = Annotated[int, Bounds(1, 100_000, "rows", "rows in a leaf, at least")]
L2 = Annotated[float, Bounds(0, 1e6, "", "pull of the leaves towards zero")]
FeatureShare = Annotated[float, Bounds(0.01, 1, "share", "features that a tree may use")]
Bins = Annotated[int, Bounds(3, 255, "bins", "bins of a feature, at most")]
Trust = Annotated[
    float, Bounds(0, 1, "share", "how far measured weights count against the weights assumed")
]
Seed = Annotated[int, Bounds(0, 2**31 - 1, "", "of every random draw")]
Threads = Annotated[int, Bounds(1, 64, "threads", "threads that fit trees")]


@dataclass(frozen=True, slots=True)
class ModelSpec(Spec):
    """Choices of the magnets' model.

    Source: docs/adr/0002-direct-global-model.md, docs/adr/0006-combination-for-magnets.md.
    """

    rounds: Rounds = 80
    learning_rate: LearningRate = 0.05
    leaves: Leaves = 4
    least_rows: LeastRows = 100
    l2: L2 = 5.0
    feature_share: FeatureShare = 0.5
    bins: Bins = 63
    smoothing: Annotated[
        float, Bounds(1e-3, 5, "log units", "width within which the quantile loss is rounded off")
    ] = 0.08
    half_life_months: Annotated[
        float, Bounds(0.1, 1_200, "months", "age at which a past origin counts half")
    ] = 48.0
    cell_noise: Annotated[
        float,
        Bounds(
            1e-3,
            10,
            "log units",
            "spread of the log ratio where a cell is known exactly; sets how fast uncertain cells "
            "lose weight",
        ),
    ] = 0.25
    stderr_limit: Annotated[
        float, Bounds(1e-3, 10, "log units", "cells less certain than this train nothing")
    ] = 0.5
    trees_prior: Annotated[
        float,
        Bounds(0, 1, "share", "weight of the trees before any error is known, beside the experts"),
    ] = 1.0
    trust: Trust = 0.25
    calibration_half_life_months: Annotated[
        float, Bounds(0.1, 1_200, "months", "age at which an error counts half in the bands")
    ] = 12.0
    calibration_prior: Annotated[
        float, Bounds(0.01, 1e6, "forecasts", "worth of the default residuals")
    ] = 12.0
    horizon_growth: Annotated[
        float, Bounds(0, 1, "", "power of the horizon that bands grow with, as errors do")
    ] = 0.25
    history_weight: Annotated[
        float,
        Bounds(0, 2, "share", "share of the last months' standard error that enters the bands"),
    ] = 0.5
    floor_spread: Annotated[
        float, Bounds(1e-3, 5, "log units", "least spread of the heads that errors are scaled by")
    ] = 0.05
    seed: Seed = 20250404
    threads: Threads = 1
    """One is fastest for the few thousand rows of the magnets, and gives the same bits on any
    machine."""


@dataclass(frozen=True, slots=True)
class EngineSpec(Spec):
    """Choices of the engine. Source: docs/adr/0005-panel-engine.md.

    Found by ``magnetcast train --tune N``.
    """

    uncounted: ClassVar = frozenset({"threads"})
    added: ClassVar = frozenset({"pretrained"})

    pairs: Annotated[
        int, Bounds(0, 1e6, "pairs", "pairs of series and past origin to train on, at most")
    ] = 8_000
    most_series: Annotated[
        int, Bounds(1, 1e6, "series", "series that past origins look at, at most")
    ] = 6_000
    """More are not worth their time."""
    rows: Annotated[int, Bounds(100, 1e7, "rows", "cells of those pairs that a fit sees")] = 10_000
    step: Annotated[int, Bounds(1, 24, "months", "months between past origins")] = 2
    span: Annotated[
        int, Bounds(1, 1_200, "months", "months back to the earliest origin, besides the horizon")
    ] = 60
    least_history: Annotated[
        int, Bounds(14, 1_200, "months", "months of the panel that a past origin needs behind it")
    ] = 14
    half_life: Annotated[
        float, Bounds(0.1, 1_200, "months", "age at which a past origin counts half")
    ] = 60.0
    ridge: Annotated[
        float, Bounds(0, 1e9, "rows", "worth of the belief that the experts need no correction")
    ] = 1000.0
    rounds: Rounds = 40
    learning_rate: LearningRate = 0.1
    leaves: Leaves = 15
    least_rows: LeastRows = 100
    l2: L2 = 1.0
    feature_share: FeatureShare = 0.4
    row_share: Annotated[float, Bounds(0.01, 1, "share", "rows that a tree may use")] = 0.7
    bins: Bins = 63
    trial_months: Annotated[
        int, Bounds(1, 1_200, "months", "the validation window, at least the horizon")
    ] = 12
    trust: Trust = 0.5
    band_prior: Annotated[
        float, Bounds(0.01, 1e6, "cells", "worth of the heads' own quantiles")
    ] = 300.0
    band_half_life: Annotated[
        float, Bounds(0.1, 1_200, "months", "age at which a validation cell counts half in bands")
    ] = 12.0
    band_growth: Annotated[
        float, Bounds(0, 10, "share", "how much wider bands are a whole window ahead")
    ] = 0.2
    """Far months are seen from few of its origins, which overlap and share their shocks."""
    other_groups: Annotated[
        float, Bounds(0, 1, "share", "what a cell of another group of volatility counts")
    ] = 0.3
    adaption: Annotated[
        float, Bounds(0, 1, "share", "how far one month's errors move the bands (ACI's gamma)")
    ] = 0.05
    pretrained: Annotated[
        int,
        Bounds(0, 1, "", "1 adds the forecasts of a pretrained network (magnetcast[pretrained])"),
    ] = 0
    """Source: docs/adr/0063-a-pretrained-expert.md."""
    seed: Seed = 20250404
    threads: Threads = 2
    """The numbers are the same with any number of them."""

    def validation_length(self, horizon: int) -> int:
        """Return the periods of the validation window."""
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
