"""What a provider answers, and what can go wrong with it."""

import gzip
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

JSON = "application/json; charset=utf-8"
RETRY_AFTER_S = "2"
PAGE = b"<!DOCTYPE html><html><body>Please accept the terms of use.</body></html>"


class Fault(StrEnum):
    BUSY = "429"
    BROKEN = "500"
    WALL = "412"
    LARGE = "413"
    EMPTY = "204"
    HTML = "html"
    TRUNCATED = "truncated"
    GARBLED = "garbled"
    HANGUP = "hangup"
    RENAMED = "renamed"
    DOUBLED = "doubled"
    FLOOD = "flood"
    MOVED = "moved"


@dataclass(frozen=True, slots=True)
class Call:
    """A call as it arrived."""

    provider: str
    path: str
    params: Mapping[str, tuple[str, ...]]
    headers: Mapping[str, str]

    def one(self, name: str, default: str = "") -> str:
        return self.params.get(name, (default,))[0]

    def many(self, name: str) -> list[str]:
        return [part for text in self.params.get(name, ()) for part in text.split(",")]


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer before it is sent."""

    body: bytes
    status: int = 200
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    sent: int | None = None
    """Bytes sent before the connection is closed; None sends all."""

    @property
    def etag(self) -> str:
        return f'"{hashlib.sha256(self.body).hexdigest()[:16]}"'


Mend = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider: how it answers, and how its columns and rows look when spoilt."""

    answer: Callable[[Call], Answer]
    renamed: Mend
    doubled: Mend


_STATUSES = {
    Fault.BUSY: 429, Fault.BROKEN: 500, Fault.WALL: 412, Fault.LARGE: 413, Fault.EMPTY: 204,
}  # fmt: skip


def spoilt(answer: Answer, fault: Fault, provider: Provider) -> Answer:
    """Return what comes instead of an answer."""
    if (status := _STATUSES.get(fault)) is not None:
        wait = {"Retry-After": RETRY_AFTER_S} if fault == Fault.BUSY else {}
        return Answer(b"" if fault == Fault.EMPTY else b"{}", status, headers=wait)
    half = len(answer.body) // 2
    return {
        Fault.HTML: lambda: Answer(PAGE, content_type="text/html"),
        Fault.TRUNCATED: lambda: replace(answer, sent=half),
        Fault.GARBLED: lambda: replace(answer, body=answer.body[:half]),
        Fault.HANGUP: lambda: replace(answer, sent=-1),
        Fault.RENAMED: lambda: replace(answer, body=provider.renamed(answer.body)),
        Fault.FLOOD: lambda: Answer(
            gzip.compress(bytes(120_000_000), 1), headers={"Content-Encoding": "gzip"}
        ),
        Fault.MOVED: lambda: Answer(b"", 302, headers={"Location": "http://127.0.0.1:9/data"}),
        Fault.DOUBLED: lambda: replace(answer, body=provider.doubled(answer.body)),
    }[fault]()
