"""What freezes a publication: one digest of its rows, and the moment it was made."""

import hashlib
import json
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final

import pandas as pd

from store.publications.panels import StoredPanel
from store.schema.tables import forecasts, natural_key
from store.vocabulary import QUANTILE_COLUMNS

NUMBERS: Final = (*QUANTILE_COLUMNS, "mean")

HASHED: Final = (*natural_key(forecasts), "cutoff", "horizon", *NUMBERS, "status", "data_vintage")
"""What the digest covers: all that is forecast and what it was made from, not its explanations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicationContext:
    """The circumstances of a publication."""

    at: datetime | None = None
    """The moment; None where the publisher has no clock, and then nothing proves it was early."""
    ahead_from: date | None = None
    """First month whose release was still to come at that moment."""
    made_with: str = ""
    """JSON: packages, platform, threads, code and evidence."""
    panel: StoredPanel | None = field(default=None, repr=False)
    """What was known of past months; kept in the publication's own transaction."""


def content_hash(rows: pd.DataFrame) -> str:
    """Return the SHA-256 of rows of ``forecasts``, whatever their order.

    Equal digests mean equal bits of every number, a zero's sign apart, which SQLite does not keep.

    Args:
        rows: The columns ``HASHED`` with the table's types; not modified.
    """
    told = rows[list(HASHED)].sort_values(list(natural_key(forecasts)), ignore_index=True)
    times = {
        "as_of": told["as_of"].dt.strftime("%Y-%m-%dT%H:%M:%S.%f"),
        **{name: told[name].dt.strftime("%Y-%m-%d") for name in ("period", "cutoff")},
    }
    plain = told.assign(**times, **{name: told[name] + 0.0 for name in NUMBERS})
    digest = hashlib.sha256()
    for row in plain.itertuples(index=False, name=None):
        # json writes the shortest text that reads back as the same double.
        digest.update(json.dumps(row, ensure_ascii=False, allow_nan=False).encode())
        digest.update(b"\n")
    return digest.hexdigest()
