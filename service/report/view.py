"""The content of reports and pages as plain values, before any layout, and what was unknown."""

import base64
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from models.forecasting.joint_paths import ErrorCopula, quantiles_of_sum
from service.charts.chart import COLOURS, DARK_COLOURS, Chart
from service.charts.fan import Fan, month_start
from service.charts.stills import WIDTH, still
from service.language.formats import dated, listed, months_between
from service.language.phrases import gettext, marked, ngettext
from service.live.documents import drivers_of
from service.queries.basis import published_later
from service.queries.explain import MAIN, steps_of
from service.wording import chance_below, coverage_words, in_reading_order, name_of, percent, tonnes
from store.vocabulary import MONTHS_AHEAD, QUANTILE_COLUMNS, WORLD

MONTHS_IN_HEADLINE: Final = 3


@dataclass(frozen=True, slots=True)
class Outlook:
    """The next months of one destination taken together, in tonnes.

    ``low`` and ``high`` are the 10% and 90% quantiles of the sum along joint paths; ``before`` is
    NaN where a month of the year before is not in the panel.
    """

    destination: str
    months: str
    low: float
    middle: float
    high: float
    before: float
    partly_estimated: bool
    status: str
    last_year: float
    """Tonnes of the last twelve months, estimates included."""
    coverage: str
    """How often the 80% band of three months together held in the backtest at this distance;
    empty where that is not known."""

    @property
    def name(self) -> str:
        return name_of(self.destination)

    @property
    def change(self) -> float:
        return self.middle / self.before - 1 if self.before > 0 else float("nan")


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
    coverage: str
    """How often the 80% band held at its horizon; empty where that is not known."""
    drivers: tuple[tuple[str, float], ...]
    """What moved it most, and by how many tonnes."""
    chance_below: float
    """Chance that the month stays below the year before; NaN where that is not known."""


def outlook_of(fan: Fan, copula: ErrorCopula) -> Outlook | None:
    """Return the outlook of one destination, or None without a forecast."""
    rows = fan.ahead.head(MONTHS_IN_HEADLINE)
    if rows.empty:
        return None
    past = _year_before(fan, rows["period"])
    before = float(past["tonnes"].sum()) if len(past) == len(rows) else float("nan")
    total = _total(rows, copula)
    return Outlook(
        destination=fan.destination,
        months=span_of(rows["period"]),
        low=total["p10"],
        middle=total["p50"],
        high=total["p90"],
        before=before,
        partly_estimated=bool((past["kind"] == "estimated").any()),
        status=fan.status,
        last_year=fan.last_year,
        coverage=next(
            (coverage_words(one) for one in fan.sums if one.holds(int(rows["horizon"].iloc[-1]))),
            "",
        ),
    )


def _total(rows: pd.DataFrame, copula: ErrorCopula) -> dict[str, float]:
    quantiles = rows[list(QUANTILE_COLUMNS)].to_numpy(float)
    total = quantiles_of_sum(quantiles[None], copula)
    return dict(zip(QUANTILE_COLUMNS, total.tolist(), strict=True))


def headline(outlook: Outlook) -> str:
    """Return the outlook in words."""
    is_world = outlook.destination == WORLD
    text = gettext(
        "%(whole)s, %(months)s: %(middle)s\xa0t, with an 80%% band from %(low)s to %(high)s\xa0t.",
        whole=gettext("China's exports to the world") if is_world else outlook.name,
        months=outlook.months,
        middle=tonnes(outlook.middle),
        low=tonnes(outlook.low),
        high=tonnes(outlook.high),
    )
    return f"{text} {_compared(outlook)}"


def _compared(outlook: Outlook) -> str:
    if math.isnan(outlook.change):
        return gettext("Figures for the same months a year before are incomplete.")
    values = {"change": percent(abs(outlook.change)), "before": tonnes(outlook.before)}
    above = marked("That is %(change)s above the %(before)s\xa0t of the same months a year before.")
    below = marked("That is %(change)s below the %(before)s\xa0t of the same months a year before.")
    text = gettext(above if outlook.change >= 0 else below, **values)
    estimated = gettext("Those figures are partly estimated.")
    return f"{text} {estimated}" if outlook.partly_estimated else text


def nowcast(fan: Fan, copula: ErrorCopula) -> str:
    """Return the median of the sum of the months that have ended but are not yet published."""
    is_past = fan.forecast["period"] < month_start(fan.as_of)
    rows = fan.forecast[is_past & ~fan.forecast["period"].isin(fan.published_later.index)]
    if rows.empty:
        return ""
    return gettext(
        "%(months)s, ended but not yet published: estimated total %(tonnes)s\xa0t.",
        months=span_of(rows["period"]),
        tonnes=tonnes(_total(rows, copula)["p50"]),
    )


def picture_of(chart: Chart, width: int = WIDTH) -> tuple[str, str]:
    """Return a chart as an address that is the picture itself, and what it says in words."""
    drawn = base64.b64encode(still(chart.still, "svg", (COLOURS, DARK_COLOURS), width)).decode()
    return f"data:image/svg+xml;base64,{drawn}", chart.label


def month_rows(fan: Fan) -> tuple[MonthRow, ...]:
    """Return the forecast months of one destination as its table shows them."""
    rows = fan.forecast.to_dict("records")
    past = pd.concat([fan.history, fan.later]).set_index("period")["tonnes"]
    published = fan.published_later
    return tuple(_month_row(fan, row, past, published) for row in rows)


