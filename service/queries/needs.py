"""Needs beside the newest forecast: chances of a shortfall, and the safety stock."""

import re
from collections.abc import Callable, Hashable, Mapping
from typing import Any, Final

import numpy as np
import pandas as pd

from models.forecasting.firm_needs import Firm, FirmOutlook, outlook_of, running_gap
from models.forecasting.joint_paths import USUAL_CARRY, ErrorCopula, sample_paths
from service.http.responses import Record, records
from service.language.choice import language
from service.language.formats import dated
from service.language.phrases import gettext
from service.live.documents import KILOGRAMS
from service.live.live_publication import PlanningState
from service.live.publication import Publication
from service.queries.destination_months import newest_score, normal_month
from service.request_errors import UnknownError
from service.words import chance_below, name_of
from store.arrays import Floats
from store.errors import DataError
from store.vocabulary import ERROR_AUTOCORRELATION, QUANTILE_COLUMNS, QUANTILES

Days = tuple[int, int]
"""Least and most days from clearance in China to the port of the destination."""

SHIPPING_DAYS: Final[Mapping[str, Days]] = {
    "USA": (15, 40), "DEU": (28, 45), "ITA": (30, 50), "EU27": (28, 50), "EU27_REST": (28, 50),
    "JPN": (3, 10), "VNM": (3, 12), "THA": (5, 12), "IND": (20, 28),
}  # fmt: skip
"""By sea, as forwarders quote it; others have no default. Source: docs/data/shipping_times.md."""


_LONGEST: Final = 365


def shipping_days(text: str) -> dict[str, Days]:
    """Return the days by destination, those that are set in place of the defaults.

    Args:
        text: Code, least and most days of some destinations, ``USA 20-35, KOR 2-6``; may be empty.
    """
    own: dict[str, Days] = {}
    for part in filter(None, map(str.strip, text.split(","))):
        found = re.fullmatch(r"([A-Z0-9_]+) +(\d+)-(\d+)", part)
        days = (int(found[2]), int(found[3])) if found else (1, 0)
        if found is None or not days[0] <= days[1] <= _LONGEST:
            raise DataError(
                f"MAGNETCAST_SHIPPING_DAYS: {part[:40]!r} is no destination with a span of days. "
                f"Expected such as USA 20-35, up to {_LONGEST} days. Correct it."
            )
        own[found[1]] = days
    return {**SHIPPING_DAYS, **own}


def arrival_months(period: str, days: Days) -> str:
    """Return the months in which goods cleared in a month arrive, in words.

    Args:
        period: First day of the month of clearance, ISO.
    """
    month = pd.Timestamp(period).replace(day=1)
    soonest = month + pd.Timedelta(days=days[0])
    latest = month + pd.offsets.MonthEnd(0) + pd.Timedelta(days=days[1])
    first, last = (dated(moment, "month") for moment in (soonest, latest))
    return first if first == last else gettext("%(first)s to %(last)s", first=first, last=last)


def largest_gap(paths: Floats, tonnes: float) -> Floats:
    """Return the largest cumulative shortfall of each path, in tonnes; as ``running_gap``."""
    return np.asarray(running_gap(paths, np.full(paths.shape[1], tonnes)).max(axis=1, initial=0.0))


def buffer_for(paths: Floats, tonnes: float, cover: float) -> float:
    """Return the smallest stock that covers a share ``cover`` of the paths, in tonnes.

    Args:
        paths: As ``largest_gap``; without months there is no shortfall.
        tonnes: The need of each month.
        cover: 0 to 1.
    """
    return float(np.quantile(largest_gap(paths, tonnes), cover, method="inverted_cdf"))


def any_short(paths: Floats, tonnes: float) -> float:
    """Return the share of paths with at least one month below the need."""
    return float((paths < tonnes).any(axis=1).mean())


SMALL: Final = 0.2
"""Share of a country's median below which a need is a firm's, of which a rule must be assumed."""


def met_at(publication: Publication, need: Record) -> float:
    """Return the country's tonnes a month from which a need is met in full."""
    return max(float(need["tonnes"]), normal_month(publication, need["destination"]))


def firm_outlook(
    publication: Publication, destination: str, firm: Firm, rows: pd.DataFrame | None = None
) -> FirmOutlook:
    """Return a firm's answers at a publication.

    Args:
        rows: Months of the destination by other quantiles, as of a scenario; as published if None.
    """
    found = publication.latest if rows is None else rows
    found = found.assign(period=pd.to_datetime(found["period"]))
    ahead = found["destination"].eq(destination) & found["period"].ge(_month_of(publication.as_of))
    own = found.loc[ahead].sort_values("period")
    return outlook_of(
        firm, list(own["period"]), own[list(QUANTILE_COLUMNS)].to_numpy(float),
        normal_month(publication, destination),
        carry=carry_over_of(publication)[0], as_of=publication.as_of,
    )  # fmt: skip


_COVERS: Final = (0.90, 0.95)

NEED_COLUMNS: Final = (
    "id", "name", "commodity", "destination", "period_from", "period_to", "tonnes", "author",
    "created_at", "met_in_full_at_t", "chance_any_month", "buffer_90_t", "buffer_95_t",
    "first_month", "last_month", "carry_over", "carry_over_source", "as_of",
)  # fmt: skip


