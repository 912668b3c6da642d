"""The record of every run in MLflow; nothing else writes there but :mod:`models.registry.registry`.

Public: :func:`open_run`, :class:`TrackedRun`, :func:`find_run`, :func:`find_runs`,
:class:`KeptRun`, :func:`read_text`; :func:`connect`, :func:`worded` and :func:`is_kept` for
:mod:`models.registry.registry`.

All calls name their database; MLflow's process-wide "current" database and run are not used, so
threads and nested runs cannot write into each other's record.
"""

import errno
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import wraps
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Concatenate, Final, ParamSpec, TypeVar

from filelock import FileLock, Timeout
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, ViewType
from mlflow.exceptions import MlflowException
from mlflow.telemetry import get_telemetry_client, set_telemetry_client
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from store.database import shown_address
from store.errors import StoreError
from store.settings import Settings

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

EXPERIMENT: Final = "magnetcast"
"""Name of the one experiment that holds all runs."""

BATCH: Final = 100
"""Parameters or metrics sent in one call; MLflow refuses more than 100 parameters."""

ERROR_TAG: Final = "error"
"""Tag of a failed run: the class and the first characters of the message."""

ERROR_SHOWN: Final = 1000

FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
"""What the system says of a disk that takes nothing more."""

_Item = TypeVar("_Item")
_Args = ParamSpec("_Args")
_Found = TypeVar("_Found")


@dataclass(frozen=True, slots=True)
class TrackedRun:
    """One open run; what is written carries the moment the run began."""

    run_id: str
    experiment_id: str
    started_ms: int
    client: MlflowClient = field(repr=False)

    def params(self, values: Mapping[str, object]) -> None:
        """Record the choices this run was made with; a name cannot be given two values."""
        params = [Param(name, str(value)) for name, value in values.items()]
        for batch in _batches(params):
            self.client.log_batch(self.run_id, params=batch)

    def metrics(self, values: Mapping[str, float], *, step: int = 0) -> None:
        """Record scores; the same name at a further step makes a curve."""
        metrics = [
            Metric(name, float(value), self.started_ms, step) for name, value in values.items()
        ]
        for batch in _batches(metrics):
            self.client.log_batch(self.run_id, metrics=batch)

    def table(self, frame: "pd.DataFrame", name: str) -> None:
        """Keep a table, without its index, as the CSV file ``name``."""
        self.text(frame.to_csv(index=False), name)

    def figure(self, figure: "Figure", name: str) -> None:
        """Keep a figure as the image file ``name``."""
        self.client.log_figure(self.run_id, figure, name)

    def text(self, text: str, name: str) -> None:
        """Keep a text as the file ``name``."""
        self.client.log_text(self.run_id, text, name)


@dataclass(frozen=True, slots=True)
class KeptRun:
    """A finished run: its identifier and tags."""

    run_id: str
    tags: Mapping[str, str]


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
        parent: Identifier of the run this one is a part of.

    Yields:
        The open run.

    Raises:
        StoreError: The database cannot be opened in time, its experiment was deleted, or what is
            written cannot be kept.
    """
    client, experiment_id = connect(settings)
    lineage = {} if parent is None else {MLFLOW_PARENT_RUN_ID: parent}
    with _answering(settings):
        info = client.create_run(experiment_id, run_name=name, tags={**tags, **lineage}).info
        try:
            yield TrackedRun(info.run_id, experiment_id, info.start_time, client)
        except BaseException as err:
            status = "FAILED" if isinstance(err, Exception) else "KILLED"
            # Where MLflow itself is away, why it failed is what the caller must hear of.
            with suppress(MlflowException, SQLAlchemyError):
                client.set_tag(info.run_id, ERROR_TAG, f"{type(err).__name__}: {err}"[:ERROR_SHOWN])
                client.set_terminated(info.run_id, status)
            raise
        client.set_terminated(info.run_id, "FINISHED")


@contextmanager
def _answering(settings: Settings) -> Iterator[None]:
    """Word what MLflow says where its database, server or disk of artifacts does not do."""
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
        with _answering(settings):
            return ask(settings, *args, **kwargs)

    return asked


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
    found = client.search_runs(
        [experiment_id],
        " and ".join(conditions),
        ViewType.ACTIVE_ONLY,
        order_by=["attributes.start_time DESC"],
    )
    return [KeptRun(run.info.run_id, dict(run.data.tags)) for run in found]


def read_text(settings: Settings, run_id: str, name: str) -> str | None:
    """Return a text that a run kept as the file ``name``; None where it is gone."""
    client, _ = connect(settings)
    with TemporaryDirectory() as scratch:
        try:
            path = client.download_artifacts(run_id, name, scratch)
            return Path(path).read_text(encoding="utf-8")
        except (MlflowException, OSError):
            return None


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
        with FileLock(lock, timeout=settings.lock_timeout_s), _answering(settings):
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


def is_kept(settings: Settings) -> bool:
    """Return whether there may be a record at all: a SQLite file that is absent holds none."""
    database = _database_file(settings.tracking_uri)
    return database is None or database.exists()


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
    # Prints a traceback where the database does not answer, which our own error tells in words.
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)


def _batches(items: Sequence[_Item]) -> Iterator[Sequence[_Item]]:
    """Yield the items in groups that MLflow accepts."""
    rest = iter(items)
    while batch := list(islice(rest, BATCH)):
        yield batch


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
