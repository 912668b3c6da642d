"""Which runs MLflow no longer needs, and their end.

Public: :func:`old_runs`, :func:`forget`, :class:`OldRun`.

A run stays while an alias leads to the version that it trained or scored, while a publication names
its model, and while it goes on.
"""

import os
import subprocess
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from models.registry.mlflow_client import all_pages, connect, is_kept
from models.registry.registry import MODEL
from store.errors import StoreError
from store.settings import Settings

PAGE: Final = 1000
ACTIVE_ONLY: Final = 1
DELETED_ONLY: Final = 2
"""MLflow's ``ViewType`` of what does not, and of what does lie in its bin."""

AT_ONCE: Final = 200
"""Runs named in one command line."""


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
    client, experiment = connect(settings)
    wanted = f"name = '{MODEL}'"
    newest_first = ["attributes.start_time DESC"]
    runs = all_pages(
        lambda token: client.search_runs([experiment], "", ACTIVE_ONLY, PAGE, newest_first, token)
    )
    versions = all_pages(lambda token: client.search_model_versions(wanted, PAGE, None, token))
    aliased = {
        int(version)
        for model in client.search_registered_models(wanted)
        for version in model.aliases.values()
    }
    kept = {
        str(one.run_id)
        for one in versions
        if one.tags.get("model_version") in published or int(one.version) in aliased
    }
    # The backtest of a version with an alias is what the next challenger is compared with.
    names = {one.tags.get("model_version") for one in versions if int(one.version) in aliased}
    return [
        OldRun(
            run.info.run_id,
            run.info.run_name,
            run.info.start_time,
            tuple(int(one.version) for one in versions if one.run_id == run.info.run_id),
            tuple(one.model_id for one in run.outputs.model_outputs) if run.outputs else (),
        )
        for run in runs[keep:]
        if run.info.start_time < before_ms
        and run.info.status != "RUNNING"
        and run.info.run_id not in kept
        and run.data.tags.get("model_version") not in {*published, *names}
    ]


def forget(settings: Settings, runs: Sequence[OldRun]) -> None:
    """Delete runs for good, with their files and models.

    Raises:
        StoreError: MLflow's bin holds an experiment, which would go too, or MLflow fails.
    """
    if not runs:
        return
    client, _ = connect(settings)
    if binned := client.search_experiments(view_type=DELETED_ONLY):
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
    for first in range(0, len(runs), AT_ONCE):
        _empty_bin(client.tracking_uri, [run.run_id for run in runs[first : first + AT_ONCE]])


def _empty_bin(uri: str, run_ids: Sequence[str]) -> None:
    """Let MLflow's own command remove rows and files; the address goes by the environment."""
    command = [sys.executable, "-m", "mlflow", "gc", "--run-ids", ",".join(run_ids)]
    variables = {**os.environ, "MLFLOW_BACKEND_STORE_URI": uri, "MLFLOW_TRACKING_URI": uri}
    # The command is our own list of words.
    answer = subprocess.run(  # noqa: S603
        command, env=variables, capture_output=True, text=True, check=False
    )
    if answer.returncode != 0:
        raise StoreError(
            f"mlflow gc failed: {answer.stderr.strip()[-1000:]} Expected it to remove "
            f"{len(run_ids)} runs. They are in MLflow's bin; run `magnetcast prune` again or "
            "`mlflow gc` yourself."
        )
