"""US Federal Register: new documents on the watched terms, for review only."""

import json
from collections.abc import Mapping
from datetime import date
from itertools import chain
from typing import Final

import pandas as pd

from sources.http import HttpClient, HttpSource, MonthRange, Params
from sources.providers.rows import (
    Proposal,
    proposals,
    proposed_coverage,
    records_in,
    refuse_missing,
)
from store.errors import SourceError
from store.facts.batch import FileRows

TERMS: Final = (
    '"8505.11"', '"rare earth magnets"', '"neodymium-iron-boron"', '"permanent magnets" China',
)  # fmt: skip
"""Watched terms: in quotes as one phrase."""

TYPES: Final = ("PRESDOCU", "NOTICE", "RULE", "PRORULE")

MOST_RESULTS: Final = 2_000
"""Results one query can page through. Source: the API's documentation."""

PER_PAGE: Final = 1_000

_FIELDS: Final = (
    "document_number", "title", "type", "publication_date", "signing_date", "effective_on",
    "executive_order_number", "citation", "html_url", "raw_text_url",
)  # fmt: skip
_NEEDED: Final = ("document_number", "title", "publication_date", "html_url")

Document = Mapping[str, object]


class FederalRegister(HttpSource):
    """Documents that may change a tariff or a control on magnets."""

    id = provider = "federal_register"

    def fetch(self, span: MonthRange, *, ingested_at: pd.Timestamp) -> FileRows:
        """Documents of each watched term; as ``HttpSource.fetch``."""
        documents: dict[str, Document] = {}
        terms: dict[str, list[str]] = {}
        with self.client() as http:
            for term in TERMS:
                for document in chain(*(_documents(http, term, year) for year in span.years())):
                    number = str(document["document_number"])
                    documents.setdefault(number, document)
                    terms.setdefault(number, []).append(term)
        items = [_proposal(document, terms[number]) for number, document in documents.items()]
        tables = {"proposals": proposals(items, source=self.id, ingested_at=ingested_at)}
        return self.file(span, http, tables, wanted=f"documents with {', '.join(TERMS)}")


def _params(term: str, span: MonthRange, page: int) -> Params:
    return [
        ("conditions[term]", term),
        *(("conditions[type][]", kind) for kind in TYPES),
        ("conditions[publication_date][gte]", f"{span.begin:%Y-%m-%d}"),
        ("conditions[publication_date][lte]", f"{span.end:%Y-%m-%d}"),
        ("order", "oldest"),
        ("per_page", str(PER_PAGE)),
        ("page", str(page)),
        *(("fields[]", name) for name in _FIELDS),
    ]


def _documents(http: HttpClient, term: str, span: MonthRange) -> list[Document]:
    count, documents = _page(http, _params(term, span, 1))
    if count > MOST_RESULTS:
        raise SourceError(
            f"federal_register has {count} documents on {term} for one year. "
            f"Expected no more than {MOST_RESULTS}. Watch a narrower term."
        )
    for page in range(2, -(-count // PER_PAGE) + 1):
        documents += _page(http, _params(term, span, page))[1]
    numbers = {str(document["document_number"]) for document in documents}
    if len(numbers) != count:
        raise SourceError(
            f"federal_register announces {count} documents on {term} and lists "
            f"{len(numbers)} different ones in {len(documents)}. Expected each once. Try "
            "again later; nothing was taken over."
        )
    return documents


def _page(http: HttpClient, params: Params) -> tuple[int, list[Document]]:
    """Count of all documents, and those of one page."""
    return http.get("/documents.json", params, read=_read) or (0, [])


def _read(body: bytes) -> tuple[int, list[Document]]:
    answer = json.loads(body)
    refuse_missing(answer, ("count",))
    count = int(answer["count"])
    documents = records_in(answer, "results", _NEEDED) if count else []
    for document in documents:
        date.fromisoformat(str(document["publication_date"]))
    return count, [*documents]


def _proposal(document: Document, terms: list[str]) -> Proposal:
    title = str(document["title"] or "")
    facts = {**{name: document.get(name) for name in _FIELDS}, "terms": sorted(set(terms))}
    return Proposal(
        item_key=str(document["document_number"]),
        title=title,
        url=str(document["html_url"] or ""),
        published_on=pd.Timestamp(str(document["publication_date"])).as_unit("us"),
        payload={**facts, **proposed_coverage(title, " ".join(terms))},
    )
