"""Rows for the review queue: items found by watchers for a person to decide on."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pandas as pd

from store.schema.frames import DATE_DTYPE

COLUMNS: Final = ("source", "item_key", "title", "url", "published_on", "payload")


@dataclass(frozen=True, slots=True)
class Proposal:
    """One item."""

    item_key: str
    """Identifies the item within its source; each item is proposed only once."""
    title: str
    url: str
    published_on: pd.Timestamp | None
    payload: Mapping[str, object]
    """Details for the ledger's row."""


def proposals(items: Sequence[Proposal], *, source: str) -> pd.DataFrame:
    """Return typed rows of ``proposals``, ordered by key."""
    rows = [
        (
            source,
            item.item_key,
            item.title,
            item.url,
            item.published_on,
            json.dumps(item.payload, ensure_ascii=False, sort_keys=True),
        )
        for item in sorted(items, key=lambda item: item.item_key)
    ]
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    texts = dict.fromkeys(("source", "item_key", "title", "url", "payload"), "str")
    return frame.astype({**texts, "published_on": DATE_DTYPE})
