"""Replies to requests: entity tags, paged lists, JSON or CSV, and errors as problem documents.

Errors follow RFC 9457 for programs and are a page for people.
"""

import html
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal

from fastapi import Depends, FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match

from service.http.responses import (
    ATOM,
    CALENDAR,
    HTML,
    ORIGIN,
    TEXT,
    Answer,
    Record,
    answer_of,
    csv_answer,
    json_answer,
)
from service.language.addresses import other_fields
from service.language.phrases import gettext, marked
from service.request_errors import NoAnswerError, NothingPublishedError, UnknownError
from service.words import message_of
from store.errors import DataError, MissingError, StoreError, TokenError

PROBLEM: Final = "application/problem+json"
API: Final = "/api/"

RETRY_S: Final = 5

Page = Callable[[int, str, str, str], str]
"""Renders the page of an error from its status, title, detail and the fields of its address."""


def problem(
    status: int, detail: str, *, instance: str, headers: dict[str, str] | None = None
) -> Response:
    """Problem document of an error.

    Args:
        detail: What is wrong, where, what was expected and what to do.
    """
    title = HTTPStatus(status).phrase
    document = {
        "type": f"urn:magnetcast:problem:{title.lower().replace(' ', '-')}",
        "title": title,
        "status": status,
        "detail": detail,
        "instance": instance,
    }
    body = json.dumps(document, ensure_ascii=False).encode()
    return Response(body, status, headers, media_type=PROBLEM)


def add_problem_handlers(app: FastAPI, page: Page) -> None:
    """Answer every error with a problem document or, outside the API, with a page."""
    for kind, (status, detail_of) in _KINDS.items():
        app.add_exception_handler(kind, _handler(status, detail_of, page))


def _handler(
    status: HTTPStatus, detail_of: Callable[[Any], str], page: Page
) -> Callable[[Request, Exception], Response]:
    def answer(request: Request, err: Exception) -> Response:
        code = err.status_code if isinstance(err, HTTPException) else int(status)
        headers = dict(getattr(err, "headers", None) or {})
        if code == HTTPStatus.SERVICE_UNAVAILABLE:
            headers.setdefault("Retry-After", str(RETRY_S))
        if code == HTTPStatus.UNAUTHORIZED:
            headers.setdefault("WWW-Authenticate", 'Bearer realm="magnetcast"')
        if code == HTTPStatus.METHOD_NOT_ALLOWED:
            headers["Allow"] = _allowed(request)
        path = request.url.path
        if path.startswith(API):
            return problem(code, detail_of(err), instance=path, headers=headers)
        title = getattr(err, "title", HTTPStatus(code).phrase)
        text = page(code, title, detail_of(err), other_fields(request.url.query))
        return Response(text, code, headers, media_type="text/html")

    return answer


def _allowed(request: Request) -> str:
    """Methods of all routes of a path; HEAD goes with GET."""
    methods = {
        method
        for route in request.app.routes
        if route.matches(request.scope)[0] is not Match.NONE
        for method in route.methods
    }
    return ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set())))


TITLES: Final = (
    marked("Bad Request"),
    marked("Unauthorized"),
    marked("Forbidden"),
    marked("Not Found"),
    marked("Method Not Allowed"),
    marked("Unprocessable Content"),
    marked("Unprocessable Entity"),
    marked("Internal Server Error"),
    marked("Service Unavailable"),
)
"""Phrases of the errors that have a page."""

_DEFAULT_DETAILS: Final[dict[int, str]] = {
    HTTPStatus.NOT_FOUND: marked(
        "There is no page at this address. Expected a path of /api/v1/openapi.json or a page "
        "linked from the overview. Check the address."
    ),
    HTTPStatus.METHOD_NOT_ALLOWED: marked(
        "This address does not accept that method. Expected one of the Allow header. Use one of "
        "them."
    ),
}


def _store_away(_: StoreError) -> str:
    return gettext(
        "The database does not answer. Try again in a moment; an entry that is not shown then "
        "was not saved."
    )


def _no_details(_: Exception) -> str:
    return gettext(
        "The service failed; the error is in its log. Try again, or inform the operator."
    )


