"""Alerts and forecasts that await approval as an Atom feed (RFC 4287)."""

import uuid
from collections.abc import Mapping
from typing import Final
from xml.etree import ElementTree as ET

import pandas as pd

from service.http.responses import Answer, Record, answer_of, records
from service.language.addresses import PARAMETER
from service.language.choice import DEFAULT, chosen, language
from service.language.phrases import gettext, marked
from service.live.live import PlanningState
from service.messages import rendered
from service.planning.alerts import alert_id, alerts_in_words, plain_day
from service.wording import home_of, words_of
from store.messages import from_json
from store.vocabulary import COMMODITY

ATOM: Final = "application/atom+xml; charset=utf-8"
_SPACE: Final = "http://www.w3.org/2005/Atom"
ADDRESS: Final = "/alerts.atom"
FEED_ID: Final = "urn:magnetcast:alerts"

_MOST_ENTRIES: Final = 100


def atom(
    planning: PlanningState,
    *,
    began: pd.Timestamp,
    publications: pd.DataFrame,
    labels: Mapping[str, str],
) -> Answer:
    """Return the feed: forecasts that await approval, then alerts, newest first.

    Args:
        began: When the feed was last changed if there is nothing in it.
        publications: As ``store.publications.decisions.read_publications``; not modified.
    """
    held = _held(publications)
    uids = dict(zip(planning.rows.rules["id"], planning.rows.rules["uid"], strict=True))
    alerts = alerts_in_words(planning, labels)[:_MOST_ENTRIES]
    moments = [row["evaluated_at"] for row in alerts] + [row["frozen_at"] for row in held]
    changed = max(moments, default=f"{began:%Y-%m-%dT%H:%M:%SZ}")
    feed = ET.Element("feed", xmlns=_SPACE)
    _add(feed, "id", FEED_ID)
    _add(feed, "title", gettext("magnetcast alerts"))
    _add(feed, "updated", changed)
    ET.SubElement(_add(feed, "author", ""), "name").text = "magnetcast"
    _link(feed, "self", ADDRESS).set("type", "application/atom+xml")
    if language() != DEFAULT:
        feed.set("xml:lang", chosen().tag)
    for row in held:
        _held_entry(feed, row, words_of(row["commodity"], labels))
    for row in alerts:
        _entry(feed, row, uids[row["rule_id"]])
    return answer_of(ET.tostring(feed, encoding="utf-8", xml_declaration=True), ATOM)


def _entry(feed: ET.Element, alert: Record, uid: str) -> None:
    entry = ET.SubElement(feed, "entry")
    _add(entry, "id", alert_id(uid, pd.Timestamp(alert["as_of"])))
    _add(entry, "title", alert["rule"])
    _add(entry, "updated", alert["evaluated_at"])
    _add(entry, "content", alert["message"]).set("type", "text")
    ET.SubElement(entry, "category", term=alert["commodity"])
    _link(entry, "alternate", "/needs", "#alerts")


def _held(publications: pd.DataFrame) -> list[Record]:
    """Return the publications that await approval, newest first."""
    waiting = publications.loc[
        (publications["state"] == "held") & publications["frozen_at"].notna()
    ]
    return records(waiting.sort_values("id", ascending=False))


_HELD: Final = marked("The forecast as of %(day)s is held")
_HELD_GOODS: Final = marked("The forecast of %(goods)s as of %(day)s is held")


def _held_entry(feed: ET.Element, held: Record, goods: str) -> None:
    entry = ET.SubElement(feed, "entry")
    name = f"{held['commodity']} {held['as_of']} {held['sha256']}"
    _add(entry, "id", uuid.uuid5(uuid.NAMESPACE_OID, name).urn)
    form = _HELD if held["commodity"] == COMMODITY else _HELD_GOODS
    _add(entry, "title", gettext(form, goods=goods, day=plain_day(held["as_of"])))
    _add(entry, "updated", held["frozen_at"])
    text = gettext(
        "It awaits approval (publication %(number)s): %(reason)s",
        number=held["id"],
        reason=rendered(from_json(held["held_because"])),
    )
    _add(entry, "content", text).set("type", "text")
    ET.SubElement(entry, "category", term=held["commodity"])
    _link(entry, "alternate", home_of(held["commodity"]) or "/")


def _link(parent: ET.Element, rel: str, path: str, part: str = "") -> ET.Element:
    """Add a link to a page in the language that the feed's own address names."""
    named = chosen().named
    place = f"{path}?{PARAMETER}={named}" if named else path
    return ET.SubElement(parent, "link", rel=rel, href=f"{place}{part}")


def _add(parent: ET.Element, name: str, text: str) -> ET.Element:
    made = ET.SubElement(parent, name)
    made.text = text or None
    return made
