"""What controls that no month has felt leave of a forecast, announced or not, draw by draw."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pandas as pd

from features.controls.analogs import LICENCE
from features.controls.controls import BAN, Control
from features.months import month_start
from features.origin import Origin
from features.track_record import CERTAIN
from models.policy.drawing import SOFTENED, outcome_draws
from models.policy.response import Response
from store.arrays import Floats

SHARE_WORTH: Final = 5.0
"""How sure the share of trade that an act's wording covers is, as a beta's count."""

LICENSED: Final = (8.0, 1.0)
"""Beta of how far goods already under a control pass a further one of the same kind untouched."""

FADING: Final = 1.5
"""Months in which the effect of a control that ended, or is eased, shrinks to a third."""

UNANNOUNCED: Final = "unannounced"
"""Name of the control that nobody has announced: its draws are the same whatever is known."""


@dataclass(frozen=True, slots=True)
class DrawSettings:
    """How to draw."""

    response: Response
    count: int
    seed: int

    def of(self, name: str) -> "DrawSettings":
        """Return the draws of one act: the same whatever other acts are known."""
        return DrawSettings(self.response, self.count, zlib.crc32(f"{self.seed} {name}".encode()))


def kept_unfelt(
    origin: Origin, fresh: Sequence[Control], known: Sequence[Control], draw: DrawSettings
) -> Floats:
    """Return what controls that no month has felt leave, draws x series x targets."""
    shape = (draw.count, len(origin.series), len(origin.targets))
    kept = np.ones(shape)
    for control in fresh:
        left = _as_it_comes(origin, control, known, draw)
        hit = (control.hit & ~origin.is_sum)[None, :, None]
        kept = np.where(hit, np.minimum(kept, left), kept)
    return kept


def kept_unannounced(
    origin: Origin, rate: float, known: Sequence[Control], draw: DrawSettings
) -> Floats:
    """Return what licences that nobody has announced leave, draws x series x targets.

    In each draw one begins, on all destinations, in a month after the as_of's, each month as likely
    as the last; most draws see none within the horizon.
    """
    bound = month_start(int(origin.targets[-1]) + 1)
    act = Control(UNANNOUNCED, LICENCE, bound, None, share=1.0, hit=~origin.is_sum)
    draw = draw.of(UNANNOUNCED)
    at = (np.random.default_rng([draw.seed, 5]).permutation(draw.count) + 0.5) / draw.count
    begins = origin.today + np.ceil(np.log1p(-at) / np.log1p(-rate))
    left = draw.response.draws(
        np.arange(len(origin.targets), dtype=np.float64) + 0.5,
        instrument=LICENCE,
        destinations=len(origin.series),
        count=draw.count,
        seed=draw.seed,
    )
    since = origin.targets - begins[:, None].astype(int)
    place = np.broadcast_to(np.maximum(since, 0)[:, None, :], left.shape)
    left = np.where(since[:, None, :] >= 0, np.take_along_axis(left, place, axis=2), 1.0)
    covered = _share_draws(act, _already(act, known), draw)[:, :, None] * act.hit[None, :, None]
    return np.asarray(1.0 - covered * (1.0 - left))


def _as_it_comes(
    origin: Origin, control: Control, known: Sequence[Control], draw: DrawSettings
) -> Floats:
    """Return what a control leaves, mixed over how what is announced may turn out."""
    left = _left(origin, control, known, draw)
    if control.chances == CERTAIN:
        return left
    later = replace(control, bound=control.bound + pd.Timedelta(days=round(control.delay * 30.44)))
    late = _left(origin, later, known, draw)
    outcomes = outcome_draws(control.chances, draw.of(control.package).seed, draw.count)
    came, postponed, softened = (one[:, None, None] for one in outcomes)
    found = np.where(postponed, late, np.where(softened, 1.0 - SOFTENED * (1.0 - left), 1.0))
    return np.asarray(np.where(came, left, found))


def _left(origin: Origin, control: Control, known: Sequence[Control], draw: DrawSettings) -> Floats:
    """Return what one such control leaves of every series, draws x series x targets."""
    if control.passing is not None:
        in_force = np.clip(control.age(origin.targets) + 0.5, 0.0, 1.0)
        in_force *= np.exp(-control.since_end(origin.targets) / FADING)
        shape = (draw.count, len(origin.series), len(origin.targets))
        return np.broadcast_to(1.0 - in_force * (1.0 - control.passing), shape)
    draw = draw.of(control.event_id)
    left = draw.response.draws(
        control.age(origin.targets),
        instrument=control.instrument,
        destinations=len(origin.series),
        count=draw.count,
        seed=draw.seed,
    )
    left = left ** np.exp(-control.since_end(origin.targets) / FADING)
    covered = _share_draws(control, _already(control, known), draw)
    return np.asarray(1.0 - covered[:, :, None] * (1.0 - left))


def _already(control: Control, known: Sequence[Control]) -> Floats:
    """Return the share of each series' trade that an earlier control of its kind has hold of.

    A licence lets nothing pass a ban.
    """
    share = np.zeros(len(control.hit))
    for other in known:
        of_kind = control.instrument != BAN or other.instrument == BAN
        is_earlier = other.event_id != control.event_id and other.bound < control.bound
        if of_kind and is_earlier and other.ends is None:
            share = np.maximum(share, np.where(other.hit, other.share, 0.0))
    return share


def _share_draws(control: Control, already: Floats, draw: DrawSettings) -> Floats:
    """Return draws of the share of trade a control newly stops, draws x series."""
    random = np.random.default_rng([draw.seed, 1])
    share = min(max(control.share, 0.01), 0.99)
    covered = random.beta(SHARE_WORTH * share, SHARE_WORTH * (1.0 - share), draw.count)
    passing = random.beta(*LICENSED, draw.count)
    return np.asarray(covered[:, None] * (1.0 - already[None, :] * passing[:, None]))
