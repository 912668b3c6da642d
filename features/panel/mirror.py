"""Partners' import records as uncertain statements about the exports behind them.

Importers' records differ from China's: ships take weeks, goods enter through another country, and
codes differ in scope. A record is therefore related to a mix of this month's and last month's
exports with a bias and a spread, fitted for each series on months with published exports. See
docs/adr/0007-mirror-nowcast.md.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pandas as pd

from features.panel.statements import CellBlock, Statement, members_of
from store.arrays import Flags, Floats, take
from store.facts.commodities import MAGNETS, under_china_code
from store.months import Months, month_numbers, month_starts
from store.vocabulary import ORIGIN

_TAIL: Final = 3.0
"""Degrees of freedom of the noise, as for all figures (``system.PanelPrior.figure_tail``)."""

MEMORY_MONTHS: Final = 60
"""Newest months used, as the bias drifts."""

DRIFT_MONTHS: Final = 12.0
"""Correlation time of the drifting part of a bias, in months."""

USUAL_SPREAD: Final = 0.15
"""Spread of a series without data (log units): the typical monthly difference between two customs
offices after bias and lag are removed."""

PSEUDO_MONTHS: Final = 6.0
"""Months at which a series' own spread and the pooled one have equal weight."""

_SAME_MONTH: Final = np.linspace(0.0, 1.0, 11)
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
        return self.spread**2 / self.weight + self.stderr**2

    def at(self, months: Months) -> tuple[Floats, Floats]:
        """Leave-one-out expectation of the log ratio of months and its scale.

        Both approach the prior of all partners with growing distance from the fitted months.
        """
        is_fitted = np.isin(months, self.months)
        bias, variance = self._predict(months)
        if is_fitted.any():
            place = np.searchsorted(self.months, months[is_fitted])
            mean, left_out = _leave_one_out(self)
            bias[is_fitted], variance[is_fitted] = mean[place], left_out[place]
        return bias, np.sqrt(variance + self.spread**2)

    def _predict(self, months: Months) -> tuple[Floats, Floats]:
        prior = self.bias_prior.partner**2 + self.bias_prior.drift**2
        across = _bias_covariance(months, self.months, self.bias_prior)
        inverse = _inverse(self)
        bias = self.bias_prior.bias + across @ inverse @ (self.log_ratio - self.bias_prior.bias)
        variance = prior - np.einsum("ij,jk,ik->i", across, inverse, across)
        return bias, np.maximum(variance, 0.0)


def mixed(compared: ComparedMonths, same_month: float) -> tuple[Floats, Floats]:
    """Exports expected to arrive in each month, in tonnes, and their log stderr."""
    parts = (same_month * compared.same, (1.0 - same_month) * compared.before)
    total = parts[0] + parts[1]
    stderr = np.hypot(parts[0] * compared.same_stderr, parts[1] * compared.before_stderr) / total
    return total, stderr


def fit_patterns(
    series: Sequence[ComparedMonths], bias_prior: BiasPrior, usual_lags: Sequence[float]
) -> list[ReportingPattern]:
    """Reporting patterns of the series of one measure, partially pooled.

    Each series is first fitted alone for lag, bias and spread; the pooled bias and spread are then
    its prior, with more weight the fewer months a series has.

    Args:
        series: Data of each series; may be empty.
        bias_prior: Of the measure.
        usual_lags: Prior mean, for each, of the share of exports that arrives in the same month.
    """
    rough = [_with_lag(part, bias_prior, lag) for part, lag in zip(series, usual_lags, strict=True)]
    with_months = [pattern for pattern in rough if len(pattern.months)]
    if not with_months:
        return rough
    pooled, spread = _pooled_bias(with_months), _pooled_spread(with_months)
    return [
        _fitted(part, pattern.same_month, pooled, spread)
        for part, pattern in zip(series, rough, strict=True)
    ]


def _with_lag(compared: ComparedMonths, bias_prior: BiasPrior, usual: float) -> ReportingPattern:
    """Pattern at the posterior mean of the lag."""
    tried = [_fitted(compared, share, bias_prior, USUAL_SPREAD) for share in _SAME_MONTH]
    fit = np.array([_log_likelihood(pattern) for pattern in tried])
    prior = -0.5 * ((_SAME_MONTH - usual) * (1.0 + LAG_FIRMNESS)) ** 2
    weight = np.exp(fit + prior - (fit + prior).max())
    mean = float(weight @ _SAME_MONTH / weight.sum())
    return _fitted(compared, mean, bias_prior, USUAL_SPREAD)


