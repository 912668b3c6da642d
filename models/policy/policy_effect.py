"""Apply the policy response to a forecast: multiply, draw by draw, and read the quantiles anew.

A control not observed yet multiplies the forecast, which knows nothing of it. Once months under it
are known, the forecast is the level before it times the share that its curve, drawn through those
months, lets through; the weight of the ordinary model, which learns from the same months, grows by
halves. Both fade as a relaxation takes effect, and both are lowered or raised as tariffs change.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pandas as pd

from features.controls.analogs import LICENCE, Analog, first_control_rate, magnet_analogs
from features.controls.controls import (
    BAN,
    SCENARIO,
    Control,
    chances_of_rises,
    controls_at,
    current_control,
    levels_without,
    relaxations_at,
    rows_by_control,
    tonnes_without,
)
from features.controls.levers import charged_by
from features.families.tariffs import monthly_rates
from features.origin import LEVEL_MONTHS, Origin
from features.track_record import CERTAIN
from models.policy import drawing
from models.policy.drawing import LEAST, SOFTENED, outcome_draws
from models.policy.precedents import Precedents, observed_months
from models.policy.response import DRAWS, SEED, Response
from models.quantile_model import mean_of_quantiles
from store.arrays import Flags, Floats
from store.months import month_start
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

LEAST_RISE: Final = 0.005


def share_under_tariffs(origin: Origin, *, count: int) -> Floats:
    """Share of a forecast that remains as tariff rates change, draws x series x targets.

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
    change = np.where(~origin.is_sum[:, None], _change(burden, origin), 0.0)
    comes = _coming(origin, count)
    spread = SPREAD * np.random.default_rng([SEED, 3]).standard_normal(count)
    elasticity = ELASTICITY * np.exp(spread)[:, None, None]
    return np.asarray(np.exp(-elasticity * np.where(change > 0.0, comes * change, change)))


def _coming(origin: Origin, count: int) -> Floats:
    """Share of each series' announced rise that comes, draws x series x 1.

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
    """Amount by which each target's burden lies beyond those that a forecast carries."""
    ahead = burden[:, LEVEL_MONTHS:]
    usual = burden[:, :LEVEL_MONTHS].mean(axis=1)[:, None]
    today = ahead[:, min(origin.late_months, len(origin.targets) - 1)][:, None]
    above = np.maximum(ahead - np.fmax(usual, today) - LEAST_RISE, 0.0)
    below = np.minimum(ahead - np.fmin(usual, today) + LEAST_RISE, 0.0)
    return np.asarray(above + below)


SHARE_WORTH: Final = 5.0
"""Pseudo-count (a + b) of the beta prior of the share of trade that an act covers."""

LICENSED: Final = (8.0, 1.0)
"""Beta of the share of trade under an earlier control that a further one leaves unaffected."""

FADING: Final = 1.5
"""Months in which the effect of a control that ended, or is relaxed, shrinks to a third."""

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
        """Draws of one act: the same whatever other acts are known."""
        return replace(self, seed=zlib.crc32(f"{self.seed} {name}".encode()))


def share_under_unobserved(
    origin: Origin, unobserved: Sequence[Control], controls: Sequence[Control], draw: DrawSettings
) -> Floats:
    """Share let through by controls not observed yet, draws x series x targets."""
    shape = (draw.count, len(origin.series), len(origin.targets))
    retained = np.ones(shape)
    for control in unobserved:
        share = _averaged_over_outcomes(origin, control, controls, draw)
        hit = (control.hit & ~origin.is_sum)[None, :, None]
        retained = np.where(hit, np.minimum(retained, share), retained)
    return retained


