"""Access: tokens, forms of our own pages, accepted host names."""

import base64
import binascii
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from fastapi import HTTPException, Request

from service.http.replies import API
from service.language.phrases import gettext
from store.planning.audit import Scope, digest_of

_REALM: Final = 'realm="magnetcast"'


def demand(request: Request, scope: Scope, tokens: Mapping[str, frozenset[str]]) -> str:
    """Digest of a request's token, which must allow a scope.

    A program sends it as ``Authorization: Bearer TOKEN``; a browser as the password of any user
    name, so that no cookie is needed.

    Args:
        tokens: The scopes of each valid token by its digest.

    Raises:
        HTTPException: 401 without a valid token, 403 with one that does not allow it.
    """
    token = _token_of(request.headers.get("authorization", ""))
    digest = digest_of(token)
    allowed = tokens.get(digest) if token else None
    if allowed is None:
        scheme = "Bearer" if request.url.path.startswith(API) else "Basic"
        raise HTTPException(
            HTTPStatus.UNAUTHORIZED,
            gettext(
                "The request has no valid token. Expected one as Authorization: Bearer, or as "
                "the password in a browser. Create one with `magnetcast token create`."
            ),
            headers={"WWW-Authenticate": f"{scheme} {_REALM}"},
        )
    if scope not in allowed and "write" not in allowed:
        raise HTTPException(
            HTTPStatus.FORBIDDEN,
            gettext(
                "The token has %(allowed)s access. Expected %(scope)s access. Create a token "
                "with `magnetcast token create --scope %(scope)s`.",
                allowed=", ".join(sorted(allowed)),
                scope=scope,
            ),
        )
    return digest


def refuse_foreign(request: Request) -> None:
    """Refuse a request to write that a page of another site sent.

    A browser sends a password to its host whoever wrote the page, so another site could write in
    the name of its reader. ``Sec-Fetch-Site`` or, where it is missing, ``Origin`` names the site;
    no page can change either. A program sends neither, which the API accepts.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    own = f"{request.url.scheme}://{request.headers.get('host')}"
    if site is None and origin is None and request.url.path.startswith(API):
        return
    if site == "same-origin" or (site is None and origin == own):
        return
    raise HTTPException(
        HTTPStatus.FORBIDDEN,
        f"The request is from another site (Sec-Fetch-Site {site!r}, Origin {origin or ''!r}). "
        "Expected a page of this service. Open it here and send again; programs use /api/v1, "
        "without these headers.",
    )


def _token_of(header: str) -> str:
    scheme, _, credentials = header.partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(credentials, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return ""


_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def is_own_name(header: str, public: frozenset[str]) -> bool:
    """Whether a ``Host`` header names this service; guards against DNS rebinding."""
    try:
        name = urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return False
    return name.removesuffix(".") in _LOOPBACK | public