def _fitted(
    compared: ComparedMonths, same_month: float, bias_prior: BiasPrior, usual_spread: float
) -> ReportingPattern:
    """Pattern at one lag, its spread matched to leave-one-out residuals."""
    exports, stderr = mixed(compared, same_month)
    log_ratio = np.log(compared.imports / exports)
    weight = np.ones(len(log_ratio))
    pattern = ReportingPattern(
        same_month, compared.months, log_ratio, stderr, weight, usual_spread, bias_prior
    )
    for _ in range(ROUNDS):
        z = _residuals(pattern)[0]
        weight = (_TAIL + 1.0) / (_TAIL + z * z)
        squares = float(weight @ (z * z)) + PSEUDO_MONTHS * (usual_spread / pattern.spread) ** 2
        spread = pattern.spread * math.sqrt(squares / (len(z) + PSEUDO_MONTHS))
        pattern = replace(pattern, weight=weight, spread=spread)
    return pattern


def _residuals(pattern: ReportingPattern) -> tuple[Floats, Floats]:
    bias, variance = _leave_one_out(pattern)
    scale = np.sqrt(variance + pattern.spread**2 + pattern.stderr**2)
    return (pattern.log_ratio - bias) / scale, scale


def _log_likelihood(pattern: ReportingPattern) -> float:
    z, scale = _residuals(pattern)
    return float(-np.sum(np.log(scale) + 0.5 * (_TAIL + 1.0) * np.log1p(z * z / _TAIL)))


def _leave_one_out(pattern: ReportingPattern) -> tuple[Floats, Floats]:
    """Leave-one-out estimate of each month's bias and its variance."""
    inverse = _inverse(pattern)
    diagonal = np.diag(inverse)
    bias = pattern.log_ratio - inverse @ (pattern.log_ratio - pattern.bias_prior.bias) / diagonal
    return bias, np.maximum(1.0 / diagonal - pattern.noise, 0.0)


def _inverse(pattern: ReportingPattern) -> Floats:
    covariance = _bias_covariance(pattern.months, pattern.months, pattern.bias_prior) + np.diag(
        pattern.noise
    )
    return np.asarray(np.linalg.inv(covariance))


def _bias_covariance(row_months: Months, column_months: Months, bias_prior: BiasPrior) -> Floats:
    """Covariance of the biases of months: a constant and a drifting component."""
    distance = np.abs(row_months[:, None] - column_months[None, :])
    covariance = bias_prior.partner**2 + bias_prior.drift**2 * np.exp(-distance / DRIFT_MONTHS)
    return np.asarray(covariance, dtype=float)


def _pooled_bias(patterns: Sequence[ReportingPattern]) -> BiasPrior:
    bias_prior = patterns[0].bias_prior
    biases = np.array(
        [np.average(pattern.log_ratio, weights=1.0 / pattern.noise) for pattern in patterns]
    )
    variance = np.array([1.0 / np.sum(1.0 / pattern.noise) for pattern in patterns])
    precision = 1.0 / (variance + bias_prior.partner**2 + bias_prior.drift**2)
    prior = 1.0 / bias_prior.bias_stderr**2
    bias = (prior * bias_prior.bias + precision @ biases) / (prior + precision.sum())
    return BiasPrior(float(bias), bias_prior.bias_stderr, bias_prior.partner, bias_prior.drift)


def _pooled_spread(patterns: Sequence[ReportingPattern]) -> float:
    months = np.array([len(pattern.months) for pattern in patterns], dtype=float)
    weight = months / (months + PSEUDO_MONTHS)
    logs = np.log([pattern.spread for pattern in patterns])
    middle = (math.log(USUAL_SPREAD) + weight @ logs) / (1.0 + weight.sum())
    return math.exp(float(middle))


BIAS_PRIORS: Final = {
    "mirror_import_t": BiasPrior(bias=0.0, bias_stderr=0.2, partner=0.35, drift=0.12),
    "mirror_import_musd": BiasPrior(math.log(0.045), bias_stderr=0.5, partner=0.35, drift=0.25),
    "mirror_import_meur": BiasPrior(math.log(0.041), bias_stderr=0.5, partner=0.35, drift=0.25),
}
"""Priors by measure, the preferred measure first. A value needs a price, which drifts. Source of
the prices: EU27 2023-2025 and China's May 2025 in data/published_figures.csv."""

