"""What all providers queried over HTTP share: settings, the client, how rows are handed in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import pandas as pd

from sources.base import MonthRange, SourceInfo
from sources.http.client import HttpClient
from sources.http.faults import RetryPolicy
from sources.http.transport import ApiKeys
from store.facts.batch import FileRows
from store.settings import Settings


@dataclass(frozen=True, slots=True)
class HttpSource:
    """A provider; a subclass names it and adds ``fetch`` to make a ``LiveSource``."""

    info: ClassVar[SourceInfo]
    provider: ClassVar[str]
    """As in the names of its settings, ``MAGNETCAST_<PROVIDER>_URL``, and in messages."""

    settings: Settings
    retry_policy: RetryPolicy = field(default_factory=RetryPolicy)

    @property
    def url(self) -> str:
        """Return the provider's address."""
        return str(getattr(self.settings, f"{self.provider}_url"))

    def client(self, keys: ApiKeys | None = None) -> HttpClient:
        """Return a client for its address, to be used within ``with``."""
        return HttpClient(
            self.settings,
            provider=self.provider,
            base_url=self.url,
            keys=keys,
            retry_policy=self.retry_policy,
        )

    def file(
        self,
        span: MonthRange,
        http: HttpClient,
        tables: Mapping[str, pd.DataFrame],
        *,
        wanted: str,
        ignored: tuple[str, ...] = (),
    ) -> FileRows:
        """Return the rows of some months with the hash over all answers.

        Args:
            span: The months.
            http: The client that asked.
            tables: What the answers hold.
            wanted: What was asked for besides the months, in words.
            ignored: What was left out.
        """
        name = self.info.id
        return FileRows(
            name,
            f"{name} {span}",
            http.sha256,
            tables,
            ignored,
            asked=f"{wanted}, {span}",
            asked_at=http.answered_at,
        )
