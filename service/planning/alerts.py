"""Alert rules on a new publication, and the alerts in words."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from datetime import datetime
from typing import Final
from xml.etree import ElementTree as ET

import pandas as pd

from service.charts.fan import fan_of
from service.http.responses import ATOM, Answer, Record, answer_of, records
from service.language.addresses import PARAMETER
from service.language.choice import DEFAULT, chosen, language
from service.language.formats import dated, separated
from service.language.phrases import gettext, marked
from service.live.live import PlanningState
from service.live.publication import Publication
from service.planning import entries
from service.queries.months import month_rows
from service.queries.needs import met_at, months_needed
from service.queries.tables import published_at
from service.wording import chance_below, chance_words, home_of, name_of, tonnes, words_of
from store.planning.entries import AlertFinding
from store.vocabulary import COMMODITY, QUANTILE_COLUMNS

Months = Mapping[pd.Timestamp, float]

ROUNDING: Final = 6
"""Decimals of points, beyond floating-point noise."""

_MESSAGES: Final = {
    "shortfall": marked(
        "%(about)s: chance of a shortfall in %(month)s went from %(old)s to %(new)s "
        "(%(moved)s points; threshold %(threshold)s). Forecast as of %(day)s, previous one "
        "%(earlier)s."
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
    rule: Record, need: Record | None, newest: Publication, before: Publication
) -> AlertFinding:
    """Return the finding of one rule: the future month that moved most between publications."""
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
    found = AlertFinding(
        **about,
        fired=moves[month] >= rule["points"],
        period=month.date(),
        before=old_values[month],
        after=new_values[month],
        message="",
    )
    message = _message(rule, need, asdict(found), newest.published.labels)
    return replace(found, message=message)


def _shortfall(rule: Record, need: Record | None, publication: Publication) -> Months:  # noqa: ARG001 - one signature for all
    if need is None:
        return {}
    rows, full = months_needed(publication, need).to_dict("records"), met_at(publication, need)
    return {
        row["period"]: chance_below([float(row[n]) for n in QUANTILE_COLUMNS], full) for row in rows
    }


def _below_last_year(rule: Record, need: Record | None, publication: Publication) -> Months:  # noqa: ARG001 - one signature for all
    fan = fan_of(publication, rule["destination"])
    rows = month_rows(fan)
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


def _message(rule: Record, need: Record | None, found: Record, labels: Mapping[str, str]) -> str:
    """Describe what was found in one line, in the language in use."""
    form = _MESSAGES[rule["measure"]]
    words = tonnes if rule["measure"] == "median" else chance_words
    moved = _points(rule, found["before"], found["after"])
    return gettext(
        form,
        about=_about(rule, need, labels),
        month=dated(pd.Timestamp(found["period"]), "long month"),
        old=words(found["before"]),
        new=words(found["after"]),
        moved=separated(f"{moved:+.1f}"),
        threshold=separated(f"{rule['points']:g}"),
        day=plain_day(found["as_of"]),
        earlier=plain_day(found["against"]),
    )


def _about(rule: Record, need: Record | None, labels: Mapping[str, str]) -> str:
    goods = "" if rule["commodity"] == COMMODITY else f"{words_of(rule['commodity'], labels)}, "
    where = f"{goods}{name_of(rule['destination'])}"
    if need is None:
        return where
    return gettext(
        "%(need)s (%(where)s, %(amount)s t a month)",
        need=need["name"],
        where=where,
        amount=tonnes(need["tonnes"]),
    )


def plain_day(moment: datetime | str) -> str:
    """Return a day; programs read the English one."""
    day = pd.Timestamp(moment)
    return f"{day:%Y-%m-%d}" if language() == DEFAULT else dated(day, "day")


def alerts_in_words(planning: PlanningState, labels: Mapping[str, str]) -> list[Record]:
    """Return the alerts as ``entries.alerts``, in the language in use."""
    found = entries.alerts(planning)
    if language() == DEFAULT:
        return found
    rules, needs = (
        {row["id"]: row for row in records(rows)}
        for rows in (planning.rows.rules, planning.rows.needs)
    )
    return [
        {
            **alert,
            "message": _message(rule, needs.get(rule["need_id"]), alert, labels),
        }
        for alert in found
        for rule in [rules[alert["rule_id"]]]
    ]


def alert_id(uid: str, as_of: pd.Timestamp) -> str:
    """Return the permanent id of an alert, in the feed as in messages."""
    return uuid.uuid5(uuid.UUID(hex=uid), f"{as_of:%Y-%m-%dT%H:%M:%SZ}").urn


_SPACE: Final = "http://www.w3.org/2005/Atom"
ADDRESS: Final = "/alerts.atom"
FEED_ID: Final = "urn:magnetcast:alerts"

_MOST_ENTRIES: Final = 100


def atom(planning: PlanningState, *, began: pd.Timestamp, labels: Mapping[str, str]) -> Answer:
    """Return the feed of the alerts, newest first.

    Args:
        began: When the feed was last changed if there is nothing in it.
    """
    uids = dict(zip(planning.rows.rules["id"], planning.rows.rules["uid"], strict=True))
    alerts = alerts_in_words(planning, labels)[:_MOST_ENTRIES]
    changed = max((row["evaluated_at"] for row in alerts), default=f"{began:%Y-%m-%dT%H:%M:%SZ}")
    feed = _feed(FEED_ID, gettext("magnetcast alerts"), changed, ADDRESS)
    for row in alerts:
        _entry(feed, row, uids[row["rule_id"]])
    return answer_of(ET.tostring(feed, encoding="utf-8", xml_declaration=True), ATOM)


def digest_feed(digest: Answer, publication: Publication, destination: str) -> Answer:
    """Return a feed whose one entry is the digest of the newest publication."""
    title, _, text = digest.body.decode().partition("\n\n")
    number = int(publication.latest["publication"].max())
    at = published_at(publication, publication.latest) or publication.as_of
    moment = f"{at:%Y-%m-%dT%H:%M:%SZ}"
    page = f"{home_of(publication.commodity)}/destinations/{destination}"
    name = f"urn:magnetcast:digest:{publication.commodity}:{destination}"
    feed = _feed(name, f"magnetcast: {name_of(destination)}", moment, f"{page}/digest.atom")
    entry = ET.SubElement(feed, "entry")
    _add(entry, "id", f"{name}:{number}")
    _add(entry, "title", title)
    _add(entry, "updated", moment)
    _add(entry, "content", text).set("type", "text")
    _link(entry, "alternate", page)
    return answer_of(ET.tostring(feed, encoding="utf-8", xml_declaration=True), ATOM)


def _feed(name: str, title: str, changed: str, address: str) -> ET.Element:
    feed = ET.Element("feed", xmlns=_SPACE)
    _add(feed, "id", name)
    _add(feed, "title", title)
    _add(feed, "updated", changed)
    ET.SubElement(_add(feed, "author", ""), "name").text = "magnetcast"
    _link(feed, "self", address).set("type", "application/atom+xml")
    if language() != DEFAULT:
        feed.set("xml:lang", chosen().tag)
    return feed


def _entry(feed: ET.Element, alert: Record, uid: str) -> None:
    entry = ET.SubElement(feed, "entry")
    _add(entry, "id", alert_id(uid, pd.Timestamp(alert["as_of"])))
    _add(entry, "title", alert["rule"])
    _add(entry, "updated", alert["evaluated_at"])
    _add(entry, "content", alert["message"]).set("type", "text")
    ET.SubElement(entry, "category", term=alert["commodity"])
    _link(entry, "alternate", "/needs", "#alerts")


def _link(parent: ET.Element, rel: str, path: str, part: str = "") -> ET.Element:
    """Add a link to a page in the language that the feed's own address names."""
    named = chosen().named
    place = f"{path}?{PARAMETER}={named}" if named else path
    return ET.SubElement(parent, "link", rel=rel, href=f"{place}{part}")


def _add(parent: ET.Element, name: str, text: str) -> ET.Element:
    made = ET.SubElement(parent, name)
    made.text = text or None
    return made
