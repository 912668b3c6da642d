"""What was known of a full partner table at a moment, for those who show it."""

import numpy as np
import pandas as pd

from features.months import month_label, month_starts
from features.panel.partner_table import full_sources, is_cell, partner_table
from models.reconciliation.tree import add_sums, tree_of
from store.facts.partner_tables import MEASURE
from store.publications.panels import CONTRADICTION_COLUMNS
from store.publications.published import Published
from store.vocabulary import PANEL_COLUMNS, figures_of


def table_known_at(published: Published, as_of: pd.Timestamp) -> tuple[str, pd.DataFrame]:
    """Return the last month known of a commodity's table, ``YYYY-MM``, and its months.

    Args:
        published: What is published of it; not modified.
        as_of: The moment to stand at (UTC).

    Returns:
        The months have ``PANEL_COLUMNS``, tonnes as they are stated. Cells that a source lists are
        observed; sums, remainders and what no source of a listed month lists are derived.

    Raises:
        DataError: There was no full table by then.
    """
    code = figures_of(published.commodity)
    table = partner_table(published.observations, commodity=code, as_of=as_of)
    whole = add_sums(table.tonnes, tree_of(table.parts, table.tonnes.index))
    long = whole.set_axis(month_starts(whole.columns.to_numpy(dtype=np.int64)), axis=1)
    cells = long.rename_axis("destination").melt(
        var_name="period", value_name="tonnes", ignore_index=False
    )
    panel = cells.dropna(subset=["tonnes"]).reset_index()
    keys = pd.MultiIndex.from_frame(panel[["destination", "period"]])
    came = _came(published.observations, code, as_of)
    own = came.reindex(keys).set_axis(panel.index)
    of_month = panel["period"].map(came.groupby("period").max())
    panel = panel.assign(
        stderr_t=0.0,
        kind=np.where(own.notna(), "observed", "derived"),
        available_at=own.fillna(of_month).fillna(as_of),
    )
    return month_label(table.cutoff), panel[list(PANEL_COLUMNS)]


def no_doubts() -> pd.DataFrame:
    """Return the figures of a table that the rest contradicts: nothing else tells of a cell."""
    return pd.DataFrame(columns=list(CONTRADICTION_COLUMNS))


def _came(observations: pd.DataFrame, code: str, as_of: pd.Timestamp) -> "pd.Series[pd.Timestamp]":
    """Return by destination and period when the newest figure known at ``as_of`` came out."""
    is_weight = is_cell(observations, code) & observations["measure"].eq(MEASURE)
    known = observations.loc[is_weight & (observations["available_at"] <= as_of)]
    listed = known.loc[known["source"].isin(full_sources(known))]
    named = listed.rename(columns={"period_from": "period"})
    return named.groupby(["destination", "period"])["available_at"].max()
