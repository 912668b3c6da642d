"""Apply the policy response to a forecast: multiply, draw by draw, and read the quantiles anew.

A control that no month has felt multiplies the forecast, which knows nothing of it. Once months
have felt it, their forecast is the level before it times what its curve, drawn through those
months, still leaves; the ordinary model, which learns from the same months, takes over by halves.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtr

from features.analogs import Analog
from features.controls import Control, controls_at, leading, without
from features.origin import Origin
from models.response import DRAWS, SEED, OwnMonths, Response
from models.served import mean_of_quantiles
from store.vocabulary import QUANTILE_COLUMNS, QUANTILES

Floats = NDArray[np.float64]

SHARE_WORTH: Final = 5.0
"""How sure the share of trade that an act's wording covers is, as a beta's count."""

LICENSED: Final = (8.0, 1.0)
"""Beta of how far goods already under a control pass a further one of the same kind untouched."""

HALF_SEEN: Final = 6.0
"""Months that felt a control after which the ordinary model has half the say."""

TOGETHER: Final = 0.5
"""Correlation of what destinations do besides, in normal scores."""

WITHOUT_SPREAD: Final = 0.15
"""Spread of the level before a control as a forecast of months without it, log units."""

FADING: Final = 1.5
"""Months in which the effect of a control that ended shrinks to a third."""

LEAST: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Effect:
    """What the controls known at an origin do to its targets."""

    controls: tuple[Control, ...]
    """Those with a say, felt ones first."""
    kept: Floats
    """Share kept by controls that no month has felt: draws x series x targets; 1 where none."""
    instead: Floats
    """Tonnes by the curve of the control that months have felt, as ``kept``; 0 where none."""
    weight: Floats
    """What ``instead`` counts beside the ordinary forecast, by series; of a sum, in its members."""

    @property
    def is_none(self) -> bool:
        """Tell whether no control bears on the targets."""
        return not self.controls


@dataclass(frozen=True, slots=True)
class Draw:
    """How to draw."""

    response: Response
    count: int
    seed: int


def effect_at(
    origin: Origin, analogs: tuple[Analog, ...], *, count: int = DRAWS, seed: int = SEED
) -> Effect:
    """Return what the controls known at an origin do to its targets.

    Args:
        origin: Where the forecast stands.
        analogs: Controls on other minerals as known there; without any nothing is answered.
        count: How many draws.
        seed: Equal seeds give equal draws for equal controls.
    """
    known = controls_at(origin) if analogs else ()
    response = Response(analogs)
    shape = (count, len(origin.series), len(origin.targets))
    kept, instead, weight = np.ones(shape), np.zeros(shape), np.zeros(len(origin.series))
    fresh = tuple(one for one in known if one.seen(origin) == 0)
    for place, control in enumerate(fresh):
        kept = np.minimum(kept, _fresh(origin, control, known, Draw(response, count, seed + place)))
    stories: dict[str, tuple[Control, list[int]]] = {}
    for row in np.flatnonzero(~_is_sum(origin)):
        if (story := leading(known, int(row), origin)) is not None:
            stories.setdefault(story.event_id, (story, []))[1].append(int(row))
    for story, rows in stories.values():
        instead[:, rows] = _instead(origin, story, rows, Draw(response, count, seed))
        weight[rows] = 0.5 ** (story.seen(origin) / HALF_SEEN)
    felt = tuple(story for story, _ in stories.values())
    return Effect((*felt, *fresh), kept, instead, weight)


def respond(table: pd.DataFrame, effect: Effect, origin: Origin) -> pd.DataFrame:
    """Return quantiles and means with the effect of the controls in them.

    Args:
        table: Quantiles and mean of every series and target, by series, then target.
        effect: Of the controls, at the same origin.
        origin: Where the forecast stands.

    Returns:
        The columns of ``table``; itself where no control bears on it. Not made coherent.
    """
    if effect.is_none:
        return table
    _, series, targets = effect.kept.shape
    plain = table[list(QUANTILE_COLUMNS)].to_numpy().reshape(series, targets, -1)
    drawn = drawn_tonnes(plain, effect)
    touched = (effect.kept != 1.0).any(axis=0) | (effect.weight > 0)[:, None]
    reached = np.stack([touched[members].any(axis=0) for members in origin.groups])
    found = np.where(reached[:, :, None], _quantiles(_summed(drawn, origin)), plain)
    flat = found.reshape(-1, len(QUANTILES))
    answer = pd.DataFrame(flat, columns=list(QUANTILE_COLUMNS), index=table.index)
    answer["mean"] = mean_of_quantiles(flat, np.asarray(QUANTILES))
    return answer[[*QUANTILE_COLUMNS, "mean"]]


def drawn_tonnes(plain: Floats, effect: Effect) -> Floats:
    """Return draws of tonnes under an effect, draws x series x targets; those of sums mean nothing.

    Ordinary forecast and the curve of what was felt are mixed in logs, at equal ranks.
    """
    count, series, targets = effect.kept.shape
    ranks = np.repeat(_ranks(series, count)[:, :, None], targets, axis=2)
    felt = effect.weight > 0
    ranks[:, felt] = _ranks_of(effect.instead[:, felt])
    drawn = _drawn(plain, ranks)
    weight = effect.weight[None, felt, None]
    own, ordinary = (np.log(np.maximum(one[:, felt], LEAST)) for one in (effect.instead, drawn))
    drawn[:, felt] = np.exp(weight * own + (1.0 - weight) * ordinary)
    return drawn * effect.kept


def _fresh(
    origin: Origin,
    control: Control,
    known: Sequence[Control],
    draw: Draw,
) -> Floats:
    """Return what a control that no month has felt leaves, draws x series x targets."""
    left = draw.response.draws(
        control.age(origin.targets),
        instrument=control.instrument,
        destinations=len(origin.series),
        count=draw.count,
        seed=draw.seed,
    )
    left = left ** np.exp(-control.since_end(origin.targets) / FADING)
    covered = _share_draws(control, _already(control, known), draw)
    kept = 1.0 - covered[:, :, None] * (1.0 - left)
    return np.asarray(np.where((control.hit & ~_is_sum(origin))[None, :, None], kept, 1.0))


def _already(control: Control, known: Sequence[Control]) -> Floats:
    """Return the share of each series' trade that an earlier control has hold of."""
    share = np.zeros(len(control.hit))
    for other in known:
        if other.bound < control.bound and other.ends is None:
            share = np.maximum(share, np.where(other.hit, other.share, 0.0))
    return share


