"""Bias, spread and lag of a partner's import records relative to the exports behind them.

One series is what one source reports for one importer. The log ratio of its imports to a mix of
this month's and last month's exports is a slowly drifting bias plus heavy-tailed noise. Every month
is assessed without itself. Private to ``features.panel.mirror``; see
docs/adr/0007-mirror-nowcast.md.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from features.months import Months
from store.arrays import Floats

TAIL: Final = 3.0
"""Degrees of freedom of the noise, as for all figures (``system.PanelPrior.figure_tail``)."""

MEMORY_MONTHS: Final = 60
"""Newest months used; older ones say little about a drifting bias."""

DRIFT_MONTHS: Final = 12.0
"""Correlation time of the drifting part of a bias, in months."""

USUAL_SPREAD: Final = 0.15
"""Spread of a series without data (log units): the typical monthly difference between two customs
offices after bias and lag are removed."""

PSEUDO_MONTHS: Final = 6.0
"""Number of months at which a series' own spread has the same weight as that of the others."""

SAME_MONTH: Final = np.linspace(0.0, 1.0, 11)
"""Shares of a month's exports that may arrive within it; the rest arrives a month later."""

LAG_FIRMNESS: Final = 2.0
"""Standard deviations of the usual share are 1 / (1 + this): a third."""

ROUNDS: Final = 12


@dataclass(frozen=True, slots=True)
class BiasPrior:
    """Prior of the bias of a measure (log units)."""

    bias: float
    """Usual log of imports per tonne exported."""
    bias_stderr: float
    partner: float
    """Standard deviation of the bias between partners."""
    drift: float
    """Standard deviation of the drift of one partner's bias."""


@dataclass(frozen=True, slots=True, eq=False)
class ComparedMonths:
    """One series' imports with the exports of the same month and of the month before."""

    months: Months
    imports: Floats
    same: Floats
    before: Floats
    same_stderr: Floats
    before_stderr: Floats
    """Log standard errors of the exports."""


@dataclass(frozen=True, slots=True, eq=False)
class ReportingPattern:
    """The fitted reporting pattern of one series."""

    same_month: float
    """Share of the exports that arrives in the month they leave in."""
    months: Months
    """Months used in the fit."""
    log_ratio: Floats
    stderr: Floats
    """Log standard error of the exports of each of these months."""
    weight: Floats
    """Near zero where a month contradicts the others."""
    spread: float
    """Scale of the noise of a month (log units)."""
    bias_prior: BiasPrior

    @property
    def noise(self) -> Floats:
        """Return the variance of each log ratio, inflated for outliers."""
        return self.spread**2 / self.weight + self.stderr**2

    def at(self, months: Months) -> tuple[Floats, Floats]:
        """Return the expected log ratio of months and its scale, each without the month itself.

        Both approach the prior of all partners with growing distance from the fitted months.
        """
        own = np.isin(months, self.months)
        bias, variance = self._predict(months)
        if own.any():
            place = np.searchsorted(self.months, months[own])
            mean, left_out = _leave_one_out(self)
            bias[own], variance[own] = mean[place], left_out[place]
        return bias, np.sqrt(variance + self.spread**2)

    def _predict(self, months: Months) -> tuple[Floats, Floats]:
        prior = self.bias_prior.partner**2 + self.bias_prior.drift**2
        if len(self.months) == 0:
            return np.full(len(months), self.bias_prior.bias), np.full(len(months), prior)
        across = _bias_covariance(months, self.months, self.bias_prior)
        inverse = _inverse(self)
        bias = self.bias_prior.bias + across @ inverse @ (self.log_ratio - self.bias_prior.bias)
        variance = prior - np.einsum("ij,jk,ik->i", across, inverse, across)
        return bias, np.maximum(variance, 0.0)


def mixed(compared: ComparedMonths, same_month: float) -> tuple[Floats, Floats]:
    """Return the exports that should arrive in each month and their log standard error."""
    parts = (same_month * compared.same, (1.0 - same_month) * compared.before)
    total = parts[0] + parts[1]
    stderr = np.hypot(parts[0] * compared.same_stderr, parts[1] * compared.before_stderr) / total
    return total, stderr


def fit_patterns(
    series: Sequence[ComparedMonths], bias_priors: Sequence[BiasPrior], usual_lags: Sequence[float]
) -> list[ReportingPattern]:
    """Return the reporting patterns of the series of one measure, partially pooled.

    Each series is first fitted alone for its lag and a rough bias and spread; the pooled bias and
    spread then serve as the prior of each, with more weight the fewer months a series has.

    Args:
        series: Data of each series; may be empty.
        bias_priors: Prior of each series.
        usual_lags: Usual share of exports that arrives in the same month, for each.
    """
    rough = [
        _with_lag(one, bias_prior, lag)
        for one, bias_prior, lag in zip(series, bias_priors, usual_lags, strict=True)
    ]
    known = [pattern for pattern in rough if len(pattern.months)]
    if not known:
        return rough
    pooled, spread = _pooled_bias(known), _pooled_spread(known)
    return [
        _fitted(one, pattern.same_month, pooled, spread)
        for one, pattern in zip(series, rough, strict=True)
    ]


