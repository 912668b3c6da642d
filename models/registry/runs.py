"""The record of every run in MLflow: what is recorded goes by ``mlflow.log_*`` to the open run."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import mlflow
import pandas as pd
from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.data.pandas_dataset import from_pandas
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.utils import get_results_from_paginated_fn
from mlflow.utils.mlflow_tags import MLFLOW_SOURCE_NAME
from sqlalchemy.exc import SQLAlchemyError

from models.registry.mlflow_client import answering, connect, is_kept, worded
from store.errors import StoreError
from store.publications.panels import StoredPanel
from store.settings import Settings

ERROR_TAG: Final = "error"
"""Tag of a failed run: the class and the first characters of the message."""

JOB_TAG: Final = "job"
"""Tag of the run of a job, of which the runs opened meanwhile are children: its verb."""

LOCKED_JOBS: Final = ("run", "run-table", "train")
"""Jobs of which one at a time goes on, under the lock of the one writer."""

CUT_OFF: Final = "The process ended before the run did."
"""Error of a run that nobody closed."""

ERROR_SHOWN: Final = 1000
PAGE: Final = 1000

_GONE: Final = (MlflowException, SQLAlchemyError)


@contextmanager
def open_run(settings: Settings, *, name: str, tags: Mapping[str, str]) -> Iterator[Run]:
    """Open a run, a child of the one that is open, and make it MLflow's active run.

    Args:
        settings: Where MLflow's database and artifacts are; made when absent.
        name: What a reader sees in the list of runs.
        tags: What the run is found by: ``as_of``, ``data_vintage``, ``git_commit``,
            ``model_version``, ``flow``.

    Raises:
        StoreError: The database cannot be opened in time, its experiment was deleted, or what is
            written cannot be kept.
    """
    _, experiment = connect(settings)
    with answering(settings), _tracking(settings):
        run = mlflow.start_run(
            experiment_id=experiment, run_name=name, nested=True, tags=dict(tags)
        )
        status = "FINISHED"
        try:
            yield run
        except BaseException as err:
            status = "FAILED" if isinstance(err, Exception) else "KILLED"
            with suppress(*_GONE):
                mlflow.set_tag(ERROR_TAG, f"{type(err).__name__}: {err}"[:ERROR_SHOWN])
            raise
        finally:
            with suppress(*_GONE):
                mlflow.end_run(status)


@contextmanager
def open_job(settings: Settings, *, name: str, tags: Mapping[str, str]) -> Iterator[None]:
    """Open the run of a job, which goes on where MLflow cannot keep it; within another, nothing.

    One of ``LOCKED_JOBS`` first marks runs of such jobs that a killed process left open.
    """
    with ExitStack() as stack:
        if mlflow.active_run() is None:
            with suppress(StoreError):  # whatever records first reports that MLflow is away
                if tags[JOB_TAG] in LOCKED_JOBS:
                    _close_abandoned(settings)
                stack.enter_context(open_run(settings, name=name, tags=tags))
        yield


def find_runs(settings: Settings, tags: Mapping[str, str]) -> list[Run]:
    """Return the finished runs that carry all these tags, newest first; never makes a database."""
    named = [f"tags.`{name}` = '{value}'" for name, value in tags.items()]
    return search_runs(settings, " and ".join(["attributes.status = 'FINISHED'", *named]))


@worded
def search_runs(settings: Settings, condition: str = "") -> list[Run]:
    """Return the runs that a condition of MLflow's holds for, newest first."""
    if not is_kept(settings):
        return []
    client, experiment = connect(settings)
    newest_first = ["attributes.start_time DESC"]
    found: list[Run] = get_results_from_paginated_fn(  # type: ignore[no-untyped-call]
        lambda count, token: client.search_runs(
            [experiment], condition, max_results=count, order_by=newest_first, page_token=token
        ),
        PAGE,
    )
    return found


def read_text(settings: Settings, run_id: str, name: str) -> str | None:
    """Return a text that a run kept as the file ``name``; None where it is gone."""
    client, _ = connect(settings)
    with TemporaryDirectory() as scratch:
        try:
            path = client.download_artifacts(run_id, name, scratch)
            return Path(path).read_text(encoding="utf-8")
        except (MlflowException, OSError):
            return None


def log_table(table: pd.DataFrame, name: str) -> None:
    """Keep a table, without its index, as the CSV file ``name`` of the active run."""
    mlflow.log_text(table.to_csv(index=False), name)


def log_panel(
    panel: StoredPanel, name: str, *, as_of: pd.Timestamp, data_vintage: str, source: str
) -> None:
    """Keep what the active run was made from: a panel, by its digest.

    Args:
        panel: What was known of past months.
        name: What a reader sees in the list of datasets.
        as_of: The moment at which it was known.
        data_vintage: Digest of the facts that it was made from.
        source: The command that writes the panel.
    """
    months = panel.months[["destination", "period", "tonnes", "kind"]]
    origin = CodeDatasetSource({MLFLOW_SOURCE_NAME: source})
    data = from_pandas(months, origin, targets="tonnes", name=name, digest=panel.digest[:12])
    about = {"as_of": as_of.isoformat(), "data_vintage": data_vintage, "sha256": panel.digest}
    mlflow.log_input(data, context="training", tags=about)


@contextmanager
def _tracking(settings: Settings) -> Iterator[None]:
    """Let ``mlflow.log_*`` write into our database, and leave the process's own as it was."""
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(settings.tracking_uri)
    try:
        yield
    finally:
        mlflow.set_tracking_uri(before)


def _close_abandoned(settings: Settings) -> None:
    """Mark as failed the open runs of locked jobs, and their children."""
    if not is_kept(settings):
        return
    client, _ = connect(settings)
    open_runs = search_runs(settings, "attributes.status = 'RUNNING'")
    jobs = {run.info.run_id for run in open_runs if run.data.tags.get(JOB_TAG) in LOCKED_JOBS}
    for run in open_runs:
        if jobs & {run.info.run_id, run.data.tags.get("mlflow.parentRunId")}:
            client.set_tag(run.info.run_id, ERROR_TAG, CUT_OFF)
            client.set_terminated(run.info.run_id, "FAILED")
