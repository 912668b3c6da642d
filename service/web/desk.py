"""The planners' desk as pages: needs and alerts, the audit trail, and the forms that write.

Forms carry no cookie and need no script: the browser sends the token as its password. A form must
come from a page of this service (``service.access.from_own_page``).
"""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Final

import pandas as pd
from fastapi import APIRouter, Depends, Path, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from service import actions
from service.api.desk import MOST
from service.api.forecasts import moment_of
from service.api.replies import reply
from service.desk import Desk
from service.feed import ADDRESS, atom
from service.names import name_of
from service.publication import Publication
from service.queries import desk as queries
from service.queries.history import known_destination
from service.queries.needs import carry_of, need_documents
from service.state import (
    Current,
    OnDesk,
    Shared,
    State,
    Writer,
    may_audit,
    may_read,
    own_form,
)
from service.web.destination import destination_page
from service.web.forms import Fields, Refused, month_in, number_in, text_in
from service.web.render import page
from store.errors import DataError, TokenError
from store.needs import Need
from store.rules import Rule

ENTRIES: Final = 200
"""Rows of the audit trail on its page; the API has all."""

reading = [Depends(may_read)]
# First whether the form is our own: nobody is asked for a password over a form from elsewhere.
sending = [Depends(own_form)]

router = APIRouter(include_in_schema=False)

Number = Annotated[int, Path(ge=1, le=MOST)]


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
    return reply(
        request, atom(desk, began=current.as_of, publications=current.published.publications)
    )


@router.post("/needs", dependencies=sending)
def add_need(
    request: Request, *, fields: Fields, who: Writer, shared: Shared, current: Current
) -> Response:
    """State a need; one that makes no sense is shown again with what is wrong."""
    try:
        need = Need(
            name=text_in(fields, "name"),
            destination=text_in(fields, "destination"),
            period_from=month_in(fields, "period_from"),
            period_to=month_in(fields, "period_to"),
            tonnes=number_in(fields, "tonnes"),
        )
        number = actions.state_need(shared, who, need)
    except TokenError:
        raise
    except DataError as err:
        return _again(request, current, shared, Refused("need", fields, str(err)))
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
    try:
        number, secret = actions.watch(shared, who, _rule(fields))
    except TokenError:
        raise
    except DataError as err:
        return _again(request, current, shared, Refused("rule", fields, str(err)))
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
def add_override(fields: Fields, who: Writer, shared: Shared, current: Current) -> Response:
    """Put an override beside a median; one that makes no sense is shown again."""
    destination = known_destination(current, text_in(fields, "destination"))
    try:
        asked = actions.Expected(
            destination=destination,
            period=month_in(fields, "period"),
            as_of=moment_of(text_in(fields, "as_of")),
            tonnes=number_in(fields, "tonnes"),
            reason=text_in(fields, "reason"),
        )
        actions.expect(shared, who, asked)
    except TokenError:
        raise
    except DataError as err:
        refused = Refused("override", fields, str(err))
        now, desk = shared.live.clock(), shared.live.desk
        shown = destination_page(current, destination, now, desk, refused)
        return form_page(Response(shown.body, HTTPStatus.BAD_REQUEST, media_type=shown.media))
    return _see(f"/destinations/{destination}#months-head")


def needs_page(
    request: Request,
    publication: Publication,
    desk: Desk,
    now: pd.Timestamp,
    *,
    secret: Mapping[str, object] | None = None,
    refused: Refused | None = None,
) -> Response:
    """Return the page of needs, alert rules and alerts.

    Args:
        request: Who asks.
        publication: What is published.
        desk: The desk.
        now: The moment of asking.
        secret: Number of a rule just made and its secret, to be shown this once.
        refused: A form that was not taken, to be shown again.
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
        refused=refused,
    )
    if refused is not None:
        return Response(shown.body, HTTPStatus.BAD_REQUEST, media_type=shown.media)
    return reply(request, shown)


def _again(request: Request, current: Publication, shared: State, refused: Refused) -> Response:
    """Show the page of needs once more, with a form that was not taken."""
    now, desk = shared.live.clock(), shared.live.desk
    return form_page(needs_page(request, current, desk, now, refused=refused))


def _rule(fields: Mapping[str, str]) -> Rule:
    """Return the rule of a form.

    Raises:
        DataError: A field is missing or is no number.
    """
    watched, _, which = text_in(fields, "watched").partition(":")
    need = int(which) if watched == "shortfall" and re.fullmatch(r"[1-9]\d{0,8}", which) else None
    return Rule(
        name=text_in(fields, "name"),
        measure=watched,
        points=number_in(fields, "points"),
        need_id=need,
        destination="" if need is not None else which,
        url=text_in(fields, "url"),
    )


def _see(place: str) -> Response:
    """Lead a browser to a page after its form was taken."""
    return RedirectResponse(place, HTTPStatus.SEE_OTHER)
