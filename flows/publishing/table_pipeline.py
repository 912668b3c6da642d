"""Full partner tables: backtest and forecast by the panel engine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from features.months import month_starts
from features.panel.partner_table import PartnerTable, full_sources, is_cell
from flows.context.console import echo, track
from flows.context.jobs import made_tags
from flows.context.prefect_runs import prefect_step
from flows.publishing.publish import RunEntry
from flows.publishing.run_config import RunConfig
from flows.publishing.table_snapshot import TableSnapshot, open_table
from flows.training.backtest import keep_scores, log_backtest
from flows.training.predict import BacktestedForecast
from models.evaluation.backtest import Backtest, backtest_tables
from models.forecasting.fallback import reason_of
from models.reconciliation.tree import add_sums, tree_of
from models.registry.runs import log_panel, open_run
from store.asof import OBSERVATION_KEY, known_at
from store.errors import DataError, StoreError
from store.facts.evidence import MEASURE
from store.messages import Message, message
from store.publications.panels import NO_PANEL, StoredPanel
from store.settings import Settings


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
    """Return by destination and period when the newest figure known at ``as_of`` was published."""
    is_weight = is_cell(observations, commodity) & observations["measure"].eq(MEASURE)
    known = known_at(
        observations.loc[is_weight & observations["usable"]], key=OBSERVATION_KEY, as_of=as_of
    )
    listed = known.loc[known["source"].isin(full_sources(known))]
    named = listed.rename(columns={"period_from": "period"})
    return named.groupby(["destination", "period"])["available_at"].max()


backtest_task = prefect_step("backtest-tables")(backtest_tables)
forecast_task = prefect_step("forecast-tables")(TableSnapshot.forecast)


@dataclass(frozen=True, slots=True)
class TablePipeline:
    """The steps of one table."""

    snapshot: TableSnapshot
    reason: str = ""
    """Why no model before it in the fallback order was used."""

    @property
    def config(self) -> RunConfig:
        return self.snapshot.config

    def is_current(self, models: set[str]) -> bool:
        """Tell whether these models are of today's choices."""
        return all(name.startswith(self.snapshot.model_family) for name in models)

    def forecast(self, entry: RunEntry) -> BacktestedForecast:
        """Backtest, keep the scores, and forecast."""
        snapshot = self.snapshot
        for note in self.unknowns():
            echo(f"table     {note}")
        past, spec = snapshot.past(), snapshot.spec
        result = backtest_task(spec, past, snapshot.table, track=track)
        entry.mlflow_run_id = record(snapshot, result)
        table = forecast_task(snapshot, status=snapshot.status)
        if self.reason:
            table = table.assign(reason=self.reason)
        return BacktestedForecast(table, snapshot.model_version, result)

    def fallback(self, error: Exception) -> "TablePipeline | None":
        """Return the next of the fallback order after an error; None where there is none."""
        after = self.snapshot.fallback()
        if after is None:
            return None
        reasons = filter(None, (self.reason, reason_of(error).strip()))
        return TablePipeline(after, "; ".join(reasons))

    def plausible_at(self) -> None:
        """Return nothing: tables have many series of a few tonnes, which jump as they like."""

    def panel(self) -> StoredPanel:
        """Return what was known of past months, as it is kept beside the publication."""
        return table_panel(self.snapshot.table, self.snapshot.observations)

    def made_with(self) -> Mapping[str, object]:
        """Return nothing: the digest of the table says it all."""
        return {}

    def unknowns(self) -> list[Message]:
        """Return what is odd about the table and its past, in sentences."""
        return [*self.snapshot.table.notes, *hindsight(self.snapshot.past())]

    def events(self) -> None:
        """Return no policy events: the report on a table shows none."""


def open_table_pipeline(
    settings: Settings, as_of: pd.Timestamp, config: RunConfig
) -> "TablePipeline | str":
    """Return the table of a configuration, or why there is none."""
    try:
        snapshot = open_table(settings, as_of, config.commodity)
    except DataError as err:
        return str(err)
    label = config.label or snapshot.config.label
    return TablePipeline(replace(snapshot, config=replace(config, label=label)))


def hindsight(past: Sequence[PartnerTable]) -> tuple[Message, ...]:
    """Say how many of the past tables are not as they were known then."""
    revised = sum(table.is_revised for table in past)
    if not revised:
        return ()
    note = message(
        "%(count)s of the %(past)s past tables that were replayed are today's, cut short, for "
        "nothing tells what was known then: later revisions are in the scores and hit rates, never "
        "in a forecast.",
        count=revised,
        past=len(past),
    )
    return (note,)


def record(snapshot: TableSnapshot, result: Backtest) -> str | None:
    """Keep what a backtest found; return the id of its run in MLflow, None where MLflow is away."""
    config = snapshot.config
    if len(result.scores):
        keep_scores(snapshot, result, config.published_as)
    tags = {"flow": config.flow, **made_tags(snapshot, config.published_as)}
    name = f"table {config.published_as}"
    try:
        with open_run(snapshot.settings, name=name, tags=tags) as run:
            _log_dataset(snapshot)
            log_backtest(result, snapshot.spec)
            return str(run.info.run_id)
    except StoreError as err:
        echo(f"table     {config.published_as}: its record is incomplete: {err}")
        return None


def _log_dataset(snapshot: TableSnapshot) -> None:
    key = snapshot.config.published_as
    log_panel(
        table_panel(snapshot.table, snapshot.observations),
        f"partner table {key}",
        as_of=snapshot.as_of,
        data_vintage=snapshot.data_vintage,
        source=f"magnetcast panel --commodity {snapshot.config.commodity} "
        f"--as-of {snapshot.as_of:%Y-%m-%d}",
    )
