"""Apply the policy response to a forecast: multiply, draw by draw, and read the quantiles anew.

A control that no month has felt multiplies the forecast, which knows nothing of it. Once months
have felt it, their forecast is the level before it times what its curve, drawn through those
months, still leaves; the ordinary model, which learns from the same months, takes over by halves.
Both give way as an easing sets in, and both are lowered or raised as tariffs change.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pandas as pd

from features.controls.analogs import LICENCE, Analog, first_control_rate, own_analogs
from features.controls.controls import (
    BAN,
    SCENARIO,
    Control,
    Easing,
    chances_of_rises,
    controls_at,
    current_control,
    easings_at,
    levels_without,
    rows_by_control,
    tonnes_without,
)
from features.controls.levers import charged_by
from features.families.tariffs import monthly_rates
from features.origin import LEVEL_MONTHS, Origin
from features.track_record import CERTAIN
from models.policy import drawing
from models.policy.drawing import LEAST, SOFTENED, outcome_draws
from models.policy.precedents import Precedents, own_months
from models.policy.response import DRAWS, SEED, Response
from models.quantile_model import mean_of_quantiles
from store.arrays import Flags, Floats, Ints
from store.months import month_number, month_start
from store.vocabulary import QUANTILE_COLUMNS, QUANTILES

ELASTICITY: Final = 1.2
"""Median fall of a trade within a year, in logs, for one log unit of one plus the rate.

Within a year 0.76 over many countries (Boehm, Levchenko and Pandalai-Nayar, American Economic
Review 113, 2023); US imports from China in 2018: 1.3 to 2.5 (Amiti, Redding and Weinstein, Journal
of Economic Perspectives 33, 2019; Fajgelbaum and others, Quarterly Journal of Economics 135, 2020).
All were out before any forecast that is answered by it.
"""

SPREAD: Final = 0.6
"""Of its log: those estimates lie within one such spread of the median."""

STOCK: Final = (2.0, 4.0)
"""Beta of the month's trade that is shipped ahead of a rise of ``FULL_RISE`` or more."""

FULL_RISE: Final = 0.1
"""Rise of the log of one plus the rate from which buying ahead is at its fullest."""

LEAST_RISE: Final = 0.005

_AHEAD_MONTHS: Final = 3
"""Months before a rise in which goods are shipped ahead, and after it in which they lack."""


def kept_under_tariffs(origin: Origin, *, count: int) -> Floats:
    """Return what changes of the rate leave of a forecast, draws x series x targets.

    A forecast rests on the level of a year and so carries the rates of that year. What counts is
    what goes beyond both their mean and today's rate: a change in force is left to the months that
    feel it. One exactly where nothing changes; a higher rate in a month never leaves more of it.
    """
    shape = (count, len(origin.series), len(origin.targets))
    if origin.tariffs is None or origin.tariffs.empty:
        return np.ones(shape)
    months = np.arange(origin.cutoff - LEVEL_MONTHS + 1, origin.targets[-1] + 1)
    # Of a rate that nobody knows only what is put on top counts.
    burden = np.log1p(np.nan_to_num(monthly_rates(origin, months)) / 100.0)
    ahead, moved = burden[:, LEVEL_MONTHS:], np.zeros(shape[1:])
    members = ~origin.is_sum
    change = np.where(members[:, None], _change(burden, origin), 0.0)
    comes = _coming(origin, count)
    moved[members] = _shipped_ahead(ahead[members], np.flatnonzero(members), origin)
    random = np.random.default_rng([SEED, 3])
    elasticity = ELASTICITY * np.exp(SPREAD * random.standard_normal(count))
    stock = random.beta(*STOCK, count)
    return np.asarray(
        np.exp(-elasticity[:, None, None] * np.where(change > 0.0, comes * change, change))
        * (1.0 + stock[:, None, None] * moved)
    )


def _coming(origin: Origin, count: int) -> Floats:
    """Return the share of each series' announced rise that comes, draws x series x 1.

    A scenario's own rates are certain.
    """
    comes = np.ones((count, len(origin.series), 1))
    if origin.record is None or origin.tariffs is None:
        return comes
    charged = charged_by(origin)
    for importer, chances in chances_of_rises(origin.tariffs, origin.record).items():
        as_announced, _, softened = outcome_draws(
            chances, zlib.crc32(f"{SEED} {importer}".encode()), count
        )
        rows = [origin.series.index(name) for name in charged.get(importer, ())]
        comes[:, rows, 0] = np.where(as_announced, 1.0, np.where(softened, SOFTENED, 0.0))[:, None]
    return comes


