"""Alerts: findings of the rules about new publications, stored once and sent to webhooks."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlsplit

import httpx
import pandas as pd
from service.live.live_publication import PlanningState
from sqlalchemy import Engine
from standardwebhooks import Webhook

from features.build import DRIVER_MEANINGS
from flows.context.console import echo
from flows.context.stores import store_of
from publication.planning.alerts import alert_id, finding_of
from publication.state import Publication, make_publication, read_new_panels
from publication.tables import Record, records
from store.errors import DataError
from store.planning.planning_rows import AlertFinding, note_delivery, read_planning, save_findings
from store.publications.publication_rows import Published, read_other, read_published
from store.settings import Settings

TIMEOUT_S: Final = 10.0
MOST_TRIES: Final = 20
"""Delivery attempts of one message, one per run; after that it is only in the feed."""

RULE_FIELDS: Final = ("id", "name", "measure", "points", "commodity", "destination")
"""Fields of the rule in a message."""


@dataclass(frozen=True, slots=True)
class Dispatched:
    """Counts of one call."""

    looked: int
    """Rules that checked a publication new to them."""
    fired: int
    delivered: int
    """Messages accepted by all receivers."""
    failed: int

    def __str__(self) -> str:
        return (
            f"{self.fired} of {self.looked} rules fired; {self.delivered} delivered, "
            f"{self.failed} to be retried"
        )


def alert(settings: Settings, moment: pd.Timestamp) -> Dispatched:
    """Check every rule against the newest publication once, and send undelivered alerts.

    A second call checks no rule again; it retries messages that a receiver did not accept.
    """
    engine = store_of(settings)
    findings = _look(engine, PlanningState(read_planning(engine)), moment)
    hooks = settings.alert_hooks.get_secret_value().split()
    planning = PlanningState(read_planning(engine))
    due = list(_due(planning)) if hooks else []
    with httpx.Client(timeout=TIMEOUT_S, transport=httpx.HTTPTransport(retries=2)) as client:
        outcomes = [_send(engine, settings, client, message, moment) for message in due]
    return Dispatched(
        looked=len(findings),
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
    if sent.looked or sent.delivered or sent.failed:
        echo(f"alerts    {sent}")


def _look(engine: Engine, planning: PlanningState, moment: pd.Timestamp) -> list[AlertFinding]:
    """Findings of rules that have not yet checked the newest publication of their commodity.

    A commodity whose publications cannot be compared does not stop the others.
    """
    if planning.rules.empty:  # without rules nothing is read
        return []
    findings: list[AlertFinding] = []
    magnets = read_published(engine)
    for commodity in planning.rules["commodity"].unique():
        try:
            published = magnets
            if commodity != magnets.commodity:
                published = read_other(engine, magnets, commodity=commodity)
            findings += save_findings(
                engine, _found(engine, published, planning, moment), at=moment
            )
        except DataError as err:
            echo(f"alerts    rules on {commodity} were not checked. {err}")
    return findings


def _found(
    engine: Engine, published: Published, planning: PlanningState, moment: pd.Timestamp
) -> list[AlertFinding]:
    moments = sorted(pd.Timestamp(moment) for moment in published.forecasts["as_of"].unique())
    if len(moments) < 2:  # noqa: PLR2004 - one publication has nothing to be compared with
        return []
    before, newest = moments[-2:]
    rows = planning.rows.alerts
    checked_rules = set(rows.loc[rows["as_of"] == newest, "rule_id"])
    is_of_commodity = planning.rules["commodity"].eq(published.commodity)
    rules = planning.rules.loc[is_of_commodity & ~planning.rules["id"].isin(list(checked_rules))]
    rules = rules.loc[rules["since"].isna() | (rules["since"] < newest)]
    if rules.empty:
        return []
    parts = [_publication_at(engine, published, as_of, moment) for as_of in (newest, before)]
    needs = {row["id"]: row for row in records(planning.needs)}
    return [finding_of(rule, needs.get(rule["need_id"]), *parts) for rule in records(rules)]


def _publication_at(
    engine: Engine, published: Published, as_of: pd.Timestamp, read_at: pd.Timestamp
) -> Publication:
    """The publication with the forecasts of one ``as_of`` only."""
    rows = published.forecasts
    forecast = replace(published, forecasts=rows.loc[rows["as_of"] == as_of])
    panels = read_new_panels(engine, forecast, {})
    return make_publication(forecast, panels, meanings=DRIVER_MEANINGS, now=read_at)


def _due(planning: PlanningState) -> Iterable[tuple[Record, Record]]:
    """Rule and alert of every undelivered message, oldest first."""
    rules = {row["id"]: row for row in records(planning.rules)}
    rows = planning.rows.alerts
    open_ = rows["fired"] & rows["delivered_at"].isna() & (rows["attempts"] < MOST_TRIES)
    for row in records(rows.loc[open_].sort_values(["as_of", "rule_id"])):
        if row["rule_id"] in rules:
            yield rules[row["rule_id"]], row


def _send(
    engine: Engine,
    settings: Settings,
    client: httpx.Client,
    due: tuple[Record, Record],
    moment: pd.Timestamp,
) -> bool:
    rule, row = due
    as_of = pd.Timestamp(row["as_of"])
    message, key = alert_id(rule["uid"], as_of), settings.alert_key.get_secret_value()
    content = {
        "type": "alert",
        "id": message,
        "rule": {name: rule[name] for name in RULE_FIELDS},
        "need_id": rule["need_id"],
        **{name: row[name] for name in ("as_of", "against", "period", "before", "after")},
        "message": row["message"],
    }
    body = json.dumps(content, ensure_ascii=False, allow_nan=False)
    headers = {
        "Content-Type": "application/json",
        "webhook-id": message,
        "webhook-timestamp": str(int(moment.timestamp())),
    }
    if key:
        headers["webhook-signature"] = Webhook(key).sign(message, moment.to_pydatetime(), body)
    hooks = settings.alert_hooks.get_secret_value().split()
    trouble = "; ".join(filter(None, (_post(client, hook, body, headers) for hook in hooks)))
    place = (int(rule["id"]), as_of.to_pydatetime())
    note_delivery(engine, place, tries=1, at=moment, trouble=trouble)
    if trouble:
        echo(f"alerts    rule {rule['id']}: {trouble}")
    return not trouble


def _post(client: httpx.Client, hook: str, body: str, headers: Mapping[str, str]) -> str:
    try:
        answer = client.post(hook, content=body, headers=headers)
    except (httpx.HTTPError, httpx.InvalidURL) as err:
        return f"{type(err).__name__} at {urlsplit(hook).hostname}"
    if answer.is_success:
        return ""
    return f"HTTP {answer.status_code} from {answer.url.host}"
