"""How a job is recorded in MLflow: one run, named by job, as_of and recipe (docs/adr/0041)."""

from contextlib import AbstractContextManager
from typing import Protocol

import pandas as pd
from sqlalchemy import Engine

from flows.context.provenance import actor, git_commit
from flows.context.run_config import RunConfig
from models.registry.runs import JOB_TAG, open_job
from store.settings import Settings


class JobSource(Protocol):
    """What a model is made with: a workspace or a table."""

    @property
    def config(self) -> RunConfig:
        """What is forecast, and where it is published."""

    @property
    def settings(self) -> Settings:
        """Where things are kept."""

    @property
    def engine(self) -> Engine:
        """Of the store."""

    @property
    def as_of(self) -> pd.Timestamp:
        """The moment forecast at (UTC)."""

    @property
    def recipe(self) -> str:
        """What names how a model is made."""

    @property
    def data_vintage(self) -> str:
        """Digest of the rows known."""

    @property
    def model_version(self) -> str:
        """Name of a model made with it."""


def made_tags(made_with: JobSource) -> dict[str, str]:
    """Return the tags that every MLflow run about a model carries."""
    return {
        "as_of": made_with.as_of.isoformat(),
        "commodity": made_with.config.published_as,
        "git_commit": git_commit(),
        "data_vintage": made_with.data_vintage,
        "model_version": made_with.model_version,
    }


def recorded_job(made_with: JobSource, job: str) -> AbstractContextManager[None]:
    """Make the MLflow runs opened meanwhile children of one; within another job, of that."""
    tags = {JOB_TAG: job, "actor": actor(), **made_tags(made_with)}
    config = made_with.config
    about = "" if config.is_main else f" {config.published_as}"
    name = f"{job}{about} {made_with.as_of:%Y-%m-%d} {made_with.recipe}"
    return open_job(made_with.settings, name=name, tags=tags)
