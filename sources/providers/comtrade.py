"""UN Comtrade: China's exports by partner, and imports from China as importers report them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Final
from urllib.parse import urlencode

import pandas as pd

from sources.base import MonthRange, SourceInfo
from sources.http import ApiKeys, HttpSource, sent_as
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
from sources.providers.countries import COMTRADE_GROUPS, comtrade_place
from sources.providers.rows import USUAL_LAG, not_after, observations, usual_moment
from store.errors import SourceError, first_few
from store.facts.batch import FileRows
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


@dataclass(frozen=True, slots=True)
class _Comtrade(HttpSource):
    """One side's records of the trade in a six-digit code."""

    provider: ClassVar = PROVIDER
    side: ClassVar[ReportingSide]
    weight: ClassVar[str]
    """Measure of its weights."""
    value: ClassVar[str]
    """Measure of its values."""
    wanted: ClassVar[str]
    """What is asked for, with a place for the code."""

    commodity: str = HS6

    def fetch(self, span: MonthRange, *, now: pd.Timestamp) -> FileRows:
        """Fetch the side's records; as ``LiveSource.fetch``."""
        name, side = self.info.id, of_commodity(self.side, self.commodity)
        keys = ApiKeys(headers=sent_as(KEY_HEADER, self.settings.comtrade_key))
        with self.client(keys) as http:
            releases = fetch_releases(http, side, span)
            trades = fetch_trade(http, side, span, with_key=bool(keys.headers))
        rows = _dated(trades, releases, now=now)
        is_group = rows[side.other].isin(COMTRADE_GROUPS)
        rows = rows[~is_group]
        _refuse_gaps(rows, releases, side)
        frame = observations(
            _measured(rows, side, self),
            origin=ORIGIN,
            source=name,
            source_url=f"{self.url}{WITH_KEY}?{urlencode(side.fixed)}",
        )
        file = self.file(
            span,
            http,
            {"observations": frame},
            wanted=self.wanted.format(self.commodity),
            ignored=_ignored(trades, rows, groups=int(is_group.sum())),
        )
        if self.commodity == HS6:
            return file
        return replace(file, file_name=f"{name} {self.commodity} {span}")


class ComtradeExports(_Comtrade):
    """China's exports of a six-digit code by partner, including the world."""

    info = SourceInfo("comtrade", completeness=0.9)
    side, weight, value = EXPORTS, "net_weight_t", "value_musd"
    wanted = "exports of {}, reported by China"


class ComtradeMirror(_Comtrade):
    """Imports of a six-digit code from China, by the country that reports them."""

    info = SourceInfo("comtrade_mirror", completeness=0.7)
    side, weight, value = IMPORTS, "mirror_import_t", "mirror_import_musd"
    wanted = "imports of {} from China, reported by every importer"


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
    """Refuse months without any row that the provider lists as available."""
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


def _measured(rows: pd.DataFrame, side: ReportingSide, source: _Comtrade) -> list[pd.DataFrame]:
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
        base.assign(measure=source.weight, value=weight / 1e3, half_width=_HALF_KG, note=note),
        base.assign(measure=source.value, value=rows["usd"] / 1e6, half_width=_HALF_USD),
    ]


def _lacks_weight(rows: pd.DataFrame) -> pd.Series:
    """Return which rows lack a weight that must exist."""
    return rows["kilograms"].isna() | (rows["kilograms"].eq(0) & rows["usd"].ge(WEIGHTLESS_USD))


def _ignored(trades: Sequence[TradeRows], rows: pd.DataFrame, *, groups: int) -> tuple[str, ...]:
    counts = {
        "by mode, procedure or second partner: included in the totals": sum(
            trade.splits for trade in trades
        ),
        f"of groups of countries ({', '.join(COMTRADE_GROUPS.values())}): sums of others": groups,
        "whose numbers cannot be read: left out": sum(trade.broken for trade in trades),
        "without a weight: their value alone is taken": int(_lacks_weight(rows).sum()),
    }
    return tuple(f"{count} rows {what}" for what, count in counts.items() if count)
