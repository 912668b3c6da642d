"""The record of every run in MLflow.

All calls name their database; MLflow's process-wide "current" database and run are not used, so
threads and nested runs cannot write into each other's record.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final, TypeVar

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, ViewType
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID
from sqlalchemy.exc import SQLAlchemyError

from models.registry.mlflow_client import answering, connect, is_kept, worded
from store.settings import Settings

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


BATCH: Final = 100
"""Parameters or metrics sent in one call; MLflow refuses more than 100 parameters."""

ERROR_TAG: Final = "error"
"""Tag of a failed run: the class and the first characters of the message."""

ERROR_SHOWN: Final = 1000


_Item = TypeVar("_Item")


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
    with answering(settings):
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
