"""Messages to people, delivered by Apprise to the addresses of a setting."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from pydantic import SecretStr

from store.errors import DataError

TIMEOUT_S: Final = 10.0
"""Seconds that all receivers of a message have, together."""

PATIENCE_S: Final = 60.0
"""Timeout of one connection, beyond the above: a receiver that gives up by itself has refused."""


class Receivers:
    """Receivers by place and kind; one that does not answer is left out from then on."""

    def __init__(self, addresses: SecretStr, setting: str) -> None:
        """Take addresses of Apprise, separated by blanks; one that it does not know is refused."""
        self._notify: dict[str, Callable[..., object]] = {}
        words = addresses.get_secret_value().split()
        if not words:
            return
        import apprise  # noqa: PLC0415 - half a second

        logging.getLogger("apprise").setLevel(logging.CRITICAL)  # it logs addresses
        asset = apprise.AppriseAsset(app_id="magnetcast", http_redirects=False)
        for place, word in enumerate(words, 1):
            receiver = apprise.Apprise.instantiate(word, asset=asset)
            if receiver is None:
                raise DataError(
                    f"MAGNETCAST_{setting}: Apprise does not know address {place} of {len(words)}, "
                    "which is not shown, as it may hold a secret. Expected such as "
                    "jsons://HOST/PATH for a webhook or mailtos://USER:PASSWORD@HOST?to=ADDRESS "
                    "for mail. See https://appriseit.com for others."
                )
            receiver.socket_connect_timeout = receiver.socket_read_timeout = PATIENCE_S
            name = f"receiver {place} ({receiver.service_name})"
            self._notify[name] = apprise.Apprise(receiver, asset=asset).notify

    def __bool__(self) -> bool:
        return bool(self._notify)

    def deliver(self, title: str, text: str) -> tuple[bool, str]:
        """Hand a message to all; whether one has it, or may have it, and who did not take it."""
        answers: dict[str, bool] = {}

        def call(name: str, notify: Callable[..., object]) -> None:
            answers[name] = bool(notify(text, title=title, body_format="text"))

        threads = [
            threading.Thread(target=call, args=item, daemon=True) for item in self._notify.items()
        ]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + TIMEOUT_S
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        outcomes = {name: answers.get(name) for name in self._notify}
        words = {False: "did not take it", None: "did not answer"}
        troubles = [f"{name} {words[taken]}" for name, taken in outcomes.items() if not taken]
        self._notify = {name: self._notify[name] for name in self._notify if name in answers}
        return any(taken is not False for taken in outcomes.values()), "; ".join(troubles)
