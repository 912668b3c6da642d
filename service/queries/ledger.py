"""The policy ledger: searchable events and tariff steps with their sources."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pandas as pd

from service.charts.markers import touches
from service.http.responses import Record, records
from service.live.publication import Publication

EVENT_COLUMNS: Final = (
    "event_id", "announced_on", "effective_from", "effective_to", "suspended_from",
    "suspended_to", "issuer", "instrument", "direction", "severity", "destinations", "products",
    "summary", "legal_reference", "source_urls", "confidence", "evidence", "note", "available_at",
)  # fmt: skip

TARIFF_COLUMNS: Final = (
    "importer", "origin", "component", "product_scope", "rate_pct", "announced_on",
    "effective_from", "effective_to", "legal_reference", "source_url", "confidence", "note",
    "available_at",
)  # fmt: skip

SEARCHED: Final = ("event_id", "issuer", "summary", "legal_reference", "products", "note")
SEARCHED_STEPS: Final = ("importer", "component", "legal_reference", "note")


@dataclass(frozen=True, slots=True)
class LedgerQuery:
    """A search; empty fields restrict nothing."""

    text: str = ""
    destination: str = ""
    instrument: str = ""


def events(publication: Publication, search: LedgerQuery) -> list[Record]:
    """Return the newest version of each matching event, latest announcement first."""
    rows = publication.ledger.events
    if search.instrument:
        rows = rows.loc[rows["instrument"] == search.instrument]
    if search.destination:
        fits = [touches(search.destination, _codes(cell)) for cell in rows["destinations"]]
        rows = rows.loc[fits]
    rows = _matching(rows, SEARCHED, search.text)
    order = ["announced_on", "severity", "event_id"]
    return records(rows.sort_values(order, ascending=False)[list(EVENT_COLUMNS)])


def tariffs(publication: Publication, *, importer: str = "", text: str = "") -> list[Record]:
    """Return the newest version of each matching tariff step, latest start first."""
    rows = publication.ledger.tariffs
    if importer:
        rows = rows.loc[rows["importer"] == importer]
    rows = _matching(rows, SEARCHED_STEPS, text)
    order = ["effective_from", "importer", "component"]
    return records(rows.sort_values(order, ascending=[False, True, True])[list(TARIFF_COLUMNS)])


def instruments(publication: Publication) -> list[str]:
    """Return the instruments that occur."""
    return sorted(set(publication.ledger.events["instrument"]))


def importers(publication: Publication) -> list[str]:
    """Return the importers whose tariffs are known."""
    return sorted(set(publication.ledger.tariffs["importer"]))


def _matching(rows: pd.DataFrame, columns: Sequence[str], text: str) -> pd.DataFrame:
    """Return the rows whose columns together contain every word of a text."""
    words = text.casefold().split()
    cells = rows[list(columns)].astype(str).to_numpy()
    texts = [" ".join(row).casefold() for row in cells]
    return rows.loc[[all(word in text for word in words) for text in texts]]


def _codes(cell: object) -> list[str]:
    return [] if pd.isna(cell) else [code.strip() for code in str(cell).split(";")]  # type: ignore[call-overload]
