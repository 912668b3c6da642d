"""Errors as problem documents (RFC 9457) for programs and as a page for people."""

import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from service.http.methods import allowed
from service.live.publication import NothingPublishedError
from service.scenarios.scenario_schema import NoAnswerError
from service.wording.goods import UnknownError
from store.errors import DataError, MissingError, TokenError

PROBLEM: Final = "application/problem+json"
API: Final = "/api/"

RETRY_S: Final = 5

Page = Callable[[int, str, str], str]
"""Renders the page of an error from its status, title and detail."""


def problem(
    status: int, detail: str, *, instance: str, headers: dict[str, str] | None = None
) -> Response:
    """Return an error for programs.

    Args:
        status: HTTP status.
        detail: What is wrong, where, what was expected and what to do.
        instance: Path asked for.
        headers: More headers.
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
    """Return the handler of one kind of error; HTTP errors bring their own status."""

    def answer(request: Request, err: Exception) -> Response:
        code = err.status_code if isinstance(err, HTTPException) else int(status)
        headers = dict(getattr(err, "headers", None) or {})
        if code == HTTPStatus.SERVICE_UNAVAILABLE:
            headers.setdefault("Retry-After", str(RETRY_S))
        if code == HTTPStatus.UNAUTHORIZED:
            headers.setdefault("WWW-Authenticate", 'Bearer realm="magnetcast"')
        if code == HTTPStatus.METHOD_NOT_ALLOWED:
            headers["Allow"] = allowed(request.app, request.scope)
            if request.method == "OPTIONS":
                return Response(status_code=HTTPStatus.NO_CONTENT, headers=headers)
        path = request.url.path
        if path.startswith(API):
            return problem(code, detail_of(err), instance=path, headers=headers)
        html = page(code, HTTPStatus(code).phrase, detail_of(err))
        return Response(html, code, headers, media_type="text/html")

    return answer


_DEFAULT_DETAILS: Final[dict[int, str]] = {
    HTTPStatus.NOT_FOUND: "There is no page at this address. Expected a path of "
    "/api/v1/openapi.json or a page linked from the overview. Check the address.",
    HTTPStatus.METHOD_NOT_ALLOWED: "This address does not accept that method. Expected one of the "
    "Allow header. Use one of them.",
}


def _no_details(_: Exception) -> str:
    return "The service failed; the error is in its log. Try again, or inform the operator."


def _detail(err: HTTPException) -> str:
    """Return the detail of an error, a sentence where the framework only names its status."""
    if err.detail == HTTPStatus(err.status_code).phrase:
        return _DEFAULT_DETAILS.get(err.status_code, err.detail)
    return str(err.detail)


def _invalid(err: RequestValidationError) -> str:
    """Describe the invalid parts of a request."""
    parts = [
        f"{'.'.join(str(place) for place in error['loc'][1:])}={error.get('input')!r}: "
        f"{error['msg']}"
        for error in err.errors()
    ]
    return f"{'; '.join(parts)}. Expected what /api/v1/openapi.json says. Correct the request."


_KINDS: Final[dict[type[Exception], tuple[HTTPStatus, Callable[[Any], str]]]] = {
    HTTPException: (HTTPStatus.BAD_REQUEST, _detail),
    RequestValidationError: (HTTPStatus.UNPROCESSABLE_ENTITY, _invalid),
    UnknownError: (HTTPStatus.NOT_FOUND, str),
    MissingError: (HTTPStatus.NOT_FOUND, str),
    TokenError: (HTTPStatus.UNAUTHORIZED, str),
    NothingPublishedError: (HTTPStatus.SERVICE_UNAVAILABLE, str),
    NoAnswerError: (HTTPStatus.SERVICE_UNAVAILABLE, str),
    DataError: (HTTPStatus.BAD_REQUEST, str),
    Exception: (HTTPStatus.INTERNAL_SERVER_ERROR, _no_details),
}
"""Status and detail by kind of error; the most specific kind applies."""
