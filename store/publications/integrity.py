"""The publications as recorded, their digests, and whether rows and panels still match them."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pandas as pd
from sqlalchemy import Connection, Engine, select

from store.archive import changed_files
from store.errors import first_few
from store.facts.reading import read_publication, read_table
from store.messages import Message, message
from store.publications.panels import is_intact
from store.schema.database_tables import forecasts, publications
from store.schema.frames import tables_from_json
from store.vocabulary import QUANTILE_COLUMNS

NUMBERS: Final = (*QUANTILE_COLUMNS, "mean")

FORECAST_KEY: Final = ("commodity", "as_of", "destination", "period", "model_version")
"""Columns that name a row within a publication."""

HASHED: Final = (*FORECAST_KEY, "cutoff", "horizon", *NUMBERS, "status", "data_vintage")
"""Columns the digest covers: the forecast and the data it was made from, not the explanations."""


def content_hash(rows: pd.DataFrame) -> str:
    """The SHA-256 of rows of ``forecasts``, whatever their order.

    Equal digests mean bit-identical numbers, except for the sign of zero, which SQLite drops.

    Args:
        rows: The columns ``HASHED`` with the table's types; not modified.
    """
    hashed = rows[list(HASHED)].sort_values(list(FORECAST_KEY), ignore_index=True)
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


_SHOWN: Final = tuple(
    column.name for column in publications.columns if column.name not in {"payload", "explanation"}
)

HELD_ROWS: Final = "forecasts"
"""Name of the table within the payload of a held publication."""


def read_publications(where: Engine | Connection, *, commodity: str | None = None) -> pd.DataFrame:
    """Read the publications, oldest first, without held rows; of all commodities if None."""
    wanted = [] if commodity is None else [publications.c.commodity == commodity]
    return read_table(where, publications, wanted=wanted, columns=_SHOWN).sort_values(
        "id", ignore_index=True
    )


def publication_before(engine: Engine, rows: pd.DataFrame) -> pd.DataFrame:
    """Read the publication of the same commodity that stood before one; empty for the first.

    Args:
        rows: The later one's, as ``read_publication``; an earlier one of its day counts.
    """
    later = rows.iloc[0]
    recorded = read_publications(engine, commodity=str(later["commodity"]))
    is_before = recorded["as_of"].lt(later["as_of"]) | (
        recorded["as_of"].eq(later["as_of"]) & recorded["id"].lt(later["publication"])
    )
    before = recorded.loc[is_before & recorded["state"].eq("published")].sort_values(
        ["as_of", "id"]
    )
    return rows.iloc[:0] if before.empty else read_publication(engine, int(before["id"].iloc[-1]))


def made_with(engine: Engine, number: int) -> dict[str, Any]:
    """Packages, code and evidence behind a publication; empty if not recorded."""
    query = select(publications.c.made_with).where(publications.c.id == number)
    with engine.begin() as connection:
        record: dict[str, Any] = json.loads(connection.scalar(query) or "{}")
    return record


def tampered(engine: Engine, folders: Path) -> tuple[Message, ...]:
    """Describe what of publications was changed: rows, panels and files; none where all match.

    Args:
        folders: Root of the folders of publications; one that is not there holds none.
    """
    with engine.begin() as connection:
        recorded = read_publications(connection)
        rows = read_table(connection, forecasts, columns=[*HASHED, "publication"])
        payloads = dict(
            connection.execute(
                select(publications.c.id, publications.c.payload).where(
                    publications.c.payload != ""
                )
            ).all()
        )
        panels = [*_changed_panels(connection, recorded)]
    return (*_differences(recorded, rows, payloads), *panels, *_changed_folders(folders))


def _changed_folders(root: Path) -> Iterator[Message]:
    """Describe the folders of publications whose files are not those that were written."""
    for folder in sorted(path for path in root.glob("[!.]*/[!.]*") if path.is_dir()):
        if wrong := changed_files(folder):
            yield message(
                "The folder %(folder)s of a publication is not what was written: %(files)s.",
                folder=folder.relative_to(root).as_posix(),
                files=first_few(wrong),
            )


def _changed_panels(connection: Connection, recorded: pd.DataFrame) -> Iterator[Message]:
    """Describe the panels of publications that were changed; each is read once."""
    for publication in recorded.drop_duplicates("panel").to_dict("records"):
        if not is_intact(connection, publication["panel"]):
            yield message(
                "The panel behind publication %(number)s as of %(day)s (%(commodity)s) is not what "
                "was stored (SHA-256 %(model)s).",
                number=int(publication["id"]),
                day=f"{publication['as_of']:%Y-%m-%d}",
                commodity=publication["commodity"],
                model=publication["panel"][:12],
            )


def _differences(
    recorded: pd.DataFrame, rows: pd.DataFrame, payloads: dict[int, str]
) -> Iterator[Message]:
    groups = {int(str(number)): part for number, part in rows.groupby("publication")}
    empty = rows.iloc[:0]
    for publication in recorded.to_dict("records"):
        number = int(publication["id"])
        waits = payloads.get(number)
        stored = groups.pop(number, empty) if waits is None else tables_from_json(waits)[HELD_ROWS]
        if content_hash(stored) != publication["sha256"]:
            yield message(
                "Publication %(number)s as of %(day)s (%(commodity)s) has changed since it "
                "was frozen: %(rows)s rows now, %(frozen)s then.",
                number=number,
                day=f"{publication['as_of']:%Y-%m-%d}",
                commodity=publication["commodity"],
                rows=len(stored),
                frozen=int(publication["rows"]),
            )
    unexplained = sum(len(part) for part in groups.values())
    if unexplained:
        yield message("%(rows)s rows of the forecasts belong to no publication.", rows=unexplained)
