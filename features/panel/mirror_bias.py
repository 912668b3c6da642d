"""What a partner's import records usually say of the exports behind them: bias, spread and lag.

One series is what one source says of one importer. The log of its imports against a mix of this
month's and last month's exports is a bias that drifts slowly, plus noise with wide tails. Every
judgement of a month is made without that month. Private to ``features.panel.mirror``; see
docs/adr/0007-mirror-nowcast.md.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from features.months import Months

Floats = NDArray[np.float64]

TAIL: Final = 3.0
"""Degrees of freedom of the noise, as for all figures (``system.PanelPrior.figure_tail``)."""

MEMORY_MONTHS: Final = 60
"""Newest months learned from; older ones say little of a bias that drifts."""

DRIFT_MONTHS: Final = 12.0
"""Months after which the drifting part of a bias has forgotten most of what it was."""

USUAL_SPREAD: Final = 0.15
"""Spread of a series nothing is known of yet (log units): about what two customs offices differ by
from month to month once bias and lag are taken out."""

PSEUDO_MONTHS: Final = 6.0
"""How many months of a series weigh as much as the spread of the others."""

SAME_MONTH: Final = np.linspace(0.0, 1.0, 11)
"""Shares of a month's exports that may arrive within it; the rest arrives a month later."""

LAG_FIRMNESS: Final = 2.0
"""Standard deviations of the usual share are 1 / (1 + this): a third."""

ROUNDS: Final = 12


@dataclass(frozen=True, slots=True)
class BiasPrior:
    """What is believed of a measure before any month is compared (log units)."""

    bias: float
    """Usual log of imports per tonne exported."""
    bias_stderr: float
    partner: float
    """How far the biases of partners lie apart."""
    drift: float
    """How far the bias of one partner wanders."""


@dataclass(frozen=True, slots=True, eq=False)
class ComparedMonths:
    """One series' imports beside the exports of the same month and of the month before."""

    months: Months
    imports: Floats
    same: Floats
    before: Floats
    same_stderr: Floats
    before_stderr: Floats
    """Log standard errors of the exports."""

    def only(self, places: NDArray[np.int64]) -> "ComparedMonths":
        """Return the months at some places."""
        return ComparedMonths(
            self.months[places],
            self.imports[places],
            self.same[places],
            self.before[places],
            self.same_stderr[places],
            self.before_stderr[places],
        )


@dataclass(frozen=True, slots=True, eq=False)
class ReportingPattern:
    """What is learned of one series."""

    same_month: float
    """Share of the exports that arrives in the month they leave in."""
    months: Months
    """Months learned from."""
    log_ratio: Floats
    unsure: Floats
    """Log standard error of the exports of each month learned from."""
    weight: Floats
    """Near zero where a month learned from contradicts the others."""
    spread: float
    """Scale of the noise of a month (log units)."""
    belief: BiasPrior

    @property
    def noise(self) -> Floats:
        """Return the variance of each learned ratio, outliers made wide."""
        return self.spread**2 / self.weight + self.unsure**2

    def at(self, months: Months) -> tuple[Floats, Floats]:
        """Return the expected log ratio of months and its scale, each learned without itself.

        Both fall back on what is believed of all partners, the further a month is from those
        learned from.
        """
        own = np.isin(months, self.months)
        bias, variance = self._beside(months)
        if own.any():
            place = np.searchsorted(self.months, months[own])
            mean, left_out = _without_each(self)
            bias[own], variance[own] = mean[place], left_out[place]
        return bias, np.sqrt(variance + self.spread**2)

    def _beside(self, months: Months) -> tuple[Floats, Floats]:
        prior = self.belief.partner**2 + self.belief.drift**2
        if len(self.months) == 0:
            return np.full(len(months), self.belief.bias), np.full(len(months), prior)
        across = _kinship(months, self.months, self.belief)
        inverse = _inverse(self)
        bias = self.belief.bias + across @ inverse @ (self.log_ratio - self.belief.bias)
        variance = prior - np.einsum("ij,jk,ik->i", across, inverse, across)
        return bias, np.maximum(variance, 0.0)


def mixed(compared: ComparedMonths, same_month: float) -> tuple[Floats, Floats]:
    """Return the exports that should arrive in each month and their log standard error."""
    parts = (same_month * compared.same, (1.0 - same_month) * compared.before)
    total = parts[0] + parts[1]
    stderr = np.hypot(parts[0] * compared.same_stderr, parts[1] * compared.before_stderr) / total
    return total, stderr


