"""Partners' import records as uncertain statements about the exports behind them.

Importers do not count what China counts: ships take weeks, goods enter through another country, and
codes differ in scope. A record is therefore related to a mix of this month's and last month's
exports with a bias and a spread, fitted for each series on months with published exports. See
docs/adr/0007-mirror-nowcast.md.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from features.months import Months, month_numbers, month_starts
from features.panel.mirror_bias import (
    MEMORY_MONTHS,
    BiasPrior,
    ComparedMonths,
    ReportingPattern,
    fit_patterns,
    mixed,
)
from features.panel.statements import CellBlock, Statement, members_of
from store.arrays import Flags, Floats, Ints, take
from store.facts.evidence import MAGNETS
from store.vocabulary import COMMODITY, ORIGIN

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
"""Lines that share so many digits are summed: the five American ones are one series."""

LIMIT: Final = 4.0
"""Control limits in scales. A scale of wide tails is about 0.8 of a standard deviation."""

SERIES: Final = ("destination", "source", "series", "measure")

GAP_COLUMNS: Final = (
    "destination", "period", "source", "series", "measure", "exports_t", "arriving_t", "imports",
    "log_gap", "expected", "lower", "upper", "state",
)  # fmt: skip
"""``arriving_t``: exports that should arrive in the month at the learned lag. ``imports`` are in
the unit of ``measure``. ``log_gap`` is the log of imports per tonne arriving, ``expected`` its
usual size, ``lower`` and ``upper`` its control limits."""


@dataclass(frozen=True, slots=True, eq=False)
class Exports:
    """Exports as known without partners' records: arrays are names x months."""

    names: tuple[str, ...]
    first: int
    tonnes: Floats
    stderr: Floats
    """Log standard errors."""

    def at(self, name: str, months: Months) -> tuple[Floats, Floats]:
        """Return tonnes and log standard errors of months, NaN outside the table."""
        row, column = self.names.index(name), months - self.first
        inside = (column >= 0) & (column < self.tonnes.shape[1])
        found = np.full((2, len(months)), np.nan)
        found[0, inside] = self.tonnes[row, column[inside]]
        found[1, inside] = self.stderr[row, column[inside]]
        return found[0], found[1]


@dataclass(frozen=True, slots=True, eq=False)
class Mirror:
    """One series of partner records and its reporting pattern."""

    destination: str
    source: str
    series: str
    measure: str
    rows: Ints
    """Index labels of the records in the frame they were read from."""
    compared: ComparedMonths
    pattern: ReportingPattern

    @property
    def months(self) -> Months:
        """Return the months of the records."""
        return self.compared.months


