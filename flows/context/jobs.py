"""How a job is recorded in MLflow: one run, named by job, as_of and parameters (docs/adr/0041)."""

from contextlib import AbstractContextManager

from flows.context.provenance import actor, git_commit
from flows.context.workspace import Workspace
from models.registry.runs import JOB_TAG, open_job


def made_tags(known: Workspace) -> dict[str, str]:
    """Return the tags that every MLflow run about a model carries."""
    return {
        "as_of": known.as_of.isoformat(),
        "commodity": known.config.published_as,
        "git_commit": git_commit(),
        "data_vintage": known.data_vintage,
        "model_version": known.model_version,
    }


def recorded_job(known: Workspace, job: str) -> AbstractContextManager[None]:
    """Make the MLflow runs opened meanwhile children of one; within another job, of that."""
    tags = {JOB_TAG: job, "actor": actor(), **made_tags(known)}
    config = known.config
    parts = [job, config.table_key, f"{known.as_of:%Y-%m-%d}", known.parameters_digest]
    return open_job(known.settings, name=" ".join(filter(None, parts)), tags=tags)
