"""A published forecast and all that is needed to ask it what if; what trained trees say of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import lightgbm as lgb
import numpy as np
import pandas as pd

from features.build import feature_block
from features.controls.analogs import Analog
from features.controls.levers import (
    charged_by,
)
from features.families import tariffs
from features.months import month_start
from features.origin import Origin
from models.registry.served import HORIZON, needed_columns, trees_weight
from store.arrays import Floats
from store.errors import DataError
from store.schema.scenario import ScenarioContext

RATE: Final = "tariff_rate_pct"
FALLING: Final = frozenset(one.name for one in tariffs.FEATURES if one.monotone < 0)
FREE: Final = frozenset(one.name for one in tariffs.FEATURES if not one.monotone)


def learned_shift(
    heads: Mapping[str, lgb.Booster], card: Mapping[str, object]
) -> Callable[[Origin, Origin], Floats]:
    """Return how a trained model's middle moves from one origin to another.

    Both origins differ in policies alone. In months of a higher rate the shift is never up on that
    account, in months of a lower one never down: what is announced for later is then left out.

    Args:
        heads: Boosters of the model.
        card: Its card.

    Returns:
        A function of two origins: log shift, series x targets.
    """
    wanted = [name for name in needed_columns(card) if name in heads["p50"].feature_name()]

    def shift(base: Origin, then: Origin) -> Floats:
        before, after = (_columns(origin, wanted) for origin in (base, then))
        after = _bound(before, after, wanted)
        shape = before.shape[:2]
        predictions = [
            np.asarray(heads["p50"].predict(block.reshape(-1, len(wanted)), num_threads=1))
            for block in (before, after)
        ]
        rows = pd.DataFrame({HORIZON: np.tile(base.horizons, shape[0])})
        moved: Floats = (trees_weight(card, rows) * (predictions[1] - predictions[0])).reshape(
            shape
        )
        return moved

    return shift


def nothing_learned(base: Origin, then: Origin) -> Floats:  # noqa: ARG001 - the form of a shift
    """Return no shift: of an engine that sees no policies."""
    return np.zeros((len(base.series), len(base.targets)))


def _columns(origin: Origin, wanted: list[str]) -> Floats:
    names, block = feature_block(origin)
    return np.ascontiguousarray(block[:, :, [names.index(name) for name in wanted]])


def _bound(before: Floats, after: Floats, names: list[str]) -> Floats:
    """Return features that in months of another rate hold nothing against its own effect."""
    if RATE not in names:
        return after
    place = names.index(RATE)
    higher, lower = (after[..., place] > before[..., place], after[..., place] < before[..., place])
    # Trees have seen no rate of such an importer: what they make of its first one is no answer.
    unknown = np.isnan(before[..., place])
    found = after.copy()
    for column, name in enumerate(names):
        old, new = before[..., column], after[..., column]
        if name in FALLING:
            found[..., column] = np.where(
                higher, np.fmax(old, new), np.where(lower, np.fmin(old, new), new)
            )
        elif name in FREE:
            found[..., column] = np.where(higher | lower, old, new)
        if name in FALLING | FREE:
            found[..., column] = np.where(unknown, old, found[..., column])
    return found


@dataclass(frozen=True, slots=True)
class ScenarioSnapshot:
    """A published forecast and all that is needed to ask it what if."""

    as_of: pd.Timestamp
    origin: Origin
    analogs: tuple[Analog, ...]
    published: pd.DataFrame
    """Quantiles and mean of every series and target, by series, then target; coherent."""
    ordinary: pd.DataFrame
    """The same before policies that history does not show are answered."""
    learned: Callable[[Origin, Origin], Floats]
    """Log shift of the trained middle from one origin to another, series x targets."""

    @property
    def context(self) -> ScenarioContext:
        """Return what a scenario may speak of here.

        Raises:
            DataError: No policies are known here, as of a bare panel.
        """
        events, tariffs = self.origin.events, self.origin.tariffs
        if events is None or tariffs is None:
            raise DataError(
                "This forecast knows no policies. Expected policy events and tariffs beside its "
                "figures. Load them, e.g. by `magnetcast ingest bundled`."
            )
        importers = tuple(charged_by(self.origin))
        unknown = month_start(self.origin.cutoff + 1)
        return ScenarioContext(
            self.as_of, events, self.origin.series, importers, felt_before=unknown
        )
