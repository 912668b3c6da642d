"""Full partner tables in the store, and as the panel behind a forecast."""

import numpy as np
import pandas as pd

from features.panel.partner_table import LEAST_PARTNERS, PartnerTable
from flows.context.stores import store_of
from models.forecasting.snapshot import Snapshot
from store.facts.commodities import read_partner_counts
from store.publications.panels import NO_PANEL, StoredPanel
from store.settings import Settings


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


def full_commodities(settings: Settings, as_of: pd.Timestamp) -> list[str]:
    """Commodities for which a source in the store lists partners in full, sorted."""
    counts = read_partner_counts(store_of(settings), as_of=as_of)
    full = counts.loc[counts["destinations"] >= LEAST_PARTNERS, "commodity"]
    return sorted(set(full))
