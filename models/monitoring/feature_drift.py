"""Whether what a model is asked about is like what it learned from, by family of features.

The reference is kept in the model's card. A family is held against itself: how unlike the rest each
past origin was when it was the newest, so that features of calendar and policy, which move all rows
at once, do not cry at every origin.
"""

from collections.abc import Mapping, Sequence
from typing import Final, cast

import numpy as np

from features.build import FAMILIES, feature_block
from features.origin import Origin
from models.monitoring.readings import Reading
from store.arrays import Floats, Ints

BINS: Final = 10
"""Bins of a feature, of equal share in the reference; a further one holds what is missing."""

FIRST_HELD: Final = 24
"""Past origins that must lie before one that is held against them."""

PSI_LEAST: Final = 0.25
"""A family below moves too little to matter. Source: the usual reading of the index."""

OUTSIDE_LEAST: Final = 0.05
"""Share of values out of range below which a family is not reported."""

NAMED: Final = 3
"""Features named in an alarm."""

REFERENCE: Final = "reference"
"""Name in a model's card."""

UNSEEN: Final = 1e300
"""Stands for the range of a feature that was never known: any value is out of it."""

BEYOND: Final = 1e-9
"""Of a feature's range: what is so little outside is rounding."""


def reference_of(past: Sequence[Origin]) -> dict[str, object]:
    """Return what later origins are held against, as it goes into a model's card.

    Args:
        past: The origins that taught the model, oldest first.

    Returns:
        features, edges (inner edges of the bins), shares (of bins and of what is missing), low,
        high: each by feature; psi and outside: by family, what each past origin was when it was
        the newest. Survives JSON.
    """
    names = feature_block(past[0])[0]
    rows = [_rows(origin) for origin in past]
    pool = np.concatenate(rows)
    edges = [_edges(column) for column in pool.T]
    counts = np.stack([_counts(block, edges) for block in rows])
    low = np.minimum.accumulate([np.nanmin(_filled(b, UNSEEN), axis=0) for b in rows])
    high = np.maximum.accumulate([np.nanmax(_filled(b, -UNSEEN), axis=0) for b in rows])
    before = np.cumsum(counts, axis=0)
    held = range(min(FIRST_HELD, len(rows)), len(rows))
    psi = [_psi(counts[i], before[i - 1]) for i in held]
    outside = [_outside(rows[i], low[i - 1], high[i - 1]) for i in held]
    return {
        "features": list(names),
        "edges": [edge.tolist() for edge in edges],
        "shares": before[-1].tolist(),
        "low": low[-1].tolist(),
        "high": high[-1].tolist(),
        "psi": _by_family(names, psi),
        "outside": _by_family(names, outside),
    }


def feature_readings(origin: Origin, card: Mapping[str, object]) -> list[Reading]:
    """Hold the rows of an origin against what a model learned from, one reading a family.

    Args:
        origin: The snapshot that is forecast.
        card: Of the model that answers; one without a reference tells nothing.
    """
    kept = card.get(REFERENCE)
    if kept is None:
        words = "the model was trained before references were kept; the next one has one"
        return [Reading("feature-drift", "all", np.nan, np.nan, 0, False, words)]  # noqa: FBT003
    reference = cast("Mapping[str, object]", kept)
    names, rows = feature_block(origin)[0], _rows(origin)
    if list(names) != reference["features"]:
        words = "the model was trained on other features"
        return [Reading("feature-drift", "all", np.nan, np.nan, len(rows), True, words)]  # noqa: FBT003
    edges = [np.asarray(edge, dtype=float) for edge in cast("list[object]", reference["edges"])]
    psi = _psi(_counts(rows, edges), np.asarray(reference["shares"], dtype=float))
    low, high = (np.asarray(reference[name], dtype=float) for name in ("low", "high"))
    outside = _outside(rows, low, high)
    return [_judged(family, names, psi, outside, reference) for family in _families(names)]


def _judged(
    family: str,
    names: Sequence[str],
    psi: Floats,
    outside: Floats,
    reference: Mapping[str, object],
) -> Reading:
    """Hold one family against what it was at past origins."""
    own = _families(names)[family]
    past_psi, past_outside = (
        cast("Mapping[str, list[float]]", reference[name])[family] for name in ("psi", "outside")
    )
    count = len(past_psi)
    if count < FIRST_HELD:
        words = f"{family}: {count} past origins to hold against; {FIRST_HELD} are needed"
        return Reading("feature-drift", family, np.nan, np.nan, count, False, words)  # noqa: FBT003
    value, out = float(psi[own].mean()), float(outside[own].mean())
    bound = max(PSI_LEAST, *past_psi)
    most_out = max(OUTSIDE_LEAST, *past_outside)
    worst = own[np.argsort(-(psi[own] + outside[own]), kind="stable")][:NAMED]
    named = ", ".join(f"{names[i]} ({psi[i]:.2f}, {outside[i]:.0%} out of range)" for i in worst)
    words = (
        f"{family}: population index {value:.2f} (most so far {bound:.2f}), {out:.1%} of values "
        f"out of range (most so far {most_out:.1%}); most moved: {named}"
    )
    return Reading(
        "feature-drift", family, value, bound, count, value > bound or out > most_out, words
    )


def _rows(origin: Origin) -> Floats:
    """Return the rows a model is asked about, rows x features."""
    _, block = feature_block(origin)
    return block.reshape(-1, block.shape[-1])


def _filled(block: Floats, value: float) -> Floats:
    return np.where(np.isfinite(block), block, value)


def _edges(column: Floats) -> Floats:
    """Return inner edges of the bins of a feature; few where it takes few values."""
    known = column[np.isfinite(column)]
    if not known.size:
        return np.empty(0)
    return np.unique(np.quantile(known, np.arange(1, BINS) / BINS, method="lower"))


def _counts(rows: Floats, edges: Sequence[Floats]) -> Floats:
    """Return how many rows lie in each bin, features x bins, missing last."""
    found = np.zeros((rows.shape[1], BINS + 1))
    for i, edge in enumerate(edges):
        column = rows[:, i]
        place = np.where(np.isfinite(column), np.searchsorted(edge, column, side="left"), BINS)
        found[i] = np.bincount(place, minlength=BINS + 1)
    return found


def _psi(counts: Floats, before: Floats) -> Floats:
    """Return the population stability index of each feature; half a row is added to each bin."""
    new, old = (part + 0.5 for part in (counts, before))
    new, old = (part / part.sum(axis=1, keepdims=True) for part in (new, old))
    return np.asarray(((new - old) * np.log(new / old)).sum(axis=1))


def _outside(rows: Floats, low: Floats, high: Floats) -> Floats:
    """Return which share of each feature's known values lies outside a range."""
    known = np.isfinite(rows)
    slack = BEYOND * np.maximum(1.0, high - low)
    out = known & ((rows < low - slack) | (rows > high + slack))
    return np.asarray(out.sum(axis=0) / np.maximum(known.sum(axis=0), 1))


def _families(names: Sequence[str]) -> dict[str, Ints]:
    """Return the places of each family's features."""
    place = {name: i for i, name in enumerate(names)}
    found = {
        family: np.array([place[f.name] for f in entries if f.name in place], dtype=np.int64)
        for family, entries in FAMILIES.items()
    }
    return {family: places for family, places in found.items() if places.size}


def _by_family(names: Sequence[str], values: Sequence[Floats]) -> dict[str, list[float]]:
    return {
        family: [round(float(one[places].mean()), 6) for one in values]
        for family, places in _families(names).items()
    }