def _detail(err: HTTPException) -> str:
    """Detail of an error; a sentence if the framework only names its status."""
    if err.detail == HTTPStatus(err.status_code).phrase:
        return gettext(_DEFAULT_DETAILS.get(err.status_code, err.detail))
    return err.detail if isinstance(err.detail, str) else str(err.detail)


def _invalid(err: RequestValidationError) -> str:
    parts = [
        f"{'.'.join(str(place) for place in error['loc'][1:])}={error.get('input')!r}: "
        f"{error['msg']}"
        for error in err.errors()
    ]
    return f"{'; '.join(parts)}. Expected what is in /api/v1/openapi.json. Correct the request."


_KINDS: Final[dict[type[Exception], tuple[HTTPStatus, Callable[[Any], str]]]] = {
    HTTPException: (HTTPStatus.BAD_REQUEST, _detail),
    RequestValidationError: (HTTPStatus.UNPROCESSABLE_ENTITY, _invalid),
    UnknownError: (HTTPStatus.NOT_FOUND, message_of),
    MissingError: (HTTPStatus.NOT_FOUND, message_of),
    TokenError: (HTTPStatus.UNAUTHORIZED, message_of),
    NothingPublishedError: (HTTPStatus.SERVICE_UNAVAILABLE, message_of),
    NoAnswerError: (HTTPStatus.SERVICE_UNAVAILABLE, message_of),
    DataError: (HTTPStatus.BAD_REQUEST, message_of),
    StoreError: (HTTPStatus.SERVICE_UNAVAILABLE, _store_away),
    Exception: (HTTPStatus.INTERNAL_SERVER_ERROR, _no_details),
}
"""Status and detail by kind of error; the most specific kind applies."""


MOST_ROWS: Final = 1000

FormQuery = Annotated[Literal["json", "csv"], Query(alias="format", description="json or csv.")]


def reply(request: Request, answer: Answer, headers: dict[str, str] | None = None) -> Response:
    """Response with an answer, or 304 if the client has it already.

    The tag is weak, as the compressed answer has the same.
    """
    answer = _addressed(request, answer)
    headers = {"ETag": f"W/{answer.etag}", "Vary": "Authorization", **(headers or {})}
    named = request.headers.get("if-none-match", "").split(",")
    if request.method == "GET" and answer.etag in {tag.strip().removeprefix("W/") for tag in named}:
        response = Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        response.headers.add_vary_header("Accept-Encoding")  # as of a compressed body
        return response
    return Response(answer.body, headers=headers, media_type=answer.media)


def refusal(
    request: Request, answer: Answer, status: HTTPStatus, headers: dict[str, str] | None = None
) -> Response:
    """Page that says what was refused; it has no tag, as it is not cached."""
    shown = _addressed(request, answer)
    return Response(shown.body, status, headers, media_type=shown.media)


def _addressed(request: Request, answer: Answer) -> Answer:
    """Page with the address of this service where ``ORIGIN`` stands for it."""
    if answer.media not in {HTML, TEXT, ATOM, CALENDAR}:
        return answer
    origin = html.escape(str(request.base_url)).rstrip("/")
    return answer_of(answer.body.replace(ORIGIN.encode(), origin.encode()), answer.media)


@dataclass(frozen=True, slots=True)
class ListReply:
    """A list as requested: which part of it, and in which form."""

    request: Request
    limit: Annotated[int, Query(ge=1, le=MOST_ROWS, description="Most rows of a page.")] = MOST_ROWS
    offset: Annotated[int, Query(ge=0, description="Rows to skip.")] = 0
    form: FormQuery = "json"

    def reply(self, rows: Sequence[Record], columns: Sequence[str]) -> Response:
        """One page of a list; the header ``X-Total-Count`` counts all rows."""
        part = rows[self.offset : self.offset + self.limit]
        headers = {"X-Total-Count": str(len(rows))}
        if self.form == "csv":
            return reply(self.request, csv_answer(part, columns), headers)
        about = {"total": len(rows), "limit": self.limit, "offset": self.offset}
        return reply(self.request, json_answer({**about, "items": part}), headers)


Shown = Annotated[ListReply, Depends()]
