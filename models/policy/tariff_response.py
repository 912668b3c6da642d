"""Tariff response: what a change of the rate that no year of the own trade shows does to it.

The record holds few tariffs on these goods, so trees learn next to nothing from them. What is known
is how trade in other goods answered: by an elasticity to one plus the rate.
"""

import zlib
from typing import Final

import numpy as np

from features.controls.controls import chances_of_rises
from features.controls.levers import charged_by
from features.families.tariffs import monthly_rates
from features.months import month_number, month_start
from features.origin import LEVEL_MONTHS, Origin
from models.policy.drawing import SOFTENED, outcome_draws
from store.arrays import Floats, Ints

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

AHEAD_MONTHS: Final = 3
"""Months before a rise in which goods are shipped ahead, and after it in which they lack."""


def kept_under_tariffs(origin: Origin, *, count: int, seed: int) -> Floats:
    """Return what changes of the rate leave of a forecast, draws x series x targets.

    A forecast rests on the level of a year and so carries the rates of that year. What counts is
    what goes beyond both their mean and today's rate: a change in force is left to the months that
    feel it. One exactly where nothing changes; a higher rate in a month never leaves more of it.

    Args:
        origin: The snapshot that is forecast.
        count: How many draws.
        seed: Equal seeds give equal draws.
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
    comes = _coming(origin, count, seed)
    moved[members] = _shipped_ahead(ahead[members], np.flatnonzero(members), origin)
    random = np.random.default_rng([seed, 3])
    elasticity = ELASTICITY * np.exp(SPREAD * random.standard_normal(count))
    stock = random.beta(*STOCK, count)
    return np.asarray(
        np.exp(-elasticity[:, None, None] * np.where(change > 0.0, comes * change, change))
        * (1.0 + stock[:, None, None] * moved)
    )


def _coming(origin: Origin, count: int, seed: int) -> Floats:
    """Return the share of each series' announced rise that comes, draws x series x 1.

    A scenario's own rates are certain.
    """
    comes = np.ones((count, len(origin.series), 1))
    if origin.record is None or origin.tariffs is None:
        return comes
    charged = charged_by(origin)
    for importer, chances in chances_of_rises(origin.tariffs, origin.record).items():
        came, _, softened = outcome_draws(chances, zlib.crc32(f"{seed} {importer}".encode()), count)
        rows = [origin.series.index(name) for name in charged.get(importer, ())]
        comes[:, rows, 0] = np.where(came, 1.0, np.where(softened, SOFTENED, 0.0))[:, None]
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
        rows: Which series these are.
        origin: The snapshot that is forecast.
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
        open_months = np.flatnonzero(origin.targets[:first] >= known)[-AHEAD_MONTHS:]
        if not len(open_months):
            continue
        moved[row, open_months] = full / len(open_months)
        moved[row, first : first + AHEAD_MONTHS] = -full / AHEAD_MONTHS
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
