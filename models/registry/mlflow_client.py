"""MLflow's database: opened by one process at a time, its faults put into words."""

import errno
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Concatenate, Final, ParamSpec, Protocol, TypeVar

from filelock import FileLock, Timeout
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.telemetry import get_telemetry_client, set_telemetry_client
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from store.database import shown_address
from store.errors import StoreError
from store.settings import Settings
from store.sqlite_files import FORBIDDEN, make_private

EXPERIMENT: Final = "magnetcast"
"""Name of the one experiment that holds all runs."""

FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
"""Texts of the system's errors when a disk is full."""

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
    """Open MLflow's database, and make it and the experiment when absent.

    One process at a time does this: MLflow migrates a new SQLite file without a lock of its own,
    and a second process would find a half-made schema.

    Args:
        settings: Where MLflow's database and artifacts are.

    Returns:
        The client and the identifier of the experiment.

    Raises:
        StoreError: It does not answer, another process holds the lock too long, or the experiment
            was deleted.
    """
    _hush()
    database = _database_file(settings.tracking_uri)
    lock = settings.home / "mlflow.lock" if database is None else Path(f"{database}.lock")
    lock.parent.mkdir(parents=True, exist_ok=True)
    try:
        with answering(settings), _opening(lock, database, settings.lock_timeout_s):
            if database is not None:
                make_private(database)
            client = MlflowClient(
                tracking_uri=_absolute(settings.tracking_uri),
                registry_uri=_absolute(settings.tracking_uri),
            )
            return client, _experiment_id(client, settings)
    except Timeout as err:
        raise StoreError(
            f"MLflow's database {settings.tracking_uri} is being opened by another process "
            f"for more than {settings.lock_timeout_s:g} s (lock {lock}). "
            "Expected to wait a few seconds. Stop the other process, or raise "
            "MAGNETCAST_LOCK_TIMEOUT_S."
        ) from err


@contextmanager
def _opening(lock: Path, database: Path | None, timeout_s: float) -> Iterator[None]:
    """Hold the lock, unless the database is there on a disk that cannot be written."""
    held = FileLock(lock, timeout=timeout_s)
    try:
        held.acquire()
    except OSError as err:
        if err.errno not in FORBIDDEN or database is None or not database.exists():
            raise
    try:
        yield
    finally:
        held.release()


def is_kept(settings: Settings) -> bool:
    """Return whether there may be a record at all: a SQLite file that is absent holds none."""
    database = _database_file(settings.tracking_uri)
    return database is None or database.exists()


_Item_co = TypeVar("_Item_co", covariant=True)


class _Page(Protocol[_Item_co]):
    """Some of what was asked for, and the way to the rest."""

    token: str | None

    def __iter__(self) -> Iterator[_Item_co]: ...


def all_pages(ask: Callable[[str | None], _Page[_Item_co]]) -> list[_Item_co]:
    """Return what all pages hold."""
    found: list[_Item_co] = []
    token: str | None = None
    while True:
        page = ask(token)
        found.extend(page)
        token = page.token
        if not token:
            return found


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


def _absolute(uri: str) -> str:
    """Return the address with a full path: MLflow keeps open databases by their address."""
    database = _database_file(uri)
    if database is None:
        return uri
    return make_url(uri).set(database=str(database)).render_as_string(hide_password=False)


def _hush() -> None:
    """Keep MLflow from reporting home and from writing chatter among our results."""
    if get_telemetry_client() is not None:
        os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
        set_telemetry_client()  # type: ignore[no-untyped-call]
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    for name in ("mlflow", "alembic"):
        logger = logging.getLogger(name)
        logger.setLevel(max(logger.level, logging.WARNING))
    # Warns of an environment without pip, such as uv's, at each registration.
    logging.getLogger("mlflow.utils.environment").setLevel(logging.ERROR)
    # Warn of other versions than a model was stored by: ours is text that any version reads.
    for name in ("mlflow.utils.requirements_utils", "mlflow.pyfunc"):
        logging.getLogger(name).setLevel(logging.ERROR)
    # Prints a traceback where the database does not answer, which our own error tells in words.
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
