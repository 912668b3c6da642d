"""The panel behind the publication of a partner table."""

import numpy as np
import pandas as pd

from features.months import month_starts
from features.panel.partner_table import PartnerTable, full_sources, is_cell
from models.reconciliation.tree import add_sums, tree_of
from store.asof import OBSERVATION_KEY, known_at
from store.facts.evidence import MEASURE
from store.publications.panels import NO_PANEL, StoredPanel


def table_panel(table: PartnerTable, observations: pd.DataFrame) -> StoredPanel:
    """Return a full partner table as the panel behind its forecast.

    Cells that a source lists are observed; sums, remainders and what no source of a listed month
    lists are derived. Tonnes are as they are stated, and nothing else tells of a cell, so that
    nothing can contradict it.

    Args:
        observations: What it was made from: all versions of the commodity's figures; not modified.
    """
    whole = add_sums(table.tonnes, tree_of(table.parts, table.tonnes.index))
    months = month_starts(whole.columns.to_numpy(dtype=np.int64))
    cells = (
        whole.set_axis(months, axis=1)
        .rename_axis("destination")
        .melt(var_name="period", value_name="tonnes", ignore_index=False)
        .dropna(subset=["tonnes"])
        .reset_index()
    )
    listed = _listed_at(observations, table.commodity, table.as_of)
    keys = pd.MultiIndex.from_frame(cells[["destination", "period"]])
    own = listed.reindex(keys).set_axis(cells.index)
    of_month = cells["period"].map(listed.groupby("period").max())
    return StoredPanel(
        cells.assign(
            stderr_log=0.0,
            kind=np.where(own.notna(), "observed", "derived"),
            available_at=own.fillna(of_month).fillna(table.as_of),
        ),
        NO_PANEL.contradictions,
    )


def _listed_at(
    observations: pd.DataFrame, commodity: str, as_of: pd.Timestamp
) -> "pd.Series[pd.Timestamp]":
    """Return by destination and period when the newest figure known at ``as_of`` came out."""
    is_weight = is_cell(observations, commodity) & observations["measure"].eq(MEASURE)
    known = known_at(
        observations.loc[is_weight & observations["usable"]], key=OBSERVATION_KEY, as_of=as_of
    )
    listed = known.loc[known["source"].isin(full_sources(known))]
    named = listed.rename(columns={"period_from": "period"})
    return named.groupby(["destination", "period"])["available_at"].max()
