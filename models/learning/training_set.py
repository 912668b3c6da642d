"""Training rows: cells of past origins whose outcome is known, of magnets and of panels alike."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.build import OriginFeatures
from store.arrays import Floats, Ints, join


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """Cells (series, past origin, month ahead) with a known outcome; arrays are by cell."""

    names: tuple[str, ...]
    """Of the features."""
    features: NDArray[Any]
    """Cells x features."""
    target: Floats
    """Distance of the outcome from the base of the forecast, in the model's unit: scales of the
    series, or logs."""
    weight: Floats
    """Sample weight before time decay."""
    origin: Ints
    """Column of the panel or month number."""
    horizon: Ints
    lower_bound: Floats
    """Distance of an outcome of 0."""
    base_forecasts: dict[str, Floats]
    """Distance of each base forecast from the base."""

    def __len__(self) -> int:
        return len(self.target)


@dataclass(frozen=True, slots=True)
class OriginTargets:
    """What one origin teaches in the unit of a model; arrays broadcast to series x months.

    Base and unit differ between magnets and panels: docs/adr/0005-panel-engine.md.
    """

    features: OriginFeatures
    origin: int
    horizons: Ints
    target: Floats
    """Series x months; NaN where the outcome is unknown or too uncertain."""
    weight: Floats
    lower_bound: Floats
    base_forecasts: dict[str, Floats]


def training_set(origins: Iterable[OriginTargets]) -> TrainingSet:
    """Training rows of at least one origin; an origin without outcomes adds none."""
    return join([_cells(targets) for targets in origins])


def _cells(targets: OriginTargets) -> TrainingSet:
    is_known = np.isfinite(targets.target)

    def cells(values: NDArray[Any]) -> NDArray[Any]:
        return np.broadcast_to(values, is_known.shape)[is_known]

    return TrainingSet(
        names=targets.features.names,
        features=targets.features.features[is_known],
        target=targets.target[is_known],
        weight=cells(targets.weight),
        origin=np.full(int(is_known.sum()), targets.origin),
        horizon=cells(targets.horizons),
        lower_bound=cells(targets.lower_bound),
        base_forecasts={name: cells(values) for name, values in targets.base_forecasts.items()},
    )


def drawn(places: Ints, count: int, draw: np.random.Generator) -> Ints:
    """Random ``count`` of the places, ascending; all of them if there are no more."""
    return places if len(places) <= count else np.sort(draw.choice(places, count, replace=False))
