"""Sending one message to one webhook: signed, to a checked address, with retries."""

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Final

import httpx
import pandas as pd

from service.http.responses import Record
from service.planning.webhooks import Resolve, WebhookPolicy, resolved, signed
from sources.http.faults import RetryPolicy
from store.errors import DataError

TRIES: Final = 3
"""Tries of a message within one run."""

TIMEOUT_S: Final = 10.0

PASSING: Final = frozenset(
    {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
)
"""Refusals that may pass; those of the server's own (5xx) may too."""


@dataclass(frozen=True, slots=True)
class Sender:
    """What sending rests on; tests pass their own."""

    resolve: Resolve = resolved
    patience: RetryPolicy = field(default_factory=RetryPolicy)
    timeout_s: float = TIMEOUT_S
    trust: ssl.SSLContext = field(default_factory=lambda: trusting(None))


@dataclass(frozen=True, slots=True)
class Delivery:
    """How it went; no trouble means that the message was taken."""

    tries: int
    trouble: str


def trusting(own: Path | None) -> ssl.SSLContext:
    """Return whose certificates count: public authorities, and those of a PEM file if there is one.

    Raises:
        DataError: The file cannot be read or holds no certificate.
    """
    made = httpx.create_ssl_context(trust_env=False)
    if own is None:
        return made
    try:
        made.load_verify_locations(own)
    except OSError as err:
        raise DataError(
            f"MAGNETCAST_ALERT_CA: {own} cannot be taken ({err}). Expected a file of certificates "
            "in PEM. Correct the path or the file."
        ) from err
    return made


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
    trouble = ""
    with httpx.Client(trust_env=False, timeout=sender.timeout_s, verify=sender.trust) as client:
        for tries in range(1, TRIES + 1):
            try:
                place = hooks.place(rule["url"], sender.resolve)
            except DataError as err:
                return Delivery(tries, str(err))
            marks = signed(hooks.secret(rule["uid"]), message=message, at=at, body=body)
            request = _request(client, httpx.URL(rule["url"]), place, marks, body)
            trouble, passing = _answer(client, request)
            if not passing:
                return Delivery(tries, trouble)
            if tries < TRIES:
                sender.patience.sleep(sender.patience.backoff(tries))
    return Delivery(TRIES, trouble)


def _request(
    client: httpx.Client, url: httpx.URL, place: str, marks: Mapping[str, str], body: bytes
) -> httpx.Request:
    """Return a request to the one address that was checked, in the name of its host."""
    return client.build_request(
        "POST",
        url.copy_with(host=place),
        content=body,
        headers={"Host": url.netloc.decode(), "Content-Type": "application/json", **marks},
        # The certificate must be the host's, not the address's.
        extensions={"sni_hostname": url.host},
    )


def _answer(client: httpx.Client, request: httpx.Request) -> tuple[str, bool]:
    """Send and return what went wrong, empty if nothing, and whether that may pass."""
    try:
        # What a receiver answers beside its status is not read.
        answer = client.send(request, stream=True)
        answer.close()
    except httpx.HTTPError as err:
        return f"{type(err).__name__}: {err}", True
    if answer.is_success:
        return "", False
    passing = answer.is_server_error or answer.status_code in PASSING
    return f"HTTP {answer.status_code} from {request.headers['Host']}", passing