def share_under_unannounced(
    origin: Origin, rate: float, controls: Sequence[Control], draw: DrawSettings
) -> Floats:
    """Share let through by licences not announced yet, draws x series x targets.

    In each draw one begins, on all destinations, in a month after the as_of's, each month as likely
    as the last; most draws see none within the horizon.
    """
    bound = month_start(int(origin.targets[-1]) + 1)
    act = Control(UNANNOUNCED, LICENCE, bound, None, share=1.0, hit=~origin.is_sum)
    draw = draw.of(UNANNOUNCED)
    at = (np.random.default_rng([draw.seed, 5]).permutation(draw.count) + 0.5) / draw.count
    begins = origin.today + np.ceil(np.log1p(-at) / np.log1p(-rate))
    share = draw.response.draws(
        np.arange(len(origin.targets), dtype=np.float64) + 0.5,
        instrument=LICENCE,
        destinations=len(origin.series),
        count=draw.count,
        seed=draw.seed,
    )
    since = origin.targets - begins[:, None].astype(int)
    place = np.broadcast_to(np.maximum(since, 0)[:, None, :], share.shape)
    share = np.where(since[:, None, :] >= 0, np.take_along_axis(share, place, axis=2), 1.0)
    covered = (
        _share_draws(act, _already_controlled(act, controls), draw)[:, :, None]
        * act.hit[None, :, None]
    )
    return np.asarray(1.0 - covered * (1.0 - share))


def _averaged_over_outcomes(
    origin: Origin, control: Control, controls: Sequence[Control], draw: DrawSettings
) -> Floats:
    """Share of trade a control lets through, averaged over announcement outcomes."""
    share = _share_let_through(origin, control, controls, draw)
    if control.chances == CERTAIN:
        return share
    later = replace(control, bound=control.bound + pd.Timedelta(days=round(control.delay * 30.44)))
    late = _share_let_through(origin, later, controls, draw)
    outcomes = outcome_draws(control.chances, draw.of(control.package).seed, draw.count)
    as_announced, postponed, softened = (outcome[:, None, None] for outcome in outcomes)
    otherwise = np.where(postponed, late, np.where(softened, 1.0 - SOFTENED * (1.0 - share), 1.0))
    return np.asarray(np.where(as_announced, share, otherwise))


def _share_let_through(
    origin: Origin, control: Control, controls: Sequence[Control], draw: DrawSettings
) -> Floats:
    """Share of each series that a control lets through, draws x series x targets."""
    if control.passing is not None or control.strictness:
        shape = (draw.count, len(origin.series), len(origin.targets))
        passing = np.full(shape, control.passing or 0.0)
        if control.strictness:
            past = Precedents.at(origin, controls, draw.response.analogs)
            age = control.age(origin.targets)
            passing = past.retained(control.strictness, age, draw.count, draw.of(SCENARIO).seed)
        started = np.clip(control.age(origin.targets) + 0.5, 0.0, 1.0)
        in_force = control.share * np.where(origin.targets >= control.month, started, 0.0)
        in_force *= np.exp(-control.since_end(origin.targets) / FADING)
        return np.asarray(1.0 - in_force * (1.0 - passing))
    draw = draw.of(control.event_id)
    share = draw.response.draws(
        control.age(origin.targets),
        instrument=control.instrument,
        destinations=len(origin.series),
        count=draw.count,
        seed=draw.seed,
    )
    fading = np.exp(-control.since_end(origin.targets) / FADING)
    share = share ** (fading * 0.5 ** (_months_ahead(origin) / HALF_AHEAD))
    covered = _share_draws(control, _already_controlled(control, controls), draw)
    return np.asarray(1.0 - covered[:, :, None] * (1.0 - share))


def _months_ahead(origin: Origin) -> Floats:
    """Months from today to each target, by target; 0 this month."""
    return np.asarray(np.maximum(origin.targets - origin.today, 0), dtype=np.float64)


def _already_controlled(control: Control, controls: Sequence[Control]) -> Floats:
    """Share of each series' trade that an earlier control of its kind covers.

    A licence lets nothing pass a ban.
    """
    share = np.zeros(len(control.hit))
    for other in controls:
        of_kind = control.instrument != BAN or other.instrument == BAN
        is_earlier = other.event_id != control.event_id and other.bound < control.bound
        if of_kind and is_earlier and other.ends is None:
            share = np.maximum(share, np.where(other.hit, other.share, 0.0))
    return share


