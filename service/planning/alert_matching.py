"""Alert rules on a new publication: how far a month moved since the previous one."""

from collections.abc import Callable, Mapping
from typing import Final

import pandas as pd

from service.charts.publication_charts import fan_of, report_of
from service.http.responses import Record
from service.live.publication import Publication
from service.queries.needs import months_needed
from service.report import view
from service.wording.chances import chance_below, chance_words
from service.wording.names import name_of
from service.wording.numbers import tonnes
from store.planning.alert_rules import AlertFinding
from store.vocabulary import QUANTILE_COLUMNS

Months = Mapping[pd.Timestamp, float]

ROUNDING: Final = 6
"""Decimals of points, beyond floating-point noise."""

WHAT: Final = {
    "shortfall": "chance of a shortfall",
    "below_last_year": "chance of falling below the same month a year before",
    "median": "median",
}


def finding_of(
    rule: Record, need: Record | None, newest: Publication, before: Publication
) -> AlertFinding:
    """Return the finding of one rule: the future month that moved most between publications.

    Args:
        rule: A row of the table, as plain values.
        need: The need it watches, if any.
        newest: The newest publication.
        before: The previous one.
    """
    new_values, old_values = (
        _WATCHED[rule["measure"]](rule, need, part) for part in (newest, before)
    )
    start = newest.as_of.tz_localize(None).normalize().replace(day=1)
    common = sorted(
        m
        for m in set(new_values) & set(old_values)
        if m >= start and _known(new_values[m], old_values[m])
    )
    about = {"rule_id": rule["id"], "as_of": newest.as_of, "against": before.as_of}
    if not common:
        text = "The two publications have no month in common for this rule."
        return AlertFinding(
            **about, fired=False, period=None, before=None, after=None, message=text
        )
    # Of equal moves the earliest month counts.
    moves = {m: round(abs(_points(rule, old_values[m], new_values[m])), ROUNDING) for m in common}
    month = max(common, key=lambda m: (moves[m], -m.value))
    old, new = old_values[month], new_values[month]
    moved = _points(rule, old, new)
    return AlertFinding(
        **about,
        fired=moves[month] >= rule["points"],
        period=month.date(),
        before=old,
        after=new,
        message=_sentence(rule, need, month, (old, new, moved), (newest, before)),
    )


def _shortfall(rule: Record, need: Record | None, publication: Publication) -> Months:  # noqa: ARG001 - one signature for all
    if need is None:
        return {}
    rows = months_needed(publication, need).to_dict("records")
    return {
        row["period"]: chance_below([float(row[n]) for n in QUANTILE_COLUMNS], need["tonnes"])
        for row in rows
    }


def _below_last_year(rule: Record, need: Record | None, publication: Publication) -> Months:  # noqa: ARG001 - one signature for all
    fan = fan_of(publication, rule["destination"])
    rows = view.month_rows(report_of(publication), fan)
    return {
        pd.Timestamp(period): row.chance_below
        for period, row in zip(fan.forecast["period"], rows, strict=True)
    }


def _median(rule: Record, need: Record | None, publication: Publication) -> Months:  # noqa: ARG001 - one signature for all
    forecast = fan_of(publication, rule["destination"]).forecast
    return {
        pd.Timestamp(period): float(median)
        for period, median in zip(forecast["period"], forecast["p50"], strict=True)
    }


_WATCHED: Final[Mapping[str, Callable[[Record, Record | None, Publication], Months]]] = {
    "shortfall": _shortfall,
    "below_last_year": _below_last_year,
    "median": _median,
}


def _known(*values: float) -> bool:
    return all(value == value for value in values)  # noqa: PLR0124 - false for NaN alone


def _points(rule: Record, old: float, new: float) -> float:
    """Return a move in percentage points, of a median in percent of the earlier one."""
    if rule["measure"] != "median":
        return 100.0 * (new - old)
    return 100.0 * (new - old) / old if old > 0 else (100.0 if new > 0 else 0.0)


def _sentence(
    rule: Record,
    need: Record | None,
    month: pd.Timestamp,
    move: tuple[float, float, float],
    publications: tuple[Publication, Publication],
) -> str:
    """Describe the move in one line."""
    old, new, moved = move
    newest, before = publications
    goods = "" if newest.is_magnets else f"{newest.goods}, "
    where = f"{goods}{name_of(rule['destination'])}"
    about = f"{need['name']} ({where}, {tonnes(need['tonnes'])} t a month)" if need else where
    is_median = rule["measure"] == "median"
    words = [f"{tonnes(v)} t" if is_median else chance_words(v) for v in (old, new)]
    unit = "%" if is_median else "points"
    return (
        f"{about}: {WHAT[rule['measure']]} in {month:%B %Y} went from {words[0]} to {words[1]} "
        f"({moved:+.1f} {unit}; threshold {rule['points']:g}). Forecast as of "
        f"{newest.as_of:%Y-%m-%d}, previous one {before.as_of:%Y-%m-%d}."
    )
