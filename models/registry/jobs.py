"""The one run of a job, of which the runs opened meanwhile are parts (docs/adr/0041)."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

from mlflow import MlflowClient
from mlflow.entities import SourceType
from mlflow.utils.mlflow_tags import (
    MLFLOW_PARENT_RUN_ID,
    MLFLOW_SOURCE_NAME,
    MLFLOW_SOURCE_TYPE,
    MLFLOW_USER,
)

from models.registry.mlflow_client import answering, connect, is_kept, worded
from models.registry.tracked_run import (
    ERROR_TAG,
    TrackedRun,
    close_failed,
    create_run,
    search_runs,
)
from store.errors import StoreError
from store.settings import Settings

JOB_TAG: Final = "job"
"""Tag of the run of a job alone: its verb."""

LOCKED_JOBS: Final = ("run", "run-table", "train")
"""Jobs of which one at a time goes on."""

CUT_OFF: Final = "The process ended before the run did."
"""Error of a run that nobody closed."""


def source_tags(command: str, user: str) -> dict[str, str]:
    """Return what MLflow's own pages show as source and user of a run."""
    return {
        MLFLOW_SOURCE_NAME: command,
        MLFLOW_SOURCE_TYPE: SourceType.to_string(SourceType.LOCAL),
        MLFLOW_USER: user,
    }


@dataclass(slots=True)
class _Job:
    """A job going on, and its run once something was recorded."""

    name: str
    tags: dict[str, str]
    began_ms: int
    run: TrackedRun | None = None

    def opened(self, client: MlflowClient, experiment_id: str) -> TrackedRun:
        """Return the job's run, made when absent."""
        if self.run is None:
            self.run = create_run(
                client, experiment_id, self.name, self.tags, began_ms=self.began_ms
            )
        return self.run


_JOB: ContextVar[_Job | None] = ContextVar("job", default=None)


@contextmanager
def open_job(
    settings: Settings, *, name: str, tags: Mapping[str, str], began_ms: int
) -> Iterator[None]:
    """Make the runs that are opened meanwhile parts of one run, which ends as the job does.

    It is made with its first part: a job that records nothing leaves none, unless it fails where
    there is a database. A job within another is a part of that.

    Args:
        settings: Where MLflow's database and artifacts are.
        name: What a reader sees in the list of runs.
        tags: What the run is found by.
        began_ms: When the job began (ms since 1970).
    """
    if is_open():
        yield
        return
    job = _Job(name, dict(tags), began_ms)
    token = _JOB.set(job)
    try:
        yield
    except BaseException as err:
        with suppress(StoreError):
            _fail_job(settings, job, err)
        raise
    else:
        if job.run is not None:
            with suppress(StoreError), answering(settings):
                job.run.client.set_terminated(job.run.run_id, "FINISHED")
    finally:
        _JOB.reset(token)


def is_open() -> bool:
    """Tell whether a job goes on."""
    return _JOB.get() is not None


def job_run(client: MlflowClient, experiment_id: str) -> TrackedRun | None:
    """Return the run of the job that goes on, made when absent; None outside any job."""
    job = _JOB.get()
    return None if job is None else job.opened(client, experiment_id)


def describe_job(name: str, job_tag: str, tags: Mapping[str, str]) -> None:
    """Name the job of a verb anew, once what it is made with is known, unless it has a run."""
    job = _JOB.get()
    if job is not None and job.run is None and job.tags[JOB_TAG] == job_tag:
        job.name = name
        job.tags |= tags


def _fail_job(settings: Settings, job: _Job, err: BaseException) -> None:
    """Close the run of a job with its error; never makes a database."""
    if job.run is None and not is_kept(settings):
        return
    client, experiment_id = connect(settings)
    with answering(settings):
        close_failed(client, job.opened(client, experiment_id).run_id, err)


@worded
def settle_runs(settings: Settings, *, before_ms: int) -> None:
    """Mark as failed the runs that nobody closed; never makes a database.

    The caller holds the lock of the one writer. Those are the runs of jobs that need the lock, with
    their parts, parts of a run that ended, and what began before a moment.

    Args:
        settings: Where MLflow's database is.
        before_ms: A moment (ms since 1970) from which nothing can still go on.
    """
    if not is_kept(settings):
        return
    client, experiment_id = connect(settings)
    running = {
        run.info.run_id: run for run in search_runs(client, experiment_id, "status = 'RUNNING'")
    }
    going = {
        run_id
        for run_id, run in running.items()
        if run.info.start_time >= before_ms and run.data.tags.get(JOB_TAG) not in LOCKED_JOBS
    }
    for run_id, run in running.items():
        if run_id not in going or run.data.tags.get(MLFLOW_PARENT_RUN_ID, run_id) not in going:
            client.set_tag(run_id, ERROR_TAG, CUT_OFF)
            client.set_terminated(run_id, "FAILED")
