"""The service: the files of the site, and the answers that no file has. It writes nothing."""

import threading
from collections.abc import Callable, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

OWN_NAMES: Final = ("localhost", "127.0.0.1", "[::1]")
"""Host names that only this machine uses; others guard against DNS rebinding."""

HEADERS: Final = (
    (
        b"content-security-policy",
        (
            b"default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
            b"script-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'"
        ),
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)
"""Pages run the scripts of the site alone, none inline, no eval; charts have inline styles."""

QUESTIONS: Final = (
    "what-if", "what-if.html", "what-if.csv", "stock", "stock.html", "stock.json", "stock.atom",
    "scenarios",
)  # fmt: skip
"""Last parts of the addresses that are computed, below the root of each language."""


class SiteFiles(StaticFiles):
    """Files of the site that is shown; before the first one a sentence."""

    def __init__(self, folder: Path) -> None:
        super().__init__(directory=folder, html=True, check_dir=False)
        self._first = folder / "index.html"

    async def check_config(self) -> None:
        """Take a folder that comes later."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Answer with a file, which a browser asks about anew each time."""
        try:
            response = await super().get_response(path, scope)
        except HTTPException as err:
            if err.status_code == HTTPStatus.NOT_FOUND and not self._first.exists():
                text = "Nothing is published yet. Run `magnetcast run`, then load this page again."
                raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, text) from err
            raise
        if isinstance(response, FileResponse):  # which would read it in steps of a thread each
            body = Path(response.path).read_bytes()
            headers = {name: response.headers[name] for name in ("etag", "last-modified")}
            response = Response(body, response.status_code, headers, response.media_type)
        response.headers["Cache-Control"] = "no-cache"
        return response


class Later:
    """App that is made when it is first needed, since its imports take seconds."""

    def __init__(self, make: Callable[[], ASGIApp]) -> None:
        self._make = make
        self._app: ASGIApp | None = None
        self._guard = threading.Lock()

    def open(self) -> ASGIApp:
        """App, made now if it is not there."""
        with self._guard:
            if self._app is None:
                self._app = self._make()
            return self._app


def create_app(
    site: Path, questions: Later, metrics: Callable[[], str], *, names: Sequence[str] = ()
) -> ASGIApp:
    """App over the folder of a site, which may be replaced while it serves.

    Args:
        site: Folder, or a link to it.
        questions: Answers ``QUESTIONS``.
        metrics: For Prometheus.
        names: Host names it answers to besides those of the loopback.
    """
    files = SiteFiles(site)

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        is_question = scope["path"].rpartition("/")[2] in QUESTIONS
        app = await run_in_threadpool(questions.open) if is_question else files
        await app(scope, receive, send)

    async def health(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def counts(_: Request) -> Response:
        return PlainTextResponse(metrics(), media_type="text/plain; version=0.0.4")

    app = Starlette(
        routes=[Route("/health", health), Route("/metrics", counts), Mount("/", app=answer)],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=[*OWN_NAMES, *names])],
        exception_handlers={HTTPException: refused},
    )
    return _with_headers(app)


async def refused(request: Request, err: Exception) -> Response:
    """Answer to a request that was refused, in a sentence."""
    status, detail = HTTPStatus.INTERNAL_SERVER_ERROR, "The service failed; see its log."
    if isinstance(err, HTTPException):
        status, detail = HTTPStatus(err.status_code), err.detail
    headers = {"Allow": "GET, HEAD"} if status == HTTPStatus.METHOD_NOT_ALLOWED else {}
    return PlainTextResponse(f"{status} {detail} ({request.url.path})\n", status, headers)


def _with_headers(app: ASGIApp) -> ASGIApp:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        async def named(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *HEADERS]
            await send(message)

        await app(scope, receive, named)

    return answer
