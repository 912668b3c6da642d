"""Webhooks: which addresses may be called, and how a message is signed.

Signing follows Standard Webhooks 1.0.0. No secret is stored: each is derived from the service's key
and the id of its rule.
Source: https://github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md.
"""

import base64
import hashlib
import hmac
import ipaddress
import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from standardwebhooks import Webhook

from service.http.access import Network
from store.errors import DataError

LONGEST_URL: Final = 500
SHORTEST_KEY: Final = 32
"""Characters of the service's key."""

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - how a secret begins, none itself

Ip = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Sequence[str]]

SPECIAL: Final = tuple(
    map(
        ipaddress.ip_network,
        (
            "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
            "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24",
            "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15",
            "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
            "2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20",
        ),
    )
)  # fmt: skip
"""Networks that are not the public internet, some of which a host or cloud answers itself.
Source: IANA IPv4 and IPv6 special-purpose address registries, and multicast, whole."""

PUBLIC_IPV6: Final = ipaddress.IPv6Network("2000::/3")
"""Global unicast: beyond it no IPv6 address is public."""

NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
"""Addresses that carry the IPv4 address to which they are translated."""


def resolved(host: str, port: int) -> list[str]:
    """Return the addresses of a host, as this machine resolves them."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


@dataclass(frozen=True, slots=True)
class WebhookPolicy:
    """Which webhooks are allowed, and the key that signs them."""

    key: str = ""
    """Every secret is derived from it; empty turns webhooks off."""
    networks: tuple[Network, ...] = ()
    """Private networks that may be called too, without TLS if need be."""
    resolve: Resolve = resolved
    """Returns the addresses of a host."""

    def checked(self, url: str) -> str:
        """Return an allowed address, as far as it can be checked without resolving its name.

        Raises:
            DataError: It is not allowed, or there is no key to sign with.
        """
        if len(self.key) < SHORTEST_KEY:
            raise DataError(
                f"Webhooks are off: MAGNETCAST_ALERT_KEY has {len(self.key)} characters. Expected "
                f"{SHORTEST_KEY} or more to sign with. Set it for the service and for "
                "`magnetcast alerts`, or leave url empty and read /alerts.atom."
            )
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname, parts.port
        except ValueError as err:
            raise _refused("not a web address") from err
        if not url.isascii() or not url.isprintable() or " " in url or len(url) > LONGEST_URL:
            raise _refused(f"not up to {LONGEST_URL} printable ASCII characters")
        if parts.scheme not in {"https", "http"} or not host:
            raise _refused("not an http(s) address")
        if parts.username is not None or parts.password is not None or parts.fragment:
            raise _refused("an address with a user, a password or a fragment")
        literal = _literal(host)
        if literal is not None:
            self.admit(literal, scheme=parts.scheme)
        elif parts.scheme == "http" and not self.networks:
            raise _refused("an address without TLS")
        return url

    def admit(self, address: Ip, *, scheme: str) -> None:
        """Check that an address is public and called over TLS, or within allowed networks.

        Raises:
            DataError: It is neither.
        """
        bare = _bare(address)
        if any(bare in network for network in self.networks):
            return
        is_public = isinstance(bare, ipaddress.IPv4Address) or bare in PUBLIC_IPV6
        if not is_public or any(bare in network for network in SPECIAL):
            raise _refused(f"{address} is not a public address")
        if scheme != "https":
            raise _refused("an address without TLS")

    def place(self, url: str, resolve: Resolve) -> str:
        """Return the address to connect to; every address of the host must be allowed.

        Connecting to this address only keeps the name from pointing elsewhere afterwards.

        Raises:
            DataError: Not all of them are allowed, or there is none.
        """
        parts = urlsplit(self.checked(url))
        host, usual = str(parts.hostname), 443 if parts.scheme == "https" else 80
        try:
            found = resolve(host, parts.port or usual)
        except (OSError, UnicodeError) as err:
            raise _refused(f"the name cannot be resolved ({err})") from err
        for text in found:
            self.admit(ipaddress.ip_address(text.partition("%")[0]), scheme=parts.scheme)
        if not found:
            raise _refused("the name has no address")
        return found[0]

    def secret(self, uid: str) -> str:
        """Return the secret that signs a rule's messages, as its receiver stores it."""
        raw = hmac.new(self.key.encode(), f"magnetcast webhook {uid}".encode(), hashlib.sha256)
        return SECRET_PREFIX + base64.b64encode(raw.digest()).decode()


def trusting(own: Path | None) -> ssl.SSLContext:
    """Return whose certificates count: public authorities, and those of a PEM file if there is one.

    Raises:
        DataError: The file cannot be read or holds no certificate.
    """
    import httpx  # noqa: PLC0415 - the service itself sends nothing

    made = httpx.create_ssl_context(trust_env=False)
    if own is None:
        return made
    try:
        made.load_verify_locations(own)
    except OSError as err:
        raise DataError(
            f"MAGNETCAST_ALERT_CA: {own} cannot be taken ({err}). Expected a file of certificates "
            "in PEM. Correct the path or the file."
        ) from err
    return made


def signed(secret: str, *, message: str, at: datetime, body: bytes) -> dict[str, str]:
    """Return the headers that identify, date and sign a message.

    Args:
        secret: As ``WebhookPolicy.secret``.
        message: Id of the message; the same for every attempt.
        at: The moment of sending, aware.
        body: The message, UTF-8.
    """
    return {
        "webhook-id": message,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(message, at.astimezone(UTC), body.decode()),
    }


def _literal(host: str) -> Ip | None:
    """Return the address a host names by number, in any notation that a resolver accepts."""
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        pass
    try:
        return ipaddress.ip_address(socket.inet_aton(host))
    except OSError:
        return None


def _bare(address: Ip) -> Ip:
    """Return the IPv4 address embedded in an IPv6 address, else the address."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address


def _refused(why: str) -> DataError:
    return DataError(
        f"The address of a webhook is refused: {why}. Expected https:// and a host with public "
        "addresses only, or one within MAGNETCAST_ALERT_NETWORKS. Correct url."
    )
