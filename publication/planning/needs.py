"""Needs beside the newest forecast: chances of a shortfall, and the safety stock."""

from collections.abc import Hashable, Mapping
from typing import Any, Final

import pandas as pd

from models.forecasting.firm_needs import (
    ELSEWHERE,
    SHIPPING_DAYS,
    Cover,
    Days,
    Firm,
    FirmOutlook,
    cover_from,
    outlook_of,
)
from models.forecasting.joint_paths import USUAL_CARRY
from publication.language.formats import dated, separated
from publication.language.phrases import gettext
from publication.planning.planning_file import Need, Planning
from publication.queries.destination_months import newest_score
from publication.state import Publication
from publication.tables import KILOGRAMS, Record
from publication.words import chance_below, name_of
from store.errors import DataError
from store.vocabulary import ERROR_AUTOCORRELATION, QUANTILE_COLUMNS, QUANTILES


def transit_of(destination: str) -> Days:
    """Transit days to a destination: its own, or the span of all others."""
    return SHIPPING_DAYS.get(destination, SHIPPING_DAYS[ELSEWHERE])


def arrivals_of(period: str, days: Days) -> tuple[pd.Timestamp, pd.Timestamp]:
    """First and last day on which shipments cleared in a month arrive."""
    month = pd.Timestamp(period).replace(day=1)
    last = month + pd.offsets.MonthEnd(0) + pd.Timedelta(days=days[1])
    return month + pd.Timedelta(days=days[0]), last


def arrival_months(period: str, days: Days) -> str:
    """Months of arrival, in words, of shipments cleared in a month."""
    first, last = (dated(moment, "month") for moment in arrivals_of(period, days))
    return first if first == last else gettext("%(first)s to %(last)s", first=first, last=last)


SMALL: Final = 0.2
"""Share of a country's median below which a need is that of one firm: how supply is shared out
must then be assumed."""


def met_at(publication: Publication, need: Need) -> float:
    """Exports to the country, in tonnes a month, from which a need is met in full."""
    return max(need.tonnes, publication.usual(need.destination).tonnes)


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
        publication.usual(destination).tonnes,
        carry=carry_over_of(publication)[0], as_of=counted_at,
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


def need_documents(
    publication: Publication, planning: Planning, read_at: pd.Timestamp
) -> list[Record]:
    """Needs of a commodity, each with its months and safety stocks."""
    return [
        need_document(publication, need, read_at)
        for need in planning.needs
        if need.commodity == publication.commodity
    ]


def _counted_at(need: Need) -> pd.Timestamp:
    """Moment for which a need's stock is stated."""
    return pd.Timestamp(need.counted_on or need.period_from, tz="UTC")


def need_outlook(publication: Publication, need: Need, since: pd.Timestamp) -> FirmOutlook | None:
    """Outlook of a need in its months from ``since`` on; None where none is forecast.

    Pages, API and alerts all take the chances of a shortfall from it.
    """
    rows = months_needed(publication, need)
    counted_at = max(_counted_at(need), since)
    if not rows["period"].ge(_month_of(counted_at)).any():
        return None
    # A need that begins later is ordered for until then.
    lead_days = max(need.lead_days - (counted_at - since).days, 0)
    firm = Firm(need.tonnes, need.stock, lead_days=lead_days, on_order=need.on_order)
    return firm_outlook(publication, need.destination, firm, counted_at, rows)


def need_document(publication: Publication, need: Need, read_at: pd.Timestamp) -> Record:
    """Need with its months; numbers are tonnes, chances are shares.

    Args:
        read_at: When it is read, from which an order still arrives.
    """
    days = transit_of(need.destination)
    most = days[1] if need.transit_days is None else need.transit_days
    outlook = need_outlook(publication, need, publication.as_of)
    plant = Firm(need.tonnes, need.stock, lead_days=need.lead_days)
    start = max(_counted_at(need), pd.Timestamp(need.period_from, tz="UTC"))
    cover = cover_from(start, plant, most, today=read_at)
    carry_over, carry_over_source = carry_over_of(publication)
    met_at_t = met_at(publication, need)
    chances = {} if outlook is None else dict(zip(outlook.months, outlook.chances_out, strict=True))
    return {
        **need.model_dump(exclude={"counted_on", "transit_days", "estimates"}),
        "chance_any_month": outlook and bounded(outlook.chance_short),
        "chance_out": outlook and bounded(outlook.chances_out[-1]),
        "transit_days": most,
        "days": days,
        **order_days(cover),
        "buffer_90_t": outlook and round(outlook.stock_90, KILOGRAMS),
        "buffer_95_t": outlook and round(outlook.stock_95, KILOGRAMS),
        "first_month": min(chances, default=None),
        "last_month": max(chances, default=None),
        "carry_over": round(carry_over, 4),
        "carry_over_source": carry_over_source,
        "as_of": f"{publication.as_of:%Y-%m-%dT%H:%M:%SZ}",
        "destination_name": name_of(need.destination),
        "met_in_full_at_t": round(met_at_t, KILOGRAMS),
        "months": [
            {
                **month,
                "arrives": arrival_months(month["period"], days),
                "chance_out": chance if chance is None else bounded(chance),
                "estimate": need.estimates.get(month["period"]),
            }
            for row in months_needed(publication, need).to_dict("records")
            for month in [_month(row, met_at_t, publication)]
            for chance in [chances.get(month["period"])]
        ],
    }


EXAMPLE_LEAD_DAYS: Final = 45
EXAMPLE_COVERS: Final = (30, 60, 90)
"""Days of stock for which an example is given where no need is recorded."""


def order_examples(destination: str, read_at: pd.Timestamp) -> list[Record]:
    """Last day to order by days of cover, if nothing arrives before."""
    today, transit = read_at.tz_convert(None).normalize(), transit_of(destination)[1]
    return [
        {"cover": cover, "lead": EXAMPLE_LEAD_DAYS, "transit": transit, "late": max(-spare, 0),
         "order_by": today + pd.Timedelta(days=spare)}
        for cover in EXAMPLE_COVERS
        for spare in [cover - EXAMPLE_LEAD_DAYS - transit]
    ]  # fmt: skip


def order_days(cover: Cover) -> Record:
    """Days of a cover, as documents have them."""
    names = ("reach_on", "order_by", "arrives_on", "cleared_on")
    days = {name: f"{getattr(cover, name):%Y-%m-%d}" for name in names}
    return {**days, "days_late": cover.days_late}


def bounded(chance: float) -> float:
    """Chance no nearer to 0 or 1 than the outermost quantiles."""
    return round(min(max(chance, QUANTILES[0]), QUANTILES[-1]), 4)


def months_needed(publication: Publication, need: Need) -> pd.DataFrame:
    """Forecast months of a need, oldest first."""
    rows = publication.latest.assign(period=pd.to_datetime(publication.latest["period"]))
    first, last = pd.Timestamp(need.period_from), pd.Timestamp(need.period_to)
    is_needed = rows["destination"].eq(need.destination) & rows["period"].between(first, last)
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
