"""Months of a destination: past ones as known, forecast ones, and sums with bands of their own.

Bands of sums come from joint simulated paths; known months enter with their standard error.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from models.evaluation.scores import Coverage
from models.forecasting.joint_paths import PATHS, SEED, ErrorCopula, sample_paths
from publication.charts.fan import Fan
from publication.language.formats import dated, months_between
from publication.language.phrases import gettext
from publication.state import Publication, UnknownError
from publication.tables import HISTORY_ROW, KILOGRAMS, Record, records
from publication.words import chance_below, name_of
from store.arrays import Floats
from store.vocabulary import ERROR_AUTOCORRELATION, ERROR_CORRELATION, QUANTILE_COLUMNS, QUANTILES


def months_of(publication: Publication, destination: str) -> list[Record]:
    """Months of a destination (``HISTORY_ROW``), oldest first, as known at the forecast."""

    def make() -> list[Record]:
        panel = publication.snapshot.panel
        rows = panel.loc[panel["destination"] == destination, list(HISTORY_ROW)]
        months = rows["period"].dt.strftime("%Y-%m")
        return records(rows.assign(period=months).sort_values("period"))

    return publication.memo.make(("months", destination), make)


def known_destination(publication: Publication, destination: str) -> str:
    """Code of a destination, checked to be in the newest forecast."""
    if destination not in publication.destinations:
        raise UnknownError(
            gettext(
                "No destination %(destination)s in the published forecasts. Expected one of "
                "%(published)s.",
                destination=repr(destination),
                published=", ".join(publication.destinations),
            )
        )
    return destination


def titles(publication: Publication) -> list[tuple[str, str]]:
    """Code and name of every destination forecast, in reading order."""
    return [(code, name_of(code)) for code in publication.destinations]


@dataclass(frozen=True, slots=True)
class MonthRow:
    """One forecast month."""

    month: str
    """In words."""
    period: str
    """``YYYY-MM``."""
    past: bool
    published: float | None
    """Tonnes, where the destination's month is published before that of the world."""
    p10: float
    p50: float
    p90: float
    year_ago: float
    is_year_ago_estimated: bool
    coverage: Coverage | None
    """Of the 80% band at its lead in the backtest; None where none was scored."""
    chance_below: float
    """Chance that the month stays below the year before; NaN of a published one."""


def month_rows(fan: Fan) -> tuple[MonthRow, ...]:
    """Forecast months of one destination as its table shows them."""
    past = {
        month: (tonnes, kind == "estimated")
        for part in (fan.history, fan.later)
        for month, tonnes, kind in zip(part["period"], part["tonnes"], part["kind"], strict=True)
    }
    later = fan.published_later.to_dict()
    return tuple(_month_row(fan, row, past, later) for row in fan.forecast.to_dict("records"))


def _month_row(
    fan: Fan,
    row: Mapping[Any, Any],
    past: Mapping[Any, tuple[float, bool]],
    later: Mapping[Any, float],
) -> MonthRow:
    """Row of the table, from a forecast row, past months and ``later`` published ones.

    ``past`` has tonnes by month, and whether they are estimated.
    """
    period = pd.Timestamp(row["period"])
    published = later.get(period)
    year_ago, is_estimated = past.get(period - pd.DateOffset(years=1), (float("nan"), False))
    lead = 12 * (period.year - fan.as_of.year) + period.month - fan.as_of.month
    scored = (group for group in fan.coverage if group.holds(lead) and group.forecasts)
    return MonthRow(
        month=dated(period, "month"),
        period=f"{period:%Y-%m}",
        past=period < fan.month,
        published=published,
        p10=float(row["p10"]),
        p50=float(row["p50"]),
        p90=float(row["p90"]),
        year_ago=year_ago,
        is_year_ago_estimated=is_estimated,
        coverage=next(scored, None),
        chance_below=float("nan")
        if published is not None
        else chance_below([float(row[name]) for name in QUANTILE_COLUMNS], year_ago),
    )


_YEAR: Final = 12
_BASES: Final = ("observed", "derived", "estimated")


@dataclass(frozen=True, slots=True)
class Sum:
    """Sum over some months, in tonnes; NaN where a month of the year before is unknown."""

    first: pd.Timestamp
    last: pd.Timestamp
    past: tuple[int, ...]
    """How many months are published (also after the world's last), derived and estimated."""
    quantiles: tuple[float, ...]
    year_before: float
    is_year_before_estimated: bool
    """Whether a month of the year before is an estimate."""
    chance_below: float
    """Chance that the sum stays below the year before."""

    @property
    def months(self) -> str:
        """First to last month, in words."""
        return months_between(self.first, self.last)

    @property
    def label(self) -> str:
        """Span in words."""
        first, count = self.first, (self.last.to_period("M") - self.first.to_period("M")).n + 1
        if count == _QUARTER:
            return gettext("Quarter %(number)s of %(year)s", number=first.quarter, year=first.year)
        if first.month == 1:
            return gettext("Year %(year)s", year=first.year)
        return gettext("Next twelve months")

    def at(self, name: str) -> float:
        """Quantile by its column name."""
        return self.quantiles[QUANTILE_COLUMNS.index(name)]

    @property
    def record(self) -> Record:
        numbers = dict(zip(QUANTILE_COLUMNS, self.quantiles, strict=True))
        has_year_before = not np.isnan(self.year_before)
        return {
            "what": self.label,
            "first": f"{self.first:%Y-%m}",
            "last": f"{self.last:%Y-%m}",
            "past_months": sum(self.past),
            "published_months": self.past[0],
            **{name: round(value, KILOGRAMS) for name, value in numbers.items()},
            "year_before": round(self.year_before, KILOGRAMS) if has_year_before else None,
            "chance_below": round(self.chance_below, 4) if has_year_before else None,
        }