NEAR: Final = ("JPN", "KOR", "VNM", "THA")
SAME_MONTH_NEAR, SAME_MONTH_FAR = 0.7, 0.4
"""Usual share of a month's exports that arrives within it: a week at sea, or three to five."""

MAX_LEARNING_STDERR: Final = 0.1
"""Largest standard error of exports used in fits and gap checks (log units): ten percent."""

PARTNER_KEY: Final = MAGNETS.pattern
"""Commodity keys of importers: six digits, or the nomenclature and its own line."""

LINE_DIGITS: Final = 8
"""Lines that share these leading digits are summed: the five American ones are one series."""

LIMIT: Final = 4.0
"""Control limits in scales. A scale of wide tails is about 0.8 of a standard deviation."""

_SERIES: Final = ("destination", "source", "series", "measure")

GAP_COLUMNS: Final = (
    "destination", "period", "source", "series", "measure", "exports_t", "arriving_t", "imports",
    "log_gap", "expected", "lower", "upper", "state",
)  # fmt: skip
"""``arriving_t``: exports expected to arrive in the month at the fitted lag. ``imports`` are in
the unit of ``measure``. ``log_gap`` is the log of imports per tonne arriving, ``expected`` its
expectation, ``lower`` and ``upper`` its control limits."""


@dataclass(frozen=True, slots=True, eq=False)
class Exports:
    """Exports estimated without partners' records; arrays are names x months."""

    names: tuple[str, ...]
    first: int
    tonnes: Floats
    stderr: Floats
    """Log standard errors."""

    def at(self, name: str, months: Months) -> tuple[Floats, Floats]:
        """Tonnes and log standard errors of a row in given months, NaN outside the table."""
        row, column = self.names.index(name), months - self.first
        inside = (column >= 0) & (column < self.tonnes.shape[1])
        tonnes, stderr = np.full((2, len(months)), np.nan)
        tonnes[inside] = self.tonnes[row, column[inside]]
        stderr[inside] = self.stderr[row, column[inside]]
        return tonnes, stderr


@dataclass(frozen=True, slots=True, eq=False)
class Mirror:
    """One series of partner records and its reporting pattern."""

    records: pd.DataFrame
    """As ``partner_figures`` returns."""
    compared: ComparedMonths
    pattern: ReportingPattern

    @property
    def months(self) -> Months:
        return self.compared.months

    @property
    def destination(self) -> str:
        return str(self.records["destination"].iloc[0])