def learn(
    series: Sequence[ComparedMonths], beliefs: Sequence[BiasPrior], usual_lags: Sequence[float]
) -> list[ReportingPattern]:
    """Return the habits of series of one measure, partially pooled.

    Each series first learns its lag and a rough bias and spread; the middle of all biases and
    spreads is then what is believed of each, the more so the fewer months a series has.

    Args:
        series: What to learn from; empty series are allowed.
        beliefs: What is believed of each before.
        usual_lags: Usual share of exports that arrives in the same month, for each.
    """
    rough = [
        _with_lag(one, belief, lag)
        for one, belief, lag in zip(series, beliefs, usual_lags, strict=True)
    ]
    known = [habit for habit in rough if len(habit.months)]
    if not known:
        return rough
    pooled, spread = _pooled_bias(known), _pooled_spread(known)
    return [
        _fitted(one, habit.same_month, pooled, spread)
        for one, habit in zip(series, rough, strict=True)
    ]


def _with_lag(compared: ComparedMonths, belief: BiasPrior, usual: float) -> ReportingPattern:
    """Return the habit at the mean of the plausible lags."""
    tried = [_fitted(compared, share, belief, USUAL_SPREAD) for share in SAME_MONTH]
    fit = np.array([_plausible(habit) for habit in tried])
    prior = -0.5 * ((SAME_MONTH - usual) * (1.0 + LAG_FIRMNESS)) ** 2
    weight = np.exp(fit + prior - (fit + prior).max())
    mean = float(weight @ SAME_MONTH / weight.sum())
    return _fitted(compared, mean, belief, USUAL_SPREAD)


def _fitted(
    compared: ComparedMonths, same_month: float, belief: BiasPrior, usual_spread: float
) -> ReportingPattern:
    """Return the habit at one lag, its spread such that months left out look as wide as told."""
    exports, unsure = mixed(compared, same_month)
    log_ratio = np.log(compared.imports / exports)
    weight = np.ones(len(log_ratio))
    habit = ReportingPattern(
        same_month, compared.months, log_ratio, unsure, weight, usual_spread, belief
    )
    for _ in range(ROUNDS if len(log_ratio) else 0):
        z = _surprise(habit)[0]
        weight = (TAIL + 1.0) / (TAIL + z * z)
        seen = float(weight @ (z * z)) + PSEUDO_MONTHS * (usual_spread / habit.spread) ** 2
        spread = habit.spread * math.sqrt(seen / (len(z) + PSEUDO_MONTHS))
        habit = replace(habit, weight=weight, spread=spread)
    return habit


def _surprise(habit: ReportingPattern) -> tuple[Floats, Floats]:
    """Return how far each learned month is from what the others say, in scales, and the scales."""
    bias, variance = _without_each(habit)
    scale = np.sqrt(variance + habit.spread**2 + habit.unsure**2)
    return (habit.log_ratio - bias) / scale, scale


def _plausible(habit: ReportingPattern) -> float:
    """Return the log likelihood of each month given the others."""
    if len(habit.months) == 0:
        return 0.0
    z, scale = _surprise(habit)
    return float(-np.sum(np.log(scale) + 0.5 * (TAIL + 1.0) * np.log1p(z * z / TAIL)))


def _without_each(habit: ReportingPattern) -> tuple[Floats, Floats]:
    """Return the bias of each learned month and its variance as the other months tell it."""
    inverse = _inverse(habit)
    own = np.diag(inverse)
    bias = habit.log_ratio - inverse @ (habit.log_ratio - habit.belief.bias) / own
    return bias, np.maximum(1.0 / own - habit.noise, 0.0)


def _inverse(habit: ReportingPattern) -> Floats:
    covariance = _kinship(habit.months, habit.months, habit.belief) + np.diag(habit.noise)
    return np.asarray(np.linalg.inv(covariance))


def _kinship(left: Months, right: Months, belief: BiasPrior) -> Floats:
    """Return the covariance of the biases of months: one part for good, one that drifts."""
    apart = np.abs(left[:, None] - right[None, :])
    kinship = belief.partner**2 + belief.drift**2 * np.exp(-apart / DRIFT_MONTHS)
    return np.asarray(kinship, dtype=float)


def _pooled_bias(habits: Sequence[ReportingPattern]) -> BiasPrior:
    """Return the belief with the middle of the biases of the series."""
    belief = habits[0].belief
    own = np.array([np.average(habit.log_ratio, weights=1.0 / habit.noise) for habit in habits])
    variance = np.array([1.0 / np.sum(1.0 / habit.noise) for habit in habits])
    precision = 1.0 / (variance + belief.partner**2 + belief.drift**2)
    prior = 1.0 / belief.bias_stderr**2
    bias = (prior * belief.bias + precision @ own) / (prior + precision.sum())
    return BiasPrior(float(bias), belief.bias_stderr, belief.partner, belief.drift)


def _pooled_spread(habits: Sequence[ReportingPattern]) -> float:
    """Return the middle of the spreads of the series and of the usual one."""
    months = np.array([len(habit.months) for habit in habits], dtype=float)
    weight = months / (months + PSEUDO_MONTHS)
    logs = np.log([habit.spread for habit in habits])
    middle = (math.log(USUAL_SPREAD) + weight @ logs) / (1.0 + weight.sum())
    return math.exp(float(middle))
