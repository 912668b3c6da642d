"""The panels behind publications: written once, identified by the digest of their content."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
import pandas as pd
from sqlalchemy import Connection, Engine, insert, select

from store.facts.new_rows import insert_rows
from store.facts.reading import fetch
from store.schema.frames import as_table, typed_frame
from store.schema.tables import panel_contradictions, panel_months, panels, publications
from store.vocabulary import COMMODITY, PANEL_COLUMNS

MONTH_COLUMNS: Final = (
    "destination", "period", "tonnes", "stderr_log", "kind", "available_at",
)  # fmt: skip

CONTRADICTION_COLUMNS: Final = ("statement", "residual_t", "z", "weight", "source_url")


@dataclass(frozen=True, slots=True, eq=False)
class StoredPanel:
    """What was known of past months at the moment of a publication; not modified."""

    months: pd.DataFrame
    """``MONTH_COLUMNS``; ``stderr_log`` is the standard error of the logarithm of tonnes."""
    contradictions: pd.DataFrame
    """Figures that contradict the rest, worst first: ``CONTRADICTION_COLUMNS``."""

    @property
    def frame(self) -> pd.DataFrame:
        stderr_t = self.months["stderr_log"] * self.months["tonnes"]
        return self.months.assign(stderr_t=stderr_t)[list(PANEL_COLUMNS)]

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the content, whatever the order of its months.

        Equal digests mean bit-identical numbers, except for the sign of zero, which SQLite drops.
        """
        months = as_table(self.months, panel_months).sort_values(["destination", "period"])
        found = hashlib.sha256()
        for frame in (months, as_table(self.contradictions, panel_contradictions)):
            for name in frame.columns:
                found.update(f"{name} {len(frame)}\n".encode())
                found.update(_bytes_of(frame[name]))
        return found.hexdigest()


NO_PANEL: Final = StoredPanel(
    typed_frame([], panel_months.name)[list(MONTH_COLUMNS)],
    typed_frame([], panel_contradictions.name)[list(CONTRADICTION_COLUMNS)],
)
"""The panel of a publication without one."""


def save_panel(connection: Connection, panel: StoredPanel) -> str:
    """Write a panel within a transaction, unless it is stored, and return its digest."""
    digest = panel.digest
    if _number(connection, digest) is not None:
        return digest
    row = {"sha256": digest, "rows": len(panel.months)}
    number = connection.execute(insert(panels).values(row).returning(panels.c.id)).scalar_one()
    place = range(len(panel.contradictions))
    contradictions = panel.contradictions.assign(panel=number, place=place)
    months = panel.months.assign(panel=number)
    for table, rows in ((panel_months, months), (panel_contradictions, contradictions)):
        if len(rows):
            insert_rows(connection, table, as_table(rows, table))
    return digest


def panel_behind(engine: Engine, *, as_of: datetime, data_vintage: str) -> StoredPanel | None:
    """Return the panel behind the newest publication of the magnets at a moment, from a vintage."""
    table = publications.c
    wanted = [
        table.commodity == COMMODITY, table.state == "published", table.panel != "",
        table.as_of == as_of, table.data_vintage == data_vintage,
    ]  # fmt: skip
    newest = select(table.panel).where(*wanted).order_by(table.id.desc()).limit(1)
    with engine.begin() as connection:
        digest = connection.scalar(newest)
        return None if digest is None else fetch_panel(connection, digest)


def read_panels(engine: Engine, digests: Iterable[str]) -> dict[str, StoredPanel]:
    """Return stored panels by digest; a digest that is not stored is left out."""
    with engine.begin() as connection:
        found = {digest: fetch_panel(connection, digest) for digest in digests}
    return {digest: panel for digest, panel in found.items() if panel is not None}


def fetch_panel(connection: Connection, digest: str) -> StoredPanel | None:
    """Return a stored panel within a transaction, months by destination and period."""
    number = _number(connection, digest)
    if number is None:
        return None
    return StoredPanel(
        fetch(
            connection,
            panel_months,
            wanted=[panel_months.c.panel == number],
            columns=MONTH_COLUMNS,
        ),
        fetch(
            connection,
            panel_contradictions,
            wanted=[panel_contradictions.c.panel == number],
            columns=["place", *CONTRADICTION_COLUMNS],
        ).drop(columns="place"),
    )


def _number(connection: Connection, digest: str) -> int | None:
    return connection.scalar(select(panels.c.id).where(panels.c.sha256 == digest))


def _bytes_of(series: pd.Series) -> bytes:
    """Return the bytes of a typed column, the same on every machine."""
    if pd.api.types.is_float_dtype(series):
        return (series.to_numpy(dtype="<f8") + 0.0).tobytes()
    if pd.api.types.is_datetime64_any_dtype(series):
        return series.astype(np.int64).to_numpy(dtype="<i8").tobytes()
    return "\0".join(series).encode()
