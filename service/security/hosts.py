"""Host names the service accepts, so that pages of other names can neither read nor write.

A page may point its own name at this machine after it was loaded (DNS rebinding); the browser then
treats the service as that page's own, but still sends the page's name in ``Host``.
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
