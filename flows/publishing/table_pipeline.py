"""Full partner tables: backtest and forecast by the panel engine, one model for each group."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import mlflow
import pandas as pd

from features.panel.partner_table import PartnerTable
from flows.context.console import echo, track
from flows.context.prefect_runs import job_flow
from flows.context.provenance import git_commit
from flows.publishing.panels import table_panel
from flows.publishing.publish import RunEntry
from flows.publishing.run_config import RunConfig
from flows.publishing.table_snapshot import (
    OpenedTables,
    TableSnapshot,
    open_tables,
    other_tables,
)
from flows.training.backtest import CELLS, kept_cells, log_board, named_scores, own_metrics
from flows.training.predict import BacktestedForecast
from models.evaluation.backtest import Backtest, backtest_group
from models.evaluation.scores import scoreboard
from models.forecasting.fallback import FAULTS, reason_of
from models.forecasting.forecaster import MODEL
from models.forecasting.panel_forecaster import CommodityGroup, GroupForecaster
from models.registry.runs import log_panel, log_table, open_run
from models.statistical.pretrained import marked
from store.errors import DataError, StoreError
from store.messages import Message, message
from store.publications.panels import StoredPanel
from store.publications.publishing import write_scores
from store.settings import Settings
from store.vocabulary import ALL, EU27, WORLD

backtest_task = job_flow("backtest-tables")(backtest_group)
forecast_task = job_flow("forecast-tables")(GroupForecaster.forecast)


class SharedForecasts:
    """Backtests and forecasts by the one model of some tables, made once, on first use."""

    def __init__(self, opened: OpenedTables) -> None:
        """Take the tables."""
        self._opened = opened
        self.error: Exception | None = None

    @cached_property
    def past(self) -> list[CommodityGroup]:
        """Return the group as it was known at past moments."""
        return self._opened.past()

    @cached_property
    def made(self) -> Mapping[str, tuple[Backtest, pd.DataFrame | DataError]]:
        """Return by commodity its backtest, and its forecast or why there is none."""
        group, members = self._opened.group, self._opened.snapshots
        any_member = next(iter(members.values()))
        if name := any_member.config.group:
            echo(f"group     {name}: one model of {len(group.tables)} commodities")
        status = {code: one.status for code, one in members.items()}
        results = backtest_task(any_member.forecaster, self.past, group, track=track)
        made = forecast_task(any_member.forecaster, group, status)
        return {code: (results[code], made[code]) for code in status}

    def of(self, snapshot: TableSnapshot) -> tuple[Backtest, pd.DataFrame | DataError]:
        """Return the backtest of one table, and its forecast or why there is none.

        Raises:
            Exception: One of ``FAULTS``, where the model cannot be trained; tried once for all.
        """
        if self.error is None:
            try:
                return self.made[snapshot.config.commodity]
            except FAULTS as err:
                group = snapshot.config.group
                self.error = DataError(f"its group {group} failed. {err}") if group else err
        raise self.error


@dataclass(frozen=True, slots=True)
class TablePipeline:
    """The steps of one table; the model is shared with the others of its group."""

    snapshot: TableSnapshot
    shared: SharedForecasts
    reason: str = ""
    """Why no model before it in the fallback chain answers."""

    @property
    def config(self) -> RunConfig:
        """Return what is forecast and where it is published."""
        return self.snapshot.config

    def is_current(self, models: set[str]) -> bool:
        """Tell whether these models are of today's choices."""
        return all(name.startswith(self.snapshot.model_family) for name in models)

    def forecast(self, entry: RunEntry) -> BacktestedForecast:
        """Backtest, keep the scores, and forecast.

        Raises:
            DataError: The table cannot be forecast.
        """
        for note in self.unknowns():
            echo(f"table     {note}")
        result, made = self.shared.of(self.snapshot)
        entry.mlflow_run_id = record(self.snapshot, result)
        if isinstance(made, DataError):
            raise made
        version = self.snapshot.model_version
        table = made.assign(model=version)
        if self.reason:
            table = table.assign(reason=self.reason)
        return BacktestedForecast(table, version, result)

    def fallback(self) -> "TablePipeline | None":
        """Return the next of the fallback chain where the model failed; None where there is none.

        What is wrong with the table itself no other model cures.
        """
        error = self.shared.error
        after = None if error is None else self.snapshot.fallback()
        if error is None or after is None:
            return None
        alone = SharedForecasts(OpenedTables({self.config.commodity: after}, {}))
        reasons = filter(None, (self.reason, reason_of(error).strip()))
        return TablePipeline(after, alone, "; ".join(reasons))

    def plausible_at(self) -> None:
        """Return nothing: tables have many series of a few tonnes, which jump as they like."""

    def panel(self) -> StoredPanel:
        """Return what was known of past months, as it is kept beside the publication."""
        return table_panel(self.snapshot.table, self.snapshot.observations)

    def made_with(self) -> Mapping[str, object]:
        """Return who is in the group, and what each is forecast from."""
        record = self.snapshot.record
        return {} if record is None else record.written()

    def unknowns(self) -> list[Message]:
        """Return what is odd about the table and its past, in sentences."""
        code = self.config.commodity
        past = [group.tables[code] for group in self.shared.past if code in group.tables]
        return [*self.snapshot.table.notes, *hindsight(past)]

    def events(self) -> None:
        """Return no policy events: the report on a table shows none."""


