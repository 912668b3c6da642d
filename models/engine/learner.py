"""What the experts miss: a linear stack and three LightGBM quantile heads on one binned table."""

from dataclasses import dataclass
from typing import Final

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from models.engine.lessons import Lessons
from models.engine.spec import EngineSpec
from models.engine.stack import Stack, fit_stack
from models.spec import HEAD_LEVELS

Floats = NDArray[np.float64]

LEAST_CELLS: Final = 200
"""Cells below which nothing is learned."""

CANDIDATES: Final = ("experts", "stack", "trees")
"""Middles to be weighed against each other; the first is the base itself."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a learner says of cells, as distances from the base in spreads."""

    candidates: Floats
    """Cells x ``CANDIDATES``."""
    low: Floats
    """10 percent."""
    high: Floats
    """90 percent."""


@dataclass(frozen=True, slots=True)
class Learner:
    """A fitted stack and heads."""

    stack: Stack
    heads: dict[str, lgb.Booster]
    threads: int

    def says(self, features: NDArray[np.float32]) -> Said:
        """Return what is said of cells x features."""
        low, middle, high = (
            np.asarray(head.predict(features, num_threads=self.threads))
            for head in self.heads.values()
        )
        candidates = np.stack([np.zeros(len(middle)), self.stack.says(features), middle], axis=1)
        return Said(candidates, np.minimum(low, middle), np.maximum(high, middle))


class Teacher:
    """Lessons at one cutoff, binned once: each fit takes a part of the binned table."""

    def __init__(self, known: Lessons, names: tuple[str, ...], last: int, spec: EngineSpec) -> None:
        """Take the lessons known at the column ``last``."""
        self._known = known
        self._names = names
        self._spec = spec
        age = (last - known.origin) / spec.half_life
        self._weight = known.weight * 0.5**age
        self._table = lgb.Dataset(
            known.features,
            label=known.target,
            weight=self._weight,
            params={
                "max_bin": spec.bins,
                "min_data_in_leaf": spec.least_rows,
                "feature_pre_filter": False,
                "verbosity": -1,
            },
            free_raw_data=False,
        )

    def learner(self, cells: NDArray[np.bool_]) -> Learner | None:
        """Return a learner fitted to some cells, at most ``spec.rows`` of them; None if too few."""
        chosen = np.flatnonzero(cells)
        if len(chosen) < LEAST_CELLS:
            return None
        if len(chosen) > self._spec.rows:
            draw = np.random.default_rng(self._spec.seed)
            chosen = np.sort(draw.choice(chosen, self._spec.rows, replace=False))
        known = self._known
        stack = fit_stack(
            known.features[chosen],
            known.target[chosen],
            self._weight[chosen],
            names=self._names,
            ridge=self._spec.ridge,
        )
        table = self._table.subset(chosen.tolist())
        heads = {
            name: lgb.train(self._parameters(level, len(chosen)), table, self._spec.rounds)
            for name, level in HEAD_LEVELS.items()
        }
        return Learner(stack, heads, self._spec.threads)

    def _parameters(self, level: float, cells: int) -> dict[str, object]:
        spec = self._spec
        return {
            "objective": "quantile",
            "alpha": level,
            "learning_rate": spec.learning_rate,
            "num_leaves": spec.leaves,
            "min_data_in_leaf": min(spec.least_rows, cells // 20),
            "lambda_l2": spec.l2,
            "feature_fraction": spec.feature_share,
            "bagging_fraction": spec.row_share,
            "bagging_freq": 1,
            "max_bin": spec.bins,
            "seed": spec.seed,
            "deterministic": True,
            "force_col_wise": True,
            "num_threads": spec.threads,
            "verbosity": -1,
        }
