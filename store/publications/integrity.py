"""Whether the rows of publications still match their recorded digests."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import pandas as pd
from sqlalchemy import Connection, Engine, select

from store.facts.reading import fetch
from store.publications.decisions import HELD_ROWS, fetch_publications, rows_of
from store.publications.digest import HASHED, content_hash
from store.publications.panels import fetch_panel
from store.schema.payload import tables_from_json
from store.schema.tables import forecasts, publications


@dataclass(frozen=True, slots=True)
class RecordedDigest:
    """The recorded circumstances of a publication, and whether its rows still match."""

    number: int
    made_with: str
    wrong: tuple[str, ...]
    """What no longer matches the record."""


def recorded_digest(engine: Engine, as_of: datetime, commodity: str) -> RecordedDigest | None:
    """Return the record of the last publication of a moment; None where there is none."""
    table = publications.c
    own = (table.commodity == commodity, table.as_of == as_of, table.state == "published")
    with engine.begin() as connection:
        entry = connection.execute(
            select(publications).where(*own).order_by(table.id.desc())
        ).first()
        if entry is None:
            return None
        wrong = []
        if content_hash(rows_of(connection, entry.id)) != entry.sha256:
            wrong.append(f"its rows as they were frozen (SHA-256 {entry.sha256[:12]})")
        if not _is_intact(connection, entry.panel):
            wrong.append(f"its panel as it was stored (SHA-256 {entry.panel[:12]})")
    return RecordedDigest(int(entry.id), str(entry.made_with), tuple(wrong))


def tampered(engine: Engine, *, every_panel: bool = False) -> tuple[str, ...]:
    """Describe the publications whose rows or panel were changed, each in a clause.

    Args:
        engine: An opened store.
        every_panel: Check the panels of all publications, which takes longer the more there are;
            otherwise only those of the newest publication of each commodity.

    Returns:
        Empty where everything matches.
    """
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
        newest = known.sort_values("as_of", kind="stable").drop_duplicates("commodity", keep="last")
        named = known if every_panel else newest
        panels = [*_changed_panels(connection, named)]
    return (*_differences(known, rows, payloads), *panels)


def _changed_panels(connection: Connection, named: pd.DataFrame) -> Iterator[str]:
    """Describe the panels of publications that were changed; each is read once."""
    for digest, part in named.groupby("panel"):
        if not _is_intact(connection, str(digest)):
            one = part.iloc[0]
            yield (
                f"the panel behind publication {one['id']} as of {one['as_of']:%Y-%m-%d} "
                f"({one['commodity']}) is not what was stored (SHA-256 {str(digest)[:12]})"
            )


def _is_intact(connection: Connection, digest: str) -> bool:
    """Return whether a panel matches its digest; true for a publication without a panel."""
    if not digest:
        return True
    panel = fetch_panel(connection, digest)
    return panel is not None and panel.digest == digest


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
