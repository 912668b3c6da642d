"""Whether publications are still what was frozen."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import pandas as pd
from sqlalchemy import Engine, select

from store.facts.reading import fetch
from store.publications.decisions import HELD_ROWS, fetch_publications, rows_of
from store.publications.digest import HASHED, content_hash
from store.schema.payload import tables_from_json
from store.schema.tables import forecasts, publications


@dataclass(frozen=True, slots=True)
class RecordedDigest:
    """What is on record of a publication."""

    number: int
    made_with: str
    wrong: tuple[str, ...]
    """What of it is not as it was frozen."""


def kept_at(engine: Engine, as_of: datetime, commodity: str) -> RecordedDigest | None:
    """Return the record of the last publication of a moment; None where none was kept."""
    table = publications.c
    own = (table.commodity == commodity, table.as_of == as_of, table.state == "published")
    with engine.begin() as connection:
        entry = connection.execute(
            select(publications).where(*own).order_by(table.id.desc())
        ).first()
        if entry is None:
            return None
        intact = content_hash(rows_of(connection, entry.id)) == entry.sha256
    wrong = () if intact else (f"its rows as they were frozen (SHA-256 {entry.sha256[:12]})",)
    return RecordedDigest(int(entry.id), str(entry.made_with), wrong)


def tampered(engine: Engine) -> tuple[str, ...]:
    """Say which publications are not what was frozen, each in a clause; empty where all are."""
    with engine.begin() as connection:
        known = fetch_publications(connection)
        rows = fetch(connection, forecasts, columns=[*HASHED, "publication", "id"])
        payloads = dict(
            connection.execute(
                select(publications.c.id, publications.c.payload).where(
                    publications.c.payload != ""
                )
            ).all()
        )
    return tuple(_differences(known, rows, payloads))


def _differences(
    known: pd.DataFrame, rows: pd.DataFrame, payloads: dict[int, str]
) -> Iterator[str]:
    groups = {int(str(number)): part for number, part in rows.groupby("publication")}
    empty = rows.iloc[:0]
    for one in known.to_dict("records"):
        number = int(one["id"])
        waits = payloads.get(number)
        own = groups.pop(number, empty) if waits is None else tables_from_json(waits)[HELD_ROWS]
        if content_hash(own) != one["sha256"]:
            yield (
                f"publication {number} as of {one['as_of']:%Y-%m-%d} ({one['commodity']}) is not "
                f"what was frozen: {len(own)} rows, of {one['rows']}"
            )
    strange = sum(len(part) for part in groups.values())
    if len(known):
        first = rows.loc[rows["publication"].notna(), "id"].min()
        strange += int((rows["publication"].isna() & (rows["id"] > first)).sum())
    if strange:
        yield f"{strange} rows of the forecasts were brought by no publication"