def partner_figures(figures: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Partners' monthly import records, one a series and month, with a ``series`` column.

    Press figures under China's own code are left out: their scope is rarely stated. Weights are
    preferred to values; lines of one tariff heading are summed.

    Args:
        figures: Available observations of all commodities (store contract); not modified.

    Returns:
        Rows by series and month with a new index; may be empty.
    """
    fit = figures["usable"] & (figures["kind"] == "reported") & (figures["origin"] == ORIGIN)
    fit &= figures["measure"].isin(list(BIAS_PRIORS)) & figures["destination"].isin(list(names))
    fit &= figures["commodity"].str.fullmatch(PARTNER_KEY) & ~under_china_code(figures)
    fit &= (figures["period_from"] == figures["period_to"]) & (figures["value"] > 0.0)
    rows = figures.loc[fit]
    digits = rows["commodity"].str.extract(rf"^(\D*\d{{1,{LINE_DIGITS}}})", expand=False)
    line = [*_SERIES, "commodity", "period_from"]
    rows = rows.assign(series=digits).sort_values([*line, "available_at", "source_url"])
    lines = rows.drop_duplicates(line, keep="last")
    return _weight_first(_summed(lines)).reset_index(drop=True)


def _summed(lines: pd.DataFrame) -> pd.DataFrame:
    """Months of the largest line of each series, with the sum of all its lines."""
    size = lines.groupby([*_SERIES, "commodity"])["value"].transform("sum")
    ranked = lines.assign(size=size).sort_values(["size", "commodity"])
    is_largest = lines["commodity"].eq(ranked.groupby(list(_SERIES))["commodity"].transform("last"))
    groups = lines.groupby([*_SERIES, "period_from"])
    summed = lines.assign(
        value=groups["value"].transform("sum"), available_at=groups["available_at"].transform("max")
    )
    return summed.loc[is_largest]


def _weight_first(rows: pd.DataFrame) -> pd.DataFrame:
    """One measure, weight before value, for each month of an importer, source and series."""
    rank = rows["measure"].map(list(BIAS_PRIORS).index)
    month = ["destination", "source", "series", "period_from"]
    preferred = rows.assign(rank=rank).sort_values([*month, "rank"]).drop_duplicates(month)
    return preferred.drop(columns="rank").sort_values([*_SERIES, "period_from"])


def fit_mirrors(records: pd.DataFrame, exports: Exports) -> list[Mirror]:
    """Every series of partner records with its reporting pattern.

    Args:
        records: As ``partner_figures`` returns, any index; not modified.
    """
    mirrors: list[Mirror] = []
    for measure, group in records.groupby("measure", sort=True):
        parts = [part for _, part in group.groupby(list(_SERIES), sort=True)]
        compared = [_compared(part, exports) for part in parts]
        recent = [take(each, np.flatnonzero(_is_known(each))[-MEMORY_MONTHS:]) for each in compared]
        is_near = [part["destination"].isin(NEAR).all() for part in parts]
        lags = [SAME_MONTH_NEAR if near else SAME_MONTH_FAR for near in is_near]
        patterns = fit_patterns(recent, BIAS_PRIORS[str(measure)], lags)
        mirrors += map(Mirror, parts, compared, patterns)
    return mirrors


def _compared(part: pd.DataFrame, exports: Exports) -> ComparedMonths:
    months = month_numbers(part["period_from"])
    name = str(part["destination"].iloc[0])
    same, same_stderr = exports.at(name, months)
    before, before_stderr = exports.at(name, months - 1)
    imports = part["value"].to_numpy(dtype=float)
    return ComparedMonths(months, imports, same, before, same_stderr, before_stderr)


def _is_known(compared: ComparedMonths) -> Flags:
    return np.asarray(
        (compared.same_stderr <= MAX_LEARNING_STDERR)
        & (compared.before_stderr <= MAX_LEARNING_STDERR)
    )


def mirror_statements(mirrors: Sequence[Mirror], *, first: int, last: int) -> list[Statement]:
    """Statements of partner records about exports from ``first`` to ``last``.

    Series of one importer and month come from the same customs records and share one weight.
    """
    copies = Counter((mirror.destination, int(t)) for mirror in mirrors for t in mirror.months)
    statements: list[Statement] = []
    for mirror in mirrors:
        bias, scale = mirror.pattern.at(mirror.months)
        targets = np.log(mirror.compared.imports) - bias
        members, share = members_of(mirror.destination) or (), mirror.pattern.same_month
        columns = (array.tolist() for array in (mirror.months, targets, scale))
        for month, target, stderr, row in zip(*columns, mirror.records.index, strict=True):
            if first < month <= last:
                cells = CellBlock(members, month - 1, month, weights=(1.0 - share, share))
                wide = stderr * math.sqrt(copies[mirror.destination, month])
                statements.append(Statement(cells, None, target, wide, is_bound=False, row=row))
    return statements


def gap_table(mirrors: Sequence[Mirror]) -> pd.DataFrame:
    """Partners' imports and the exports expected to arrive, with control limits.

    Each month is compared with the other months of its series and the other partners.

    Returns:
        ``GAP_COLUMNS``, one row a series and month within the panel, by series, then month.
    """
    parts = [_gaps(mirror) for mirror in mirrors]
    if not parts:
        return pd.DataFrame(columns=list(GAP_COLUMNS))
    return pd.concat(parts, ignore_index=True)


def _gaps(mirror: Mirror) -> pd.DataFrame:
    compared = mirror.compared
    arriving, stderr = mixed(compared, mirror.pattern.same_month)
    log_gap = np.log(compared.imports / arriving)
    expected, scale = mirror.pattern.at(mirror.months)
    reach = LIMIT * np.hypot(scale, stderr)
    state = np.where(np.abs(log_gap - expected) <= reach, "in", "out")
    frame = mirror.records[list(_SERIES)].assign(
        period=month_starts(mirror.months),
        exports_t=compared.same,
        arriving_t=arriving,
        imports=compared.imports,
        log_gap=log_gap,
        expected=expected,
        lower=expected - reach,
        upper=expected + reach,
        state=np.where(_is_known(compared), state, "estimated"),
    )
    return frame.loc[np.isfinite(arriving), list(GAP_COLUMNS)]