def _share_draws(control: Control, already_controlled: Floats, draw: DrawSettings) -> Floats:
    """Share of trade a control stops beyond earlier controls, draws x series."""
    random = np.random.default_rng([draw.seed, 1])
    share = min(max(control.share, 0.01), 0.99)
    covered = random.beta(SHARE_WORTH * share, SHARE_WORTH * (1.0 - share), draw.count)
    passing = random.beta(*LICENSED, draw.count)
    stopped = covered[:, None] * (1.0 - already_controlled[None, :] * passing[:, None])
    return stopped if draw.exposure is None else np.minimum(stopped * draw.exposure, 1.0)


HALF_SEEN: Final = 6.0
"""Months under a control after which the ordinary model has half the weight."""

HALF_AHEAD: Final = 3.0
"""Months ahead of today at which half of what a control holds back counts, in logs: until then it
may be eased, suspended or worked around. Source: docs/adr/0010-policy-response.md."""

WORKED_OFF: Final = 9.0
"""Months since a control began until which exports may lie above the level before: a backlog is
shipped once, whenever one asks. Source: docs/adr/0010-policy-response.md."""

WITHOUT_SPREAD: Final = 0.15
"""Spread of the level before a control as a forecast of months without it, log units."""


@dataclass(frozen=True, slots=True)
class PolicyEffect:
    """What the policies known at an origin do to its targets; draws x series x targets each."""

    controls: tuple[Control, ...]
    """Controls with an effect, observed ones first."""
    relaxations: tuple[Control, ...]
    """Relaxations of observed controls."""
    retained: Floats
    """Share let through by controls not observed or not announced yet; 1 where none."""
    charged: Floats
    """Share that remains as tariffs change; 1 where none does."""
    analog_path: Floats
    """Tonnes by the curve of the observed control; 0 where none."""
    weight: Floats
    """Weight of ``analog_path`` in the forecast, by series; of a sum, in its members."""
    freed: Floats
    """Share of the gap to the level without controls that relaxations close; 0 where none."""
    without: Floats
    """The level without controls, series x targets in tonnes; 0 where none holds the series."""

    @property
    def touched(self) -> Flags:
        moved = (self.retained != 1.0) | (self.charged != 1.0) | (self.freed > 0.0)
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
    """Effect on an origin's targets of the policies known then.

    Args:
        exposure: What each series loses by what is to come beside all of them; alike if None.
        rate: Chance that a control nobody has announced begins in a month, 0 to 1; as known of
            other minerals if None.
    """
    if rate is None:
        rate = 0.0 if origin.record is None else first_control_rate(origin.record)
    # What a scenario assumes to pass needs no analog.
    controls = tuple(
        control
        for control in controls_at(origin)
        if analogs
        or control.strictness
        or (control.passing is not None and not control.seen(origin))
    )
    draw = DrawSettings(Response(analogs), count, SEED)
    episodes = rows_by_control(origin, lambda row: current_control(controls, row, origin))
    relaxations = relaxations_at(origin, controls)
    freed = _freed(origin, relaxations, draw)
    shape = (count, len(origin.series), len(origin.targets))
    analog_path, weight = np.zeros(shape), np.zeros(len(origin.series))
    for control, rows in episodes:
        analog_path[:, rows] = _analog_path(origin, control, rows, freed[:, rows], draw)
        weight[rows] = 0.5 ** (control.seen(origin) / HALF_SEEN)
    unobserved = tuple(control for control in controls if control.seen(origin) == 0)
    examples = (*analogs, *magnet_analogs(origin, controls)) if unobserved else analogs
    unobserved_draw = DrawSettings(Response(examples), count, SEED, exposure)
    retained = share_under_unobserved(origin, unobserved, controls, unobserved_draw)
    if rate > 0.0 and analogs:
        retained *= share_under_unannounced(origin, rate, controls, draw)
    return PolicyEffect(
        controls=(*(control for control, _ in episodes), *unobserved),
        relaxations=relaxations,
        retained=retained,
        charged=share_under_tariffs(origin, count=count),
        analog_path=analog_path,
        weight=weight,
        freed=freed,
        without=levels_without(origin, controls) if relaxations else np.zeros(shape[1:]),
    )