def carry_over_of(publication: Publication) -> tuple[float, str]:
    """Return the share of one month's error that carries into the next, and its source."""
    found = newest_score(publication, ERROR_AUTOCORRELATION)
    if found is None:
        return USUAL_CARRY, gettext("default, no backtest published")
    source = gettext(
        "backtest as of %(day)s, %(pairs)s pairs of months",
        day=dated(found["as_of"], "day"),
        pairs=found["cells"],
    )
    return float(found["value"]), source


Of = Callable[[str], Publication]
"""Returns the newest publication of a commodity."""


def need_documents(publication: Publication, planning: PlanningState) -> list[Record]:
    """Return the needs of a commodity in force, newest first, each with its months and buffers."""
    own = planning.needs.loc[planning.needs["commodity"] == publication.commodity]
    rows = records(own.sort_values("id", ascending=False))
    return [
        planning.memo.make(
            ("need", row["id"], publication.as_of, publication.published.mark, language()),
            lambda row=row: need_document(publication, row),  # type: ignore[misc]
        )
        for row in rows
    ]


def all_needs(of: Of, planning: PlanningState) -> list[Record]:
    """Return the needs of all commodities in force as ``need_documents``, newest first."""
    found = [
        need
        for code in planning.needs["commodity"].unique()
        for need in need_documents(of(code), planning)
    ]
    return sorted(found, key=lambda need: -need["id"])


def need_of(of: Of, planning: PlanningState, number: int) -> Record:
    """Return one need in force."""
    own = planning.needs.loc[planning.needs["id"] == number]
    for commodity in own["commodity"]:
        return next(d for d in need_documents(of(str(commodity)), planning) if d["id"] == number)
    known = ", ".join(str(value) for value in sorted(planning.needs["id"])) or "none so far"
    raise UnknownError(f"No active need {number}. Expected one of: {known}. See /api/v1/needs.")


def need_document(publication: Publication, need: Record) -> Record:
    """Return a need with its months; numbers are tonnes, chances are shares."""
    rows = months_needed(publication, need)
    carry_over, carry_over_source = carry_over_of(publication)
    ahead = rows.loc[rows["period"] >= _month_of(publication.as_of)]
    quantiles = ahead[list(QUANTILE_COLUMNS)].to_numpy(float)
    paths = np.zeros((1, 0))
    if len(ahead):
        paths = sample_paths(quantiles[None], ErrorCopula(carry_over))[:, 0]
    full = met_at(publication, need)
    got = paths * need["tonnes"] / full
    buffers = [
        round(buffer_for(got, need["tonnes"], cover), KILOGRAMS) if len(ahead) else None
        for cover in _COVERS
    ]
    months = [f"{period:%Y-%m}" for period in ahead["period"]]
    return {
        "id": need["id"],
        "name": need["name"],
        "commodity": need["commodity"],
        "destination": need["destination"],
        "period_from": need["period_from"][:7],
        "period_to": need["period_to"][:7],
        "tonnes": need["tonnes"],
        "author": need["author"],
        "created_at": need["created_at"],
        "chance_any_month": bounded(any_short(paths, full)) if months else None,
        "buffer_90_t": buffers[0],
        "buffer_95_t": buffers[1],
        "first_month": months[0] if months else None,
        "last_month": months[-1] if months else None,
        "carry_over": round(carry_over, 4),
        "carry_over_source": carry_over_source,
        "as_of": f"{publication.as_of:%Y-%m-%dT%H:%M:%SZ}",
        "destination_name": name_of(need["destination"]),
        "met_in_full_at_t": round(full, KILOGRAMS),
        "months": [_month(row, full, publication) for row in rows.to_dict("records")],
    }


def bounded(chance: float) -> float:
    """Return a chance no nearer to 0 or 1 than the outermost quantiles."""
    return round(min(max(chance, QUANTILES[0]), QUANTILES[-1]), 4)


def months_needed(publication: Publication, need: Record) -> pd.DataFrame:
    """Return the forecast of the months of a need, as far as they are forecast, by month."""
    rows = publication.latest.assign(period=pd.to_datetime(publication.latest["period"]))
    own = rows.loc[rows["destination"] == need["destination"]]
    within = own["period"].between(
        pd.Timestamp(need["period_from"]), pd.Timestamp(need["period_to"])
    )
    found: pd.DataFrame = own.loc[within].sort_values("period", ignore_index=True)
    return found


def _month(row: Mapping[Hashable, Any], tonnes: float, publication: Publication) -> Record:
    chance = chance_below([float(row[name]) for name in QUANTILE_COLUMNS], tonnes)
    numbers = {name: round(float(row[name]), KILOGRAMS) for name in ("p10", "p50", "p90")}
    return {
        "period": f"{row['period']:%Y-%m}",
        "past": bool(row["period"] < _month_of(publication.as_of)),
        **numbers,
        "chance_of_shortfall": round(chance, 4),
    }


def _month_of(moment: pd.Timestamp) -> pd.Timestamp:
    return moment.tz_convert("UTC").tz_localize(None).normalize().replace(day=1)
