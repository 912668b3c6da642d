"""The only entry to the model frame: features of one forecast origin, as a pure function."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.controls.controls import adjusted_history, steady_history
from features.families import calendar, dynamics, policy, tariffs, trade
from features.origin import Feature, Origin, bare_origin
from features.series import SeriesStats, panel_momentum, series_stats
from store.arrays import Floats, join
from store.months import month_starts

FEATURE_FAMILIES: Final[dict[str, tuple[Feature, ...]]] = {
    "trade": trade.FEATURES,
    "dynamics": dynamics.FEATURES,
    "calendar": calendar.FEATURES,
    "tariffs": tariffs.FEATURES,
    "policy": policy.FEATURES,
}
_COMPUTE: Final = (trade.compute, calendar.compute, tariffs.compute, policy.compute)

ALL_FEATURES: Final = tuple(feature for family in FEATURE_FAMILIES.values() for feature in family)
DRIVER_MEANINGS: Final = {
    **{feature.name: feature.meaning for feature in ALL_FEATURES},
    "policy_response": "response to a control that no published month shows yet",
    "experts_tonnes": "statistical extrapolation of past months",
}
"""Meaning of each driver of a forecast: the features, and what
``models.forecasting.decomposition`` adds to them."""

_PLACE: Final = {feature.name: i for i, feature in enumerate(ALL_FEATURES)}


@dataclass(frozen=True, slots=True)
class OriginFeatures:
    """Features of an origin and the forecasts they rest on; arrays are series x targets."""

    base: Floats
    """Median of the base forecasts, in tonnes."""
    base_forecasts: dict[str, Floats]
    """By name, in tonnes."""
    stats: SeriesStats
    names: tuple[str, ...]
    features: NDArray[Any]
    """Series x targets x ``names``."""


@lru_cache(maxsize=128)
def features_at(origin: Origin) -> OriginFeatures:
    """Features of an origin that holds the whole panel."""
    stats = series_stats(origin.tonnes)
    return features_of(origin, stats, np.array([[panel_momentum(stats.momentum)]]))


def features_together(
    places: Sequence[tuple[Origin, SeriesStats, float]],
) -> Iterator[OriginFeatures]:
    """Yield the features of bare origins, newest first, computed at once as if all were the newest.

    Loops over months, most of the work of few series, run once for all. Before its first month an
    origin has missing ones, and its season begins as much later.

    Args:
        places: Each with its statistics and the momentum of its panel.
    """
    newest, tonnes, turned = places[0][0], [], []
    for origin, stats, _ in places:
        age = newest.cutoff - origin.cutoff
        tonnes.append(np.pad(origin.tonnes, ((0, 0), (age, 0)), constant_values=np.nan))
        turned.append(replace(stats, season=np.roll(stats.season, age, axis=1)))
    sizes, momenta = [len(part) for part in tonnes], [momentum for *_, momentum in places]
    together = bare_origin(np.concatenate(tonnes), newest.first, len(newest.targets))
    joint = features_of(together, join(turned), np.repeat(momenta, sizes)[:, None])
    targets = np.concatenate([origin.targets for origin, *_ in places])
    for name, values in calendar.compute(replace(newest, targets=targets)).items():
        by_origin = values.reshape(len(places), -1)
        joint.features[:, :, joint.names.index(name)] = np.repeat(by_origin, sizes, axis=0)
    for (_, stats, _), end in zip(places, np.cumsum(sizes).tolist(), strict=True):
        rows = slice(end - len(stats.level), end)
        forecasts = {name: forecast[rows] for name, forecast in joint.base_forecasts.items()}
        yield OriginFeatures(joint.base[rows], forecasts, stats, joint.names, joint.features[rows])


def features_of(origin: Origin, stats: SeriesStats, momentum: Floats) -> OriginFeatures:
    """Features of an origin, from the months up to it.

    A bare panel lacks the features of tariffs, policy and the world; its base forecasts are others.

    Args:
        momentum: Of the whole panel, by ``features.series.panel_momentum``, series x 1 or 1 x 1.
    """
    months, is_panel = adjusted_history(origin), origin.world is None

    def forecasts_from(history: Floats) -> dict[str, Floats]:
        season = stats.season if history is origin.tonnes else series_stats(history).season
        return dynamics.base_forecasts(history, season, len(origin.targets), is_panel=is_panel)

    forecasts = forecasts_from(months)
    if months is not origin.tonnes:
        is_ahead, steady = origin.targets > origin.today, forecasts_from(steady_history(origin))
        forecasts = {
            name: np.where(is_ahead, steady[name], forecast) for name, forecast in forecasts.items()
        }
    base = dynamics.median_forecast(forecasts, is_panel=is_panel)
    values = dynamics.compute(origin, stats, forecasts, base, momentum) if is_panel else {}
    for compute in _COMPUTE:
        values |= compute(origin)
    names = tuple(sorted(values, key=_PLACE.__getitem__))
    block = np.empty((len(origin.tonnes), len(origin.targets), len(names)))
    for place, name in enumerate(names):
        block[:, :, place] = values[name]
    return OriginFeatures(base, forecasts, stats, names, block)


def frame_of(origin: Origin) -> pd.DataFrame:
    """Features of one origin as a table.

    Returns:
        One row per series and target month, by series, then month: destination, period,
        level_tonnes, offset_tonnes and one float column a feature.
    """
    origin_features = features_at(origin)
    series_count, target_count = origin_features.base.shape
    values = origin_features.features.reshape(-1, len(origin_features.names))
    frame = pd.DataFrame(values, columns=list(origin_features.names))
    frame.insert(0, "destination", np.repeat(np.array(origin.series, dtype=object), target_count))
    frame.insert(1, "period", np.tile(month_starts(origin.targets).to_numpy(), series_count))
    frame.insert(2, "level_tonnes", trade.base_of(origin).reshape(-1))
    frame.insert(3, "offset_tonnes", np.repeat(origin.offset, target_count))
    return frame


@cache
def catalogue_digest(names: frozenset[str] | None = None) -> str:
    """Digest of name, unit, meaning, availability and sign of every feature.

    Args:
        names: Features to include, in any order; all if left out.
    """
    entries = [[f.name, f.unit, f.meaning, f.knowable, f.monotone] for f in ALL_FEATURES]
    if names is not None:
        entries = sorted(entry for entry in entries if entry[0] in names)
    return hashlib.sha256(json.dumps(entries, sort_keys=True).encode()).hexdigest()[:12]
