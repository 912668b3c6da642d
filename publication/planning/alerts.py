"""Alert rules on a new publication, and the alerts in words."""

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import pandas as pd

from publication.charts.fan import fan_of
from publication.language.formats import dated, separated
from publication.language.phrases import DEFAULT, gettext, language, marked
from publication.planning.needs import bounded, need_outlook
from publication.planning.planning_file import AlertRule, Need
from publication.queries.destination_months import month_rows
from publication.state import Publication
from publication.tables import Record, records
from publication.words import address_key, chance_words, name_of, tonnes
from store.planning import AlertFinding

Months = Mapping[pd.Timestamp, float]

ROUNDING: Final = 6
"""Decimals of points, beyond floating-point noise."""

_MESSAGES: Final = {
    "shortfall": marked(
        "%(about)s: chance that shortfalls exceed its stock by the end of %(month)s went from "
        "%(old)s to %(new)s (%(moved)s points; threshold %(threshold)s). Forecast as of %(day)s, "
        "previous one %(earlier)s."
    ),
    "below_last_year": marked(
        "%(about)s: chance of falling below the same month a year before in %(month)s went from "
        "%(old)s to %(new)s (%(moved)s points; threshold %(threshold)s). Forecast as of %(day)s, "
        "previous one %(earlier)s."
    ),
    "median": marked(
        "%(about)s: median in %(month)s went from %(old)s t to %(new)s t (%(moved)s%%; threshold "
        "%(threshold)s). Forecast as of %(day)s, previous one %(earlier)s."
    ),
}


def finding_of(
    rule: AlertRule, need: Need | None, newest: Publication, previous: Publication
) -> AlertFinding:
    """Finding of one rule: the future month that changed most between two publications."""
    new, old = (_watched(rule, need, part, newest.as_of) for part in (newest, previous))
    start = newest.as_of.tz_localize(None).normalize().replace(day=1)
    changes = {
        month: round(abs(_points(rule.measure, old[month], new[month])), ROUNDING)
        for month in sorted(set(new) & set(old))
        if month >= start and not math.isnan(new[month] + old[month])
    }
    about: Record = {
        "rule": rule.name,
        "commodity": newest.commodity,
        "destination": (need or rule).destination,
        "measure": rule.measure,
        "as_of": newest.as_of.to_pydatetime(),
        "against": previous.as_of.to_pydatetime(),
    }
    if not changes:
        text = "The two publications have no month in common for this rule."
        none: Record = {"period": None, "before": None, "after": None}
        return AlertFinding(**about, **none, fired=False, message=text)
    month = max(changes, key=changes.__getitem__)  # of equal changes the earliest
    about |= {"period": month.date(), "before": old[month], "after": new[month]}
    text = _message(about, about=_about(newest, rule, need), threshold=rule.points)
    return AlertFinding(**about, fired=changes[month] >= rule.points, message=text)


def _watched(
    rule: AlertRule, need: Need | None, publication: Publication, since: pd.Timestamp
) -> Months:
    """Watched value of a rule by month: a chance, or the median in tonnes."""
    if need is not None:
        outlook = need_outlook(publication, need, since)
        rows = [] if outlook is None else outlook.rows
        return {pd.Timestamp(month): bounded(chance) for month, _, chance in rows}
    fan = fan_of(publication, str(rule.destination))
    values = fan.forecast["p50"].tolist()
    if rule.measure == "below_last_year":
        values = [row.chance_below for row in month_rows(fan)]
    return dict(zip(pd.to_datetime(fan.forecast["period"]), values, strict=True))


def _points(measure: str, old: float, new: float) -> float:
    """Change in percentage points; of a median in percent of the earlier one."""
    if measure != "median":
        return 100.0 * (new - old)
    return 100.0 * (new - old) / old if old > 0 else (100.0 if new > 0 else 0.0)


def _message(finding: Mapping[str, Any], *, about: str, threshold: float) -> str:
    """Finding in one line, in the language in use."""
    measure, old, new = (finding[name] for name in ("measure", "before", "after"))
    words = tonnes if measure == "median" else chance_words
    return gettext(
        _MESSAGES[measure],
        about=about,
        month=dated(pd.Timestamp(finding["period"]), "long month"),
        old=words(old),
        new=words(new),
        moved=separated(f"{_points(measure, old, new):+.1f}"),
        threshold=separated(f"{threshold:g}"),
        day=plain_day(finding["as_of"]),
        earlier=plain_day(finding["against"]),
    )


def _about(publication: Publication, rule: AlertRule, need: Need | None) -> str:
    goods = publication.commodity
    commodity = f"{publication.commodity_words}, " if address_key(goods) else ""
    where = f"{commodity}{name_of((need or rule).destination or '')}"
    if need is None:
        return where
    return gettext(
        "%(need)s (%(where)s, %(amount)s t a month)",
        need=need.name,
        where=where,
        amount=tonnes(need.tonnes),
    )


def plain_day(moment: datetime | str) -> str:
    """Day in the language in use; ISO in English, for programs."""
    day = pd.Timestamp(moment)
    return f"{day:%Y-%m-%d}" if language() == DEFAULT else dated(day, "day")


def alert_rows(alerts: pd.DataFrame) -> list[Record]:
    """Alerts as the firm's page lists them, newest first; the messages as they were sent."""
    return records(alerts)
