"""Errors as problem documents (RFC 9457) for programs and as a page for people."""

import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from service.publication import NothingPublishedError
from service.queries.history import UnknownError
from store.errors import DataError

PROBLEM: Final = "application/problem+json"
API: Final = "/api/"

RETRY_S: Final = 5

Page = Callable[[int, str, str], str]
"""Makes the page of an error from its status, title and detail."""


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
    told = {
        "type": f"urn:magnetcast:problem:{title.lower().replace(' ', '-')}",
        "title": title,
        "status": status,
        "detail": detail,
        "instance": instance,
    }
    body = json.dumps(told, ensure_ascii=False).encode()
    return Response(body, status, headers, media_type=PROBLEM)


def tell_problems(app: FastAPI, page: Page) -> None:
    """Let every error of an app answer as a problem or, outside the API, as a page."""

    def told(
        request: Request, status: int, detail: str, headers: dict[str, str] | None = None
    ) -> Response:
        if request.url.path.startswith(API):
            return problem(status, detail, instance=request.url.path, headers=headers)
        html = page(status, HTTPStatus(status).phrase, detail)
        return Response(html, status, headers, media_type="text/html")

    def on_http(request: Request, err: Exception) -> Response:
        assert isinstance(err, HTTPException)  # noqa: S101 - registered for these only
        headers = dict(err.headers) if err.headers else None
        return told(request, err.status_code, str(err.detail), headers)

    def on_bad_request(request: Request, err: Exception) -> Response:
        assert isinstance(err, RequestValidationError)  # noqa: S101 - registered for these only
        return told(request, HTTPStatus.UNPROCESSABLE_ENTITY, _wrongs(err.errors()))

    def on_unknown(request: Request, err: Exception) -> Response:
        return told(request, HTTPStatus.NOT_FOUND, str(err))

    def on_nothing(request: Request, err: Exception) -> Response:
        retry = {"Retry-After": str(RETRY_S)}
        return told(request, HTTPStatus.SERVICE_UNAVAILABLE, str(err), retry)

    def on_bad_data(request: Request, err: Exception) -> Response:
        return told(request, HTTPStatus.BAD_REQUEST, str(err))

    def on_our_fault(request: Request, _: Exception) -> Response:
        detail = "The service failed. The error is in its log. Try again, or tell who runs it."
        return told(request, HTTPStatus.INTERNAL_SERVER_ERROR, detail)

    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(RequestValidationError, on_bad_request)
    app.add_exception_handler(UnknownError, on_unknown)
    app.add_exception_handler(NothingPublishedError, on_nothing)
    app.add_exception_handler(DataError, on_bad_data)
    app.add_exception_handler(Exception, on_our_fault)


def _wrongs(errors: Any) -> str:  # noqa: ANN401 - FastAPI's own
    """Word what is wrong with a request."""
    parts = [
        f"{'.'.join(str(place) for place in error['loc'][1:])}={error.get('input')!r}: "
        f"{error['msg']}"
        for error in errors
    ]
    return f"{'; '.join(parts)}. Expected what /api/v1/openapi.json says. Correct the request."
