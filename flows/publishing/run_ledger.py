"""The runs as the store keeps them: when each began, how it ended, what it left in MLflow."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from flows.clock import utc_now
from flows.context.provenance import git_commit
from flows.context.workspace import Workspace
from flows.publishing.run_config import RunConfig
from flows.publishing.table_snapshot import TableSnapshot
from store.publications.publishing import RunRecord, finish_run, start_run


@dataclass(slots=True)
class RunEntry:
    """What becomes known of a run while it runs."""

    mlflow_run_id: str | None = None


@contextmanager
def run_entry(config: RunConfig, snapshot: Workspace | TableSnapshot) -> Iterator[RunEntry]:
    """Keep in the store that a run began, and whether it failed."""
    run_id, entry = uuid.uuid4().hex, RunEntry()
    start_run(
        snapshot.engine,
        RunRecord(
            run_id=run_id,
            flow=config.flow,
            as_of=snapshot.as_of,
            data_vintage=snapshot.data_vintage,
            started_at=utc_now(),
            git_commit=git_commit(),
            model_version=snapshot.model_version,
            commodity=config.published_as,
        ),
    )
    status = "failed"
    try:
        yield entry
        status = "finished"
    finally:
        finish_run(
            snapshot.engine,
            run_id,
            status=status,
            finished_at=utc_now(),
            mlflow_run_id=entry.mlflow_run_id,
        )
