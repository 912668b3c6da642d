"""The panel behind a publication, also behind one made before panels were stored."""

import json

import numpy as np
import pandas as pd
from sqlalchemy import Engine

from features.months import month_starts
from features.panel.evidence import evidence_panel
from features.panel.partner_table import PartnerTable, full_sources, is_cell, partner_table
from flows.context.console import echo
from flows.context.recipes import prior_behind
from flows.publishing.run_config import config_of
from models.reconciliation.tree import add_sums, tree_of
from store.asof import OBSERVATION_KEY, known_at
from store.errors import DataError
from store.facts.evidence import MEASURE, read_evidence
from store.facts.reading import read_observations
from store.publications.integrity import read_publications
from store.publications.panels import NO_PANEL, StoredPanel, has_unnamed_panels, name_panel


def table_panel(table: PartnerTable, observations: pd.DataFrame) -> StoredPanel:
    """Return a full partner table as the panel behind its forecast.

    Cells that a source lists are observed; sums, remainders and what no source of a listed month
    lists are derived. Tonnes are as they are stated, and nothing else tells of a cell, so that
    nothing can contradict it.

    Args:
        table: The table at one moment.
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


def store_missing_panels(engine: Engine) -> None:
    """Store the panels of publications that were made before panels were stored, each once.

    A panel is what was known then: figures that a later ingest dated back are left out, as far as
    the publication tells its ingest. One that cannot be made is reported, and the others go on.
    """
    if not has_unnamed_panels(engine):
        return
    known = read_publications(engine)
    unnamed = known.loc[known["panel"].eq("") & known["state"].isin(["published", "held"])]
    for one in unnamed.to_dict("records"):
        which = f"publication {one['id']} ({one['commodity']} as of {one['as_of']:%Y-%m-%d})"
        try:
            panel = _panel_then(engine, one["commodity"], one["as_of"], one["made_with"])
        except DataError as err:
            echo(f"panel     the panel behind {which} cannot be made. {err}")
            continue
        name_panel(engine, one["id"], panel)
        echo(f"panel     the panel behind {which} is stored")


def _panel_then(engine: Engine, commodity: str, as_of: pd.Timestamp, made_with: str) -> StoredPanel:
    """Return what was known of a commodity at the moment of a publication.

    Raises:
        DataError: Nothing was, by the figures that are in the store now.
    """
    record = json.loads(made_with or "{}")
    until = record.get("ingest")
    config = config_of(commodity)
    if config.forecaster == "evidence":
        figures = read_evidence(engine, as_of=as_of, until=until)
        return evidence_panel(figures, as_of=as_of, prior=prior_behind(record)).stored
    code = config.commodity
    figures = read_observations(engine, as_of=as_of, until=until, commodity=code)
    return table_panel(partner_table(figures, commodity=code, as_of=as_of), figures)
