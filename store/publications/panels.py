"""The panels behind publications: written once, identified by the digest of their content.

A panel says to which month each destination is published, and how its last year is known.
"""

import hashlib
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final

import numpy as np
import pandas as pd
from sqlalchemy import Connection, Engine, insert, select

from store.months import YEAR
from store.schema.database_tables import panels, publications
from store.schema.frames import DATE_DTYPE, MOMENT_DTYPE, tables_from_json, tables_to_json
from store.vocabulary import COMMODITY, PANEL_COLUMNS

_MONTHS: Final = {
    "destination": "str", "period": DATE_DTYPE, "tonnes": "float64", "stderr_log": "float64",
    "kind": "str", "available_at": MOMENT_DTYPE,
}  # fmt: skip

_CONTRADICTIONS: Final = {
    "statement": "str", "residual_t": "float64", "z": "float64", "weight": "float64",
    "source_url": "str",
}  # fmt: skip

MONTH_COLUMNS: Final = tuple(_MONTHS)

CONTRADICTION_COLUMNS: Final = tuple(_CONTRADICTIONS)


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
    def content(self) -> bytes:
        """All values to the last bit as JSON, months by destination and period."""
        months = self.months[list(_MONTHS)].astype(_MONTHS)
        tables = {
            "months": months.sort_values(["destination", "period"]),
            "contradictions": self.contradictions[list(_CONTRADICTIONS)].astype(_CONTRADICTIONS),
        }
        return tables_to_json(tables).encode()

    @property
    def digest(self) -> str:
        """The SHA-256 of the content, whatever the order of its months."""
        return hashlib.sha256(self.content).hexdigest()


NO_PANEL: Final = StoredPanel(
    pd.DataFrame(columns=list(_MONTHS)).astype(_MONTHS),
    pd.DataFrame(columns=list(_CONTRADICTIONS)).astype(_CONTRADICTIONS),
)
"""The panel of a publication without one."""


def save_panel(connection: Connection, panel: StoredPanel) -> str:
    """Write a panel within a transaction, unless it is stored, and return its digest."""
    content = panel.content
    digest = hashlib.sha256(content).hexdigest()
    if _packed(connection, digest) is None:
        packed = zlib.compress(content)
        connection.execute(insert(panels).values(sha256=digest, content=packed))
    return digest


def panel_behind(engine: Engine, *, as_of: datetime, data_vintage: str) -> StoredPanel | None:
    """The panel behind the newest publication of the magnets at a moment, from a vintage."""
    table = publications.c
    wanted = [
        table.commodity == COMMODITY, table.state == "published", table.panel != "",
        table.as_of == as_of, table.data_vintage == data_vintage,
    ]  # fmt: skip
    newest = select(table.panel).where(*wanted).order_by(table.id.desc()).limit(1)
    with engine.begin() as connection:
        digest = connection.scalar(newest)
    return None if digest is None else read_panels(engine, [digest]).get(digest)


def read_panels(engine: Engine, digests: Iterable[str]) -> dict[str, StoredPanel]:
    """Stored panels by digest; a digest that is not stored is left out."""
    query = select(panels.c.sha256, panels.c.content).where(panels.c.sha256.in_(list(digests)))
    with engine.begin() as connection:
        result = connection.execute(query).all()
    return {
        row.sha256: StoredPanel(**tables_from_json(zlib.decompress(row.content).decode()))
        for row in result
    }


def is_intact(connection: Connection, digest: str) -> bool:
    """Whether a panel is stored as it was written; no digest names none."""
    packed = _packed(connection, digest)
    try:
        # Not of the packed bytes: those differ between builds of zlib.
        content = zlib.decompress(packed or b"")
    except zlib.error:
        return not digest
    return hashlib.sha256(content).hexdigest() == digest


def _packed(connection: Connection, digest: str) -> bytes | None:
    return connection.scalar(select(panels.c.content).where(panels.c.sha256 == digest))


BASIS_COLUMNS: Final = (
    "published_to", "published_share", "derived_share", "estimated_share", "estimate_error",
)  # fmt: skip
"""Columns of a file of destinations, and the last of a forecast file that is downloaded."""

STDERR_BAND: Final = 1.28
"""Standard errors to either side of an estimated month; about 80% for a normal error."""


@dataclass(frozen=True, slots=True)
class Basis:
    """How one destination is known; its year are the twelve months up to the world's cutoff."""

    published_to: str
    """Last month published, ``YYYY-MM``, of the cutoff or later; empty where none ever was."""
    published: int
    """Months of the year that were published."""
    derived: int
    """Months that follow from other figures."""
    estimated: int
    error: float
    """Half of the 80% range of an estimated month as a share of it, their median; else NaN."""

    @property
    def record(self) -> dict[str, object]:
        """Values of ``BASIS_COLUMNS``; None if not applicable."""
        months = (self.published, self.derived, self.estimated)
        shares = [round(count / max(sum(months), 1), 4) for count in months]
        error = None if np.isnan(self.error) else round(self.error, 4)
        return dict(zip(BASIS_COLUMNS, (self.published_to or None, *shares, error), strict=True))


def bases_of(panel: pd.DataFrame, cutoff: str) -> Mapping[str, Basis]:
    """The basis of every destination of a panel (``PANEL_COLUMNS``) up to a month ``YYYY-MM``."""
    last = pd.Timestamp(f"{cutoff}-01")
    error = STDERR_BAND * panel["stderr_t"] / panel["tonnes"].where(panel["tonnes"] > 0)
    rows = panel.assign(error=error.where(panel["kind"].eq("estimated")))
    in_year = rows["period"].le(last) & rows["period"].gt(last - pd.DateOffset(months=YEAR))
    year = dict(list(rows.loc[in_year].groupby("destination")))
    observed = rows.loc[rows["kind"].eq("observed")]
    to = observed.groupby("destination")["period"].max().to_dict()
    return MappingProxyType(
        {str(name): _basis(to.get(name), months) for name, months in year.items()}
    )


def _basis(to: pd.Timestamp | None, year: pd.DataFrame) -> Basis:
    counts = Counter(year["kind"])
    return Basis(
        published_to="" if to is None else f"{to:%Y-%m}",
        published=counts["observed"],
        derived=counts["derived"],
        estimated=counts["estimated"],
        error=float(year["error"].median()),
    )
