"""How a job is recorded in MLflow: one run, named by job, as_of and parameters (docs/adr/0045)."""

from contextlib import AbstractContextManager

from flows.context.provenance import actor, git_commit
from flows.context.workspace import Workspace
from models.registry.runs import JOB_TAG, open_job


def made_tags(workspace: Workspace) -> dict[str, str]:
    """Tags that every MLflow run about a model carries."""
    return {
        "as_of": workspace.as_of.isoformat(),
        "commodity": workspace.config.published_as,
        "git_commit": git_commit(),
        "data_vintage": workspace.data_vintage,
        "model_version": workspace.model_version,
    }


def recorded_job(workspace: Workspace, job: str) -> AbstractContextManager[None]:
    """Make the MLflow runs opened meanwhile children of one; within another job, of that."""
    tags = {JOB_TAG: job, "actor": actor(), **made_tags(workspace)}
    config = workspace.config
    parts = [job, config.table_key, f"{workspace.as_of:%Y-%m-%d}", workspace.parameters_digest]
    return open_job(workspace.settings, name=" ".join(filter(None, parts)), tags=tags)
