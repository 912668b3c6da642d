"""Which rows forecasts are computed from, and digests of what was known at a moment."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import (
    Engine,
)

from store.facts.reading import fetch, ingested_until, read_commodities
from store.schema import tables

_EVIDENCE: Final = (
    tables.observations,
    tables.policy_events,
    tables.tariff_steps,
    tables.analog_events,
    tables.release_calendar,
)
"""Tables that forecasts are computed from."""

MAGNETS: Final = re.compile(r"(?:[A-Z]{2})?850511\d*")
"""Codes of magnets, in China's own nomenclature or a partner's."""

_CODE: Final = re.compile(r"[A-Z]{0,2}\d+")

_LATER_EVIDENCE: Final = (tables.covariates,)
"""The same, but added after the first digests: part of a digest only if it holds rows."""


def evidence_commodities(engine: Engine) -> list[str]:
    """Return the commodities that magnet forecasts are computed from, sorted.

    Magnets, partners' records of magnets, and materials, which have names and no code.
    """
    return [
        name
        for name in read_commodities(engine)
        if MAGNETS.fullmatch(name) or not _CODE.fullmatch(name)
    ]


@dataclass(frozen=True, slots=True)
class EvidenceDigests:
    """Digests of what was known at a moment: equal rows give equal digests."""

    digest: str
    """Digest of all tables: the ``data_vintage`` of forecasts computed from them."""
    tables: Mapping[str, str]
    """For each table, its number of rows and the start of its digest."""


def data_vintage(engine: Engine, *, as_of: datetime | None = None) -> str:
    """Return a digest of all evidence on magnets known at ``as_of``."""
    return evidence_digests(engine, as_of=as_of).digest


def evidence_digests(
    engine: Engine, *, as_of: datetime | None = None, until: int | None = None
) -> EvidenceDigests:
    """Return digests of the evidence on magnets known at ``as_of``.

    Args:
        engine: an opened store.
        as_of: leave out rows that became known later; None takes all.
        until: leave out figures of later ingests than this one; None takes all.
    """
    digest, parts = hashlib.sha256(), {}
    own = tables.observations.c.commodity.in_(evidence_commodities(engine))
    with engine.begin() as connection:
        for table in (*_EVIDENCE, *_LATER_EVIDENCE):
            wanted = [own, *ingested_until(until)] if table is tables.observations else []
            frame = fetch(connection, table, as_of=as_of, wanted=wanted)
            if frame.empty and table in _LATER_EVIDENCE:
                continue
            text = frame.to_csv(index=False, lineterminator="\n").encode()
            digest.update(table.name.encode())
            digest.update(text)
            parts[table.name] = f"{len(frame)} rows, {hashlib.sha256(text).hexdigest()[:16]}"
    return EvidenceDigests(digest.hexdigest(), parts)
