"""Which names the service answers to, so that no page of another name can read or write here.

A page may point its own name at this machine after it was loaded (DNS rebinding); the browser then
takes the service for that page's own. It still says the page's name in ``Host``.
"""

import ipaddress
import re
from dataclasses import dataclass
from typing import Final

from store.errors import DataError

LOCALHOST: Final = "localhost"

_HOST: Final = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^\[\]:/@?#\s]+)(?::\d{1,5})?", re.ASCII)
_NAME: Final = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*", re.ASCII)


@dataclass(frozen=True, slots=True)
class AllowedHosts:
    """The names the service answers to besides those of the loopback."""

    names: frozenset[str] = frozenset()
    """In small letters, without ports."""
    any_address: bool = False
    """Whether any address by number is answered too; a page of another name cannot have one."""

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


def names_of(text: str) -> frozenset[str]:
    """Read names such as ``magnets.example.org, desk``.

    Raises:
        DataError: One is no name of a host.
    """
    found = frozenset(part.strip().lower() for part in text.split(",") if part.strip())
    strange = sorted(name for name in found if not _NAME.fullmatch(name))
    if strange:
        raise DataError(
            f"MAGNETCAST_PUBLIC_NAMES: {strange[0]!r} is no name of a host. Expected names without "
            "scheme and port, commas between them, e.g. magnets.example.org. Correct it."
        )
    return found
