"""HEAD and OPTIONS, which every path answers besides its own methods."""

from typing import Final

from starlette.applications import Starlette
from starlette.routing import Match
from starlette.types import Message, Scope, Send

METHODS: Final = ("GET", "POST", "DELETE")
"""Methods that routes of this service have; HEAD goes with GET, OPTIONS with all."""


def allowed(app: Starlette, scope: Scope) -> str:
    """Return the methods of the requested path for the ``Allow`` header."""
    own = [
        method
        for method in METHODS
        if any(
            route.matches({**scope, "method": method})[0] is Match.FULL
            for route in app.router.routes
        )
    ]
    heads = ["HEAD"] if "GET" in own else []
    return ", ".join([*own, *heads, "OPTIONS"])


def without_body(send: Send) -> Send:
    """Send the head of a response without its body."""

    async def head(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return head
