"""What the experts miss: a linear stack and three LightGBM quantile heads on one binned table."""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import lightgbm as lgb
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from models.engine.training_set import PanelTrainingSet
from models.learning.calibration import Heads, TrainingRows, binned, train_heads
from models.learning.spec import EngineSpec
from models.registry.served import mean_of_quantiles
from store.arrays import Flags, Floats, Ints, join
from store.errors import DataError
from store.months import month_label, month_starts
from store.vocabulary import QUANTILE_COLUMNS, QUANTILES


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Forecasts of some series."""

    rows: Ints
    """Which series of the panel."""
    tonnes: Floats
    """Series x months x ``QUANTILES``, non-decreasing, at least 0."""
    mean: Floats
    """Series x months."""
    middle: Floats
    """Median of the experts, series x months."""
    experts: dict[str, Floats]
    """Each expert's forecast, series x months."""

    @staticmethod
    def joined(parts: "Iterable[Quantiles]") -> "Quantiles":
        """Return the forecasts of several chunks as one."""
        some = list(parts)
        if not some:
            raise DataError(
                "No series has a value in the year before the cutoff. Expected at least one. "
                "Take an earlier cutoff."
            )
        return join(some)

    def with_tonnes(self, tonnes: Floats) -> "Quantiles":
        """Return other quantiles of the same series, e.g. an expert's, and the means they imply."""
        return replace(self, tonnes=tonnes, mean=mean_of(tonnes))

    def lowered(self, amount: Floats) -> "Quantiles":
        """Return forecasts lower by an amount for each series of the panel."""
        own = amount[self.rows, None]
        return replace(self, tonnes=self.tonnes - own[:, :, None], mean=self.mean - own)

    def table(self, names: NDArray[np.object_], cutoff: int) -> pd.DataFrame:
        """Return the forecasts as rows: destination, cutoff, period, horizon, quantiles, mean.

        Args:
            cutoff: Number of the last known month.
        """
        count, months = self.mean.shape
        ahead = np.arange(1, months + 1)
        frame = pd.DataFrame(
            {
                "destination": np.repeat(names[self.rows], months),
                "cutoff": month_label(cutoff),
                "period": np.tile(month_starts(cutoff + ahead).to_numpy(), count),
                "horizon": np.tile(ahead, count),
            }
        )
        quantiles = pd.DataFrame(
            self.tonnes.reshape(count * months, len(QUANTILES)), columns=list(QUANTILE_COLUMNS)
        )
        return pd.concat([frame, quantiles], axis=1).assign(mean=self.mean.reshape(-1))


def mean_of(tonnes: Floats) -> Floats:
    """Return the means that quantiles imply; series x months x levels in, series x months out."""
    levels = np.asarray(QUANTILES)
    return mean_of_quantiles(tonnes.reshape(-1, len(levels)), levels).reshape(tonnes.shape[:2])


_FURTHEST: Final = 8.0
"""Spreads beyond which a feature carries no more information."""

ROUNDED: Final = 0.1
"""Errors smaller than this, in spreads, count as squares."""

STILL: Final = 1e-9
"""Standard deviation below which a term does not vary and stays as it is."""

PASSES: Final = 6
"""Times that weights and errors take turns."""

COUNTS: Final = ("horizon", "month", "known_months")
"""Features that are no distances and do not enter as they are."""


@dataclass(frozen=True, slots=True)
class Stack:
    """Weights of what the features say, the more or the less with the horizon."""

    columns: tuple[int, ...]
    horizon: int
    """Column of the horizon."""
    middle: Floats
    unit: Floats
    beta: Floats

    def predict(self, features: NDArray[np.float32]) -> Floats:
        """Return the distance from the base of each row, in spreads."""
        terms = (_terms(features, self.columns, self.horizon) - self.middle) / self.unit
        total = np.zeros(len(terms))
        # Column by column: a matrix product may round a row differently in a larger batch.
        for term, weight in zip(terms.T, self.beta, strict=True):
            total += weight * term
        return total


def fit_stack(
    features: NDArray[np.float32],
    target: Floats,
    weight: Floats,
    *,
    names: tuple[str, ...],
    ridge: float,
) -> Stack:
    """Return the stack with the least weighted absolute errors and a ridge.

    Args:
        features: Cells x features; NaN counts as 0.
        target: Distance of the outcome from the base, in spreads.
        ridge: Worth of the belief in 0, in cells.
    """
    columns = tuple(place for place, name in enumerate(names) if name not in COUNTS)
    horizon = names.index("horizon")
    terms = _terms(features, columns, horizon)
    middle, unit = terms.mean(axis=0), terms.std(axis=0)
    middle[0] = 0.0
    unit[unit < STILL] = 1.0
    terms = (terms - middle) / unit
    beta = np.zeros(terms.shape[1])
    for _ in range(PASSES):
        error = target - terms @ beta
        pull = terms * (weight / np.sqrt(error**2 + ROUNDED**2))[:, None]
        gram = pull.T @ terms
        bound = ridge / len(target) * np.trace(gram) / len(gram)
        beta = np.linalg.solve(gram + bound * np.eye(len(gram)), pull.T @ target)
    return Stack(columns, horizon, middle, unit, beta)


