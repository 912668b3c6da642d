"""Alerts: what the rules find of a new publication, kept once and sent to who asked for it.

A message goes to one webhook: signed, to a checked address, with retries.
"""

import asyncio
import json
import ssl
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Final

import httpx
import pandas as pd
from sqlalchemy import Engine

from features.build import DRIVER_MEANINGS
from flows.context.console import echo
from flows.context.stores import store_of
from service.http.access import networks_of
from service.http.responses import Record, records
from service.live.live import PlanningState
from service.live.publication import Publication, make_publication, read_new_panels
from service.planning.alerts import alert_id, finding_of
from service.planning.webhooks import Resolve, WebhookPolicy, resolved, signed, trusting
from sources.http import RetryPolicy
from store.errors import DataError
from store.planning.alert_rules import AlertFinding, note_delivery, save_findings
from store.planning.overrides import read_planning
from store.publications.published import Published, read_other, read_published
from store.settings import Settings

TRIES: Final = 3
"""Tries of a message within one run."""

PASSING: Final = frozenset(
    {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
)
"""Refusals that may pass; those of the server's own (5xx) may too."""


@dataclass(frozen=True, slots=True)
class Sender:
    """What sending rests on; tests pass their own."""

    resolve: Resolve = resolved
    patience: RetryPolicy = field(default_factory=RetryPolicy)
    timeout_s: float = 10.0
    """For one try in all: a receiver that answers byte by byte holds up no run."""
    trust: ssl.SSLContext = field(default_factory=lambda: trusting(None))


@dataclass(frozen=True, slots=True)
class Delivery:
    """How it went; no trouble means that the message was taken."""

    tries: int
    trouble: str


def deliver(
    rule: Record,
    message: str,
    content: Mapping[str, object],
    *,
    hooks: WebhookPolicy,
    at: pd.Timestamp,
    sender: Sender,
) -> Delivery:
    """Send a message until it is taken, refused for good or tried often enough.

    Redirects are not followed and no proxy is asked: either would lead past the judgement of the
    address.

    Args:
        rule: Its ``url`` and ``uid`` are used.
        message: Names the message; the same for every try.
        content: What is sent as JSON.
        hooks: The rules of the house.
        at: The moment (UTC).
        sender: What sending rests on.
    """
    body = json.dumps(content, ensure_ascii=False, allow_nan=False).encode()
    for tries in range(1, TRIES + 1):
        try:
            place = hooks.place(rule["url"], sender.resolve)
        except DataError as err:
            return Delivery(tries, str(err))
        marks = signed(hooks.secret(rule["uid"]), message=message, at=at, body=body)
        trouble, passing = _answer(_request(httpx.URL(rule["url"]), place, marks, body), sender)
        if not passing:
            return Delivery(tries, trouble)
        if tries < TRIES:
            sender.patience.sleep(sender.patience.backoff(tries))
    return Delivery(TRIES, trouble)


def _request(url: httpx.URL, place: str, marks: Mapping[str, str], body: bytes) -> httpx.Request:
    """Return a request to the one address that was checked, in the name of its host."""
    return httpx.Request(
        "POST",
        url.copy_with(host=place),
        content=body,
        headers={"Host": url.netloc.decode(), "Content-Type": "application/json", **marks},
        # The certificate must be the host's, not the address's.
        extensions={"sni_hostname": url.host},
    )


def _answer(request: httpx.Request, sender: Sender) -> tuple[str, bool]:
    """Send and return what went wrong, empty if nothing, and whether that may pass."""
    try:
        with ThreadPoolExecutor(1) as own:  # the caller's thread may have an event loop already
            status = own.submit(asyncio.run, _status(request, sender)).result()
    except TimeoutError:
        return f"no answer within {sender.timeout_s:g} s", True
    except httpx.HTTPError as err:
        return f"{type(err).__name__}: {err}", True
    if status // 100 == 2:  # noqa: PLR2004 - a success
        return "", False
    passing = status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in PASSING
    return f"HTTP {status} from {request.headers['Host']}", passing


async def _status(request: httpx.Request, sender: Sender) -> int:
    """Send and return the status; what a receiver answers beside it is not read."""
    async with (
        asyncio.timeout(sender.timeout_s),
        httpx.AsyncClient(trust_env=False, verify=sender.trust) as client,
    ):
        answer = await client.send(request, stream=True)
        await answer.aclose()
        return answer.status_code


MOST_TRIES: Final = 20
"""Tries of one message over all runs; then it stays in the feed alone."""

RULE_FIELDS: Final = ("id", "name", "measure", "points", "commodity", "destination")
"""What a message contains of its rule."""


@dataclass(frozen=True, slots=True)
class Dispatched:
    """What came of one call."""

    looked: int
    """Rules that looked at a publication new to them."""
    fired: int
    taken: int
    """Messages that receivers took."""
    failed: int


def alert(settings: Settings, now: pd.Timestamp, *, sender: Sender | None = None) -> Dispatched:
    """Let every rule look at the newest publication once, and send what is due.

    Calling it again finds nothing new; what no receiver took is sent again.

    Args:
        settings: Where things are kept, and the rules of the house for webhooks.
        now: The moment (UTC).
        sender: How messages are sent; as a machine on the net does if None.
    """
    engine = store_of(settings)
    desk = PlanningState(read_planning(engine))
    new = _look(engine, desk, now)
    hooks = WebhookPolicy(
        settings.alert_key.get_secret_value(),
        networks_of("ALERT_NETWORKS", settings.alert_networks),
    )
    desk = PlanningState(read_planning(engine))
    sender = sender or Sender(trust=trusting(settings.alert_ca))
    outcomes = [_send(engine, due, hooks, now, sender) for due in _due(desk)]
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
        echo(
            f"alerts    {sent.fired} of {sent.looked} rules fired; {sent.taken} delivered, "
            f"{sent.failed} to be retried"
        )


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
            own = (
                magnets
                if commodity == magnets.commodity
                else read_other(engine, magnets, commodity=commodity)
            )
            new += save_findings(engine, _found(engine, own, desk, now), at=now)
        except DataError as err:
            echo(f"alerts    rules on {commodity} did not look. {err}")
    return new


def _found(
    engine: Engine, published: Published, desk: PlanningState, now: pd.Timestamp
) -> list[AlertFinding]:
    """Return what the rules on a commodity find of its newest publication."""
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
    return [
        finding_of(rule, needs.get(rule["need_id"]), parts[0], parts[1]) for rule in records(rules)
    ]


def _only(
    engine: Engine, published: Published, moment: pd.Timestamp, now: pd.Timestamp
) -> Publication:
    """Return the publication of one moment alone."""
    rows = published.forecasts
    alone = replace(published, forecasts=rows.loc[rows["as_of"] == moment])
    panels = read_new_panels(engine, alone, {})
    return make_publication(alone, panels, meanings=DRIVER_MEANINGS, now=now)


def _due(desk: PlanningState) -> Iterable[tuple[Record, Record]]:
    """Return rule and alert of every message that no receiver took so far, oldest first."""
    rules = {row["id"]: row for row in records(desk.rules) if row["url"]}
    rows = desk.rows.alerts
    open_ = rows["fired"] & rows["delivered_at"].isna() & (rows["attempts"] < MOST_TRIES)
    for row in records(rows.loc[open_].sort_values(["as_of", "rule_id"])):
        if row["rule_id"] in rules:
            yield rules[row["rule_id"]], row


def _send(
    engine: Engine,
    due: tuple[Record, Record],
    hooks: WebhookPolicy,
    now: pd.Timestamp,
    sender: Sender,
) -> bool:
    """Send one message, record the outcome and return whether it was delivered."""
    rule, row = due
    as_of = pd.Timestamp(row["as_of"])
    message = alert_id(rule["uid"], as_of)
    content = {
        "type": "alert",
        "id": message,
        "rule": {name: rule[name] for name in RULE_FIELDS},
        "need_id": rule["need_id"],
        **{name: row[name] for name in ("as_of", "against", "period", "before", "after")},
        "message": row["message"],
    }
    went = deliver(rule, message, content, hooks=hooks, at=now, sender=sender)
    place = (int(rule["id"]), as_of.to_pydatetime())
    note_delivery(engine, place, tries=went.tries, at=now, trouble=went.trouble)
    if went.trouble:
        echo(f"alerts    rule {rule['id']}: {went.trouble}")
    return not went.trouble
