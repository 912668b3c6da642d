"""The digest of a publication's rows, and the circumstances it was published in."""

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
"""Columns the digest covers: the forecast and the data it was made from, not the explanations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicationContext:
    """The circumstances of a publication."""

    at: datetime | None = None
    """The moment; without it nothing proves that the forecast came before its figures."""
    ahead_from: date | None = None
    """First month not yet released at that moment."""
    made_with: str = ""
    """JSON: packages, platform, threads, code and evidence."""
    panel: StoredPanel | None = field(default=None, repr=False)
    """What was known of past months; kept in the publication's own transaction."""


def content_hash(rows: pd.DataFrame) -> str:
    """Return the SHA-256 of rows of ``forecasts``, whatever their order.

    Equal digests mean bit-identical numbers, except for the sign of zero, which SQLite drops.

    Args:
        rows: The columns ``HASHED`` with the table's types; not modified.
    """
    hashed = rows[list(HASHED)].sort_values(list(natural_key(forecasts)), ignore_index=True)
    times = {
        "as_of": hashed["as_of"].dt.strftime("%Y-%m-%dT%H:%M:%S.%f"),
        **{name: hashed[name].dt.strftime("%Y-%m-%d") for name in ("period", "cutoff")},
    }
    plain = hashed.assign(**times, **{name: hashed[name] + 0.0 for name in NUMBERS})
    digest = hashlib.sha256()
    for row in plain.itertuples(index=False, name=None):
        # json writes the shortest text that parses to the same double.
        digest.update(json.dumps(row, ensure_ascii=False, allow_nan=False).encode())
        digest.update(b"\n")
    return digest.hexdigest()
