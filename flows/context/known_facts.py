"""What is known of a commodity at one moment: facts, the past of its panel, and full tables."""

from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
from sqlalchemy import Engine

from features.evidence_history import EvidenceHistory
from features.panel.evidence_panel import EvidencePanel
from features.panel.partner_table import LEAST_PARTNERS, PartnerHistory, PartnerTable, partner_table
from features.panel.system import PanelPrior
from models.forecasting.snapshot import Snapshot
from store.digest_cache import DigestCache
from store.errors import DataError, first_few
from store.facts.commodities import read_evidence, read_partner_counts
from store.facts.reading import read_events, read_observations, read_table, read_tariffs
from store.publications.panels import NO_PANEL, StoredPanel, panel_behind
from store.schema.database_tables import analog_events


def known_facts(
    engine: Engine, as_of: pd.Timestamp, *, until: int | None = None
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """All versions known, up to an ingest, of figures, acts, tariffs and other controls."""
    return (
        read_evidence(engine, as_of=as_of, until=until),
        read_events(engine, as_of=as_of, until=until),
        read_tariffs(engine, as_of=as_of, until=until),
        read_table(engine, analog_events, as_of=as_of, until=until),
    )


@lru_cache(maxsize=2)
def evidence_history(
    as_of: pd.Timestamp,
    data_vintage: str,
    engine: Engine,
    until: int | None,
    cache_and_prior: tuple[Path, int, PanelPrior],
) -> EvidenceHistory:
    """Past of the evidence panel; its cache has a folder and a size in megabytes."""
    folder, megabytes, prior = cache_and_prior
    cache = DigestCache(folder, megabytes * 1_000_000)
    facts = known_facts(engine, as_of, until=until)
    history = EvidenceHistory(*facts, cache=cache, prior=prior)
    stored = panel_behind(engine, as_of=as_of, data_vintage=data_vintage)
    if stored is not None:
        # Published from these very facts: the panel is the one that was solved then.
        history.add_panel(EvidencePanel.from_stored(stored, as_of))
    return history


def partner_history(
    engine: Engine, commodity: str, as_of: pd.Timestamp, *, until: int | None = None
) -> PartnerHistory:
    """Full partner table of a commodity, and how it looked at earlier moments."""
    figures = read_observations(engine, as_of=as_of, commodity=commodity, until=until)
    try:
        table = partner_table(figures, commodity=commodity, as_of=as_of)
    except DataError as err:
        codes = [code for code in full_commodities(engine, as_of) if code != commodity]
        other_tables = f"Other full tables known by then: {first_few(codes) or 'none'}."
        raise DataError(f"{err} {other_tables}") from err
    return PartnerHistory(table, figures)


def table_panel(table: PartnerTable) -> StoredPanel:
    """Panel of a full partner table, as its forecast uses it.

    Cells that a source lists are observed; sums, remainders and cells that no source of a listed
    month lists are derived. Tonnes are as stated: each cell has one figure, so none contradicts it.
    """
    cells = Snapshot.of_table(table).published_months
    keys = pd.MultiIndex.from_frame(cells[["destination", "period"]])
    released = table.released_at.reindex(keys).set_axis(cells.index)
    of_month = cells["period"].map(table.released_at.groupby("period").max())
    return StoredPanel(
        cells.assign(
            stderr_log=0.0,
            kind=np.where(released.notna(), "observed", "derived"),
            available_at=released.fillna(of_month).fillna(table.as_of),
        ),
        NO_PANEL.contradictions,
    )


def full_commodities(engine: Engine, as_of: pd.Timestamp) -> list[str]:
    """Commodities for which a source in the store lists partners in full, sorted."""
    counts = read_partner_counts(engine, as_of=as_of)
    full = counts.loc[counts["destinations"] >= LEAST_PARTNERS, "commodity"]
    return sorted(set(full))
