"""Webhooks: which addresses may be called, and how a message is signed.

Signing follows Standard Webhooks 1.0.0. No secret is kept: each is derived from the key of the
house and from what names its rule.
Source: https://github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md.
"""

import base64
import hashlib
import hmac
import ipaddress
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

from store.errors import DataError

LONGEST_URL: Final = 500
SHORTEST_KEY: Final = 32
"""Characters of the key of the house."""

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - how a secret begins, none itself

Ip = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolve = Callable[[str, int], Sequence[str]]


@dataclass(frozen=True, slots=True)
class WebhookPolicy:
    """The rules of the house for webhooks."""

    key: str = ""
    """Every secret is derived from it; empty means that there are no webhooks."""
    networks: tuple[Network, ...] = ()
    """Networks within the house that may be called too, without TLS if need be."""

    def checked(self, url: str) -> str:
        """Return an address that may be called, as far as it tells by itself.

        Raises:
            DataError: It may not, or there is no key to sign with.
        """
        if len(self.key) < SHORTEST_KEY:
            raise DataError(
                f"A webhook, but MAGNETCAST_ALERT_KEY has {len(self.key)} characters. Expected "
                f"{SHORTEST_KEY} or more to sign with. Set it for the service and for what runs "
                "`magnetcast alerts`, or leave url empty and read /alerts.atom."
            )
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname, parts.port
        except ValueError as err:
            raise _refused("no web address") from err
        if not url.isascii() or not url.isprintable() or " " in url or len(url) > LONGEST_URL:
            raise _refused(f"not up to {LONGEST_URL} printable ASCII characters")
        if parts.scheme not in {"https", "http"} or not host:
            raise _refused("no http(s) address")
        if parts.username is not None or parts.password is not None or parts.fragment:
            raise _refused("an address with a user, a password or a fragment")
        literal = _literal(host)
        if literal is not None:
            self.admit(literal, scheme=parts.scheme)
        elif parts.scheme == "http" and not self.networks:
            raise _refused("an address without TLS")
        return url

    def admit(self, address: Ip, *, scheme: str) -> None:
        """Let an address pass that is public and called over TLS, or within allowed networks.

        Raises:
            DataError: It is neither.
        """
        bare = _bare(address)
        if any(bare.version == net.version and bare in net for net in self.networks):
            return
        if not bare.is_global or bare.is_multicast or bare.is_reserved:
            raise _refused(f"{address} is no public address")
        if scheme != "https":
            raise _refused("an address without TLS")

    def place(self, url: str, resolve: Resolve) -> str:
        """Return the one address to connect to; every address of the host must be allowed.

        Connecting to it and to no other keeps a name from pointing elsewhere afterwards.

        Raises:
            DataError: Not all of them are, or there is none.
        """
        parts = urlsplit(self.checked(url))
        host, usual = str(parts.hostname), 443 if parts.scheme == "https" else 80
        try:
            found = resolve(host, parts.port or usual)
        except OSError as err:
            raise _refused(f"the name cannot be resolved ({err})") from err
        for text in found:
            self.admit(ipaddress.ip_address(text.partition("%")[0]), scheme=parts.scheme)
        if not found:
            raise _refused("the name has no address")
        return found[0]

    def secret(self, uid: str) -> str:
        """Return the secret that a rule's messages are signed with, as its receiver keeps it."""
        raw = hmac.new(self.key.encode(), f"magnetcast webhook {uid}".encode(), hashlib.sha256)
        return SECRET_PREFIX + base64.b64encode(raw.digest()).decode()


def signed(secret: str, *, message: str, at: datetime, body: bytes) -> dict[str, str]:
    """Return the headers that name, date and sign a message.

    Args:
        secret: As ``Hooks.secret``.
        message: What names the message; the same for every try.
        at: The moment of sending, aware.
        body: What is sent.
    """
    moment = str(int(at.timestamp()))
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    text = b".".join((message.encode(), moment.encode(), body))
    mark = base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()
    return {
        "webhook-id": message,
        "webhook-timestamp": moment,
        "webhook-signature": f"v1,{mark}",
    }


def resolved(host: str, port: int) -> list[str]:
    """Return the addresses of a host, as this machine finds them."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


def networks_of(text: str) -> tuple[Network, ...]:
    """Read networks such as ``10.0.0.0/8, ::1/128``.

    Raises:
        DataError: One is none.
    """
    try:
        return tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip())
    except ValueError as err:
        raise DataError(
            f"MAGNETCAST_ALERT_NETWORKS: {err}. Expected networks with commas between them, e.g. "
            "10.0.0.0/8. Correct it."
        ) from err


def _literal(host: str) -> Ip | None:
    """Return the address a host names by number, in whatever way a resolver would read it."""
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        pass
    try:
        return ipaddress.ip_address(socket.inet_aton(host))
    except OSError:
        return None


def _bare(address: Ip) -> Ip:
    """Return the IPv4 address that an IPv6 address stands for, else the address."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    inside = address.ipv4_mapped or address.sixtofour
    if inside is None and address in ipaddress.ip_network("64:ff9b::/96"):
        inside = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return inside or address


def _refused(why: str) -> DataError:
    return DataError(
        f"The address of a webhook is refused: {why}. Expected https:// and a host with public "
        "addresses only, or one within MAGNETCAST_ALERT_NETWORKS. Correct url."
    )
