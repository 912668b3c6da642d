"""UN Comtrade: China's exports by partner."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Final
from urllib.parse import urlencode

import pandas as pd
from pydantic import SecretStr

from sources.http import KEY_PAGES, ApiKeys, HttpClient, HttpSource, LongFetch, MonthRange, sent_as
from sources.providers.rows import (
    COMTRADE_GROUPS,
    USUAL_LAG,
    comtrade_place,
    not_after,
    observations,
    readable,
    records_in,
    usual_moment,
)
from store.errors import SourceError, first_few
from store.facts.batch import FileRows
from store.vocabulary import HS6

_PROVIDER: Final = "comtrade"

WITH_KEY: Final = "/data/v1/get/C/M/HS"
PREVIEW: Final = "/public/v1/preview/C/M/HS"
AVAILABILITY: Final = "/public/v1/getDA/C/M/HS"

MOST_MONTHS: Final = 12
"""Periods one call may name. Source: UN Comtrade's documentation of the parameter ``period``."""

PACE_S: Final = 6.0
"""Seconds from call to call without a key, which answers one period each and six to ten quick calls
before it refuses."""

LIMITS: Final[Mapping[str, int]] = {WITH_KEY: 100_000, PREVIEW: 500}
"""Rows at which an answer is cut without notice."""

NO_SPLIT: Final[Mapping[str, str]] = {"partner2Code": "0", "customsCode": "C00", "motCode": "0"}
"""Second partner, customs procedure and mode of transport: the total of each. Without these
parameters, or in rows with other values, the same trade is counted twice."""

KILOGRAMS: Final = "8"
"""Code of the unit of a quantity."""

_COLUMNS: Final = (
    "period", "reporterCode", "partnerCode", "flowCode", "cmdCode", "netWgt", "primaryValue",
    *NO_SPLIT,
)  # fmt: skip

_CELL: Final = ["period", "reporterCode", "partnerCode"]

_Rows = tuple[pd.DataFrame, int, int]
"""One row a month, reporter and partner; how many rows are left out as they repeat others by mode,
procedure or second partner, and how many as their numbers cannot be read."""


def _coded(records: list[dict[str, object]], *names: str) -> pd.DataFrame:
    """Records as a table with codes as text, empty if missing."""
    rows = pd.DataFrame(records, dtype="object")
    return rows.assign(**{name: rows[name].map(str).replace("None", "") for name in names})


def _unsplit(rows: pd.DataFrame) -> pd.DataFrame:
    """Total of each cell; a row without a code is used where no other row exists."""
    codes = rows[list(NO_SPLIT)]
    is_total = codes == pd.Series(NO_SPLIT)
    plain = is_total.all(axis=1)
    unsaid = (is_total | (codes == "")).all(axis=1) & ~plain
    totals = pd.MultiIndex.from_frame(rows.loc[plain, _CELL])
    return rows[plain | (unsaid & ~pd.MultiIndex.from_frame(rows[_CELL]).isin(totals))]


