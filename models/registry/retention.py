"""Which runs MLflow no longer needs, and their end.

A run stays while an alias leads to the version that it trained or scored, while a publication names
its model, and while it goes on.
"""

import os
import subprocess
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from mlflow.entities import ViewType

from models.registry.mlflow_client import connect, is_kept, worded
from models.registry.registry import ALIASES, MODEL, by_alias, versions
from models.registry.runs import search_runs
from store.errors import StoreError
from store.settings import Settings


@dataclass(frozen=True, slots=True)
class OldRun:
    """A run that may go."""

    run_id: str
    name: str
    started_ms: int
    versions: tuple[int, ...]
    """Registered models that go with it."""
    logged: tuple[str, ...]
    """Identifiers of the logged models that go with it."""


def old_runs(
    settings: Settings, *, published: Collection[str], keep: int, before_ms: int
) -> list[OldRun]:
    """Return the runs that nothing needs, newest first.

    Args:
        settings: Where MLflow's database is.
        published: Names of the models that forecasts were published with.
        keep: How many of the newest runs stay whatever their age.
        before_ms: Runs that began at or after this moment stay (ms since 1970).
    """
    if not is_kept(settings):
        return []
    registered = versions(settings)
    aliased = [one for one in (by_alias(settings, alias) for alias in ALIASES) if one]
    # The backtest of a version with an alias is what the next challenger is compared with.
    needed = {*published, *(one.model_version for one in aliased)}
    trained = {one.run_id for one in registered if one.model_version in needed}
    return [
        OldRun(
            run.info.run_id,
            run.info.run_name,
            run.info.start_time,
            tuple(one.version for one in registered if one.run_id == run.info.run_id),
            tuple(one.model_id for one in run.outputs.model_outputs) if run.outputs else (),
        )
        for run in search_runs(settings)[keep:]
        if run.info.start_time < before_ms
        and run.info.status != "RUNNING"
        and run.info.run_id not in trained
        and run.data.tags.get("model_version") not in needed
    ]


@worded
def forget(settings: Settings, runs: Sequence[OldRun]) -> None:
    """Delete runs for good, with their files and models.

    Raises:
        StoreError: MLflow's bin holds an experiment, which would go too, or MLflow fails.
    """
    if not runs:
        return
    client, _ = connect(settings)
    if binned := client.search_experiments(view_type=ViewType.DELETED_ONLY):
        raise StoreError(
            f"MLflow's bin holds experiment {binned[0].name!r}, which would be deleted for good "
            "along with the runs. Expected an empty bin. Restore it, or run `mlflow gc` yourself."
        )
    for run in runs:
        for version in run.versions:
            client.delete_model_version(MODEL, str(version))
        for model in run.logged:
            client.delete_logged_model(model)
        client.delete_run(run.run_id)
    uri, names = client.tracking_uri, ",".join(run.run_id for run in runs)
    variables = {**os.environ, "MLFLOW_BACKEND_STORE_URI": uri, "MLFLOW_TRACKING_URI": uri}
    # The command is our own list of words.
    answer = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "mlflow", "gc", "--run-ids", names],
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    if answer.returncode != 0:
        raise StoreError(
            f"mlflow gc failed: {answer.stderr.strip()[-1000:]} Expected it to remove "
            f"{len(runs)} runs. They are in MLflow's bin; run `magnetcast prune` again or "
            "`mlflow gc` yourself."
        )
