"""Runs in MLflow; ``mlflow.log_*`` writes to the open one."""

import errno
import hashlib
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from functools import wraps
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Concatenate, Final, ParamSpec, TypeVar
from urllib.parse import unquote, urlsplit

import mlflow
import pandas as pd
from filelock import FileLock, Timeout
from mlflow import MlflowClient
from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.data.pandas_dataset import from_pandas
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_SOURCE_NAME
from pandas.util import hash_pandas_object
from sqlalchemy.exc import SQLAlchemyError

from models.registry.stored_model import may_have_records, move_locations, record_file
from store.database import make_private, shown_address
from store.errors import StoreError
from store.settings import Settings

EXPERIMENT: Final = "magnetcast"
"""Name of the one experiment that holds all runs."""

FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})

_Args = ParamSpec("_Args")
_Answer = TypeVar("_Answer")


@contextmanager
def mlflow_errors(settings: Settings) -> Iterator[None]:
    """Turn errors of MLflow's database, server or artifact disk into a ``StoreError``."""
    try:
        yield
    except (MlflowException, SQLAlchemyError) as err:
        raise StoreError(
            f"MLflow's database {shown_address(settings.tracking_uri)} cannot be opened: "
            f"{type(err).__name__}. Expected a database or server that answers. Start the server, "
            "or restore the file from a backup."
        ) from err
    except OSError as err:
        if err.errno not in FULL:
            raise
        raise StoreError(
            f"MLflow's files in {settings.artifact_dir} cannot be written: {err.strerror}. "
            "Expected room on their disk. Make some."
        ) from err


def with_mlflow_errors(
    call: Callable[Concatenate[Settings, _Args], _Answer],
) -> Callable[Concatenate[Settings, _Args], _Answer]:
    """Function that raises a ``StoreError`` where MLflow fails."""

    @wraps(call)
    def wrapped(settings: Settings, /, *args: _Args.args, **kwargs: _Args.kwargs) -> _Answer:
        with mlflow_errors(settings):
            return call(settings, *args, **kwargs)

    return wrapped


def connect(settings: Settings) -> tuple[MlflowClient, str]:
    """Client and identifier of the experiment; the database is created if absent.

    MLflow migrates a new SQLite file without a lock of its own, hence ours.
    """
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    for name, level in _LEVELS.items():
        logging.getLogger(name).setLevel(level)
    uri = settings.tracking_uri
    try:
        with _opening(settings):
            if (database := record_file(settings)) is not None:
                make_private(database)
            client = MlflowClient(tracking_uri=uri, registry_uri=uri)
            identifier, location = _experiment(client, settings)
            folder = settings.artifact_dir.resolve()
            if database is not None and location not in {folder.as_uri(), f"{folder}"}:
                _follow(database, Path(unquote(urlsplit(location).path)), folder)
            return client, identifier
    except Timeout as err:
        raise StoreError(
            f"MLflow's database {uri} is being opened by another process for more than "
            f"{settings.lock_timeout_s:g} s (lock {err.lock_file}). Expected to wait a few "
            "seconds. Stop the other process, or raise MAGNETCAST_LOCK_TIMEOUT_S."
        ) from err


def _opening(settings: Settings) -> AbstractContextManager[object]:
    database = record_file(settings)
    if database is None or (database.exists() and not os.access(database.parent, os.W_OK)):
        return nullcontext()
    database.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(f"{database}.lock", timeout=settings.lock_timeout_s)


def _experiment(client: MlflowClient, settings: Settings) -> tuple[str, str]:
    """Identifier of the experiment, made if there is none, and where its files lie."""
    experiment = client.get_experiment_by_name(EXPERIMENT)
    if experiment is None:
        settings.artifact_dir.mkdir(parents=True, exist_ok=True)
        location = settings.artifact_dir.resolve().as_uri()
        return str(client.create_experiment(EXPERIMENT, artifact_location=location)), location
    return str(experiment.experiment_id), str(experiment.artifact_location)