def _freed(origin: Origin, relaxations: Sequence[Control], draw: DrawSettings) -> Floats:
    """Share of withheld trade that relaxations free, draws x series x targets."""
    held = np.ones((draw.count, len(origin.series), len(origin.targets)))
    for relaxation in relaxations:
        share = min(max(relaxation.share, 0.01), 1.0)
        random = np.random.default_rng(draw.of(relaxation.event_id).seed)
        worth = SHARE_WORTH * share, max(SHARE_WORTH * (1.0 - share), LEAST)
        strength = random.beta(*worth, draw.count) if share < 1.0 else np.ones(draw.count)
        grown = 1.0 - np.exp(-np.maximum(relaxation.age(origin.targets), 0.0) / FADING)
        grown *= np.exp(-relaxation.since_end(origin.targets) / FADING)
        reached = (relaxation.hit & ~origin.is_sum)[None, :, None]
        held *= 1.0 - strength[:, None, None] * grown[None, None, :] * reached
    return np.asarray(1.0 - held)


def _analog_path(
    origin: Origin, control: Control, rows: list[int], freed: Floats, draw: DrawSettings
) -> Floats:
    """Tonnes by the curve of an observed control, draws x rows x targets."""
    level = tonnes_without(origin, control)[rows]
    share = draw.response.draws(
        control.age(origin.targets),
        instrument=control.instrument,
        destinations=len(rows),
        observed=observed_months(origin, control, rows),
        count=draw.count,
        seed=draw.seed,
    )
    held = np.minimum(1.0 - freed, np.exp(-control.since_end(origin.targets) / FADING))
    held = held * 0.5 ** (_months_ahead(origin) / HALF_AHEAD)
    share = faded(share, held, control.age(origin.targets))
    ahead, past = level[:, -len(origin.targets) :], origin.tonnes[rows][:, -control.seen(origin) :]
    path = worked_off(share * ahead, ahead, withheld(past, level[:, : past.shape[1]]))
    random = np.random.default_rng([draw.seed, 2])
    apart = random.standard_normal((draw.count, len(rows) + 1, 1))
    noise = WITHOUT_SPREAD * (apart[:, :-1] + apart[:, -1:]) / np.sqrt(2.0)
    return np.asarray(path * np.exp(noise))


def faded(share: Floats, held: Floats, age: Floats) -> Floats:
    """Share let through as a control wears off.

    Args:
        share: Share of the level before, by months under the control alone.
        held: Part of what is held back that still is, in logs, 0 to 1.
        age: Months since the control began; what lies above the level ends at ``WORKED_OFF``.

    Examples:
        >>> faded(np.array([0.25]), np.array([0.5]), np.array([3.0])).tolist()
        [0.5]
    """
    return np.asarray(share ** np.where(share < 1.0, held, age < WORKED_OFF))


def withheld(past: Floats, level: Floats) -> float:
    """Tonnes of all destinations that months under a control held back and did not make up since.

    Args:
        past: Exports under it, destinations x months; NaN where not known.
        level: Exports expected without it.

    Examples:
        >>> withheld(np.array([[40.0, 90.0, 120.0]]), np.array([[100.0, 100.0, 100.0]]))
        50.0
    """
    stock = 0.0
    for gap in np.nansum(level - past, axis=0).tolist():
        stock = max(stock + gap, 0.0)
    return stock


def worked_off(tonnes: Floats, level: Floats, stock: float) -> Floats:
    """Paths that never make up more than was held back: by now, or by the path itself until then.

    What lies above the level is taken from one stock of all destinations; where that runs out, all
    get the same share of it.

    Args:
        tonnes: Draws x destinations x months.
        level: Exports expected without the control, destinations x months.
        stock: Tonnes held back by now.

    Examples:
        >>> worked_off(np.array([[[150.0, 150.0]]]), np.array([[100.0, 100.0]]), 60.0).tolist()
        [[[150.0, 110.0]]]
    """
    above, below = np.maximum(tonnes - level, 0.0), np.maximum(level - tonnes, 0.0)
    paths, left = np.minimum(tonnes, level), np.full(len(tonnes), stock)
    for month in range(tonnes.shape[2]):
        asked = above[:, :, month].sum(axis=1)
        left += below[:, :, month].sum(axis=1)
        released = np.minimum(asked, left)
        paths[:, :, month] += above[:, :, month] * _part(released, asked)[:, None]
        left -= released
    return paths


