"""Planning pages: needs and alerts, the audit trail, and the forms that write.

Forms need neither cookie nor script: the browser sends the token as its password. A form must come
from a page of this service (``service.state.may_write``).
"""

import re
from collections.abc import Callable, Mapping
from functools import partial
from http import HTTPStatus
from typing import Annotated, Final
from urllib.parse import parse_qsl

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from service.api.planning_routes import LARGEST_NUMBER
from service.http.replies import refusal, reply
from service.http.responses import Answer
from service.language.addresses import PARAMETER
from service.language.choice import chosen
from service.live.publication import Publication
from service.planning import entries, rivals
from service.planning.alerts import ADDRESS, atom
from service.planning.firm import FirmAnswer, checked, field_in, firm_answer, question_in
from service.planning.typed import typed_digits, typed_months
from service.queries.destination_months import known_destination
from service.request_errors import NoAnswerError
from service.state import (
    COOKIE,
    Chosen,
    Current,
    Planning,
    Shared,
    State,
    Writer,
    may_audit,
    may_read,
)
from service.web.forecast_pages import destination_page
from service.web.record_pages import needs_at, needs_page
from service.web.render import FormErrors, page
from service.words import home_of, message_of
from store.errors import DataError, TokenError
from store.planning import planning_rows as stored
from store.vocabulary import COMMODITY, MONTH_PATTERN

ENTRIES: Final = 200
"""Rows of the audit trail on its page; the API has all."""

reading = [Depends(may_read)]

MOST_FIELDS: Final = 20
FORM: Final = "application/x-www-form-urlencoded"


async def form_of(request: Request) -> Mapping[str, str]:
    """Fields of a form; each occurs once."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    try:
        text = (await request.body()).decode()
        fields = parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except (UnicodeDecodeError, ValueError) as err:
        raise DataError(
            f"The form cannot be read ({err}). Expected {FORM}. Send it again."
        ) from err
    if kind != FORM:
        raise DataError(f"The body is {kind!r}. Expected {FORM}. Programs use /api/v1.")
    return dict(fields)


Fields = Annotated[Mapping[str, str], Depends(form_of)]


def text_in(fields: Mapping[str, str], name: str) -> str:
    """Field of a form."""
    if name not in fields:
        raise DataError(f"The form has no field {name!r}. Expected one. Use the form of the page.")
    return fields[name].strip()


def texts_in(fields: Mapping[str, str], *names: str) -> dict[str, str]:
    """Fields of a form by name."""
    return {name: text_in(fields, name) for name in names}


def numbers_in(fields: Mapping[str, str], *names: str) -> dict[str, float]:
    """Fields that are numbers by name, without empty ones."""
    typed = {name: text for name in names if (text := fields.get(name, "").strip())}
    return {name: float(field_in(typed, name, typed_digits)) for name in typed}


router = APIRouter(include_in_schema=False)

Number = Annotated[int, Path(ge=1, le=LARGEST_NUMBER)]
Picked = Annotated[str, Query(max_length=20)]


def form_page(answer: Response) -> Response:
    """Let browsers send the origin of a page's forms, to this service only."""
    answer.headers["Referrer-Policy"] = "same-origin"
    return answer


@router.get("/needs", dependencies=reading)
async def needs_route(
    request: Request,
    *,
    current: Chosen,
    shared: Shared,
    planning: Planning,
    destination: Picked = "",
    month: Annotated[str, Query(pattern=rf"^$|{MONTH_PATTERN}")] = "",
    ended: Annotated[int, Query(ge=0, le=LARGEST_NUMBER)] = 0,
) -> Response:
    """Show needs, alert rules and alerts, with forms for a commodity."""
    remembered = request.cookies.get(COOKIE, "")
    picked = destination or (remembered if remembered in current.destinations else "")
    fields = request.query_params.items()
    typed = {name: text for name, text in fields if text and name != PARAMETER}
    request_key = (current.commodity, *sorted(typed.items()), chosen())
    key = (
        "needs",
        current.key,
        planning.rows.mark,
        shared.live.clock().date(),
        picked,
        request_key,
    )
    answer: Answer | None = shared.recent_pages.get(key)
    if answer is None:
        firm, refused = await _firm_of(typed, current, shared)
        make = partial(
            needs_page, shared, current, planning, picked=picked, month=month,
            ended=ended, firm=firm, refused=refused, typed=typed,
        )  # fmt: skip
        answer = await run_in_threadpool(make)
        shared.recent_pages.keep(key, answer)
    shown = reply(request, answer)
    shown.headers.add_vary_header("Cookie")
    return form_page(shown)


async def _firm_of(
    typed: Mapping[str, str], current: Publication, shared: State
) -> tuple[FirmAnswer | None, FormErrors | None]:
    """Answers for the firm of an address, or the errors of its form."""
    if "tonnes" not in typed:
        return None, None
    try:
        pool = shared.scenarios if "what_if" in typed else None
        question, now, shipping = question_in(typed), shared.live.clock(), shared.live.shipping
        return await firm_answer(current, question, pool, now=now, shipping=shipping), None
    except (DataError, NoAnswerError) as err:
        return None, FormErrors("firm", typed, message_of(err))


