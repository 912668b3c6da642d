"""Messages to people, delivered by Apprise to the addresses of a setting."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from pydantic import SecretStr

from store.errors import DataError

TIMEOUT_S: Final = 10.0
"""Seconds that all receivers of a message have, together."""

PATIENCE_S: Final = 60.0
"""Timeout of one connection, beyond the above: a receiver that gives up by itself has refused."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of a message; receivers go by place in the setting and kind, without secrets."""

    taken: tuple[str, ...]
    refused: tuple[str, ...]
    silent: tuple[str, ...]
    """They did not answer, and may have the message."""

    @property
    def is_sent(self) -> bool:
        """Whether a receiver has it, or may have it."""
        return bool(self.taken or self.silent)

    @property
    def trouble(self) -> str:
        """Sentence on who did not take the message; empty if all did."""
        parts = [(self.refused, "did not take it"), (self.silent, "did not answer")]
        return "; ".join(f"{', '.join(names)} {words}" for names, words in parts if names)


@dataclass(slots=True)
class Receivers:
    """The receivers that a setting names; one that does not answer is left out from then on."""

    _send: dict[str, Callable[[str, str], bool]] = field(default_factory=dict)

    @classmethod
    def of(cls, addresses: SecretStr, setting: str) -> "Receivers":
        """Receivers of addresses of Apprise, separated by blanks.

        Raises:
            DataError: Apprise does not know an address, which is not shown.
        """
        words = addresses.get_secret_value().split()
        if not words:
            return cls()
        from apprise import Apprise, AppriseAsset, NotifyFormat  # noqa: PLC0415 - half a second

        logging.getLogger("apprise").setLevel(logging.CRITICAL)  # it logs addresses
        asset = AppriseAsset(app_id="magnetcast", http_redirects=False)

        def sender(place: int, word: str) -> tuple[str, Callable[[str, str], bool]]:
            receiver = Apprise.instantiate(word, asset=asset)
            if receiver is None:
                raise DataError(
                    f"MAGNETCAST_{setting}: Apprise does not know address {place} of {len(words)}, "
                    "which is not shown, as it may hold a secret. Expected such as "
                    "jsons://HOST/PATH for a webhook or mailtos://USER:PASSWORD@HOST?to=ADDRESS "
                    "for mail. See https://appriseit.com for others."
                )
            receiver.socket_connect_timeout = receiver.socket_read_timeout = PATIENCE_S
            one = Apprise(receiver, asset=asset)
            name = f"receiver {place} ({receiver.service_name})"
            return name, lambda title, text: bool(
                one.notify(text, title=title, body_format=NotifyFormat.TEXT)
            )

        return cls(dict(sender(place, word) for place, word in enumerate(words, 1)))

    def __bool__(self) -> bool:
        return bool(self._send)

    def deliver(self, title: str, text: str) -> Delivery:
        """Hand a message to all receivers at once."""
        answers: dict[str, bool] = {}

        def call(name: str, send: Callable[[str, str], bool]) -> None:
            answers[name] = send(title, text)

        threads = [
            threading.Thread(target=call, args=item, daemon=True) for item in self._send.items()
        ]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + TIMEOUT_S
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        result = Delivery(
            taken=tuple(name for name in self._send if answers.get(name)),
            refused=tuple(name for name in self._send if answers.get(name) is False),
            silent=tuple(name for name in self._send if name not in answers),
        )
        for name in result.silent:
            del self._send[name]
        return result
