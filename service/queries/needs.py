"""Needs beside the newest forecast: chances of a shortfall, and the safety stock."""

import re
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from models.forecasting.firm_needs import Firm, FirmOutlook, outlook_of
from models.forecasting.joint_paths import USUAL_CARRY
from service.http.responses import Record, records
from service.language.choice import language
from service.language.formats import dated, separated
from service.language.phrases import gettext
from service.live.documents import KILOGRAMS
from service.live.live_publication import PlanningState
from service.live.publication import Publication
from service.queries.destination_months import newest_score, normal_month
from service.request_errors import UnknownError
from service.words import chance_below, name_of
from store.errors import DataError
from store.months import DAYS_A_MONTH
from store.vocabulary import ERROR_AUTOCORRELATION, QUANTILE_COLUMNS, QUANTILES

Days = tuple[int, int]
"""Least and most days from clearance in China to the port of the destination."""

SHIPPING_DAYS: Final[Mapping[str, Days]] = {
    "USA": (15, 40), "DEU": (28, 45), "ITA": (30, 50), "EU27": (28, 50), "EU27_REST": (28, 50),
    "JPN": (3, 10), "VNM": (3, 12), "THA": (5, 12), "IND": (20, 28),
}  # fmt: skip
"""By sea, as forwarders quote it; others have no default. Source: docs/data/README.md."""


_LONGEST: Final = 365


def shipping_days(text: str) -> dict[str, Days]:
    """Shipping days by destination: the defaults, overridden by such as ``USA 20-35, KOR 2-6``."""
    overrides: dict[str, Days] = {}
    for part in filter(None, map(str.strip, text.split(","))):
        match = re.fullmatch(r"([A-Z0-9_]+) +(\d+)-(\d+)", part)
        days = (int(match[2]), int(match[3])) if match else (1, 0)
        if match is None or not days[0] <= days[1] <= _LONGEST:
            raise DataError(
                f"MAGNETCAST_SHIPPING_DAYS: {part[:40]!r} is no destination with a span of days. "
                f"Expected such as USA 20-35, up to {_LONGEST} days. Correct it."
            )
        overrides[match[1]] = days
    return {**SHIPPING_DAYS, **overrides}


def arrival_months(period: str, days: Days) -> str:
    """Months of arrival, in words, of shipments cleared in a month."""
    month = pd.Timestamp(period).replace(day=1)
    soonest = month + pd.Timedelta(days=days[0])
    latest = month + pd.offsets.MonthEnd(0) + pd.Timedelta(days=days[1])
    first, last = (dated(moment, "month") for moment in (soonest, latest))
    return first if first == last else gettext("%(first)s to %(last)s", first=first, last=last)


SMALL: Final = 0.2
"""Share of a country's median below which a need is that of one firm: how supply is shared out
must then be assumed."""


def met_at(publication: Publication, need: Record) -> float:
    """Exports to the country, in tonnes a month, from which a need is met in full."""
    return max(float(need["tonnes"]), normal_month(publication, need["destination"]))


def firm_outlook(
    publication: Publication,
    destination: str,
    firm: Firm,
    counted_at: pd.Timestamp,
    rows: pd.DataFrame | None = None,
) -> FirmOutlook:
    """Outlook of a firm from when its stock was counted, or at the ``rows`` of a scenario.

    Raises:
        DataError: The forecast has no month left.
    """
    forecast = publication.latest if rows is None else rows
    forecast = forecast.assign(period=pd.to_datetime(forecast["period"]))
    forecast = forecast.loc[forecast["destination"] == destination].sort_values("period")
    months = forecast.loc[forecast["period"] >= _month_of(counted_at)]
    if months.empty:
        raise DataError(
            f"The forecast as of {publication.as_of:%Y-%m-%d} ends before {counted_at:%Y-%m-%d}. "
            "Expected months ahead. Make a new one with `magnetcast run`."
        )
    return outlook_of(
        firm, list(months["period"]), months[list(QUANTILE_COLUMNS)].to_numpy(float),
        normal_month(publication, destination),
        carry=carry_over_of(publication)[0], as_of=counted_at,
    )  # fmt: skip


_FAR_DAYS: Final = 3650


@dataclass(frozen=True, slots=True)
class Cover:
    """How far a stock reaches if nothing arrives."""

    reach_on: pd.Timestamp
    order_by: pd.Timestamp
    """Last day to order so that it is cleared by then."""
    lead_t: float
    """Tonnes needed from order to clearance: nothing ordered today comes earlier."""
    weeks: float


def cover_from(counted_at: pd.Timestamp, firm: Firm, lead_days: int) -> Cover:
    """Cover of a firm's stock that was counted on a day."""
    day, need = counted_at.tz_convert(None).normalize(), 0.0
    reach, stock = day, firm.stock
    while (reach - day).days < _FAR_DAYS:
        need = firm.by_month.get(f"{reach:%Y-%m}", firm.tonnes) / DAYS_A_MONTH
        if stock < need:
            break
        reach, stock = reach + pd.Timedelta(days=1), stock - need
    return Cover(
        reach,
        order_by=reach - pd.Timedelta(days=lead_days),
        lead_t=firm.tonnes * lead_days / DAYS_A_MONTH,
        weeks=((reach - day).days + min(stock / max(need, 1e-9), 1.0)) / 7,
    )


_AS_WRITTEN: Final = (
    "id", "name", "commodity", "destination", "tonnes", "stock", "lead_days", "author",
    "created_at",
)  # fmt: skip