@router.get("/audit", dependencies=[Depends(may_audit)])
def audit_route(request: Request, current: Current, shared: Shared, planning: Planning) -> Response:
    """Show the audit trail; it always needs a token."""
    rows = entries.audit(planning)
    answer = page(
        "audit.html.j2",
        current,
        read_at=shared.live.clock(),
        address="/audit",
        entries=rows[:ENTRIES],
        in_all=len(rows),
    )
    return reply(request, answer, {"Cache-Control": "no-store"})


@router.get(ADDRESS, dependencies=reading)
def feed_route(request: Request, current: Current, planning: Planning) -> Response:
    """Alerts of all commodities as a feed."""
    return reply(request, atom(planning, began=current.as_of, labels=current.published.labels))


@router.post("/needs")
def add_need(request: Request, *, fields: Fields, actor: Writer, shared: Shared) -> Response:
    """Record a need; an invalid one is shown again with a message."""
    current = _chosen(shared, fields)

    def save() -> str:
        texts = texts_in(fields, "name", "destination", "period_from", "period_to")
        numbers = numbers_in(fields, "tonnes", "stock", "lead_days")
        need = checked(entries.NewNeed, commodity=current.commodity, **texts, **numbers)
        number = entries.write(shared.live, stored.add_need, need.row, actor=actor)
        return needs_at(current.commodity, f"need-{number}")

    return _saved(save, partial(_again, request, current, shared), "need", fields)


@router.post("/needs/{number}/end")
def end_need(number: Number, actor: Writer, shared: Shared) -> Response:
    """End a need; the page then offers to take that back."""
    entries.write(shared.live, stored.end_need, number, actor=actor)
    return _see(f"/needs?ended={number}#needs-head")


@router.post("/needs/{number}/restore")
def restore_need(number: Number, actor: Writer, shared: Shared) -> Response:
    """Take back the end of a need."""
    entries.write(shared.live, stored.restore_need, number, actor=actor)
    return _see(f"/needs#need-{number}")


@router.post("/alert-rules")
def add_rule(request: Request, *, fields: Fields, actor: Writer, shared: Shared) -> Response:
    """Create an alert rule; an invalid one is shown again."""
    current = _chosen(shared, fields)

    def save() -> str:
        measure, _, which = text_in(fields, "watched").partition(":")
        place = {"destination": which, "commodity": fields.get("commodity", COMMODITY)}
        if measure == "shortfall" and re.fullmatch(r"[1-9][0-9]{0,8}", which):
            place = {"need_id": which}
        values = texts_in(fields, "name") | place | numbers_in(fields, "points")
        rule = checked(entries.NewRule, measure=measure, **values)
        entries.create_rule(shared.live, actor, rule.row)
        return needs_at(current.commodity, "rules")

    return _saved(save, partial(_again, request, current, shared), "rule", fields)


@router.post("/alert-rules/{number}/end")
def end_rule(number: Number, actor: Writer, shared: Shared) -> Response:
    """End an alert rule."""
    entries.write(shared.live, stored.end_rule, number, actor=actor)
    return _see("/needs#rules")


@router.post("/rival-forecasts")
def add_rivals(request: Request, fields: Fields, actor: Writer, shared: Shared) -> Response:
    """Record somebody else's forecast; an invalid one is shown again."""
    current = _chosen(shared, fields)
    destination = known_destination(current, text_in(fields, "destination"))

    def save() -> str:
        texts = texts_in(fields, "name", "source", "made_on")
        place = {"commodity": current.commodity, "destination": destination}
        months = typed_months(text_in(fields, "by_month"))
        bodies = [
            checked(rivals.NewRival, **texts, **place, period=period, tonnes=tonnes)
            for period, tonnes in months.items()
        ]
        rivals.record_rivals(shared.live, actor, bodies)
        return f"{home_of(current.commodity)}/destinations/{destination}#months-head"

    def again(refused: FormErrors) -> Response:
        read_at, planning = shared.live.clock(), shared.live.planning
        answer = destination_page(current, read_at, planning, destination, refused)
        return form_page(refusal(request, answer, HTTPStatus.BAD_REQUEST))

    return _saved(save, again, "rival", fields)


def _chosen(shared: State, fields: Mapping[str, str]) -> Publication:
    """Newest publication of a form's commodity; the magnets by default."""
    return shared.live.of(fields.get("commodity", COMMODITY))


def _saved(
    save: Callable[[], str],
    again: Callable[[FormErrors], Response],
    form: str,
    fields: Mapping[str, str],
) -> Response:
    """Redirect to where a form was saved, or the form again with what is wrong with it."""
    try:
        return _see(save())
    except TokenError:
        raise
    except DataError as err:
        return again(FormErrors(form, fields, message_of(err)))


def _again(request: Request, current: Publication, shared: State, refused: FormErrors) -> Response:
    """Show the page of needs again, with a form that was not accepted."""
    answer = needs_page(shared, current, shared.live.planning, refused=refused)
    return form_page(refusal(request, answer, HTTPStatus.BAD_REQUEST))


def _see(place: str) -> Response:
    """Redirect a browser to a page after its form was accepted."""
    return RedirectResponse(place, HTTPStatus.SEE_OTHER)