def _terms(features: NDArray[np.float32], columns: tuple[int, ...], horizon: int) -> Floats:
    near = np.nan_to_num(np.clip(features[:, columns], -_FURTHEST, _FURTHEST)).astype(np.float64)
    later = np.log(features[:, [horizon]].astype(np.float64))
    return np.concatenate([np.ones((len(near), 1)), near, (later - 1.0) * near, later], axis=1)


LEAST_CELLS: Final = 200
"""Training rows below which no model is fitted."""

FURTHEST_OUTCOME: Final = 100.0
"""Spreads beyond which an outcome is no further to the trees: the growth of a series that explodes
would else fill whole leaves, and other series fall into them."""

CANDIDATES: Final = ("experts", "stack", "trees")
"""Medians to be weighted against each other; the first is the base itself."""


@dataclass(frozen=True, slots=True)
class QuantilePrediction:
    """Predictions of a quantile model, as distances from the base in spreads."""

    candidates: Floats
    """Cells x ``CANDIDATES``, perhaps one more."""
    low: Floats
    """10 percent."""
    high: Floats
    """90 percent."""

    def beside(self, further: Floats | None) -> "QuantilePrediction":
        """Return the same with a further candidate, by cell; None adds none."""
        if further is None:
            return self
        return replace(self, candidates=np.column_stack([self.candidates, further]))


@dataclass(frozen=True, slots=True)
class QuantileModel:
    """A fitted stack and heads."""

    stack: Stack
    heads: Heads

    def predict(self, features: NDArray[np.float32]) -> QuantilePrediction:
        """Return what is said of cells x features."""
        low, middle, high = (
            np.asarray(head.predict(features, num_threads=1)) for head in self.heads.values()
        )
        candidates = np.stack([np.zeros(len(middle)), self.stack.predict(features), middle], axis=1)
        return QuantilePrediction(candidates, np.minimum(low, middle), np.maximum(high, middle))


class Trainer:
    """Training rows at one cutoff; what fits see is binned once, each takes a part."""

    def __init__(
        self, known: PanelTrainingSet, names: tuple[str, ...], last: int, spec: EngineSpec
    ) -> None:
        self._known = known
        self._names = names
        self._spec = spec
        self._weight = recency(known, last, spec)

    def quantile_models(self, parts: Sequence[Flags]) -> list[QuantileModel | None]:
        """Return one model a part of the cells, fitted at once; None where cells are too few.

        Args:
            parts: Which cells; at most ``spec.rows`` of each part are seen.
        """
        chosen = [self._chosen(part) for part in parts]
        seen = np.unique(np.concatenate(chosen))
        whole = self._binned(seen)
        tables = [_part_of(whole, np.searchsorted(seen, cells)) for cells in chosen]
        # BLAS is held to one thread out here: a limit set in one worker ends in the other's midst.
        with threadpool_limits(1), ThreadPoolExecutor(self._spec.threads) as pool:
            return list(pool.map(self._fitted, chosen, tables))

    def _chosen(self, part: Flags) -> NDArray[np.intp]:
        cells = np.flatnonzero(part)
        if len(cells) <= self._spec.rows:
            return cells
        draw = np.random.default_rng(self._spec.seed)
        return np.sort(draw.choice(cells, self._spec.rows, replace=False))

    def _binned(self, cells: NDArray[np.intp]) -> lgb.Dataset:
        target = np.clip(self._known.target[cells], -FURTHEST_OUTCOME, FURTHEST_OUTCOME)
        rows = TrainingRows(self._known.features[cells], target, self._weight[cells])
        return binned(
            rows, max_bin=self._spec.max_bin, min_data_in_leaf=self._spec.min_data_in_leaf
        )

    def _fitted(self, cells: NDArray[np.intp], table: lgb.Dataset | None) -> QuantileModel | None:
        if table is None:
            return None
        parameters = partial(head_parameters, self._spec, cells=len(cells))
        heads = train_heads(table, parameters, rounds=self._spec.num_iterations)
        return QuantileModel(self._stack(cells), heads)

    def _stack(self, cells: NDArray[np.intp]) -> Stack:
        known = self._known
        return fit_stack(
            known.features[cells],
            known.target[cells],
            self._weight[cells],
            names=self._names,
            ridge=self._spec.ridge,
        )


def head_parameters(spec: EngineSpec, level: float, cells: int) -> dict[str, object]:
    """Return LightGBM's parameters of a quantile head that sees some cells."""
    return {
        "objective": "quantile",
        "alpha": level,
        **spec.boosting,
        "min_data_in_leaf": min(spec.min_data_in_leaf, cells // 20),
        "bagging_freq": 1,
        "deterministic": True,
        "force_col_wise": True,
        "num_threads": 1,
        "verbosity": -1,
    }


def recency(known: PanelTrainingSet, last: int, spec: EngineSpec) -> Floats:
    """Return what each cell counts at the column ``last``."""
    weight: Floats = known.weight * 0.5 ** ((last - known.origin) / spec.half_life)
    return weight


def _part_of(whole: lgb.Dataset, cells: NDArray[np.intp]) -> lgb.Dataset | None:
    return None if len(cells) < LEAST_CELLS else whole.subset(cells.tolist()).construct()
