"""The US tariff schedule and the Federal Register, from small files."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.providers.answers import Answer, Call, Provider

DATA = Path(__file__).parent / "data"


@dataclass
class PolicyWorld:
    lines: list[dict[str, Any]] = field(
        default_factory=lambda: json.loads((DATA / "hts.json").read_text(encoding="utf-8"))
    )
    documents: list[dict[str, Any]] = field(
        default_factory=lambda: json.loads(
            (DATA / "federal_register.json").read_text(encoding="utf-8")
        )
    )


def hts(world: PolicyWorld) -> Provider:
    return Provider(
        lambda call: _lines(world, call),
        lambda body: body.replace(b'"general"', b'"generalRate"'),
        lambda body: json.dumps(json.loads(body) * 2).encode(),
    )


def _lines(world: PolicyWorld, call: Call) -> Answer:
    if call.path != "search":
        return Answer(b"[]", 404)
    keyword = call.one("keyword")
    found = [line for line in world.lines if line["htsno"].startswith(keyword)]
    return Answer(json.dumps(found).encode())


def federal_register(world: PolicyWorld) -> Provider:
    return Provider(
        lambda call: _documents(world, call),
        lambda body: body.replace(b'"document_number"', b'"number"'),
        _doubled,
    )


def _documents(world: PolicyWorld, call: Call) -> Answer:
    if call.path != "documents.json":
        return Answer(b"{}", 404)
    words = call.one("conditions[term]").replace('"', "").lower().split()
    first = call.one("conditions[publication_date][gte]")
    last = call.one("conditions[publication_date][lte]")
    found = [
        document
        for document in sorted(world.documents, key=lambda d: d["publication_date"])
        if first <= document["publication_date"] <= last
        and all(word in document["title"].lower() for word in words)
    ]
    size, page = int(call.one("per_page", "20")), int(call.one("page", "1"))
    result: dict[str, Any] = {"count": len(found), "description": "Documents"}
    if found:
        pages = -(-min(len(found), 2000) // size)
        part = found[(page - 1) * size : page * size] if page <= pages else []
        result |= {"total_pages": pages, "results": part}
    return Answer(json.dumps(result).encode())


def _doubled(body: bytes) -> bytes:
    answer = json.loads(body)
    results = answer.get("results", [])
    return json.dumps({**answer, "count": 2 * answer["count"], "results": results * 2}).encode()
