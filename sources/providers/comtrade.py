"""UN Comtrade: China's exports by partner, and imports from China as importers report them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple
from urllib.parse import urlencode

import pandas as pd

from sources.base import MonthRange, SourceInfo
from sources.http.client import HttpClient
from sources.http.faults import RetryPolicy
from sources.http.transport import ApiKeys, sent_as
from sources.providers.comtrade_calls import (
    EXPORTS,
    IMPORTS,
    PROVIDER,
    WITH_KEY,
    ReportingSide,
    TradeRows,
    fetch_releases,
    fetch_trade,
    of_commodity,
)
from sources.providers.countries import comtrade_place
from sources.providers.rows import USUAL_LAG, not_after, observations, usual_moment
from store.errors import SourceError, first_few
from store.facts.batch import FileRows
from store.settings import Settings
from store.vocabulary import HS6, ORIGIN

KEY_HEADER: Final = "Ocp-Apim-Subscription-Key"

LAG_DAYS: Final = 180
"""Usual lag where the release of a month is not published. Source: docs/data/comtrade.md."""

WEIGHTLESS_USD: Final = 1000.0
"""Value from which a weight of zero means a missing weight, not a small parcel."""

ENOUGH_REPORTERS: Final = 20
"""Reporters from which a month without any import from China cannot be a coincidence."""

_HALF_KG: Final = 0.0005
_HALF_USD: Final = 0.5e-6
_LICENCE: Final = "UN Comtrade's terms: free with attribution; no bulk redistribution without leave"


class _Measures(NamedTuple):
    """Names of the measures of a side."""

    weight: str
    value: str


@dataclass(frozen=True, slots=True)
class ComtradeExports:
    """China's exports of a six-digit code by partner, including the world."""

    settings: Settings
    retry_policy: RetryPolicy = field(default_factory=RetryPolicy)
    commodity: str = HS6

    @property
    def info(self) -> SourceInfo:
        """Describe the source."""
        return SourceInfo(
            id="comtrade",
            publication_lag="one to six months; as the provider tells, else 180 days",
            licence=_LICENCE,
            cadence="monthly, irregular",
            completeness=0.9,
        )

    def fetch(self, span: MonthRange, *, now: pd.Timestamp) -> FileRows:
        """Fetch exports; as ``LiveSource.fetch``."""
        measures = _Measures("net_weight_t", "value_musd")
        return _fetch(self, EXPORTS, measures, span, now=now)


@dataclass(frozen=True, slots=True)
class ComtradeMirror:
    """Imports of a six-digit code from China, by the country that reports them."""

    settings: Settings
    retry_policy: RetryPolicy = field(default_factory=RetryPolicy)
    commodity: str = HS6

    @property
    def info(self) -> SourceInfo:
        """Describe the source."""
        return SourceInfo(
            id="comtrade_mirror",
            publication_lag="one to six months by reporter; as the provider tells, else 180 days",
            licence=_LICENCE,
            cadence="monthly, each reporter at its own pace",
            completeness=0.7,
        )

    def fetch(self, span: MonthRange, *, now: pd.Timestamp) -> FileRows:
        """Fetch imports from China; as ``LiveSource.fetch``."""
        measures = _Measures("mirror_import_t", "mirror_import_musd")
        return _fetch(self, IMPORTS, measures, span, now=now)


def _fetch(
    source: ComtradeExports | ComtradeMirror,
    side: ReportingSide,
    measures: _Measures,
    span: MonthRange,
    *,
    now: pd.Timestamp,
) -> FileRows:
    """Fetch one side, date its rows and return them as tables."""
    settings, name, code = source.settings, source.info.id, source.commodity
    side = of_commodity(side, code)
    keys = ApiKeys(headers=sent_as(KEY_HEADER, settings.comtrade_key))
    http = HttpClient(
        settings,
        provider=PROVIDER,
        base_url=settings.comtrade_url,
        keys=keys,
        retry_policy=source.retry_policy,
    )
    with http:
        releases = fetch_releases(http, side, span)
        trades = fetch_trade(http, side, span, with_key=bool(keys.headers))
    rows = _dated(trades, releases, now=now)
    _refuse_gaps(rows, releases, side)
    frame = observations(
        _measured(rows, side, measures),
        origin=ORIGIN,
        source=name,
        source_url=f"{settings.comtrade_url}{WITH_KEY}?{urlencode(side.fixed)}",
    )
    ignored = _ignored(trades, rows)
    label = name if code == HS6 else f"{name} {code}"
    return FileRows(name, f"{label} {span}", http.sha256, {"observations": frame}, ignored)