def _follow(database: Path, before: Path, after: Path) -> None:
    """Correct MLflow's paths of a home that was copied or moved."""
    if after.is_dir() and os.access(database, os.W_OK):
        move_locations(database, before, after)
        text = (
            "models    This home was copied or moved from the folder of %s. MLflow's runs and "
            "models are now read from and written to %s; the old folder is not changed."
        )
        logging.getLogger("magnetcast").warning(text, before, after)


_LEVELS: Final = {
    "mlflow": logging.WARNING,
    "alembic": logging.WARNING,
    # Warn of an environment without pip, and of a database that our own error tells in words.
    "mlflow.utils.environment": logging.ERROR,
    "mlflow.store.db.utils": logging.CRITICAL,
}


ERROR_TAG: Final = "error"
"""Tag of a failed run: the class and the first characters of the message."""

JOB_TAG: Final = "job"
"""Tag of the run of a job, of which the runs opened meanwhile are children: its verb."""

ERROR_SHOWN: Final = 1000
_MOST: Final = 50_000
"""Runs that MLflow returns at once."""

_GONE: Final = (MlflowException, SQLAlchemyError)


@contextmanager
def open_run(settings: Settings, *, name: str, tags: Mapping[str, str]) -> Iterator[Run]:
    """Open a run, a child of the one that is open, and make it MLflow's active run.

    Tags are for searches: ``as_of``, ``data_vintage``, ``git_commit``, ``model_version``, ``flow``.
    """
    with mlflow_errors(settings), _tracking(settings):
        _, experiment = connect(settings)
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
    """Open the run of a job, unless one is open; the job goes on where MLflow fails."""
    with ExitStack() as stack:
        if mlflow.active_run() is None:
            with suppress(StoreError):  # whatever records first reports that MLflow is away
                stack.enter_context(open_run(settings, name=name, tags=tags))
        yield


def log_to_job(metrics: Mapping[str, float]) -> None:
    """Keep metrics with the run of the job in progress, too."""
    run = mlflow.active_run()
    if run is not None and JOB_TAG in run.data.tags:
        mlflow.log_metrics(dict(metrics))


@with_mlflow_errors
def discard_run(settings: Settings, run_id: str) -> None:
    """Delete the run of a training that made no new version."""
    client, _ = connect(settings)
    client.delete_run(run_id)


@with_mlflow_errors
def find_runs(settings: Settings, tags: Mapping[str, str]) -> list[Run]:
    """Finished runs with all these tags, newest first; never makes a database."""
    if not may_have_records(settings):
        return []
    client, experiment = connect(settings)
    named = [f"tags.`{name}` = '{value}'" for name, value in tags.items()]
    wanted = " and ".join(["attributes.status = 'FINISHED'", *named])
    order = ["attributes.start_time DESC"]
    return list(client.search_runs([experiment], wanted, max_results=_MOST, order_by=order))


def read_text(settings: Settings, run_id: str, name: str) -> str | None:
    """Text of the file ``name`` of a run; None where it is gone."""
    client, _ = connect(settings)
    with TemporaryDirectory() as scratch:
        try:
            path = client.download_artifacts(run_id, name, scratch)
            return Path(path).read_text(encoding="utf-8")
        except (MlflowException, OSError):
            return None


def log_table(table: pd.DataFrame, name: str) -> None:
    """Write a table, without its index, as the CSV file ``name`` of the active run."""
    mlflow.log_text(table.to_csv(index=False), name)


def log_months(
    months: pd.DataFrame, name: str, *, source: str, digest: str | None = None, **tags: str
) -> None:
    """Log a table of months with tonnes as the dataset of the run; the digest is of all rows."""
    row_hashes = hash_pandas_object(months, index=False).to_numpy().tobytes()
    digest = digest or hashlib.sha256(row_hashes).hexdigest()[:12]
    origin = CodeDatasetSource({MLFLOW_SOURCE_NAME: source})
    data = from_pandas(months, origin, targets="tonnes", name=name, digest=digest)
    mlflow.log_input(data, context="training", tags=tags)


@contextmanager
def _tracking(settings: Settings) -> Iterator[None]:
    """Point ``mlflow.log_*`` to our database, then back to that of the process."""
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(settings.tracking_uri)
    try:
        yield
    finally:
        mlflow.set_tracking_uri(before)
