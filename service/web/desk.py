"""The planners' desk as pages: needs and alerts, the audit trail, and the forms that write.

Forms carry no cookie and need no script: the browser sends the token as its password. A form must
come from a page of this service (``service.access.from_own_page``).
"""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Final
from urllib.parse import parse_qsl

import pandas as pd
from fastapi import APIRouter, Depends, Path, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from service import actions
from service.api.desk import MOST, month_start
from service.api.forecasts import moment_of
from service.api.replies import reply
from service.desk import Desk
from service.feed import ADDRESS, atom
from service.names import name_of
from service.publication import Publication
from service.queries import desk as queries
from service.queries.needs import carry_of, need_documents
from service.state import Current, OnDesk, Shared, Writer, may_audit, may_read, own_form
from service.web.render import page
from store.errors import DataError
from store.needs import Need
from store.rules import Rule
from store.schemas import MONTH_PATTERN

ENTRIES: Final = 200
"""Rows of the audit trail on its page; the API has all."""

MOST_FIELDS: Final = 20
FORM: Final = "application/x-www-form-urlencoded"

reading = [Depends(may_read)]
# First whether the form is our own: nobody is asked for a password over a form from elsewhere.
sending = [Depends(own_form)]

router = APIRouter(include_in_schema=False)

Number = Annotated[int, Path(ge=1, le=MOST)]


async def form_of(request: Request) -> Mapping[str, str]:
    """Return the fields of a form; each comes once.

    Raises:
        DataError: The body is no form.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    try:
        text = (await request.body()).decode()
        fields = parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except (UnicodeDecodeError, ValueError) as err:
        raise DataError(
            f"A form that cannot be read ({err}). Expected {FORM}. Send it anew."
        ) from err
    if kind != FORM:
        raise DataError(f"A body of {kind!r}. Expected {FORM}. Programs use /api/v1.")
    return dict(fields)


Fields = Annotated[Mapping[str, str], Depends(form_of)]


def form_page(answer: Response) -> Response:
    """Let a browser say of a page's forms where they are from, and only to this service."""
    answer.headers["Referrer-Policy"] = "same-origin"
    return answer


@router.get("/needs", dependencies=reading)
async def needs_route(request: Request, current: Current, shared: Shared, desk: OnDesk) -> Response:
    """Show needs, alert rules and alerts."""
    now = shared.live.clock()
    answer = await run_in_threadpool(needs_page, request, current, desk, now)
    return form_page(answer)


@router.get("/audit", dependencies=[Depends(may_audit)])
def audit_route(request: Request, current: Current, shared: Shared, desk: OnDesk) -> Response:
    """Show the audit trail, to those with a token."""
    rows = queries.audit(desk)
    shown = page(
        "audit.html.j2",
        current,
        now=shared.live.clock(),
        here="/audit",
        entries=rows[:ENTRIES],
        in_all=len(rows),
    )
    return reply(request, shown)


@router.get(ADDRESS, dependencies=reading)
def feed_route(request: Request, current: Current, desk: OnDesk) -> Response:
    """Give the alerts as a feed."""
    return reply(request, atom(desk, began=current.as_of))


@router.post("/needs", dependencies=sending)
def add_need(fields: Fields, who: Writer, shared: Shared) -> Response:
    """State a need."""
    need = Need(
        name=_text(fields, "name"),
        destination=_text(fields, "destination"),
        period_from=_month(fields, "period_from"),
        period_to=_month(fields, "period_to"),
        tonnes=_number(fields, "tonnes"),
    )
    number = actions.state_need(shared, who, need)
    return _see(f"/needs#need-{number}")


@router.post("/needs/{number}/end", dependencies=sending)
def end_need(number: Number, who: Writer, shared: Shared) -> Response:
    """End a need."""
    actions.drop_need(shared, who, number)
    return _see("/needs")


@router.post("/alert-rules", dependencies=sending)
def add_rule(
    request: Request, *, fields: Fields, who: Writer, shared: Shared, current: Current
) -> Response:
    """Make an alert rule; with a webhook its secret is shown this once."""
    watched, _, which = _text(fields, "watched").partition(":")
    need = int(which) if watched == "shortfall" and re.fullmatch(r"[1-9]\d{0,8}", which) else None
    rule = Rule(
        name=_text(fields, "name"),
        measure=watched,
        points=_number(fields, "points"),
        need_id=need,
        destination="" if need is not None else which,
        url=_text(fields, "url"),
    )
    number, secret = actions.watch(shared, who, rule)
    if not secret:
        return _see("/needs#rules")
    told = {"number": number, "value": secret}
    answer = needs_page(request, current, shared.live.desk, shared.live.clock(), secret=told)
    answer.headers["Cache-Control"] = "no-store"
    return form_page(answer)


@router.post("/alert-rules/{number}/end", dependencies=sending)
def end_rule(number: Number, who: Writer, shared: Shared) -> Response:
    """End an alert rule."""
    actions.unwatch(shared, who, number)
    return _see("/needs#rules")


@router.post("/overrides", dependencies=sending)
def add_override(fields: Fields, who: Writer, shared: Shared) -> Response:
    """Put an override beside a median."""
    asked = actions.Expected(
        destination=_text(fields, "destination"),
        period=_month(fields, "period"),
        as_of=moment_of(_text(fields, "as_of")),
        tonnes=_number(fields, "tonnes"),
        reason=_text(fields, "reason"),
    )
    made = actions.expect(shared, who, asked)
    return _see(f"/destinations/{made.destination}#months-head")


def needs_page(
    request: Request,
    publication: Publication,
    desk: Desk,
    now: pd.Timestamp,
    *,
    secret: Mapping[str, object] | None = None,
) -> Response:
    """Return the page of needs, alert rules and alerts.

    Args:
        request: Who asks.
        publication: What is published.
        desk: The desk.
        now: The moment of asking.
        secret: Number of a rule just made and its secret, to be shown this once.
    """
    ahead = sorted(set(publication.latest["period"]))
    shown = page(
        "needs.html.j2",
        publication,
        now=now,
        here="/needs",
        needs=need_documents(publication, desk),
        rules=queries.rules(desk),
        alerts=queries.alerts(desk),
        carry=carry_of(publication),
        destinations=[(code, name_of(code)) for code in publication.destinations],
        first=ahead[0],
        last=ahead[-1],
        secret=secret,
    )
    return reply(request, shown)


def _see(place: str) -> Response:
    """Lead a browser to a page after its form was taken."""
    return RedirectResponse(place, HTTPStatus.SEE_OTHER)


def _text(fields: Mapping[str, str], name: str) -> str:
    """Return a field of a form.

    Raises:
        DataError: It is missing.
    """
    if name not in fields:
        raise DataError(f"No field {name!r} in the form. Expected one. Send the page's own form.")
    return fields[name].strip()


def _number(fields: Mapping[str, str], name: str) -> float:
    text = _text(fields, name)
    try:
        return float(text)
    except ValueError as err:
        raise DataError(
            f"{name}={text[:40]!r} is no number. Expected one such as 450.5. Correct it."
        ) from err


def _month(fields: Mapping[str, str], name: str) -> pd.Timestamp:
    text = _text(fields, name)
    if not re.fullmatch(MONTH_PATTERN, text):
        raise DataError(
            f"{name}={text[:40]!r} is no month. Expected YYYY-MM, e.g. 2026-12. Correct it."
        )
    return month_start(text)