def partner_figures(figures: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Return partners' monthly import records, one a series and month, with a ``series`` column.

    Press figures under China's own code are left out: their scope is rarely stated. Weights are
    preferred to values; lines of one tariff heading are summed.

    Args:
        figures: Known observations of all commodities (store contract); not modified.
        names: Destinations that the panel holds.

    Returns:
        Rows by series and month with a fresh index; empty if there are none.
    """
    fit = figures["usable"] & (figures["kind"] == "reported") & (figures["origin"] == ORIGIN)
    fit &= figures["measure"].isin(list(BIAS_PRIORS)) & figures["destination"].isin(list(names))
    fit &= figures["commodity"].str.fullmatch(PARTNER_KEY) & (figures["commodity"] != COMMODITY)
    fit &= (figures["period_from"] == figures["period_to"]) & (figures["value"] > 0.0)
    rows = figures.loc[fit]
    digits = rows["commodity"].str.extract(rf"^(\D*\d{{1,{LINE_DIGITS}}})", expand=False)
    line = [*SERIES, "commodity", "period_from"]
    rows = rows.assign(series=digits).sort_values([*line, "available_at", "source_url"])
    lines = rows.drop_duplicates(line, keep="last")
    return _weight_first(_summed(lines)).reset_index(drop=True)


def _summed(lines: pd.DataFrame) -> pd.DataFrame:
    """Sum the lines of each series; months without the main line are left out."""
    sizes = lines.groupby([*SERIES, "commodity"])["value"].sum().reset_index()
    main = sizes.sort_values(["value", "commodity"]).drop_duplicates(list(SERIES), keep="last")
    is_main = pd.MultiIndex.from_frame(lines[[*SERIES, "commodity"]]).isin(
        pd.MultiIndex.from_frame(main[[*SERIES, "commodity"]])
    )
    groups = lines.groupby([*SERIES, "period_from"])
    whole = lines.assign(
        value=groups["value"].transform("sum"), available_at=groups["available_at"].transform("max")
    )
    return whole.loc[is_main]


def _weight_first(rows: pd.DataFrame) -> pd.DataFrame:
    """Keep one measure a month of an importer, source and series."""
    rank = rows["measure"].map(list(BIAS_PRIORS).index)
    month = ["destination", "source", "series", "period_from"]
    kept = rows.assign(rank=rank).sort_values([*month, "rank"]).drop_duplicates(month)
    return kept.drop(columns="rank").sort_values([*SERIES, "period_from"])


def fit_mirrors(records: pd.DataFrame, exports: Exports) -> list[Mirror]:
    """Return every series of partner records with its reporting pattern.

    Args:
        records: As ``partner_figures`` returns, any index; not modified.
        exports: Exports as known at the same moment without any partner.
    """
    found: list[Mirror] = []
    for measure, group in records.groupby("measure", sort=True):
        parts = [part for _, part in group.groupby(list(SERIES), sort=True)]
        everything = [_compared(part, exports) for part in parts]
        bias_prior = BIAS_PRIORS[str(measure)]
        patterns = fit_patterns(
            [_usable_months(compared) for compared in everything],
            [bias_prior] * len(parts),
            [_usual_lag(str(part["destination"].iloc[0])) for part in parts],
        )
        found += map(_mirror, parts, everything, patterns)
    return found


def _compared(part: pd.DataFrame, exports: Exports) -> ComparedMonths:
    months = month_numbers(part["period_from"])
    name = str(part["destination"].iloc[0])
    same, same_stderr = exports.at(name, months)
    before, before_stderr = exports.at(name, months - 1)
    imports = part["value"].to_numpy(dtype=float)
    return ComparedMonths(months, imports, same, before, same_stderr, before_stderr)


def _usable_months(compared: ComparedMonths) -> ComparedMonths:
    """Return the newest months whose exports are known well enough for the fit."""
    sure = _is_known(compared)
    return take(compared, np.flatnonzero(sure)[-MEMORY_MONTHS:])


def _is_known(compared: ComparedMonths) -> Flags:
    return np.asarray(
        (compared.same_stderr <= MAX_LEARNING_STDERR)
        & (compared.before_stderr <= MAX_LEARNING_STDERR)
    )


def _usual_lag(destination: str) -> float:
    return SAME_MONTH_NEAR if destination in NEAR else SAME_MONTH_FAR


def _mirror(part: pd.DataFrame, compared: ComparedMonths, pattern: ReportingPattern) -> Mirror:
    destination, source, series, measure = (str(part[name].iloc[0]) for name in SERIES)
    rows = part.index.to_numpy()
    return Mirror(destination, source, series, measure, rows, compared, pattern)


def mirror_statements(mirrors: Sequence[Mirror], *, first: int, last: int) -> list[Statement]:
    """Return the statements of partner records about exports from ``first`` to ``last``.

    Several series of one importer and month come from the same customs records, so together they
    have the weight of one.
    """
    copies = Counter((mirror.destination, int(t)) for mirror in mirrors for t in mirror.months)
    found: list[Statement] = []
    for mirror in mirrors:
        bias, scale = mirror.pattern.at(mirror.months)
        targets = np.log(mirror.compared.imports) - bias
        members = members_of(mirror.destination) or ()
        share = mirror.pattern.same_month
        for place, month in enumerate(mirror.months.tolist()):
            if first < month <= last:
                count = copies[mirror.destination, month]
                cells = CellBlock(members, month - 1, month, weights=(1.0 - share, share))
                found.append(
                    Statement(
                        cells,
                        None,
                        float(targets[place]),
                        float(scale[place]) * math.sqrt(count),
                        is_bound=False,
                        row=int(mirror.rows[place]),
                    )
                )
    return found


def last_mirror_month(mirrors: Sequence[Mirror]) -> int:
    """Return the last month covered by partner records, as a month number."""
    return max(int(mirror.months.max()) for mirror in mirrors)


def gap_table(mirrors: Sequence[Mirror]) -> pd.DataFrame:
    """Return partners' imports and the exports that should have arrived, with control limits.

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
    frame = pd.DataFrame(
        {
            "destination": mirror.destination,
            "period": month_starts(mirror.months),
            "source": mirror.source,
            "series": mirror.series,
            "measure": mirror.measure,
            "exports_t": compared.same,
            "arriving_t": arriving,
            "imports": compared.imports,
            "log_gap": log_gap,
            "expected": expected,
            "lower": expected - reach,
            "upper": expected + reach,
            "state": np.where(_is_known(compared), state, "estimated"),
        },
        columns=list(GAP_COLUMNS),
    )
    return frame.loc[np.isfinite(arriving)]