def open_table_pipelines(
    settings: Settings, as_of: pd.Timestamp, configs: Sequence[RunConfig]
) -> dict[str, TablePipeline | str]:
    """Return by key the tables of configurations that share a model, or why there is none."""
    opened = open_tables(settings, as_of, configs)
    shared = SharedForecasts(opened)
    pipelines: dict[str, TablePipeline | str] = {}
    for config in configs:
        code = config.commodity
        if code in opened.snapshots:
            pipelines[config.published_as] = TablePipeline(opened.snapshots[code], shared)
            continue
        others = "" if config.group else f" {other_tables(settings, as_of, code)}"
        pipelines[config.published_as] = f"{opened.refused[code]}{others}"
    return pipelines


def forecast_table_at(snapshot: TableSnapshot) -> pd.DataFrame:
    """Return the forecast of a table, not backtested, in the columns of a forecast file.

    Raises:
        DataError: It cannot be forecast.
    """
    status = marked(snapshot.status, is_used=bool(snapshot.spec.pretrained))
    code = snapshot.config.commodity
    made = snapshot.forecaster.forecast_member(snapshot.group, code, status=status)
    return made.assign(model=snapshot.model_version)


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


SHOWN_SCOPES: Final = (ALL, WORLD, EU27)
"""Scopes whose scores MLflow keeps as metrics; the others are in its table."""


def record(snapshot: TableSnapshot, result: Backtest) -> str | None:
    """Keep what a backtest found; return the id of its run in MLflow, None where MLflow is away."""
    scores = result.scores
    if len(scores):
        rows = named_scores(result, as_of=snapshot.as_of, model_version=snapshot.model_version)
        key = snapshot.config.published_as
        write_scores(
            snapshot.engine,
            rows,
            data_vintage=snapshot.data_vintage,
            commodity=key,
            cells=kept_cells(result),
        )
    name = f"table {snapshot.config.published_as}"
    try:
        with open_run(snapshot.settings, name=name, tags=_tags(snapshot)) as run:
            mlflow.log_params(snapshot.spec.choices)
            _log_dataset(snapshot)
            if len(scores):
                mlflow.log_metrics(own_metrics(scores.loc[scores["scope"].isin(SHOWN_SCOPES)]))
                log_board(scoreboard(result.cells))
                log_table(scores, "scores.csv")
                log_table(result.cells.loc[result.cells["model"] == MODEL], CELLS)
            return str(run.info.run_id)
    except StoreError as err:
        echo(f"table     {snapshot.config.published_as}: its record is incomplete: {err}")
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


def _tags(snapshot: TableSnapshot) -> dict[str, str]:
    return {
        "flow": snapshot.config.flow,
        "commodity": snapshot.config.published_as,
        "as_of": snapshot.as_of.isoformat(),
        "data_vintage": snapshot.data_vintage,
        "git_commit": git_commit(),
        "model_version": snapshot.model_version,
    }