def _share_draws(control: Control, already: Floats, draw: Draw) -> Floats:
    """Return draws of the share of trade a control newly stops, draws x series."""
    random = np.random.default_rng([draw.seed, 1])
    share = min(max(control.share, 0.01), 0.99)
    covered = random.beta(SHARE_WORTH * share, SHARE_WORTH * (1.0 - share), draw.count)
    passing = random.beta(*LICENSED, draw.count)
    return np.asarray(covered[:, None] * (1.0 - already[None, :] * passing[:, None]))


def _instead(
    origin: Origin,
    control: Control,
    rows: list[int],
    draw: Draw,
) -> Floats:
    """Return tonnes by the curve of a control that months have felt, draws x rows x targets."""
    level, tonnes = without(origin, control)[rows], origin.tonnes[rows]
    seen = control.seen(origin)
    age = control.age(origin.cutoff - seen + 1 + np.arange(seen))
    told = age > 0
    before = np.maximum(level[:, :seen][:, told], LEAST)
    since = tonnes[:, -seen:][:, told]
    own = OwnMonths(
        age[told],
        since.sum(axis=0) / before.sum(axis=0),
        since / before,
        origin.stderr[rows][:, -seen:][:, told],
    )
    left = draw.response.draws(
        control.age(origin.targets),
        instrument=control.instrument,
        destinations=len(rows),
        own=own,
        count=draw.count,
        seed=draw.seed,
    )
    left = left ** np.exp(-control.since_end(origin.targets) / FADING)
    random = np.random.default_rng([draw.seed, 2])
    apart = random.standard_normal((draw.count, len(rows) + 1, 1))
    noise = WITHOUT_SPREAD * (apart[:, :-1] + apart[:, -1:]) / np.sqrt(2.0)
    return np.asarray(left * level[None, :, -len(origin.targets) :] * np.exp(noise))


def _is_sum(origin: Origin) -> NDArray[np.bool_]:
    return np.array([len(group) > 1 for group in origin.groups])


def _ranks(series: int, count: int) -> Floats:
    """Return draws of where each series lies in its distribution, in all its months."""
    draw = np.random.default_rng(SEED)
    shared = draw.standard_normal((count, 1)) * np.sqrt(TOGETHER)
    return np.asarray(
        ndtr(shared + draw.standard_normal((count, series)) * np.sqrt(1.0 - TOGETHER))
    )


def _ranks_of(draws: Floats) -> Floats:
    """Return where each draw lies among all of its cell, 0 to 1."""
    order = draws.argsort(axis=0, kind="stable").argsort(axis=0, kind="stable")
    return np.asarray((order + 0.5) / len(draws))


def _drawn(plain: Floats, ranks: Floats) -> Floats:
    """Return what lies at ranks of quantiles; ranks are draws x series x targets."""
    levels = np.array([0.0, *QUANTILES, 1.0])
    low = plain[..., :1] ** 2 / np.maximum(plain[..., 1:2], LEAST)
    high = plain[..., -1:] ** 2 / np.maximum(plain[..., -2:-1], LEAST)
    edges = np.concatenate([low, plain, high], axis=2)
    place = np.clip(np.searchsorted(levels, ranks) - 1, 0, len(levels) - 2)
    part = (ranks - levels[place]) / (levels[place + 1] - levels[place])
    below = np.take_along_axis(edges[None], place[..., None], axis=3)[..., 0]
    above = np.take_along_axis(edges[None], place[..., None] + 1, axis=3)[..., 0]
    return np.asarray(below + part * (above - below))


def _summed(drawn: Floats, origin: Origin) -> Floats:
    """Return draws with those of sums made from their members'."""
    found = drawn.copy()
    for row, members in enumerate(origin.groups):
        if len(members) > 1:
            found[:, row] = drawn[:, members].sum(axis=1)
    return found


def _quantiles(drawn: Floats) -> Floats:
    """Return quantiles of draws, series x targets x levels."""
    return np.moveaxis(np.quantile(drawn, QUANTILES, axis=0), 0, -1)


def words_of(controls: Sequence[Control], analogs: Sequence[Analog]) -> str:
    """Say in one sentence what the response rests on."""
    if not controls:
        return ""
    materials = sorted({analog.material.split(":")[0].split(" (")[0] for analog in analogs})
    acts = ", ".join(control.event_id for control in controls)
    return f"{acts}: answered from {len(analogs)} controls on {', '.join(materials)}"
