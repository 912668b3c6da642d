"""One open run at MLflow, and what is written into it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Final, TypeVar

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, Run, ViewType
from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT

from models.registry.mlflow_client import all_pages

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

BATCH: Final = 100
"""Parameters or metrics sent in one call; MLflow refuses more than 100 parameters."""

ERROR_TAG: Final = "error"
"""Tag of a failed run: the class and the first characters of the message."""

ERROR_SHOWN: Final = 1000

PAGE: Final = 1000

_Item = TypeVar("_Item")


InputData = Dataset
"""What a run was made from."""


@dataclass(frozen=True, slots=True)
class TrackedRun:
    """One open run; what is written carries the moment the run began."""

    run_id: str
    experiment_id: str
    started_ms: int
    client: MlflowClient = field(repr=False)
    parent: "TrackedRun | None" = None
    """The run of the job that this is a part of."""

    def summary(
        self, params: Mapping[str, object], metrics: Mapping[str, float], data: Dataset
    ) -> None:
        """Record choices, scores and data here and on the job's run: either may be compared."""
        for run in (self, self.parent):
            if run is not None:
                run.params(params)
                run.metrics(metrics)
                run.dataset(data)

    def params(self, values: Mapping[str, object]) -> None:
        """Record the choices this run was made with; a name cannot be given two values."""
        params = [Param(name, str(value)) for name, value in values.items()]
        for batch in _batches(params):
            self.client.log_batch(self.run_id, params=batch)

    def metrics(
        self, values: Mapping[str, float], *, step: int = 0, model_id: str | None = None
    ) -> None:
        """Record scores, of a logged model too; the same name at a further step makes a curve."""
        metrics = [
            Metric(name, float(value), self.started_ms, step, model_id, run_id=self.run_id)
            for name, value in values.items()
        ]
        for batch in _batches(metrics):
            self.client.log_batch(self.run_id, metrics=batch)

    def dataset(self, data: Dataset) -> None:
        """Record what the run was made from."""
        context = InputTag(MLFLOW_DATASET_CONTEXT, "training")
        self.client.log_inputs(self.run_id, [DatasetInput(data, [context])])

    def table(self, frame: "pd.DataFrame", name: str) -> None:
        """Keep a table, without its index, as the CSV file ``name``."""
        self.text(frame.to_csv(index=False), name)

    def figure(self, figure: "Figure", name: str) -> None:
        """Keep a figure as the image file ``name``."""
        self.client.log_figure(self.run_id, figure, name)

    def text(self, text: str, name: str) -> None:
        """Keep a text as the file ``name``."""
        self.client.log_text(self.run_id, text, name)


def close_failed(client: MlflowClient, run_id: str, err: BaseException) -> None:
    """Close a run with its error, as failed, or as killed on an interrupt."""
    status = "FAILED" if isinstance(err, Exception) else "KILLED"
    client.set_tag(run_id, ERROR_TAG, f"{type(err).__name__}: {err}"[:ERROR_SHOWN])
    client.set_terminated(run_id, status)


def create_run(
    client: MlflowClient,
    experiment_id: str,
    name: str,
    tags: Mapping[str, str],
    *,
    parent: TrackedRun | None = None,
    began_ms: int | None = None,
) -> TrackedRun:
    """Make a run at MLflow, which is open until it is closed."""
    info = client.create_run(experiment_id, began_ms, dict(tags), name).info
    return TrackedRun(info.run_id, experiment_id, info.start_time, client, parent)


def search_runs(client: MlflowClient, experiment_id: str, condition: str) -> list[Run]:
    """Return all runs that a condition holds for, newest first."""
    newest_first = ["attributes.start_time DESC"]
    return all_pages(
        lambda token: client.search_runs(
            [experiment_id], condition, ViewType.ACTIVE_ONLY, PAGE, newest_first, token
        )
    )


def _batches(items: Sequence[_Item]) -> Iterator[Sequence[_Item]]:
    """Yield the items in groups that MLflow accepts."""
    rest = iter(items)
    while batch := list(islice(rest, BATCH)):
        yield batch
