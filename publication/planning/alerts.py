"""Alert rules on a new publication, and the alerts in words."""

import math
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Final
from xml.etree import ElementTree as ET

import pandas as pd
from service.live.live_publication import PlanningState

from publication.charts.fan import fan_of
from publication.language.addresses import PARAMETER
from publication.language.choice import DEFAULT, chosen, language
from publication.language.formats import dated, separated
from publication.language.phrases import gettext, marked
from publication.planning import entries
from publication.queries.destination_months import month_rows
from publication.queries.freshness import published_at
from publication.queries.needs import bounded, need_outlook
from publication.state import Publication
from publication.tables import ATOM, Answer, Record, answer_of, records
from publication.words import address_key, chance_words, home_of, name_of, tonnes, words_of
from store.planning.planning_rows import AlertFinding

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
    rule: Record, need: Record | None, newest: Publication, previous: Publication
) -> AlertFinding:
    """Finding of one rule: the future month that changed most between two publications."""
    new, old = (_watched(rule, need, part, newest.as_of) for part in (newest, previous))
    start = newest.as_of.tz_localize(None).normalize().replace(day=1)
    changes = {
        month: round(abs(_points(rule, old[month], new[month])), ROUNDING)
        for month in sorted(set(new) & set(old))
        if month >= start and not math.isnan(new[month] + old[month])
    }
    about = {"rule_id": rule["id"], "as_of": newest.as_of, "against": previous.as_of}
    if not changes:
        text = "The two publications have no month in common for this rule."
        return AlertFinding(
            **about, fired=False, period=None, before=None, after=None, message=text
        )
    month = max(changes, key=changes.__getitem__)  # of equal changes the earliest
    about |= {"period": month.date(), "before": old[month], "after": new[month]}
    text = _message(rule, need, about, newest.published.labels)
    return AlertFinding(**about, fired=changes[month] >= rule["points"], message=text)


def _watched(
    rule: Record, need: Record | None, publication: Publication, since: pd.Timestamp
) -> Months:
    """Watched value of a rule by month: a chance, or the median in tonnes."""
    if need is not None:
        outlook = need_outlook(publication, need, since)
        rows = [] if outlook is None else outlook.rows
        return {pd.Timestamp(month): bounded(chance) for month, _, chance in rows}
    fan = fan_of(publication, rule["destination"])
    values = fan.forecast["p50"].tolist()
    if rule["measure"] == "below_last_year":
        values = [row.chance_below for row in month_rows(fan)]
    return dict(zip(pd.to_datetime(fan.forecast["period"]), values, strict=True))


def _points(rule: Record, old: float, new: float) -> float:
    """Change in percentage points; of a median in percent of the earlier one."""
    if rule["measure"] != "median":
        return 100.0 * (new - old)
    return 100.0 * (new - old) / old if old > 0 else (100.0 if new > 0 else 0.0)


def _message(rule: Record, need: Record | None, finding: Record, labels: Mapping[str, str]) -> str:
    """Finding in one line, in the language in use."""
    form = _MESSAGES[rule["measure"]]
    words = tonnes if rule["measure"] == "median" else chance_words
    moved = _points(rule, finding["before"], finding["after"])
    return gettext(
        form,
        about=_about(rule, need, labels),
        month=dated(pd.Timestamp(finding["period"]), "long month"),
        old=words(finding["before"]),
        new=words(finding["after"]),
        moved=separated(f"{moved:+.1f}"),
        threshold=separated(f"{rule['points']:g}"),
        day=plain_day(finding["as_of"]),
        earlier=plain_day(finding["against"]),
    )


def _about(rule: Record, need: Record | None, labels: Mapping[str, str]) -> str:
    key = address_key(rule["commodity"])
    commodity = f"{words_of(key, labels)}, " if key else ""
    where = f"{commodity}{name_of(rule['destination'])}"
    if need is None:
        return where
    return gettext(
        "%(need)s (%(where)s, %(amount)s t a month)",
        need=need["name"],
        where=where,
        amount=tonnes(need["tonnes"]),
    )


def plain_day(moment: datetime | str) -> str:
    """Day in the language in use; ISO in English, for programs."""
    day = pd.Timestamp(moment)
    return f"{day:%Y-%m-%d}" if language() == DEFAULT else dated(day, "day")


