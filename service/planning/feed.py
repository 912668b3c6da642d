"""The alerts as an Atom feed (RFC 4287); ids stay what they are."""

import uuid
from collections.abc import Mapping
from typing import Final
from xml.etree import ElementTree as ET

import pandas as pd

from service.http.responses import Answer, Record, answer_of, records
from service.planning.planning_state import PlanningState
from service.queries import planning as queries
from service.wording.goods import home_of, words_of
from store.vocabulary import COMMODITY

ATOM: Final = "application/atom+xml; charset=utf-8"
SPACE: Final = "http://www.w3.org/2005/Atom"
ADDRESS: Final = "/alerts.atom"
FEED_ID: Final = "urn:magnetcast:alerts"

MOST_ENTRIES: Final = 100


def alert_id(uid: str, as_of: pd.Timestamp) -> str:
    """Return the permanent id of an alert, in the feed as in messages.

    Args:
        uid: Unique id of its rule.
        as_of: Moment of the publication that the alert is about.
    """
    return uuid.uuid5(uuid.UUID(hex=uid), f"{as_of:%Y-%m-%dT%H:%M:%SZ}").urn


def atom(
    planning: PlanningState,
    *,
    began: pd.Timestamp,
    publications: pd.DataFrame,
    labels: Mapping[str, str],
) -> Answer:
    """Return the feed: forecasts that await approval, then alerts, newest first.

    Args:
        planning: The planning.
        began: When the feed was last changed if there is nothing in it.
        publications: As ``store.publications.integrity.read_publications``; not modified.
        labels: Labels of commodities.
    """
    held = _held(publications)
    uids = dict(zip(planning.rows.rules["id"], planning.rows.rules["uid"], strict=True))
    alerts = queries.alerts(planning)[:MOST_ENTRIES]
    moments = [row["evaluated_at"] for row in alerts] + [row["frozen_at"] for row in held]
    changed = max(moments, default=f"{began:%Y-%m-%dT%H:%M:%SZ}")
    feed = ET.Element("feed", xmlns=SPACE)
    _add(feed, "id", FEED_ID)
    _add(feed, "title", "magnetcast alerts")
    _add(feed, "updated", changed)
    ET.SubElement(_add(feed, "author", ""), "name").text = "magnetcast"
    ET.SubElement(feed, "link", rel="self", href=ADDRESS, type="application/atom+xml")
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
    ET.SubElement(entry, "link", rel="alternate", href="/needs#alerts")


def _held(publications: pd.DataFrame) -> list[Record]:
    """Return the publications that await approval, newest first."""
    waiting = publications.loc[
        (publications["state"] == "held") & publications["frozen_at"].notna()
    ]
    return records(waiting.sort_values("id", ascending=False))


def _held_entry(feed: ET.Element, held: Record, goods: str) -> None:
    entry = ET.SubElement(feed, "entry")
    name = f"{held['commodity']} {held['as_of']} {held['sha256']}"
    _add(entry, "id", uuid.uuid5(uuid.NAMESPACE_OID, name).urn)
    of = "" if held["commodity"] == COMMODITY else f" of {goods}"
    _add(entry, "title", f"The forecast{of} as of {held['as_of'][:10]} is held")
    _add(entry, "updated", held["frozen_at"])
    text = f"It awaits approval (publication {held['id']}): {held['held_because']}"
    _add(entry, "content", text).set("type", "text")
    ET.SubElement(entry, "category", term=held["commodity"])
    ET.SubElement(entry, "link", rel="alternate", href=home_of(held["commodity"]) or "/")


def _add(parent: ET.Element, name: str, text: str) -> ET.Element:
    made = ET.SubElement(parent, name)
    made.text = text or None
    return made
