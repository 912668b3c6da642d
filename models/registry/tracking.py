"""The record of every run in MLflow.

All calls name their database; MLflow's process-wide "current" database and run are not used, so
threads and nested runs cannot write into each other's record. Runs that a job opens are parts
of the job's own (docs/adr/0041).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NAME
from sqlalchemy.exc import SQLAlchemyError

from models.registry.jobs import job_run
from models.registry.mlflow_client import answering, connect, is_kept, worded
from models.registry.tracked_run import TrackedRun, close_failed, create_run, search_runs
from store.settings import Settings


@dataclass(frozen=True, slots=True)
class KeptRun:
    """A run as it is kept: its identifier, tags and choices."""

    run_id: str
    tags: Mapping[str, str]
    params: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Return what a reader sees in the list of runs."""
        return self.tags.get(MLFLOW_RUN_NAME, self.run_id)

    @property
    def parent(self) -> str:
        """Return the identifier of its job's run; empty if it is a part of none."""
        return self.tags.get(MLFLOW_PARENT_RUN_ID, "")


@contextmanager
def open_run(
    settings: Settings, *, name: str, tags: Mapping[str, str], parent: str | None = None
) -> Iterator[TrackedRun]:
    """Open a run and close it as finished, as failed on an exception, as killed on an interrupt.

    Args:
        settings: Where MLflow's database and artifacts are; made when absent.
        name: What a reader sees in the list of runs.
        tags: What the run is found by: ``as_of``, ``data_vintage``, ``git_commit``,
            ``model_version``, ``flow``.
        parent: Identifier of the run this one is a part of; that of the job if left out.

    Yields:
        The open run.

    Raises:
        StoreError: The database cannot be opened in time, its experiment was deleted, or what is
            written cannot be kept.
    """
    client, experiment_id = connect(settings)
    with answering(settings):
        whole = job_run(client, experiment_id)
        part_of = parent or (whole.run_id if whole else None)
        lineage = {} if part_of is None else {MLFLOW_PARENT_RUN_ID: part_of}
        run = create_run(client, experiment_id, name, {**tags, **lineage}, parent=whole)
        try:
            yield run
        except BaseException as err:
            # Where MLflow itself is away, why it failed is what the caller must hear of.
            with suppress(MlflowException, SQLAlchemyError):
                close_failed(client, run.run_id, err)
            raise
        client.set_terminated(run.run_id, "FINISHED")


def find_run(settings: Settings, tags: Mapping[str, str]) -> str | None:
    """Return the newest finished run that carries all these tags, or None.

    Never makes a database.

    Args:
        settings: Where MLflow's database is.
        tags: Names and exact values.

    Returns:
        Identifier of the run.
    """
    runs = find_runs(settings, tags)
    return runs[0].run_id if runs else None


@worded
def find_runs(settings: Settings, tags: Mapping[str, str]) -> list[KeptRun]:
    """Return the finished runs that carry all these tags, newest first; never makes a database.

    Args:
        settings: Where MLflow's database is.
        tags: Names and exact values.
    """
    if not is_kept(settings):
        return []
    client, experiment_id = connect(settings)
    conditions = ["attributes.status = 'FINISHED'"]
    conditions += [f"tags.`{name}` = {_quoted(value)}" for name, value in tags.items()]
    found = search_runs(client, experiment_id, " and ".join(conditions))
    return [_kept(run) for run in found]


@worded
def runs_called(settings: Settings, start: str) -> list[KeptRun]:
    """Return the runs whose identifier begins so, newest first; never makes a database."""
    if not is_kept(settings):
        return []
    client, experiment_id = connect(settings)
    found = search_runs(client, experiment_id, "")
    return [_kept(run) for run in found if run.info.run_id.startswith(start)]


def _kept(run: Run) -> KeptRun:
    return KeptRun(run.info.run_id, dict(run.data.tags), dict(run.data.params))


def read_text(settings: Settings, run_id: str, name: str) -> str | None:
    """Return a text that a run kept as the file ``name``; None where it is gone."""
    client, _ = connect(settings)
    with TemporaryDirectory() as scratch:
        try:
            path = client.download_artifacts(run_id, name, scratch)
            return Path(path).read_text(encoding="utf-8")
        except (MlflowException, OSError):
            return None


def _quoted(value: str) -> str:
    """Return the value as a literal of MLflow's filter language, which has no escapes."""
    if "'" not in value:
        return f"'{value}'"
    if '"' not in value:
        return f'"{value}"'
    raise ValueError(
        f"Tag value {value!r} holds both kinds of quotes. Expected at most one kind, as MLflow "
        "cannot search for both. Choose another value."
    )