def alerts_in_words(planning: PlanningState, labels: Mapping[str, str]) -> list[Record]:
    """Alerts as ``entries.alerts``, in the language in use."""
    rules, needs = (
        {row["id"]: row for row in records(rows)}
        for rows in (planning.rows.rules, planning.rows.needs)
    )
    return [
        {**alert, "message": _message(rule, needs.get(rule["need_id"]), alert, labels)}
        for alert in entries.alerts(planning)
        for rule in [rules[alert["rule_id"]]]
    ]


def alert_id(uid: str, as_of: pd.Timestamp) -> str:
    """Permanent id of an alert, in the feed as in messages."""
    return uuid.uuid5(uuid.UUID(hex=uid), f"{as_of:%Y-%m-%dT%H:%M:%SZ}").urn


_SPACE: Final = "http://www.w3.org/2005/Atom"
ADDRESS: Final = "/alerts.atom"
FEED_ID: Final = "urn:magnetcast:alerts"

_MOST_ENTRIES: Final = 100


def atom(planning: PlanningState, *, began: pd.Timestamp, labels: Mapping[str, str]) -> Answer:
    """Feed of the alerts, newest first; an empty one was last changed when it ``began``."""
    uids = dict(zip(planning.rows.rules["id"], planning.rows.rules["uid"], strict=True))
    alerts = alerts_in_words(planning, labels)[:_MOST_ENTRIES]
    changed = max((row["evaluated_at"] for row in alerts), default=f"{began:%Y-%m-%dT%H:%M:%SZ}")
    feed = _feed(FEED_ID, gettext("magnetcast alerts"), changed, ADDRESS)
    for row in alerts:
        name = alert_id(uids[row["rule_id"]], pd.Timestamp(row["as_of"]))
        texts = {"title": row["rule"], "updated": row["evaluated_at"], "content": row["message"]}
        entry = _entry(feed, "/needs#alerts", id=name, **texts)
        ET.SubElement(entry, "category", term=row["commodity"])
    return answer_of(ET.tostring(feed, encoding="utf-8", xml_declaration=True), ATOM)


def digest_feed(digest: Answer, publication: Publication, destination: str) -> Answer:
    """Feed whose one entry is the digest of the newest publication."""
    title, _, text = digest.body.decode().partition("\n\n")
    number = int(publication.latest["publication"].max())
    at = published_at(publication, publication.latest) or publication.as_of
    moment = f"{at:%Y-%m-%dT%H:%M:%SZ}"
    page = f"{home_of(publication.commodity)}/destinations/{destination}"
    name = f"urn:magnetcast:digest:{publication.commodity}:{destination}"
    feed = _feed(name, f"magnetcast: {name_of(destination)}", moment, f"{page}/digest.atom")
    texts = {"title": title, "updated": moment, "content": text}
    _entry(feed, page, id=f"{name}:{number}", **texts)
    return answer_of(ET.tostring(feed, encoding="utf-8", xml_declaration=True), ATOM)


def _feed(name: str, title: str, changed: str, address: str) -> ET.Element:
    feed = ET.Element("feed", xmlns=_SPACE)
    if language() != DEFAULT:
        feed.set("xml:lang", chosen().tag)
    for tag, text in {"id": name, "title": title, "updated": changed}.items():
        ET.SubElement(feed, tag).text = text
    ET.SubElement(ET.SubElement(feed, "author"), "name").text = "magnetcast"
    ET.SubElement(feed, "link", rel="self", href=_in_language(address))
    return feed


def _entry(feed: ET.Element, page: str, **texts: str) -> ET.Element:
    """Add an entry to a feed: its texts by tag, and a link to its page."""
    entry = ET.SubElement(feed, "entry")
    for tag, text in texts.items():
        ET.SubElement(entry, tag).text = text
    ET.SubElement(entry, "link", rel="alternate", href=_in_language(page))
    return entry


def _in_language(address: str) -> str:
    """Address in the language that the feed's own address names."""
    path, mark, part = address.partition("#")
    named = chosen().named
    return f"{path}?{PARAMETER}={named}{mark}{part}" if named else address