def _part(released: Floats, asked: Floats) -> Floats:
    return np.divide(released, asked, out=np.zeros_like(asked), where=asked > 0.0)


def respond(table: pd.DataFrame, effect: PolicyEffect, origin: Origin) -> pd.DataFrame:
    """Quantiles and means with the effect of policies in them.

    Returns:
        The columns of ``table``; itself where no policy bears on it. Not made coherent.
    """
    if effect.is_none:
        return table
    _, series, targets = effect.retained.shape
    plain = table[list(QUANTILE_COLUMNS)].to_numpy().reshape(series, targets, -1)
    ranks = ranks_under(effect)
    draws = drawing.summed(drawn_tonnes(plain, effect, ranks), origin.groups)
    if not effect.controls and not effect.relaxations:
        _set_calm_total(draws, plain, ranks, effect, origin)
    reached = np.stack([effect.touched[members].any(axis=0) for members in origin.groups])
    quantiles = np.where(reached[:, :, None], drawing.quantiles_of_draws(draws), plain)
    flat = quantiles.reshape(-1, len(QUANTILES))
    answer = pd.DataFrame(flat, columns=list(QUANTILE_COLUMNS), index=table.index)
    answer["mean"] = mean_of_quantiles(flat, np.asarray(QUANTILES))
    return answer[[*QUANTILE_COLUMNS, "mean"]]


def _set_calm_total(
    draws: Floats, plain: Floats, ranks: Floats, effect: PolicyEffect, origin: Origin
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
        total = draws[:, row, months]
        retained = np.divide(total, ordinary, out=np.ones_like(total), where=ordinary > LEAST)
        total_draws = drawing.drawn(plain[[row]][:, months], drawing.ranks_of(ordinary)[:, None])
        draws[:, row, months] = total_draws[:, 0] * retained


def ranks_under(effect: PolicyEffect) -> Floats:
    """Rank of each draw in the ordinary forecast of its cell: draws x series x targets.

    Where a curve stands in, as the draw lies on the curve.
    """
    count, series, targets = effect.retained.shape
    ranks = np.repeat(drawing.ranks(series, count, SEED)[:, :, None], targets, axis=2)
    is_observed = effect.weight > 0
    ranks[:, is_observed] = drawing.ranks_of(effect.analog_path[:, is_observed])
    return ranks


def drawn_tonnes(plain: Floats, effect: PolicyEffect, ranks: Floats) -> Floats:
    """Draws of tonnes under an effect, draws x series x targets; those of sums mean nothing.

    Ordinary forecast and the curve of the observed control are mixed in logs, at equal ranks.

    Args:
        ranks: Where the draws lie in the ordinary forecast, by ``ranks_under``.
    """
    draws = drawing.drawn(plain, ranks)
    middle = plain[..., QUANTILES.index(0.5)]
    gap = np.log(np.maximum(effect.without, LEAST) / np.maximum(middle, LEAST))
    draws *= np.exp(effect.freed * np.maximum(gap, 0.0))
    is_observed = effect.weight > 0
    weight = effect.weight[None, is_observed, None]
    path_log, draws_log = (
        np.log(np.maximum(tonnes[:, is_observed], LEAST)) for tonnes in (effect.analog_path, draws)
    )
    draws[:, is_observed] = np.exp(weight * path_log + (1.0 - weight) * draws_log)
    return draws * effect.retained * effect.charged


def response_basis(effect: PolicyEffect, analogs: Sequence[Analog]) -> str:
    """Say in one sentence what the response to controls rests on; nothing where there is none."""
    if not effect.controls:
        return ""
    materials = sorted({analog.material.split(":")[0].split(" (")[0] for analog in analogs})
    acts = ", ".join(control.event_id for control in effect.controls)
    return f"{acts}: estimated from {len(analogs)} controls on {', '.join(materials)}"