def _change(burden: Floats, origin: Origin) -> Floats:
    """Return by how much each target's burden lies beyond those that a forecast carries."""
    ahead = burden[:, LEVEL_MONTHS:]
    usual = burden[:, :LEVEL_MONTHS].mean(axis=1)[:, None]
    now = ahead[:, min(origin.late_months, len(origin.targets) - 1)][:, None]
    above = np.maximum(ahead - np.fmax(usual, now) - LEAST_RISE, 0.0)
    below = np.minimum(ahead - np.fmin(usual, now) + LEAST_RISE, 0.0)
    return np.asarray(above + below)


def _shipped_ahead(burden: Floats, rows: Ints, origin: Origin) -> Floats:
    """Return the months' trade that moves to before the first announced rise, series x targets.

    What the months before it gain, those after it lack; nothing where it comes without notice.

    Args:
        burden: Of the series ``rows`` of the origin, series x targets.
    """
    moved = np.zeros_like(burden)
    rise = np.diff(burden, axis=1)
    for row in np.flatnonzero((rise >= LEAST_RISE).any(axis=1)):
        steps = (rise[row] >= LEAST_RISE) & (origin.targets[1:] > origin.today)
        if not steps.any():
            continue
        first = int(steps.argmax()) + 1
        full = min(float(rise[row, first - 1]) / FULL_RISE, 1.0)
        known = _known_from(int(rows[row]), int(origin.targets[first]), origin)
        open_months = np.flatnonzero(origin.targets[:first] >= known)[-_AHEAD_MONTHS:]
        if not len(open_months):
            continue
        moved[row, open_months] = full / len(open_months)
        moved[row, first : first + _AHEAD_MONTHS] = -full / _AHEAD_MONTHS
    return moved


def _known_from(row: int, month: int, origin: Origin) -> int:
    """Return the month from which a series' buyers know of a rise that begins in a month."""
    steps = origin.tariffs
    assert steps is not None  # noqa: S101 - kept_under_tariffs() returns before
    name = origin.series[row]
    charging = {importer for importer, hit in charged_by(origin).items() if name in hit}
    starts = steps["effective_from"]
    begun = (starts >= month_start(month)) & (starts < month_start(month + 1))
    announced = steps.loc[begun & steps["importer"].isin(charging), "announced_on"].dropna()
    return origin.today if announced.empty else max(origin.today, month_number(announced.min()))


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
    exposure: Floats | None = None
    """How much each series loses beside all of them together; alike if None."""

    def of(self, name: str) -> "DrawSettings":
        """Return the draws of one act: the same whatever other acts are known."""
        return replace(self, seed=zlib.crc32(f"{self.seed} {name}".encode()))


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
    as_announced, postponed, softened = (one[:, None, None] for one in outcomes)
    found = np.where(postponed, late, np.where(softened, 1.0 - SOFTENED * (1.0 - left), 1.0))
    return np.asarray(np.where(as_announced, left, found))


def _left(origin: Origin, control: Control, known: Sequence[Control], draw: DrawSettings) -> Floats:
    """Return what one such control leaves of every series, draws x series x targets."""
    if control.passing is not None or control.strictness:
        shape = (draw.count, len(origin.series), len(origin.targets))
        passing = np.full(shape, control.passing or 0.0)
        if control.strictness:
            past = Precedents.at(origin, known, draw.response.analogs)
            age = control.age(origin.targets)
            passing = past.kept(control.strictness, age, draw.count, draw.of(SCENARIO).seed)
        begun = np.clip(control.age(origin.targets) + 0.5, 0.0, 1.0)
        in_force = control.share * np.where(origin.targets >= control.month, begun, 0.0)
        in_force *= np.exp(-control.since_end(origin.targets) / FADING)
        return np.asarray(1.0 - in_force * (1.0 - passing))
    draw = draw.of(control.event_id)
    left = draw.response.draws(
        control.age(origin.targets),
        instrument=control.instrument,
        destinations=len(origin.series),
        count=draw.count,
        seed=draw.seed,
    )
    left = left ** (
        np.exp(-control.since_end(origin.targets) / FADING) * 0.5 ** _half_lives_ahead(origin)
    )
    covered = _share_draws(control, _already(control, known), draw)
    return np.asarray(1.0 - covered[:, :, None] * (1.0 - left))


