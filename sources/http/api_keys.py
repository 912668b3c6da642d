"""API keys of providers: sent with requests, never written anywhere."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, quote_plus

from pydantic import SecretStr

HIDDEN: Final = "***"
"""Replaces a key in any text."""

_LOGGERS: Final = ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.proxy")
"""Loggers that write addresses and headers; a filter acts only on the logger it is added to."""


@dataclass(frozen=True, slots=True)
class ApiKeys:
    """Keys sent with every request, by the name of the header or parameter."""

    headers: Mapping[str, SecretStr] = field(default_factory=dict)
    params: Mapping[str, SecretStr] = field(default_factory=dict)

    def header_values(self) -> dict[str, str]:
        """Return the headers in plain text, for sending only."""
        return {name: key.get_secret_value() for name, key in self.headers.items()}

    def param_values(self) -> list[tuple[str, str]]:
        """Return the parameters in plain text, for sending only."""
        return [(name, key.get_secret_value()) for name, key in self.params.items()]

    def redact(self, text: str) -> str:
        """Return ``text`` with every key hidden, however an address encodes it."""
        for written in self._written():
            text = text.replace(written, HIDDEN)
        return text

    def redact_bytes(self, body: bytes) -> bytes:
        """Return a body with every key hidden, because a provider may echo it."""
        for written in self._written():
            body = body.replace(written.encode(), HIDDEN.encode())
        return body

    def _written(self) -> list[str]:
        """Return the forms of all keys, the longest first."""
        keys = [key.get_secret_value() for key in (*self.headers.values(), *self.params.values())]
        forms = {
            form for key in keys if key for form in (key, quote(key, safe=""), quote_plus(key))
        }
        return sorted(forms, key=len, reverse=True)


def sent_as(name: str, key: SecretStr | None) -> Mapping[str, SecretStr]:
    """Return the header or parameter for a key; none if the key is missing or empty."""
    return {} if key is None or not key.get_secret_value() else {name: key}


@contextmanager
def hidden_in_logs(keys: ApiKeys) -> Iterator[None]:
    """Hide the keys in the logs of the HTTP library."""
    rule = _KeyFilter(keys)
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    for logger in loggers:
        logger.addFilter(rule)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(rule)


class _KeyFilter(logging.Filter):
    """Redacts keys in every record."""

    def __init__(self, keys: ApiKeys) -> None:
        """Take the keys to hide."""
        super().__init__()
        self._keys = keys

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record."""
        record.msg, record.args = self._keys.redact(record.getMessage()), ()
        return True