def carry_over_of(publication: Publication) -> tuple[float, str]:
    """Share of one month's error that carries into the next, and its source."""
    score = newest_score(publication, ERROR_AUTOCORRELATION)
    if score is None:
        return USUAL_CARRY, gettext("default, no backtest published")
    source = gettext(
        "backtest as of %(day)s, %(pairs)s pairs of months",
        day=dated(score["as_of"], "day"),
        pairs=separated(f"{score['cells']:,}"),
    )
    return float(score["value"]), source


Of = Callable[[str], Publication]
"""Newest publication of a commodity, by its code."""


def need_documents(publication: Publication, planning: PlanningState) -> list[Record]:
    """Active needs of a commodity, newest first, each with its months and safety stocks."""
    needs = planning.needs.loc[planning.needs["commodity"] == publication.commodity]
    rows = records(needs.sort_values("id", ascending=False))
    return [
        planning.memo.make(
            ("need", row["id"], publication.as_of, publication.published.mark, language()),
            lambda row=row: need_document(publication, row),  # type: ignore[misc]
        )
        for row in rows
    ]


def all_needs(of: Of, planning: PlanningState) -> list[Record]:
    """Active needs of all commodities as ``need_documents``, newest first."""
    needs = [
        need
        for code in planning.needs["commodity"].unique()
        for need in need_documents(of(code), planning)
    ]
    return sorted(needs, key=lambda need: -need["id"])


def need_of(of: Of, planning: PlanningState, number: int) -> Record:
    """Document of one active need."""
    needs = planning.needs.loc[planning.needs["id"] == number]
    for commodity in needs["commodity"]:
        return next(d for d in need_documents(of(str(commodity)), planning) if d["id"] == number)
    numbers = ", ".join(str(value) for value in sorted(planning.needs["id"])) or "none so far"
    raise UnknownError(f"No active need {number}. Expected one of: {numbers}. See /api/v1/needs.")


def need_outlook(publication: Publication, need: Record, since: pd.Timestamp) -> FirmOutlook | None:
    """Outlook of a need in its months from ``since`` on; None where none is forecast.

    Pages, API and alerts all take the chances of a shortfall from it.
    """
    rows = months_needed(publication, need)
    counted_at = max(pd.Timestamp(need["created_at"]), since)
    if not rows["period"].ge(_month_of(counted_at)).any():
        return None
    firm = Firm(need["tonnes"], need["stock"])
    return firm_outlook(publication, need["destination"], firm, counted_at, rows)


def need_document(publication: Publication, need: Record) -> Record:
    """Need with its months; numbers are tonnes, chances are shares."""
    outlook = need_outlook(publication, need, publication.as_of)
    plant = Firm(need["tonnes"], need["stock"])
    cover = cover_from(pd.Timestamp(need["created_at"]), plant, need["lead_days"])
    carry_over, carry_over_source = carry_over_of(publication)
    met_at_t = met_at(publication, need)
    chances = {} if outlook is None else dict(zip(outlook.months, outlook.chances_out, strict=True))
    return {
        **{name: need[name] for name in _AS_WRITTEN},
        "period_from": need["period_from"][:7],
        "period_to": need["period_to"][:7],
        "chance_any_month": outlook and bounded(outlook.chance_short),
        "chance_out": outlook and bounded(outlook.chances_out[-1]),
        "reach_on": f"{cover.reach_on:%Y-%m-%d}",
        "order_by": f"{cover.order_by:%Y-%m-%d}",
        "buffer_90_t": outlook and round(max(outlook.stock_90, cover.lead_t), KILOGRAMS),
        "buffer_95_t": outlook and round(max(outlook.stock_95, cover.lead_t), KILOGRAMS),
        "first_month": min(chances, default=None),
        "last_month": max(chances, default=None),
        "carry_over": round(carry_over, 4),
        "carry_over_source": carry_over_source,
        "as_of": f"{publication.as_of:%Y-%m-%dT%H:%M:%SZ}",
        "destination_name": name_of(need["destination"]),
        "met_in_full_at_t": round(met_at_t, KILOGRAMS),
        "months": [
            {**month, "chance_out": chance if chance is None else bounded(chance)}
            for row in months_needed(publication, need).to_dict("records")
            for month in [_month(row, met_at_t, publication)]
            for chance in [chances.get(month["period"])]
        ],
    }


def bounded(chance: float) -> float:
    """Chance no nearer to 0 or 1 than the outermost quantiles."""
    return round(min(max(chance, QUANTILES[0]), QUANTILES[-1]), 4)


def months_needed(publication: Publication, need: Record) -> pd.DataFrame:
    """Forecast months of a need, oldest first."""
    rows = publication.latest.assign(period=pd.to_datetime(publication.latest["period"]))
    first, last = pd.Timestamp(need["period_from"]), pd.Timestamp(need["period_to"])
    is_needed = rows["destination"].eq(need["destination"]) & rows["period"].between(first, last)
    return rows.loc[is_needed].sort_values("period", ignore_index=True)


def _month(row: Mapping[Hashable, Any], tonnes: float, publication: Publication) -> Record:
    chance = chance_below([float(row[name]) for name in QUANTILE_COLUMNS], tonnes)
    return {
        "period": f"{row['period']:%Y-%m}",
        "past": bool(row["period"] < _month_of(publication.as_of)),
        **{name: round(float(row[name]), KILOGRAMS) for name in ("p10", "p50", "p90")},
        "chance_of_shortfall": round(chance, 4),
    }


def _month_of(moment: pd.Timestamp) -> pd.Timestamp:
    return moment.tz_convert("UTC").tz_localize(None).normalize().replace(day=1)