def _weighed(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with a missing weight taken from a quantity in kilograms."""
    if not {"qty", "qtyUnitCode"}.issubset(rows.columns):
        return rows
    in_kilograms = rows["qtyUnitCode"].astype("str").eq(KILOGRAMS) & rows["netWgt"].isna()
    return rows.assign(netWgt=rows["netWgt"].mask(in_kilograms, rows["qty"]))


def _refuse_doubt(named: pd.DataFrame, plain: pd.DataFrame) -> None:
    """Refuse duplicate rows, because others may then be missing, and cells without their total."""
    if twice := int(plain.duplicated(_CELL).sum()):
        raise ValueError(f"{twice} rows are duplicates")
    cells = pd.MultiIndex.from_frame(named[_CELL]).unique()
    if lost := len(cells.difference(pd.MultiIndex.from_frame(plain[_CELL]))):
        raise ValueError(f"{lost} cells come in splits only, without their total")


def _numbered(rows: pd.DataFrame) -> pd.DataFrame:
    codes = {name: rows[name].astype("int64") for name in ("reporterCode", "partnerCode")}
    estimated = "isNetWgtEstimated"
    guessed = rows[estimated].eq(True) if estimated in rows else False  # noqa: FBT003
    return pd.DataFrame(
        {
            "period": rows["period"],
            **codes,
            "kilograms": rows["netWgt"],
            "usd": rows["primaryValue"],
            "estimated": guessed,
        }
    )


def _announced(answer: object) -> int:
    count = answer.get("count") if isinstance(answer, dict) else None
    return count if isinstance(count, int) else 0


KEY_HEADER: Final = "Ocp-Apim-Subscription-Key"

_LAG_DAYS: Final = 180
"""Usual lag where the release of a month is not published. Source: docs/data/comtrade.md."""

_WEIGHTLESS_USD: Final = 1000.0
"""Value from which a weight of zero means a missing weight, not a small parcel."""

_CHINAS_EXPORTS: Final = {"reporterCode": "156", "flowCode": "X"}

_HALF_KG: Final = 0.0005
_HALF_USD: Final = 0.5e-6


@dataclass(frozen=True, slots=True)
class ComtradeExports(HttpSource):
    """China's exports of a six-digit code by partner, including the world."""

    id: ClassVar = _PROVIDER
    provider: ClassVar = _PROVIDER
    completeness: ClassVar = 0.9

    commodity: str = HS6

    def notice(self, span: MonthRange) -> str:
        """Calls and minutes that months take without a key; empty with one."""
        if self._key or self.settings.offline:
            return ""
        years = len(list(span.pieces(MOST_MONTHS)))
        calls = years + len(span.months)
        return (
            f"comtrade answers one month a call without a key: {span} takes {calls} calls in "
            f"{calls * PACE_S / 60:,.0f} min; a run that is cut off resumes. With the free key of "
            f"{KEY_PAGES[_PROVIDER]} in MAGNETCAST_COMTRADE_KEY it takes {2 * years} calls."
        )

    def fetch(self, span: MonthRange, *, ingested_at: pd.Timestamp) -> FileRows:
        """Rows of every partner; as ``HttpSource.fetch``."""
        long = None if self._key else LongFetch(f"{self.id}-{self.commodity}", ingested_at, PACE_S)
        with self.client(ApiKeys(headers=self._key), long) as http:
            releases = self._releases(http, span)
            parts = list(span.pieces(MOST_MONTHS if self._key else 1))
            tracked = parts if self._key else self.progress(parts, "months")
            answers = [self._answer(http, part) for part in tracked]
        trades = [answer for answer in answers if answer is not None]
        rows = _dated(trades, releases, ingested_at=ingested_at)
        is_group = rows["partnerCode"].isin(COMTRADE_GROUPS)
        rows = rows[~is_group]
        self._refuse_gaps(rows, releases)
        frame = observations(
            self._measured(rows),
            source=self.id,
            source_url=f"{self.url}{WITH_KEY}?{urlencode(self._fixed)}",
        )
        groups = f"of groups of countries ({', '.join(COMTRADE_GROUPS.values())}): sums of others"
        counts = {
            "by mode, procedure or second partner: included in the totals": sum(
                splits for _, splits, _ in trades
            ),
            groups: int(is_group.sum()),
            "whose numbers cannot be read: left out": sum(broken for _, _, broken in trades),
            "without a weight: their value alone is taken": int(_lacks_weight(rows).sum()),
        }
        file = self.file(
            span,
            http,
            {"observations": frame},
            wanted=f"exports of {self.commodity}, reported by China",
            ignored=tuple(f"{count} rows {kind}" for kind, count in counts.items() if count),
        )
        if self.commodity == HS6:
            return file
        return replace(file, file_name=f"{self.id} {self.commodity} {span}")

    @property
    def _key(self) -> Mapping[str, SecretStr]:
        return sent_as(KEY_HEADER, self.settings.comtrade_key)

    @property
    def _fixed(self) -> dict[str, str]:
        return {**_CHINAS_EXPORTS, "cmdCode": self.commodity}

    def _answer(self, http: HttpClient, span: MonthRange) -> _Rows | None:
        path = WITH_KEY if self._key else PREVIEW
        params = [*self._fixed.items(), ("period", _periods(span)), *NO_SPLIT.items()]
        return http.get(path, params, read=lambda body: self._read(body, span, LIMITS[path]))

    def _read(self, body: bytes, span: MonthRange, limit: int) -> _Rows:
        answer = json.loads(body)
        if isinstance(answer, dict) and answer.get("error"):
            raise ValueError(f"the answer is {str(answer['error'])[:80]!r}")
        records = records_in(answer, "data", _COLUMNS)
        if not records:
            return pd.DataFrame(), 0, 0
        if len(records) >= limit or _announced(answer) > len(records):
            raise ValueError(f"it is cut at {len(records)} rows")
        codes = [name for name in _COLUMNS if name.endswith("Code")]
        rows = _coded(records, "period", *codes)
        is_number = rows[_CELL].apply(lambda cells: cells.str.fullmatch(r"\d+")).all(axis=1)
        named = rows[is_number]
        requested = {**self._fixed, "period": _periods(span)}
        for name, allowed in requested.items():
            if extra := sorted(set(named[name]) - set(allowed.split(","))):
                raise ValueError(f"{name} {', '.join(extra[:5])} was not asked for")
        plain = _weighed(_unsplit(named))
        _refuse_doubt(named, plain)
        typed, broken = readable(plain, ("netWgt", "primaryValue"))
        splits, broken = len(named) - len(plain), broken + len(rows) - len(named)
        return _numbered(typed), splits, broken

    def _releases(self, http: HttpClient, span: MonthRange) -> pd.DataFrame:
        """Last release of each month available: ``period, reporterCode, released`` (UTC)."""
        reporter = ("reporterCode", _CHINAS_EXPORTS["reporterCode"])
        parts = [
            http.get(AVAILABILITY, [reporter, ("period", _periods(part))], read=_released)
            for part in span.pieces(MOST_MONTHS)
        ]
        rows = pd.concat(parts, ignore_index=True).sort_values("released")
        return rows.drop_duplicates(["period", "reporterCode"], keep="last", ignore_index=True)

    def _refuse_gaps(self, rows: pd.DataFrame, releases: pd.DataFrame) -> None:
        if gaps := sorted(set(releases["period"]) - set(rows["period"].dt.strftime("%Y%m"))):
            raise SourceError(
                f"comtrade lists {first_few(gaps)} as available and has no rows of "
                f"{self.commodity} for it. Expected rows for every month listed. Try again "
                "later; nothing was taken over."
            )

    def _measured(self, rows: pd.DataFrame) -> list[pd.DataFrame]:
        """Weights and values; a missing weight is not a weight of zero."""
        base = rows[["period", "available_at", "note"]].assign(
            commodity=self.commodity, destination=rows["partnerCode"].map(comtrade_place)
        )
        weight = rows["kilograms"].mask(_lacks_weight(rows))
        guess = rows["estimated"].map({True: "; weight estimated by Comtrade", False: ""})
        note = (base["note"] + guess.astype("str")).str.removeprefix("; ")
        return [
            base.assign(measure="net_weight_t", value=weight / 1e3, half_width=_HALF_KG, note=note),
            base.assign(measure="value_musd", value=rows["usd"] / 1e6, half_width=_HALF_USD),
        ]


def _periods(span: MonthRange) -> str:
    return ",".join(f"{month:%Y%m}" for month in span.months)


def _released(body: bytes) -> pd.DataFrame:
    """Read the availability of months; unlike data, it is not cut at a number of rows."""
    answer, columns = json.loads(body), ["period", "reporterCode", "lastReleased"]
    records = records_in(answer, "data", columns)
    if (count := _announced(answer)) > len(records):
        raise ValueError(f"it announces {count} rows and sends {len(records)}")
    rows = _coded(records, "period") if records else pd.DataFrame(columns=columns)
    frame = pd.DataFrame(
        {
            "period": rows["period"].replace("", None),
            "reporterCode": pd.to_numeric(rows["reporterCode"], errors="coerce"),
            "released": pd.to_datetime(
                rows["lastReleased"].astype("str"), utc=True, format="ISO8601", errors="coerce"
            ),
        }
    )
    return frame.dropna().astype({"reporterCode": "int64"})


def _dated(
    trades: Sequence[_Rows], releases: pd.DataFrame, *, ingested_at: pd.Timestamp
) -> pd.DataFrame:
    columns = ["period", "reporterCode", "partnerCode", "kilograms", "usd", "estimated"]
    parts = [part for part, _, _ in trades if len(part)]
    rows = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)
    rows = rows.merge(releases, on=["period", "reporterCode"], how="left")
    month = pd.to_datetime(rows["period"], format="%Y%m").astype("datetime64[us]")
    ends = (month + pd.offsets.MonthEnd(0)).dt.tz_localize("UTC")
    released = rows["released"].where(rows["released"] > ends, ends)
    usual = usual_moment(month, lag_days=_LAG_DAYS, ingested_at=ingested_at)
    dated = released.where(rows["released"].notna(), usual)
    return rows.assign(
        period=month,
        available_at=not_after(dated, ingested_at),
        note=rows["released"].isna().map({True: USUAL_LAG, False: ""}).astype("str"),
    )


def _lacks_weight(rows: pd.DataFrame) -> pd.Series:
    return rows["kilograms"].isna() | (rows["kilograms"].eq(0) & rows["usd"].ge(_WEIGHTLESS_USD))
