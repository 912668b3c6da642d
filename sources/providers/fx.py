"""Monthly exchange rates from daily ones of the ECB or FRED."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Final

import pandas as pd

from sources.base import MonthRange, SourceInfo
from sources.http.client import HttpClient
from sources.providers.http_source import HttpSource
from sources.providers.rows import (
    covariates,
    is_over,
    left_out,
    missing_columns,
    readable,
    refuse_missing,
    usual_moment,
    whole_csv,
)
from store.facts.batch import FileRows

PROVIDER: Final = "fx"

ADDRESSES: Final[Mapping[str, str]] = {
    "ecb": "https://data-api.ecb.europa.eu/service",
    "fred": "https://fred.stlouisfed.org",
}

LAG_DAYS: Final = 1
"""A month's mean is known on the day after its last one. Source: docs/data/fx.md."""

FEWEST_DAYS: Final = 10
"""Days with a rate that a month must have; holidays take up to a third of the working days."""

_CSV: Final = "text/csv"
_ECB: Final = "/data/EXR/D.CNY+USD.EUR.SP00.A"
_ECB_COLUMNS: Final = ("CURRENCY", "TIME_PERIOD", "OBS_VALUE")
_FRED: Final = "/graph/fredgraph.csv"
_FRED_SERIES: Final[Mapping[str, str]] = {"DEXCHUS": "cny_per_usd", "DEXUSEU": "usd_per_eur"}
_FRED_DATES: Final = ("observation_date", "DATE")
_COLUMNS: Final = ("day", "name", "rate")


@dataclass(frozen=True, slots=True)
class ExchangeRates(HttpSource):
    """Monthly means: yuan per dollar, yuan per euro, dollars per euro."""

    info: ClassVar = SourceInfo(PROVIDER, completeness=0.9)
    provider: ClassVar = PROVIDER

    @property
    def url(self) -> str:
        """Return the address of the office that is asked."""
        return self.settings.fx_url or ADDRESSES[self.settings.fx_provider]

    def fetch(self, span: MonthRange, *, now: pd.Timestamp) -> FileRows:
        """Fetch daily rates; as ``LiveSource.fetch``. An unfinished month has no row."""
        office = self.settings.fx_provider
        with self.client() as http:
            daily, broken = (_ask_ecb if office == "ecb" else _ask_fred)(http, span)
        means = monthly_means(daily, span)
        months = means[is_over(means["period"], now)]
        rows = months.assign(
            unit=months["name"].str.removeprefix("fx_"),
            available_at=usual_moment(months["period"], lag_days=LAG_DAYS, now=now),
        )
        frame = covariates([rows], source=f"{PROVIDER}_{office}", source_url=self.url)
        ignored = left_out(broken, "days")
        wanted = f"rates of yuan, euro and dollar, of {office}"
        return self.file(span, http, {"covariates": frame}, wanted=wanted, ignored=ignored)


def monthly_means(daily: pd.DataFrame, span: MonthRange) -> pd.DataFrame:
    """Return ``name, period, value``: means of the days that have a rate.

    Args:
        daily: ``day, name, rate`` with the three rates or the two that make the third.
        span: months wanted; those with few days are left out.
    """
    rates = daily.pivot_table(index="day", columns="name", values="rate")
    if {"cny_per_eur", "usd_per_eur"} <= set(rates):
        rates["cny_per_usd"] = rates["cny_per_eur"] / rates["usd_per_eur"]
    elif {"cny_per_usd", "usd_per_eur"} <= set(rates):
        rates["cny_per_eur"] = rates["cny_per_usd"] * rates["usd_per_eur"]
    days = rates.loc[(rates.index >= span.begin) & (rates.index <= span.end)]
    grouped = days.groupby(pd.DatetimeIndex(days.index).to_period("M").to_timestamp())
    means = grouped.mean().where(grouped.count() >= FEWEST_DAYS)
    long = means.rename_axis("period").reset_index().melt("period", var_name="name").dropna()
    return long.assign(name="fx_" + long["name"].astype("str"))


_Rates = tuple[pd.DataFrame, int]
"""``day, name, rate``, one row per day and name, and how many lines cannot be read."""


def _ask_ecb(http: HttpClient, span: MonthRange) -> _Rates:
    params = [
        ("format", "csvdata"),
        ("startPeriod", f"{span.begin:%Y-%m-%d}"),
        ("endPeriod", f"{span.end:%Y-%m-%d}"),
    ]
    reply = http.get(_ECB, params, read=read_ecb, accept=_CSV)
    return reply.value or _daily(pd.DataFrame(columns=_COLUMNS))


def read_ecb(body: bytes) -> _Rates:
    """Read both rates of the ECB, which answers with nothing at all where it has no data.

    Raises:
        ValueError: The answer breaks off or has a day twice.
        SourceError: It has other columns, or most lines cannot be read.
    """
    frame = whole_csv(body)
    if frame.empty:
        return _daily(pd.DataFrame(columns=_COLUMNS))
    refuse_missing(frame, _ECB_COLUMNS, provider=PROVIDER, url="ecb")
    names = frame["CURRENCY"].map({"CNY": "cny_per_eur", "USD": "usd_per_eur"})
    return _daily(
        pd.DataFrame({"day": frame["TIME_PERIOD"], "name": names, "rate": frame["OBS_VALUE"]})
    )


def _ask_fred(http: HttpClient, span: MonthRange) -> _Rates:
    """Fetch yuan per dollar and dollars per euro, one series at a time."""
    parts = [_daily(pd.DataFrame(columns=_COLUMNS))]
    for series in _FRED_SERIES:
        params = [
            ("id", series),
            ("cosd", f"{span.begin:%Y-%m-%d}"),
            ("coed", f"{span.end:%Y-%m-%d}"),
        ]
        reply = http.get(_FRED, params, read=partial(read_fred, series=series), accept=_CSV)
        parts += [] if reply.value is None else [reply.value]
    return pd.concat([rows for rows, _ in parts], ignore_index=True), sum(n for _, n in parts)


def read_fred(body: bytes, *, series: str) -> _Rates:
    """Read one series of FRED, where a missing day is empty or a dot; raises as ``read_ecb``."""
    frame = whole_csv(body)
    refuse_missing(frame, (series,), provider=PROVIDER, url="fred")
    dates = next((name for name in _FRED_DATES if name in frame.columns), None)
    if dates is None:
        raise missing_columns(_FRED_DATES[:1], list(frame.columns), provider=PROVIDER, url="fred")
    name = _FRED_SERIES[series]
    return _daily(pd.DataFrame({"day": frame[dates], "name": name, "rate": frame[series]}))


def _daily(lines: pd.DataFrame) -> _Rates:
    """Return the lines that have a rate, typed, and how many of them cannot be read."""
    rows, broken = readable(lines, ("rate",), provider=PROVIDER, url="its daily rates")
    days = pd.to_datetime(rows["day"], format="%Y-%m-%d", errors="coerce")
    broken += int(days.isna().sum())
    if 2 * broken > len(lines):
        raise ValueError(f"{broken} of {len(lines)} days cannot be read as YYYY-MM-DD")
    frame = rows.assign(day=days).dropna()
    if frame.duplicated(["day", "name"]).any():
        raise ValueError("it has a day twice")
    return frame, broken
