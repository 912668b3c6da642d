"""Alerts: findings of the rules about new publications, stored once and sent."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import pandas as pd
from sqlalchemy import Engine

from features.build import DRIVER_MEANINGS
from flows.context.console import echo
from flows.context.notices import Receivers
from flows.context.stores import store_of
from publication.planning.alerts import finding_of
from publication.planning.planning_file import PlanningFile, read_planning_file
from publication.state import Publication, make_publication, newest_publications
from publication.tables import Record, records
from store.planning import AlertFinding, note_delivery, read_alerts, save_findings
from store.publications.panels import read_panels
from store.settings import Settings

MOST_TRIES: Final = 20
"""Attempts to deliver a message that nobody took, one a run."""


@dataclass(frozen=True, slots=True)
class Dispatched:
    """Counts of one call."""

    checked: int
    """Rules that checked a publication new to them."""
    fired: int
    delivered: int
    """Messages that a receiver took, or may have taken."""
    failed: int

    def __str__(self) -> str:
        return (
            f"{self.fired} of {self.checked} rules fired; {self.delivered} delivered, "
            f"{self.failed} to be retried"
        )


def alert(settings: Settings, moment: pd.Timestamp) -> Dispatched:
    """Check every rule against the newest publication once, and send undelivered alerts.

    A second call checks no rule again; it retries messages that no receiver took.
    """
    engine, planning = store_of(settings), read_planning_file(settings.home)
    if planning is None:
        return Dispatched(0, 0, 0, 0)
    findings = save_findings(engine, _findings(engine, planning, moment), at=moment)
    receivers = Receivers(settings.alert_urls, "ALERT_URLS")
    due = _due(engine, planning) if receivers else ()
    outcomes = [_send(engine, receivers, row, moment) for row in due]
    return Dispatched(
        checked=len(findings),
        fired=sum(finding.fired for finding in findings),
        delivered=sum(outcomes),
        failed=len(outcomes) - sum(outcomes),
    )


def alert_if_possible(settings: Settings, moment: pd.Timestamp) -> None:
    """``alert`` with messages on stderr; its errors never fail a publication."""
    try:
        sent = alert(settings, moment)
    except Exception as err:  # noqa: BLE001 - the publication is stored already
        echo(f"alerts    not sent ({type(err).__name__}: {err}). Run `magnetcast alerts`")
        return
    if sent.checked or sent.delivered or sent.failed:
        echo(f"alerts    {sent}")


def _findings(
    engine: Engine, planning: PlanningFile, moment: pd.Timestamp
) -> Iterator[AlertFinding]:
    """Yield the finding of each rule about the newest publication of its commodity."""
    if not planning.alert_rules:  # without rules nothing is read
        return
    states = newest_publications(engine, meanings=DRIVER_MEANINGS, now=moment)
    by_commodity = {state.commodity: state for state in states}
    for rule in planning.alert_rules:
        need = planning.need_of(rule)
        newest = by_commodity.get(need.commodity if need else rule.commodity)
        place = (need or rule).destination
        if newest is None or place not in newest.destinations:
            echo(f"alerts    {rule.name} was not checked: no forecast of {place} is published")
        elif (before := _before(engine, newest)) is not None:
            yield finding_of(rule, need, newest, before)


def _before(engine: Engine, newest: Publication) -> Publication | None:
    """State of the publication before, by moment; None for the first."""
    if len(newest.moments) < 2:  # noqa: PLR2004 - the newest and one before
        return None
    as_of, rows = newest.moments[1], newest.published.forecasts
    published = replace(newest.published, forecasts=rows.loc[rows["as_of"] <= as_of])
    panels = read_panels(engine, set(published.publications["panel"]))

    return make_publication(published, panels, meanings=newest.meanings, now=as_of)


def _due(engine: Engine, planning: PlanningFile) -> Iterator[Record]:
    """Yield every undelivered alert of a rule that is there still, oldest first."""
    rows, names = read_alerts(engine), [rule.name for rule in planning.alert_rules]
    is_due = rows["delivered_at"].isna() & rows["attempts"].lt(MOST_TRIES)
    yield from records(rows.loc[is_due & rows["rule"].isin(names)])[::-1]


def _send(engine: Engine, receivers: Receivers, row: Record, moment: pd.Timestamp) -> bool:
    """Send an alert; if that is cut off no later run repeats it."""
    place = (str(row["rule"]), pd.Timestamp(row["as_of"]).to_pydatetime())
    at = moment.to_pydatetime()
    note_delivery(engine, place, at, "it was cut off", tries=1)
    is_sent, trouble = receivers.deliver(f"magnetcast: {row['rule']}", str(row["message"]))
    note_delivery(engine, place, at if is_sent else None, trouble)
    if trouble:
        echo(f"alerts    {row['rule']}: {trouble}")
    return is_sent