def newest_score(publication: Publication, metric: str) -> "pd.Series[Any] | None":
    """Newest score of all destinations by a metric; None where no backtest has it."""
    scores = publication.published.scores
    if scores.empty:
        return None
    rows = scores.loc[scores["metric"].eq(metric) & (scores["as_of"] <= publication.as_of)]
    return None if rows.empty else rows.sort_values("as_of", kind="stable").iloc[-1]


def copula_at(publication: Publication) -> ErrorCopula:
    """Error correlations of the newest backtest; defaults without one."""
    fields = {"carry": ERROR_AUTOCORRELATION, "together": ERROR_CORRELATION}
    scores = {name: newest_score(publication, metric) for name, metric in fields.items()}
    return ErrorCopula(**{name: float(s["value"]) for name, s in scores.items() if s is not None})


def quantiles_ahead(
    publication: Publication, months: pd.DataFrame, first: pd.Timestamp
) -> Mapping[str, float]:
    """Quantiles of the sum of a destination's months from ``first`` on, by column name.

    Args:
        months: All its forecast months, oldest first, with ``period`` and ``QUANTILE_COLUMNS``.
    """
    paths = sample_paths(
        months[list(QUANTILE_COLUMNS)].to_numpy(float)[None], copula_at(publication)
    )
    totals = paths[:, 0, (months["period"] >= first).to_numpy()].sum(axis=1)
    return dict(zip(QUANTILE_COLUMNS, np.quantile(totals, QUANTILES).tolist(), strict=True))


def sums_of(publication: Publication, destination: str) -> list[Sum]:
    """Sums over the quarters ahead, the calendar year and the next twelve months.

    Spans with a month neither known nor forecast are left out.
    """
    return publication.memo.make(("sums", destination), lambda: _sums(publication, destination))


def next_months(publication: Publication, destination: str, after: str) -> Sum | None:
    """Sum of the next three months after one, ``YYYY-MM``; None where fewer are forecast."""
    table, paths = _table(publication, destination)
    first = pd.Period(after, "M") + 1
    return table.sum(first, first + (_QUARTER - 1), paths)


def _table(publication: Publication, destination: str) -> "tuple[_MonthTable, Floats]":
    """Months of a destination, and joint paths of those ahead."""

    def make() -> tuple[_MonthTable, Floats]:
        table = _MonthTable.of(publication, destination)
        return table, sample_paths(table.quantiles[None], copula_at(publication))[:, 0]

    return publication.memo.make(("month table", destination), make)


def _sums(publication: Publication, destination: str) -> list[Sum]:
    table, paths = _table(publication, destination)
    months = table.forecast_months
    today = publication.as_of.tz_convert("UTC").tz_localize(None).to_period("M")
    quarters = months.asfreq("Q").unique().asfreq("M", "S")
    spans = [
        *((first, _QUARTER) for first in quarters if first >= months[0]),
        (today.asfreq("Y").asfreq("M", "S"), _YEAR),
        (today, _YEAR),
    ]
    sums = (table.sum(first, first + (count - 1), paths) for first, count in spans)
    return [total for total in sums if total is not None]


_QUARTER: Final = 3


@dataclass(frozen=True, slots=True)
class _MonthTable:
    past: pd.Series
    """Tonnes by month."""
    stderr: pd.Series
    kinds: pd.Series
    """Place in ``_BASES`` by month."""
    quantiles: Floats
    """Months x ``QUANTILES``."""
    forecast_months: pd.PeriodIndex

    @classmethod
    def of(cls, publication: Publication, destination: str) -> "_MonthTable":
        panel, rows = publication.snapshot.panel, publication.latest
        past = panel.loc[panel["destination"] == destination]
        past = past.set_index(pd.PeriodIndex(past["period"], freq="M"))
        rows = rows.loc[rows["destination"] == destination]
        rows = rows.set_index(pd.PeriodIndex(rows["period"], freq="M")).sort_index()
        kinds = past["kind"].map(_BASES.index)
        quantiles = rows[list(QUANTILE_COLUMNS)].to_numpy(float)
        return cls(
            past["tonnes"].dropna(), past["stderr_t"], kinds, quantiles, pd.PeriodIndex(rows.index)
        )

    def sum(self, first: pd.Period, last: pd.Period, paths: Floats) -> Sum | None:
        """Sum over a span of months; None if one of them is neither known nor forecast."""
        span = pd.period_range(first, last, freq="M")
        ahead = span.intersection(self.forecast_months)
        past = span.difference(ahead)
        if not len(ahead) or not past.isin(self.past.index).all():
            return None
        noise = float(np.sqrt((self.stderr[past] ** 2).sum()))
        totals = paths[:, self.forecast_months.isin(ahead)].sum(axis=1) + self.past[past].sum()
        totals += noise * np.random.default_rng(SEED + 1).standard_normal(PATHS)
        quantiles = np.quantile(totals, QUANTILES)
        before = span - _YEAR
        later = ahead[ahead.isin(self.past.index)]
        published = int((self.kinds[later] == 0).sum())
        observed, *rest = (int((self.kinds[past] == at).sum()) for at in range(len(_BASES)))
        is_known = before.isin(self.past.index).all()
        year = float(self.past[before].sum()) if is_known else np.nan
        is_estimated = bool(is_known and self.kinds[before].max() == _BASES.index("estimated"))
        return Sum(
            first.to_timestamp(), last.to_timestamp(),
            (observed + published, *rest),
            tuple(quantiles.tolist()), year, is_estimated, chance_below(quantiles.tolist(), year),
        )  # fmt: skip