def _half_lives_ahead(origin: Origin) -> Floats:
    """Return by target how often what a control holds back has halved, 0 in this month."""
    return np.asarray(np.maximum(origin.targets - origin.today, 0) / HALF_AHEAD)


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
    newly = covered[:, None] * (1.0 - already[None, :] * passing[:, None])
    return newly if draw.exposure is None else np.minimum(newly * draw.exposure, 1.0)


HALF_SEEN: Final = 6.0
"""Months that felt a control after which the ordinary model has half the say."""

HALF_AHEAD: Final = 6.0
"""Months ahead of today at which half of what a control holds back counts, in logs: until then it
may be eased, suspended or worked around. Source: docs/adr/0066-the-year-ahead.md."""

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
        moved = (self.kept != 1.0) | (self.charged != 1.0) | (self.freed > 0.0)
        return np.asarray(moved.any(axis=0) | (self.weight > 0)[:, None])

    @property
    def is_none(self) -> bool:
        return not self.touched.any()


def effect_at(
    origin: Origin,
    analogs: tuple[Analog, ...],
    *,
    count: int = DRAWS,
    exposure: Floats | None = None,
    rate: float | None = None,
) -> PolicyEffect:
    """Return what the policies known at an origin do to its targets.

    Args:
        exposure: What each series loses by what is to come beside all of them; alike if None.
        rate: Chance that a control nobody has announced begins in a month, 0 to 1; as known of
            other minerals if None.
    """
    if rate is None:
        rate = 0.0 if origin.record is None else first_control_rate(origin.record)
    # What a scenario assumes to pass needs no analog.
    known = tuple(
        one
        for one in controls_at(origin)
        if analogs or one.strictness or (one.passing is not None and not one.seen(origin))
    )
    draw = DrawSettings(Response(analogs), count, SEED)
    stories = rows_by_control(origin, lambda row: current_control(known, row, origin))
    easings = easings_at(origin, known)
    freed = _freed(origin, easings, draw)
    shape = (count, len(origin.series), len(origin.targets))
    instead, weight = np.zeros(shape), np.zeros(len(origin.series))
    for story, rows in stories:
        instead[:, rows] = _instead(origin, story, rows, freed[:, rows], draw)
        weight[rows] = 0.5 ** (story.seen(origin) / HALF_SEEN)
    fresh = tuple(one for one in known if one.seen(origin) == 0)
    examples = (*analogs, *own_analogs(origin, known)) if fresh else analogs
    fresh_draw = DrawSettings(Response(examples), count, SEED, exposure)
    kept = kept_unfelt(origin, fresh, known, fresh_draw)
    if rate > 0.0 and analogs:
        kept *= kept_unannounced(origin, rate, known, draw)
    return PolicyEffect(
        controls=(*(story for story, _ in stories), *fresh),
        easings=easings,
        kept=kept,
        charged=kept_under_tariffs(origin, count=count),
        instead=instead,
        weight=weight,
        freed=freed,
        without=levels_without(origin, known) if easings else np.zeros(shape[1:]),
    )


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
    left = draw.response.draws(
        control.age(origin.targets),
        instrument=control.instrument,
        destinations=len(rows),
        own=own_months(origin, control, rows),
        count=draw.count,
        seed=draw.seed,
    )
    held = np.minimum(1.0 - freed, np.exp(-control.since_end(origin.targets) / FADING))
    held = held * 0.5 ** _half_lives_ahead(origin)
    # More than the level before is a backlog being shipped: that goes on for months, not for years.
    backlog = 0.5 ** _half_lives_ahead(origin) ** 2
    left = left ** np.where(left < 1.0, held, backlog)
    random = np.random.default_rng([draw.seed, 2])
    apart = random.standard_normal((draw.count, len(rows) + 1, 1))
    noise = WITHOUT_SPREAD * (apart[:, :-1] + apart[:, -1:]) / np.sqrt(2.0)
    return np.asarray(left * level[None, :, -len(origin.targets) :] * np.exp(noise))