def statuses(fans: Sequence[Fan]) -> list[tuple[str, str, str]]:
    """Return each status as published, its reason, and the destinations it holds for."""
    groups: dict[tuple[str, str], list[str]] = {}
    for fan in fans:
        reasons = fan.forecast["reason"].dropna().unique() if "reason" in fan.forecast else ()
        key = fan.status, "; ".join(filter(None, reasons))
        groups.setdefault(key, []).append(name_of(fan.destination))
    return [(status, reason, ", ".join(names)) for (status, reason), names in groups.items()]


def _month_row(fan: Fan, row: dict[Any, Any], past: pd.Series, published: pd.Series) -> MonthRow:
    """Turn one forecast row into what its table shows; the series are by month."""
    period = pd.Timestamp(row["period"])
    year_ago = float(past.get(period - pd.DateOffset(years=1), float("nan")))
    return MonthRow(
        month=dated(period, "month"),
        period=f"{period:%Y-%m}",
        past=period < month_start(fan.as_of),
        published=published.get(period),
        p10=float(row["p10"]),
        p50=float(row["p50"]),
        p90=float(row["p90"]),
        year_ago=year_ago,
        coverage=next(
            (coverage_words(c) for c in fan.coverage if c.holds(int(row["horizon"]))), ""
        ),
        drivers=_causes(row),
        chance_below=chance_below([float(row[name]) for name in QUANTILE_COLUMNS], year_ago),
    )


def _causes(row: Mapping[Any, Any]) -> tuple[tuple[str, float], ...]:
    """Return what moved a month most, in words, from its parts or else from its drivers."""
    parts = row.get("contributions")
    if not isinstance(parts, str) or not parts:
        return drivers_of(row.get("drivers"))
    _, steps = steps_of(json.loads(parts))
    return tuple(steps[:MAIN])


def _year_before(fan: Fan, periods: pd.Series) -> pd.DataFrame:
    wanted = fan.history["period"].isin(periods - pd.DateOffset(years=1))
    return fan.history[wanted & fan.history["tonnes"].notna()]


def span_of(periods: pd.Series) -> str:
    """Name a run of months by its first and last.

    Args:
        periods: First days, in order, at least one.
    """
    return months_between(periods.iloc[0], periods.iloc[-1])


_RECENT_MONTHS: Final = 12


def unknowns(panel: pd.DataFrame, events: pd.DataFrame, *, as_of: pd.Timestamp) -> list[str]:
    """Return what is missing or open at an as_of, most important first.

    Args:
        panel: ``PANEL_COLUMNS``, the months known then; not modified.
        events: Newest version of each policy event known then; not modified.
    """
    today = as_of.tz_convert("UTC").tz_localize(None)
    cutoff = pd.Timestamp(panel.loc[panel["destination"] == WORLD, "period"].max())
    found = [
        _late_months(panel, cutoff, today),
        _thin_destinations(panel.loc[panel["period"] <= cutoff], cutoff),
        _coming_ends(events, today),
        gettext("No act announced after this day and no unpublished licence decision is in it."),
        gettext(
            "A kind of shock that no month of the history shows cannot have been learned from it."
        ),
    ]
    return [sentence for sentence in found if sentence]


def _late_months(panel: pd.DataFrame, cutoff: pd.Timestamp, today: pd.Timestamp) -> str:
    missing = pd.date_range(cutoff, today.normalize(), freq="MS", inclusive="right")
    complete = missing[missing + pd.offsets.MonthBegin() <= today]
    if complete.empty:
        return ""
    late = ngettext(
        "Exports of %(months)s (%(n)s complete month): no figure of the world had been published; "
        "it is a forecast too.",
        "Exports of %(months)s (%(n)s complete months): no figure of the world had been published; "
        "they are forecasts too.",
        len(complete),
        months=months_between(complete[0], complete[-1]),
    )
    return f"{late} {published_later(panel, f'{cutoff:%Y-%m}')}".rstrip()


def _thin_destinations(panel: pd.DataFrame, cutoff: pd.Timestamp) -> str:
    recent = panel.loc[panel["period"] > cutoff - pd.DateOffset(months=_RECENT_MONTHS)]
    estimated = recent["kind"].eq("estimated").groupby(recent["destination"].astype(str)).sum()
    thin = in_reading_order(estimated.index[estimated > _RECENT_MONTHS / 2])
    if not thin:
        return ""
    return gettext(
        "Most of the last %(count)s months of %(names)s: hardly any figure was published, so "
        "their history is itself an estimate.",
        count=_RECENT_MONTHS,
        names=listed([name_of(name) for name in thin]),
    )


def _coming_ends(events: pd.DataFrame, today: pd.Timestamp) -> str:
    known = events.loc[events["evidence"] != "scheduled"]
    eased = known["effective_to"].where(known["direction"] == "easing")
    ends = pd.concat([known["suspended_to"], eased])
    coming = ends.loc[ends.between(today, today + pd.DateOffset(months=MONTHS_AHEAD))]
    if coming.empty:
        return ""
    return ngettext(
        "What follows the announced end of %(n)s suspension or truce (%(days)s): the forecast "
        "assumes only what is announced.",
        "What follows the announced ends of %(n)s suspensions and truces (%(days)s): the forecast "
        "assumes only what is announced.",
        len(coming),
        days=", ".join(dated(end, "day") for end in sorted(set(coming))),
    )