def _dated(
    trades: Sequence[TradeRows], releases: pd.DataFrame, *, now: pd.Timestamp
) -> pd.DataFrame:
    """Join all rows and date each of them."""
    columns = ["period", "reporterCode", "partnerCode", "kilograms", "usd", "estimated"]
    parts = [trade.rows for trade in trades if len(trade.rows)]
    rows = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)
    rows = rows.merge(releases, on=["period", "reporterCode"], how="left")
    month = pd.to_datetime(rows["period"], format="%Y%m").astype("datetime64[us]")
    ends = (month + pd.offsets.MonthEnd(0)).dt.tz_localize("UTC")
    released = rows["released"].where(rows["released"] > ends, ends)
    usual = usual_moment(month, lag_days=LAG_DAYS, now=now)
    dated = released.where(rows["released"].notna(), usual)
    return rows.assign(
        period=month,
        available_at=not_after(dated, now),
        note=rows["released"].isna().map({True: USUAL_LAG, False: ""}).astype("str"),
    )


def _refuse_gaps(rows: pd.DataFrame, releases: pd.DataFrame, side: ReportingSide) -> None:
    """Refuse months without any row that the provider lists as available.

    Raises:
        SourceError: There are such months; names them.
    """
    reporters = releases.groupby("period")["reporterCode"].nunique()
    listed = set(
        reporters.index[reporters >= (1 if side.other == EXPORTS.other else ENOUGH_REPORTERS)]
    )
    if gaps := sorted(listed - set(rows["period"].dt.strftime("%Y%m"))):
        raise SourceError(
            f"comtrade lists {first_few(gaps)} as available and has no rows of "
            f"{side.fixed['cmdCode']} for it. Expected rows for every month listed. Try again "
            "later; nothing was taken over."
        )


def _measured(rows: pd.DataFrame, side: ReportingSide, measures: _Measures) -> list[pd.DataFrame]:
    """Return weights and values; a missing weight is not a weight of zero."""
    base = rows[["period", "available_at", "note"]].assign(
        commodity=side.fixed["cmdCode"], destination=rows[side.other].map(comtrade_place)
    )
    weight = rows["kilograms"].mask(_lacks_weight(rows))
    guess = rows["estimated"].map({True: "weight estimated by Comtrade", False: ""}).astype("str")
    note = base["note"].where(
        guess.eq(""), guess.where(base["note"].eq(""), base["note"] + "; " + guess)
    )
    return [
        base.assign(measure=measures.weight, value=weight / 1e3, half_width=_HALF_KG, note=note),
        base.assign(measure=measures.value, value=rows["usd"] / 1e6, half_width=_HALF_USD),
    ]


def _lacks_weight(rows: pd.DataFrame) -> pd.Series:
    """Return which rows lack a weight that must exist."""
    return rows["kilograms"].isna() | (rows["kilograms"].eq(0) & rows["usd"].ge(WEIGHTLESS_USD))


def _ignored(trades: Sequence[TradeRows], rows: pd.DataFrame) -> tuple[str, ...]:
    """Describe the rows left out."""
    splits = sum(trade.splits for trade in trades)
    weightless = int(_lacks_weight(rows).sum())
    texts = []
    if splits:
        texts.append(f"{splits} rows by mode, procedure or second partner: included in the totals")
    if weightless:
        texts.append(f"{weightless} rows without a weight: their value alone is taken")
    return tuple(texts)
