"""Which choices of the engine a search may change, and how far."""

from dataclasses import dataclass, replace
from typing import Final

from optuna import Trial
from optuna.distributions import FloatDistribution, IntDistribution

from models.engine.spec import EngineSpec

DIGITS: Final = 3
"""Significant digits of a found number: more would tell of the panel's noise."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A number of the spec and the range it is sought in."""

    name: str
    low: float
    high: float
    log: bool = False
    """Whether a step is a share of the number, not an amount."""

    def around(self, now: float) -> FloatDistribution | IntDistribution:
        """Return the range, made wide enough to hold the present number."""
        low, high = min(self.low, now), max(self.high, now)
        if isinstance(now, int):
            return IntDistribution(int(low), int(high), log=self.log)
        return FloatDistribution(low, high, log=self.log)


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


def suggested(trial: Trial, spec: EngineSpec) -> EngineSpec:
    """Return the spec that a trial asks for.

    Args:
        trial: An open trial of a study.
        spec: The present spec; what is not sought stays as it is there.
    """
    found: dict[str, int | float] = {}
    for choice in SPACE:
        space = choice.around(spec.choices[choice.name])
        if isinstance(space, IntDistribution):
            found[choice.name] = trial.suggest_int(
                choice.name, space.low, space.high, log=space.log
            )
        else:
            number = trial.suggest_float(choice.name, space.low, space.high, log=space.log)
            found[choice.name] = float(f"{number:.{DIGITS}g}")
    return replace(spec, **found)  # type: ignore[arg-type]


def sought(spec: EngineSpec) -> dict[str, int | float]:
    """Return what a search may change, by name."""
    return {choice.name: spec.choices[choice.name] for choice in SPACE}
