"""Apply the policy response to a forecast: multiply, draw by draw, and read the quantiles anew.

A control that no month has felt multiplies the forecast, which knows nothing of it. Once months
have felt it, their forecast is the level before it times what its curve, drawn through those
months, still leaves; the ordinary model, which learns from the same months, takes over by halves.
Both give way as an easing sets in, and both are lowered or raised as tariffs change.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from features.controls.analogs import Analog, first_control_rate, own_analogs
from features.controls.controls import (
    Control,
    Easing,
    controls_at,
    current_control,
    easings_at,
    levels_without,
    tonnes_without,
)
from features.origin import Origin
from models.policy.drawing import LEAST
from models.policy.response import DRAWS, SEED, OwnMonths, Response
from models.policy.tariff_response import kept_under_tariffs
from models.policy.unfelt import (
    FADING,
    SHARE_WORTH,
    DrawSettings,
    kept_unannounced,
    kept_unfelt,
)
from store.arrays import Flags, Floats

HALF_SEEN: Final = 6.0
"""Months that felt a control after which the ordinary model has half the say."""

WITHOUT_SPREAD: Final = 0.15
"""Spread of the level before a control as a forecast of months without it, log units."""


@dataclass(frozen=True, slots=True)
class PolicyEffect:
    """What the policies known at an origin do to its targets; draws x series x targets each."""

    controls: tuple[Control, ...]
    """Controls with a say, felt ones first."""
    easings: tuple[Easing, ...]
    """What eases felt ones."""
    kept: Floats
    """Share kept under controls that no month has felt, or nobody has announced; 1 where none."""
    charged: Floats
    """Share kept under tariffs that change; 1 where none does."""
    instead: Floats
    """Tonnes by the curve of the control that months have felt; 0 where none."""
    weight: Floats
    """What ``instead`` counts beside the ordinary forecast, by series; of a sum, in its members."""
    freed: Floats
    """Share of the gap to the level without controls that easings close; 0 where none."""
    without: Floats
    """The level without controls, series x targets in tonnes; 0 where none holds the series."""

    @property
    def touched(self) -> Flags:
        """Tell which cells any policy reaches, series x targets."""
        moved = (self.kept != 1.0) | (self.charged != 1.0) | (self.freed > 0.0)
        return np.asarray(moved.any(axis=0) | (self.weight > 0)[:, None])

    @property
    def is_none(self) -> bool:
        """Tell whether no policy bears on the targets."""
        return not self.touched.any()


def effect_at(
    origin: Origin,
    analogs: tuple[Analog, ...],
    *,
    count: int = DRAWS,
    seed: int = SEED,
) -> PolicyEffect:
    """Return what the policies known at an origin do to its targets.

    Args:
        origin: The snapshot that is forecast.
        analogs: Controls on other minerals as known there; without any no control is answered.
        count: How many draws.
        seed: Equal seeds give equal draws for equal acts.
    """
    rate = 0.0 if origin.record is None else first_control_rate(origin.record)
    return effect_of(origin, controls_at(origin), analogs, rate=rate, count=count, seed=seed)


def effect_of(
    origin: Origin,
    controls: Sequence[Control],
    analogs: tuple[Analog, ...],
    *,
    rate: float = 0.0,
    count: int = DRAWS,
    seed: int = SEED,
) -> PolicyEffect:
    """Return what some controls, with the other policies known at an origin, do to its targets.

    Args:
        origin: The snapshot that is forecast.
        controls: First bound first.
        analogs: As in ``effect_at``.
        rate: Chance that a control nobody has announced begins in a month, 0 to 1.
        count: As in ``effect_at``.
        seed: As in ``effect_at``.
    """
    # What a scenario assumes to pass needs no analog.
    known = tuple(
        one for one in controls if analogs or (one.passing is not None and not one.seen(origin))
    )
    draw = DrawSettings(Response(analogs), count, seed)
    stories = _stories(origin, known)
    easings = easings_at(origin, known)
    freed = _freed(origin, easings, draw)
    shape = (count, len(origin.series), len(origin.targets))
    instead, weight = np.zeros(shape), np.zeros(len(origin.series))
    for story, rows in stories:
        instead[:, rows] = _instead(origin, story, rows, freed[:, rows], draw)
        weight[rows] = 0.5 ** (story.seen(origin) / HALF_SEEN)
    fresh = tuple(one for one in known if one.seen(origin) == 0)
    lessons = (*analogs, *own_analogs(origin, known)) if fresh else analogs
    kept = kept_unfelt(origin, fresh, known, DrawSettings(Response(lessons), count, seed))
    if rate > 0.0 and analogs:
        kept *= kept_unannounced(origin, rate, known, draw)
    return PolicyEffect(
        controls=(*(story for story, _ in stories), *fresh),
        easings=easings,
        kept=kept,
        charged=kept_under_tariffs(origin, count=count, seed=seed),
        instead=instead,
        weight=weight,
        freed=freed,
        without=levels_without(origin, known) if easings else np.zeros(shape[1:]),
    )


def _stories(origin: Origin, known: Sequence[Control]) -> list[tuple[Control, list[int]]]:
    """Return the controls that destinations are in the story of, each with its series."""
    stories: dict[str, tuple[Control, list[int]]] = {}
    for row in np.flatnonzero(~origin.is_sum):
        if (story := current_control(known, int(row), origin)) is not None:
            stories.setdefault(story.event_id, (story, []))[1].append(int(row))
    return list(stories.values())


def _freed(origin: Origin, easings: Sequence[Easing], draw: DrawSettings) -> Floats:
    """Return the share of what controls hold back that easings free, draws x series x targets."""
    held = np.ones((draw.count, len(origin.series), len(origin.targets)))
    for easing in easings:
        share = min(max(easing.strength, 0.01), 1.0)
        random = np.random.default_rng(draw.of(easing.event_id).seed)
        worth = SHARE_WORTH * share, max(SHARE_WORTH * (1.0 - share), LEAST)
        strength = random.beta(*worth, draw.count) if share < 1.0 else np.ones(draw.count)
        grown = 1.0 - np.exp(-easing.age(origin.targets) / FADING)
        grown *= np.exp(-easing.since_end(origin.targets) / FADING)
        reached = (easing.hit & ~origin.is_sum)[None, :, None]
        held *= 1.0 - strength[:, None, None] * grown[None, None, :] * reached
    return np.asarray(1.0 - held)


def _instead(
    origin: Origin, control: Control, rows: list[int], freed: Floats, draw: DrawSettings
) -> Floats:
    """Return tonnes by the curve of a control that months have felt, draws x rows x targets."""
    level = tonnes_without(origin, control)[rows]
    own = own_months(origin, control, rows, level)
    left = draw.response.draws(
        control.age(origin.targets),
        instrument=control.instrument,
        destinations=len(rows),
        own=own,
        count=draw.count,
        seed=draw.seed,
    )
    held = np.minimum(1.0 - freed, np.exp(-control.since_end(origin.targets) / FADING))
    left = np.where(left < 1.0, left**held, left)
    random = np.random.default_rng([draw.seed, 2])
    apart = random.standard_normal((draw.count, len(rows) + 1, 1))
    noise = WITHOUT_SPREAD * (apart[:, :-1] + apart[:, -1:]) / np.sqrt(2.0)
    return np.asarray(left * level[None, :, -len(origin.targets) :] * np.exp(noise))


def own_months(origin: Origin, control: Control, rows: Sequence[int], level: Floats) -> OwnMonths:
    """Return what the months that have felt a control kept of the level without it.

    Args:
        origin: The snapshot that is forecast.
        control: One that months have felt.
        rows: Series it hits.
        level: Of those series without it, from its first month on, in tonnes.
    """
    seen = control.seen(origin)
    age = control.age(origin.cutoff - seen + 1 + np.arange(seen))
    is_felt = age > 0
    before = np.maximum(level[:, :seen][:, is_felt], LEAST)
    since = origin.tonnes[rows][:, -seen:][:, is_felt]
    return OwnMonths(
        age[is_felt],
        since.sum(axis=0) / before.sum(axis=0),
        since / before,
        origin.stderr[rows][:, -seen:][:, is_felt],
    )
