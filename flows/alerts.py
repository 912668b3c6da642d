"""Alerts: what the rules find of a new publication, kept once and sent to who asked for it."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlsplit

import httpx
import pandas as pd
from sqlalchemy import Engine
from standardwebhooks import Webhook

from features.build import DRIVER_MEANINGS
from flows.context.console import echo
from flows.context.stores import store_of
from service.http.responses import Record, records
from service.live.live import PlanningState
from service.live.publication import Publication, make_publication, read_new_panels
from service.planning.alerts import alert_id, finding_of
from store.errors import DataError
from store.planning.entries import AlertFinding, note_delivery, read_planning, save_findings
from store.publications.published import Published, read_other, read_published
from store.settings import Settings

TIMEOUT_S: Final = 10.0
MOST_TRIES: Final = 20
"""Tries of one message, one a run; then it stays in the feed alone."""

RULE_FIELDS: Final = ("id", "name", "measure", "points", "commodity", "destination")
"""What a message contains of its rule."""


@dataclass(frozen=True, slots=True)
class Dispatched:
    """The result of one call."""

    looked: int
    """Rules that looked at a publication new to them."""
    fired: int
    taken: int
    """Messages that receivers took."""
    failed: int

    def __str__(self) -> str:
        return (
            f"{self.fired} of {self.looked} rules fired; {self.taken} delivered, "
            f"{self.failed} to be retried"
        )


def alert(settings: Settings, now: pd.Timestamp) -> Dispatched:
    """Let every rule look at the newest publication once, and send what is due.

    Calling it again finds nothing new; what a receiver did not take is sent again.

    Args:
        settings: Where things are kept, and the webhooks of the house.
    """
    engine = store_of(settings)
    new = _look(engine, PlanningState(read_planning(engine)), now)
    hooks = settings.alert_hooks.get_secret_value().split()
    desk = PlanningState(read_planning(engine))
    due = list(_due(desk)) if hooks else []
    with httpx.Client(timeout=TIMEOUT_S, transport=httpx.HTTPTransport(retries=2)) as client:
        outcomes = [_send(engine, settings, client, one, now) for one in due]
    return Dispatched(
        looked=len(new),
        fired=sum(found.fired for found in new),
        taken=sum(outcomes),
        failed=len(outcomes) - sum(outcomes),
    )


def alert_if_possible(settings: Settings, now: pd.Timestamp) -> None:
    """As ``alert``, with messages; an error with alerts never fails a publication."""
    try:
        sent = alert(settings, now)
    except Exception as err:  # noqa: BLE001 - the publication is stored already
        echo(f"alerts    not sent ({type(err).__name__}: {err}). Run `magnetcast alerts`")
        return
    if sent.looked or sent.taken or sent.failed:
        echo(f"alerts    {sent}")


def _look(engine: Engine, desk: PlanningState, now: pd.Timestamp) -> list[AlertFinding]:
    """Let the rules that have not yet seen the newest publication of their commodity look at it.

    A commodity whose publications cannot be compared takes no other down.
    """
    if desk.rules.empty:  # nothing is read for nobody
        return []
    new: list[AlertFinding] = []
    magnets = read_published(engine)
    for commodity in desk.rules["commodity"].unique():
        try:
            is_main = commodity == magnets.commodity
            own = magnets if is_main else read_other(engine, magnets, commodity=commodity)
            new += save_findings(engine, _found(engine, own, desk, now), at=now)
        except DataError as err:
            echo(f"alerts    rules on {commodity} did not look. {err}")
    return new


def _found(
    engine: Engine, published: Published, desk: PlanningState, now: pd.Timestamp
) -> list[AlertFinding]:
    moments = sorted(pd.Timestamp(moment) for moment in published.forecasts["as_of"].unique())
    if len(moments) < 2:  # noqa: PLR2004 - one publication has nothing to be compared with
        return []
    before, newest = moments[-2:]
    rows = desk.rows.alerts
    seen = set(rows.loc[rows["as_of"] == newest, "rule_id"])
    own = desk.rules["commodity"].eq(published.commodity)
    rules = desk.rules.loc[own & ~desk.rules["id"].isin(list(seen))]
    rules = rules.loc[rules["since"].isna() | (rules["since"] < newest)]
    if rules.empty:
        return []
    parts = [_only(engine, published, moment, now) for moment in (newest, before)]
    needs = {row["id"]: row for row in records(desk.needs)}
    return [finding_of(rule, needs.get(rule["need_id"]), *parts) for rule in records(rules)]


def _only(
    engine: Engine, published: Published, moment: pd.Timestamp, now: pd.Timestamp
) -> Publication:
    rows = published.forecasts
    alone = replace(published, forecasts=rows.loc[rows["as_of"] == moment])
    panels = read_new_panels(engine, alone, {})
    return make_publication(alone, panels, meanings=DRIVER_MEANINGS, now=now)


def _due(desk: PlanningState) -> Iterable[tuple[Record, Record]]:
    """Return rule and alert of every message that is not delivered so far, oldest first."""
    rules = {row["id"]: row for row in records(desk.rules)}
    rows = desk.rows.alerts
    open_ = rows["fired"] & rows["delivered_at"].isna() & (rows["attempts"] < MOST_TRIES)
    for row in records(rows.loc[open_].sort_values(["as_of", "rule_id"])):
        if row["rule_id"] in rules:
            yield rules[row["rule_id"]], row


def _send(
    engine: Engine,
    settings: Settings,
    client: httpx.Client,
    due: tuple[Record, Record],
    now: pd.Timestamp,
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
        "webhook-timestamp": str(int(now.timestamp())),
    }
    if key:
        headers["webhook-signature"] = Webhook(key).sign(message, now.to_pydatetime(), body)
    hooks = settings.alert_hooks.get_secret_value().split()
    trouble = "; ".join(filter(None, (_post(client, hook, body, headers) for hook in hooks)))
    place = (int(rule["id"]), as_of.to_pydatetime())
    note_delivery(engine, place, tries=1, at=now, trouble=trouble)
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