def _with_lag(compared: ComparedMonths, bias_prior: BiasPrior, usual: float) -> ReportingPattern:
    """Return the pattern at the posterior mean of the lag."""
    tried = [_fitted(compared, share, bias_prior, USUAL_SPREAD) for share in SAME_MONTH]
    fit = np.array([_log_likelihood(pattern) for pattern in tried])
    prior = -0.5 * ((SAME_MONTH - usual) * (1.0 + LAG_FIRMNESS)) ** 2
    weight = np.exp(fit + prior - (fit + prior).max())
    mean = float(weight @ SAME_MONTH / weight.sum())
    return _fitted(compared, mean, bias_prior, USUAL_SPREAD)


def _fitted(
    compared: ComparedMonths, same_month: float, bias_prior: BiasPrior, usual_spread: float
) -> ReportingPattern:
    """Return the pattern at one lag, with the spread matched to leave-one-out residuals."""
    exports, stderr = mixed(compared, same_month)
    log_ratio = np.log(compared.imports / exports)
    weight = np.ones(len(log_ratio))
    pattern = ReportingPattern(
        same_month, compared.months, log_ratio, stderr, weight, usual_spread, bias_prior
    )
    for _ in range(ROUNDS if len(log_ratio) else 0):
        z = _residuals(pattern)[0]
        weight = (TAIL + 1.0) / (TAIL + z * z)
        seen = float(weight @ (z * z)) + PSEUDO_MONTHS * (usual_spread / pattern.spread) ** 2
        spread = pattern.spread * math.sqrt(seen / (len(z) + PSEUDO_MONTHS))
        pattern = replace(pattern, weight=weight, spread=spread)
    return pattern


def _residuals(pattern: ReportingPattern) -> tuple[Floats, Floats]:
    """Return the leave-one-out residual of each month in scales, and the scales."""
    bias, variance = _leave_one_out(pattern)
    scale = np.sqrt(variance + pattern.spread**2 + pattern.stderr**2)
    return (pattern.log_ratio - bias) / scale, scale


def _log_likelihood(pattern: ReportingPattern) -> float:
    """Return the log likelihood of each month given the others."""
    if len(pattern.months) == 0:
        return 0.0
    z, scale = _residuals(pattern)
    return float(-np.sum(np.log(scale) + 0.5 * (TAIL + 1.0) * np.log1p(z * z / TAIL)))


def _leave_one_out(pattern: ReportingPattern) -> tuple[Floats, Floats]:
    """Return the bias of each month and its variance, estimated from the other months."""
    inverse = _inverse(pattern)
    own = np.diag(inverse)
    bias = pattern.log_ratio - inverse @ (pattern.log_ratio - pattern.bias_prior.bias) / own
    return bias, np.maximum(1.0 / own - pattern.noise, 0.0)


def _inverse(pattern: ReportingPattern) -> Floats:
    covariance = _bias_covariance(pattern.months, pattern.months, pattern.bias_prior) + np.diag(
        pattern.noise
    )
    return np.asarray(np.linalg.inv(covariance))


def _bias_covariance(left: Months, right: Months, bias_prior: BiasPrior) -> Floats:
    """Return the covariance of the biases of months: a constant part and a drifting one."""
    apart = np.abs(left[:, None] - right[None, :])
    covariance = bias_prior.partner**2 + bias_prior.drift**2 * np.exp(-apart / DRIFT_MONTHS)
    return np.asarray(covariance, dtype=float)


def _pooled_bias(patterns: Sequence[ReportingPattern]) -> BiasPrior:
    """Return the prior with the pooled bias of the series."""
    bias_prior = patterns[0].bias_prior
    own = np.array(
        [np.average(pattern.log_ratio, weights=1.0 / pattern.noise) for pattern in patterns]
    )
    variance = np.array([1.0 / np.sum(1.0 / pattern.noise) for pattern in patterns])
    precision = 1.0 / (variance + bias_prior.partner**2 + bias_prior.drift**2)
    prior = 1.0 / bias_prior.bias_stderr**2
    bias = (prior * bias_prior.bias + precision @ own) / (prior + precision.sum())
    return BiasPrior(float(bias), bias_prior.bias_stderr, bias_prior.partner, bias_prior.drift)


def _pooled_spread(patterns: Sequence[ReportingPattern]) -> float:
    """Return the pooled spread of the series and of the usual one."""
    months = np.array([len(pattern.months) for pattern in patterns], dtype=float)
    weight = months / (months + PSEUDO_MONTHS)
    logs = np.log([pattern.spread for pattern in patterns])
    middle = (math.log(USUAL_SPREAD) + weight @ logs) / (1.0 + weight.sum())
    return math.exp(float(middle))