def respond(table: pd.DataFrame, effect: PolicyEffect, origin: Origin) -> pd.DataFrame:
    """Return quantiles and means with the effect of policies in them.

    Returns:
        The columns of ``table``; itself where no policy bears on it. Not made coherent.
    """
    if effect.is_none:
        return table
    _, series, targets = effect.kept.shape
    plain = table[list(QUANTILE_COLUMNS)].to_numpy().reshape(series, targets, -1)
    ranks = ranks_under(effect)
    drawn = drawing.summed(drawn_tonnes(plain, effect, ranks), origin.groups)
    if not effect.controls and not effect.easings:
        _set_calm_total(drawn, plain, ranks, effect, origin)
    reached = np.stack([effect.touched[members].any(axis=0) for members in origin.groups])
    found = np.where(reached[:, :, None], drawing.quantiles_of_draws(drawn), plain)
    flat = found.reshape(-1, len(QUANTILES))
    answer = pd.DataFrame(flat, columns=list(QUANTILE_COLUMNS), index=table.index)
    answer["mean"] = mean_of_quantiles(flat, np.asarray(QUANTILES))
    return answer[[*QUANTILE_COLUMNS, "mean"]]


def _set_calm_total(
    drawn: Floats, plain: Floats, ranks: Floats, effect: PolicyEffect, origin: Origin
) -> None:
    """Draw the total of all from its own band, times what its members keep, where no tariff moves.

    That is: in months that at most a control nobody has announced may reach.
    """
    members = np.flatnonzero(~origin.is_sum)
    (months,) = (effect.charged == 1.0).all(axis=(0, 1)).nonzero()
    for row in np.flatnonzero(origin.is_sum):
        if len(origin.groups[row]) < len(members):
            continue
        ordinary = drawing.drawn(plain[members][:, months], ranks[:, members][:, :, months]).sum(
            axis=1
        )
        left = drawn[:, row, months]
        kept = np.divide(left, ordinary, out=np.ones_like(left), where=ordinary > LEAST)
        own = drawing.drawn(plain[[row]][:, months], drawing.ranks_of(ordinary)[:, None])
        drawn[:, row, months] = own[:, 0] * kept


def ranks_under(effect: PolicyEffect) -> Floats:
    """Return where each draw lies in the ordinary forecast of its cell: draws x series x targets.

    Where a curve stands in, as the draw lies on the curve.
    """
    count, series, targets = effect.kept.shape
    found = np.repeat(drawing.ranks(series, count, SEED)[:, :, None], targets, axis=2)
    felt = effect.weight > 0
    found[:, felt] = drawing.ranks_of(effect.instead[:, felt])
    return found


def drawn_tonnes(plain: Floats, effect: PolicyEffect, ranks: Floats) -> Floats:
    """Return draws of tonnes under an effect, draws x series x targets; those of sums mean nothing.

    Ordinary forecast and the curve of what was felt are mixed in logs, at equal ranks.

    Args:
        ranks: Where the draws lie in the ordinary forecast, by ``ranks_under``.
    """
    drawn = drawing.drawn(plain, ranks)
    middle = plain[..., QUANTILES.index(0.5)]
    gap = np.log(np.maximum(effect.without, LEAST) / np.maximum(middle, LEAST))
    drawn *= np.exp(effect.freed * np.maximum(gap, 0.0))
    felt = effect.weight > 0
    weight = effect.weight[None, felt, None]
    own, ordinary = (np.log(np.maximum(one[:, felt], LEAST)) for one in (effect.instead, drawn))
    drawn[:, felt] = np.exp(weight * own + (1.0 - weight) * ordinary)
    return drawn * effect.kept * effect.charged


def words_of(effect: PolicyEffect, analogs: Sequence[Analog]) -> str:
    """Say in one sentence what the response to controls rests on; nothing where there is none."""
    if not effect.controls:
        return ""
    materials = sorted({analog.material.split(":")[0].split(" (")[0] for analog in analogs})
    acts = ", ".join(control.event_id for control in effect.controls)
    return f"{acts}: estimated from {len(analogs)} controls on {', '.join(materials)}"
