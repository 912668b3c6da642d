"""MLflow's database: opened by one process at a time, its faults put into words."""

import errno
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import wraps
from pathlib import Path
from typing import Concatenate, Final, ParamSpec, TypeVar

from filelock import FileLock, Timeout
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from store.database import shown_address
from store.errors import StoreError
from store.settings import Settings
from store.sqlite_files import make_private

EXPERIMENT: Final = "magnetcast"
"""Name of the one experiment that holds all runs."""

FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})

_Args = ParamSpec("_Args")
_Found = TypeVar("_Found")


@contextmanager
def answering(settings: Settings) -> Iterator[None]:
    """Word MLflow's error when its database, server or artifact disk fails."""
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
            "Expected room on their disk. Make some, e.g. by `magnetcast prune`."
        ) from err


def worded(
    ask: Callable[Concatenate[Settings, _Args], _Found],
) -> Callable[Concatenate[Settings, _Args], _Found]:
    """Let what asks MLflow raise a StoreError where MLflow does not answer, at whatever call."""

    @wraps(ask)
    def asked(settings: Settings, /, *args: _Args.args, **kwargs: _Args.kwargs) -> _Found:
        with answering(settings):
            return ask(settings, *args, **kwargs)

    return asked


def connect(settings: Settings) -> tuple[MlflowClient, str]:
    """Return a client and the experiment's identifier; the database is made when absent.

    MLflow migrates a new SQLite file without a lock of its own, hence ours.

    Raises:
        StoreError: It does not answer, or the experiment was deleted.
    """
    _hush()
    uri = settings.tracking_uri
    try:
        with answering(settings), _opening(settings):
            if (database := _database_file(uri)) is not None:
                make_private(database)
            client = MlflowClient(tracking_uri=uri, registry_uri=uri)
            return client, _experiment_id(client, settings)
    except Timeout as err:
        raise StoreError(
            f"MLflow's database {uri} is being opened by another process for more than "
            f"{settings.lock_timeout_s:g} s (lock {err.lock_file}). Expected to wait a few "
            "seconds. Stop the other process, or raise MAGNETCAST_LOCK_TIMEOUT_S."
        ) from err


def is_kept(settings: Settings) -> bool:
    """Return whether there may be a record at all: a SQLite file that is absent holds none."""
    database = _database_file(settings.tracking_uri)
    return database is None or database.exists()


def _opening(settings: Settings) -> AbstractContextManager[object]:
    """Return the lock to open a SQLite file under; none where its folder cannot be written."""
    database = _database_file(settings.tracking_uri)
    if database is None or (database.exists() and not os.access(database.parent, os.W_OK)):
        return nullcontext()
    database.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(f"{database}.lock", timeout=settings.lock_timeout_s)


def _experiment_id(client: MlflowClient, settings: Settings) -> str:
    """Return the experiment's identifier, having made it when absent."""
    experiment = client.get_experiment_by_name(EXPERIMENT)
    if experiment is None:
        settings.artifact_dir.mkdir(parents=True, exist_ok=True)
        location = settings.artifact_dir.resolve().as_uri()
        return str(client.create_experiment(EXPERIMENT, artifact_location=location))
    if experiment.lifecycle_stage != "active":
        raise StoreError(
            f"Experiment {EXPERIMENT!r} in {settings.tracking_uri} is "
            f"{experiment.lifecycle_stage}. Expected it to be active. Run `mlflow experiments "
            f"restore --experiment-id {experiment.experiment_id}` on that database."
        )
    return str(experiment.experiment_id)


def _database_file(uri: str) -> Path | None:
    """Return the file of a SQLite address, None for any other address."""
    if not uri.startswith("sqlite"):
        return None
    database = make_url(uri).database
    return Path(database).resolve() if database and database != ":memory:" else None


def _hush() -> None:
    """Keep MLflow's chatter out of our results."""
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    for name in ("mlflow", "alembic"):
        logger = logging.getLogger(name)
        logger.setLevel(max(logger.level, logging.WARNING))
    # Warn of an environment without pip, and of a database that our own error tells in words.
    logging.getLogger("mlflow.utils.environment").setLevel(logging.ERROR)
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
