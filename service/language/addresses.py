"""The language in addresses: read from a request, kept in the links of a page."""

import html
import re
from typing import Final
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.language.choice import LanguageChoice, choice_for, choose

PARAMETER: Final = "lang"

_OTHERS: Final = ("/api/", "/static/", "/metrics", "/robots.txt")
"""Addresses that begin so have no language."""

_FILES: Final = (".csv", ".xlsx")
"""Files are the same in all languages; charts are not."""

_NAMED: Final = ("text/html", "text/plain", "application/atom+xml")

_LINK: Final = re.compile(
    r'( (?:href|src|srcset|data-chart)="|(?<!method="get") action=")(/(?!api/|static/)[^"#]*)'
)
_SEARCH: Final = re.compile(r'<form [^>]*method="get"[^>]*>')


class LanguageOfRequests:
    """Chooses the language of each request for a page and names it in the response."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request in its language."""
        if (
            scope["type"] != "http"
            or scope["path"].startswith(_OTHERS)
            or scope["path"].endswith(_FILES)
        ):
            await self._app(scope, receive, send)
            return
        fields = dict(parse_qsl(scope["query_string"].decode("latin-1")))
        header = Headers(scope=scope).get("accept-language", "")
        choice = choice_for(fields.get(PARAMETER, ""), header)
        choose(choice)

        async def named(message: Message) -> None:
            if message["type"] == "http.response.start":
                _name(MutableHeaders(scope=message), choice)
            await send(message)

        await self._app(scope, receive, named)


def _name(headers: MutableHeaders, choice: LanguageChoice) -> None:
    """Name the language of a response, and keep it where a browser is sent on."""
    headers.add_vary_header("Accept-Language")
    if headers.get("content-type", "").startswith(_NAMED):
        headers["Content-Language"] = choice.tag
    place = headers.get("location", "")
    if place.startswith("/") and choice.named:
        path, mark, fragment = place.partition("#")
        headers["location"] = f"{path}{_field(path, choice.named)}{mark}{fragment}"


def keep_language(page: str, choice: LanguageChoice) -> str:
    """Page whose links and forms keep the language that its address names."""
    if not choice.named:
        return page
    field = f'<input type="hidden" name="{PARAMETER}" value="{choice.named}">'
    linked = _LINK.sub(lambda link: link[0] + html.escape(_field(link[2], choice.named)), page)
    return _SEARCH.sub(lambda form: f"{form[0]}{field}", linked)


def other_fields(query: str) -> str:
    """Fields of a query without the language, with a trailing ``&``."""
    fields = [pair for pair in parse_qsl(query, keep_blank_values=True) if pair[0] != PARAMETER]
    return f"{urlencode(fields)}&" if fields else ""


def _field(address: str, code: str) -> str:
    return f"{'&' if '?' in address else '?'}{PARAMETER}={code}"
