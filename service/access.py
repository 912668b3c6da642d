"""Who may read: everybody where that is allowed, else who has a token."""

import base64
import binascii
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final

from fastapi import HTTPException, Request

from service.problems import API
from store.tokens import Scope, digest_of

Tokens = Callable[[], Mapping[str, frozenset[str]]]
"""Returns what each token in force allows, by its digest."""

_REALM: Final = 'realm="magnetcast"'


class Access:
    """Asks for a token where one is needed.

    A program sends it as ``Authorization: Bearer TOKEN``; a browser asks for a password and sends
    it as such, with any name, so that no cookie is needed.
    """

    def __init__(self, tokens: Tokens, *, open_reads: bool) -> None:
        """Take the tokens in force and whether reading needs none."""
        self._tokens = tokens
        self._open_reads = open_reads

    async def read(self, request: Request) -> None:
        """Let a reader pass.

        Raises:
            HTTPException: 401 without a token in force.
        """
        if not self._open_reads:
            self._demand(request, "read")

    async def write(self, request: Request) -> None:
        """Let a writer pass; writing needs a token everywhere.

        Raises:
            HTTPException: 401 without a token in force, 403 with one that may only read.
        """
        self._demand(request, "write")

    def _demand(self, request: Request, scope: Scope) -> None:
        token = _token_of(request.headers.get("authorization", ""))
        allowed = self._tokens().get(digest_of(token)) if token else None
        if allowed is None:
            scheme = "Bearer" if request.url.path.startswith(API) else "Basic"
            raise HTTPException(
                HTTPStatus.UNAUTHORIZED,
                "No token in force came with the request. Expected one as Authorization: Bearer, "
                "or as the password a browser asks for. Make one with `magnetcast token create`.",
                headers={"WWW-Authenticate": f"{scheme} {_REALM}"},
            )
        if scope not in allowed and "write" not in allowed:
            raise HTTPException(
                HTTPStatus.FORBIDDEN,
                f"The token may {', '.join(sorted(allowed))}. Expected one that may {scope}. "
                f"Make one with `magnetcast token create --scope {scope}`.",
            )


def _token_of(header: str) -> str:
    """Return the token of an Authorization header, empty where there is none."""
    scheme, _, told = header.partition(" ")
    if scheme.lower() == "bearer":
        return told.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(told, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return ""
