"""Alert rules on a new publication, and the alerts as an Atom feed (RFC 4287)."""

import uuid
from collections.abc import Callable, Mapping
from typing import Final
from xml.etree import ElementTree as ET

import pandas as pd

from service.charts.publication_charts import fan_of
from service.http.responses import Answer, Record, answer_of, records
from service.live.live import PlanningState
from service.live.publication import Publication
from service.planning import entries
from service.queries.needs import months_needed
from service.report import view
from service.wording import chance_below, chance_words, home_of, name_of, tonnes, words_of
from store.planning.alert_rules import AlertFinding
from store.vocabulary import COMMODITY, QUANTILE_COLUMNS

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
    rows = view.month_rows(fan)
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
    unit = "%" if is_median else " points"
    return (
        f"{about}: {WHAT[rule['measure']]} in {month:%B %Y} went from {words[0]} to {words[1]} "
        f"({moved:+.1f}{unit}; threshold {rule['points']:g}). Forecast as of "
        f"{newest.as_of:%Y-%m-%d}, previous one {before.as_of:%Y-%m-%d}."
    )


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
        publications: As ``store.publications.decisions.read_publications``; not modified.
        labels: Labels of commodities.
    """
    held = _held(publications)
    uids = dict(zip(planning.rows.rules["id"], planning.rows.rules["uid"], strict=True))
    alerts = entries.alerts(planning)[:MOST_ENTRIES]
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
