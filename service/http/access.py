"""Who may ask, and by which name: tokens, forms of our own pages, accepted hosts."""

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import Final

from fastapi import HTTPException, Request

from service.http.replies import API
from service.language.phrases import gettext
from store.errors import DataError
from store.planning.audit import Scope, digest_of

Tokens = Callable[[], Mapping[str, frozenset[str]]]
"""Returns the scopes of each valid token by its digest."""

_REALM: Final = 'realm="magnetcast"'


class Access:
    """Requires a token where one is needed.

    A program sends it as ``Authorization: Bearer TOKEN``; a browser as the password of any user
    name, so that no cookie is needed.
    """

    def __init__(self, tokens: Tokens, *, open_reads: bool) -> None:
        """Take the valid tokens and whether reading is open."""
        self._tokens = tokens
        self._open_reads = open_reads

    async def read(self, request: Request) -> None:
        """Let a reader pass.

        Raises:
            HTTPException: 401 without a valid token.
        """
        if not self._open_reads:
            self._demand(request, "read")

    async def known(self, request: Request) -> None:
        """Let a reader with a token pass, also where reading is open.

        Raises:
            HTTPException: 401 without a valid token.
        """
        self._demand(request, "read")

    async def write(self, request: Request) -> str:
        """Let a writer pass and return the token's digest; writing needs a token everywhere.

        Raises:
            HTTPException: 401 without a valid token, 403 with a read-only one.
        """
        return self._demand(request, "write")

    def _demand(self, request: Request, scope: Scope) -> str:
        token = _token_of(request.headers.get("authorization", ""))
        digest = digest_of(token)
        allowed = self._tokens().get(digest) if token else None
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


def from_own_page(request: Request) -> None:
    """Let a form pass that a page of this service sent.

    A browser sends a password to its host whoever wrote the page, so a form of another site could
    write in the name of its reader. ``Sec-Fetch-Site`` or, where it is missing, ``Origin`` names
    the site of a form; no page can change either.

    Raises:
        HTTPException: 403 if it is from another site, or neither header is present.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin", "")
    own = origin == f"{request.url.scheme}://{request.headers.get('host')}"
    if site == "same-origin" or (site is None and own):
        return
    raise HTTPException(
        HTTPStatus.FORBIDDEN,
        f"The form is from another site (Sec-Fetch-Site {site!r}, Origin {origin!r}). Expected one "
        "of this service. Open the page here and send it again; programs use /api/v1.",
    )


def _token_of(header: str) -> str:
    """Return the token of an Authorization header, empty where there is none."""
    scheme, _, credentials = header.partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(credentials, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return ""


LOCALHOST: Final = "localhost"

_HOST: Final = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^\[\]:/@?#\s]+)(?::\d{1,5})?", re.ASCII)
_NAME: Final = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*", re.ASCII)


@dataclass(frozen=True, slots=True)
class AllowedHosts:
    """Accepted host names besides those of the loopback."""

    names: frozenset[str] = frozenset()
    """Lower case, without ports."""
    any_address: bool = False
    """Whether any IP address is accepted too; a page of another name cannot have one."""

    def admits(self, header: str) -> bool:
        """Tell whether a ``Host`` header names this service."""
        parts = _HOST.fullmatch(header.strip())
        if parts is None:
            return False
        name = parts[1].strip("[]").lower().removesuffix(".")
        if name == LOCALHOST or name in self.names:
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return self.any_address or address.is_loopback


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


NOBODY: Final = "::"
"""The client of a request that came from no address."""

CLIENT_BITS: Final = 64
"""Bits of an IPv6 network whose addresses are all of one client."""


@lru_cache(1024)
def client_of(address: str) -> str:
    """Return the client by its address; of IPv6 the first address of its network."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return NOBODY
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    mapped = found.ipv4_mapped
    return str(mapped or ipaddress.IPv6Address(int(found) >> CLIENT_BITS << CLIENT_BITS))


def networks_of(setting: str, text: str) -> tuple[Network, ...]:
    """Read networks such as ``10.0.0.0/8, ::1`` of a setting.

    Raises:
        DataError: One is not a network.
    """
    try:
        return tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip())
    except ValueError as err:
        raise DataError(
            f"MAGNETCAST_{setting}: {err}. Expected addresses or networks separated by commas, "
            "e.g. 10.0.0.0/8. Correct it."
        ) from err


def names_of(text: str) -> frozenset[str]:
    """Read names such as ``magnets.example.org, desk``.

    Raises:
        DataError: One is not a host name.
    """
    found = frozenset(part.strip().lower() for part in text.split(",") if part.strip())
    invalid = sorted(name for name in found if not _NAME.fullmatch(name))
    if invalid:
        raise DataError(
            f"MAGNETCAST_PUBLIC_NAMES: {invalid[0]!r} is not a host name. Expected names without "
            "scheme and port, separated by commas, e.g. magnets.example.org. Correct it."
        )
    return found
