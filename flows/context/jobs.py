"""How a job is recorded in MLflow: one run, named by job, as_of and recipe (docs/adr/0041)."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final, Protocol

import pandas as pd

from flows.clock import utc_now
from flows.context.provenance import actor, git_commit
from models.registry import jobs
from store.errors import StoreError
from store.settings import Settings
from store.vocabulary import COMMODITY

LONGEST: Final = pd.Timedelta(days=1)
"""No job that needs no lock takes longer."""


class JobSource(Protocol):
    """What a model is made with: a workspace or the snapshot of a table."""

    @property
    def as_of(self) -> pd.Timestamp:
        """Return the moment forecast at (UTC)."""

    @property
    def recipe(self) -> str:
        """Return what names how a model is made."""

    @property
    def data_vintage(self) -> str:
        """Return the digest of the rows known."""

    @property
    def model_version(self) -> str:
        """Return the name of a model made with it."""


@contextmanager
def recorded_job(
    settings: Settings, job: str, as_of: pd.Timestamp, *, commodity: str = COMMODITY
) -> Iterator[None]:
    """Make the MLflow runs opened meanwhile parts of one; within another job they are its parts.

    Args:
        settings: Where things are kept.
        job: Its verb; the caller holds the lock where it is one of ``jobs.LOCKED_JOBS``.
        as_of: The moment it is done for (UTC).
        commodity: Key that is published under.
    """
    now = utc_now()
    if job in jobs.LOCKED_JOBS and not jobs.is_open():
        with suppress(StoreError):  # whatever records first reports that MLflow is away
            jobs.settle_runs(settings, before_ms=_milliseconds(now - LONGEST))
    tags = {
        jobs.JOB_TAG: job,
        "as_of": as_of.isoformat(),
        "commodity": commodity,
        "git_commit": git_commit(),
        **jobs.source_tags(f"magnetcast {job.removesuffix('-table')}", actor()),
    }
    name = _name(job, as_of, commodity)
    with jobs.open_job(settings, name=name, tags=tags, began_ms=_milliseconds(now)):
        yield


def describe_job(made_with: JobSource, job: str, *, commodity: str = COMMODITY) -> None:
    """Name the job's run by its recipe too, unless it has been made."""
    tags = {"data_vintage": made_with.data_vintage, "model_version": made_with.model_version}
    jobs.describe_job(f"{_name(job, made_with.as_of, commodity)} {made_with.recipe}", job, tags)


def _name(job: str, as_of: pd.Timestamp, commodity: str) -> str:
    about = "" if commodity == COMMODITY else f" {commodity}"
    return f"{job}{about} {as_of:%Y-%m-%d}"


def _milliseconds(moment: pd.Timestamp) -> int:
    return int(moment.timestamp() * 1000)
