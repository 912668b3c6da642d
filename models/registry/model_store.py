"""Trained models in MLflow: stored with their script, read back only if nobody changed them.

A stored model is code, text and JSON; nothing in it is unpickled, and nothing in it runs before
:mod:`models.registry.stored` found it to be what training stored.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version as installed
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, cast

import lightgbm as lgb
import mlflow.artifacts
import mlflow.pyfunc
import numpy as np
import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import LoggedModel, LoggedModelOutput
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature, infer_signature
from mlflow.pyfunc import PyFuncModel
from mlflow.types import ColSpec, DataType, Schema, TensorSpec
from mlflow.utils.file_utils import local_file_uri_to_path
from mlflow.utils.mlflow_tags import MLFLOW_MODEL_VERSIONS
from mlflow.utils.uri import is_local_uri

from models.registry import served, stored
from models.registry.mlflow_client import connect, worded
from models.registry.registry import MODEL, version_of
from models.registry.tracked_run import TrackedRun
from store.errors import StoreError
from store.settings import Settings

EXAMPLE_ROWS: Final = 5
"""Rows kept beside the model to show what it takes."""


ABOUT: Final = (
    "Monthly exports of rare-earth magnets (HS 85051110) from China by destination, up to twelve "
    "months ahead, as quantiles in tonnes. The version with alias champion publishes, challenger "
    "is on trial, previous is the way back. `magnetcast compare` tells two versions apart."
)
"""Description of the registered model."""

REQUIREMENTS: Final = ("lightgbm", "mlflow", "numpy", "pandas")
"""Packages that ``served.py`` imports; a stored model names their installed versions."""


@dataclass(frozen=True, slots=True)
class VersionSummary:
    """What MLflow's pages show of a version."""

    description: str = ""
    params: Mapping[str, object] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A stored model, ready to predict with the code that was stored beside it."""

    version: int
    card: Mapping[str, object]
    heads: Mapping[str, lgb.Booster] = field(repr=False)
    pyfunc: PyFuncModel = field(repr=False)

    def quantiles(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return the quantiles and the mean of each row in tonnes.

        Args:
            rows: As for :func:`models.registry.served.predict_quantiles`; not modified.

        Returns:
            One row per input row, in its order and with its index.

        Raises:
            ValueError: A column is missing, or horizon, level, offset or what the experts say is
                not a finite number.
        """
        served.check_columns(self.card, rows)
        return cast("pd.DataFrame", self.pyfunc.predict(_inputs(self.card, rows)))


@worded
def register(
    settings: Settings,
    run: TrackedRun,
    *,
    heads: Mapping[str, str],
    card: Mapping[str, object],
    example: pd.DataFrame,
    tags: Mapping[str, str],
    summary: VersionSummary | None = None,
) -> int:
    """Store a trained model as an output of the run and as the next version.

    Args:
        settings: Where MLflow's database and artifacts are.
        run: The open run that trained it.
        heads: Boosters in LightGBM's text form by the names in ``served.HEADS``.
        card: As for :func:`models.registry.served.predict_quantiles`; must survive JSON.
        example: Rows the model can predict; the first few are kept; not modified.
        tags: What :func:`champion` tells of it: ``model_version``, ``as_of``, ``data_vintage``.
        summary: What it is, its choices and scores, for whoever looks at it in MLflow.

    Returns:
        Number of the version.

    Raises:
        ValueError: A head is missing, or the example lacks a column.
    """
    client, experiment_id = connect(settings)
    shown = summary or VersionSummary()
    with TemporaryDirectory() as scratch:
        parts = stored.write_parts(Path(scratch) / "model", heads, card)
        logged = client.create_logged_model(
            experiment_id,
            name=MODEL,
            source_run_id=run.run_id,
            tags=dict(tags),
            params={name: str(value) for name, value in shown.params.items()},
        )
        try:
            _save(Path(scratch) / "stored", parts=parts, example=example, logged=logged)
            tags = {**tags, stored.HASH_TAG: stored.folder_hash(Path(scratch) / "stored")}
            client.log_model_artifacts(logged.model_id, f"{scratch}/stored")
        except BaseException:
            client.finalize_logged_model(logged.model_id, "FAILED")
            raise
    client.finalize_logged_model(logged.model_id, "READY")
    client.log_outputs(run.run_id, [LoggedModelOutput(logged.model_id, step=0)])
    run.metrics(shown.metrics, model_id=logged.model_id)
    return _next_version(client, logged, tags, shown.description)


@worded
def load(settings: Settings, version: int) -> LoadedModel:
    """Return a registered version, ready to predict.

    Args:
        settings: Where MLflow's database is.
        version: Number of a registered version.

    Returns:
        The model, running the script that was stored beside it.

    Raises:
        StoreError: There is no such version, its files cannot be read or are not those that
            training stored, or it was made for other features or an older schema.
    """
    client, _ = connect(settings)
    version_of(client, settings, version)
    expected = client.get_model_version(MODEL, str(version)).tags.get(stored.HASH_TAG, "")
    source = client.get_model_version_download_uri(MODEL, str(version))
    try:
        folder = mlflow.artifacts.download_artifacts(
            artifact_uri=source, tracking_uri=client.tracking_uri
        )
        with stored.checked_copy(Path(folder), expected) as safe:
            pyfunc = mlflow.pyfunc.load_model(str(safe))
    except (MlflowException, OSError, ValueError) as err:
        raise StoreError(
            f"Version {version} of model {MODEL!r} cannot be read from {source}: {err} "
            "Expected the files that training stored. Restore the artifact folder from a backup, "
            "or promote another version."
        ) from err
    model = cast("served.ServedModel", pyfunc.unwrap_python_model())
    return LoadedModel(version, model.card, model.heads, pyfunc)


@worded
def damaged(settings: Settings, *, besides: int) -> tuple[str, ...]:
    """Return each registered version whose files are gone or not those that training stored.

    Reads the files and runs none of them; what is not on a disk of this machine is left out.

    Args:
        settings: Where MLflow's database is.
        besides: Number of a version that is looked at elsewhere.
    """
    client, _ = connect(settings)
    found = []
    for one in client.search_model_versions(f"name = '{MODEL}'"):
        source = client.get_model_version_download_uri(MODEL, str(one.version))
        expected = one.tags.get(stored.HASH_TAG, "")
        is_here = is_local_uri(source)  # type: ignore[no-untyped-call]
        if int(one.version) == besides or not expected or not is_here:
            continue
        folder = local_file_uri_to_path(source)  # type: ignore[no-untyped-call]
        actual = stored.folder_hash(Path(folder))
        if actual != expected:
            found.append(
                f"the files of version {one.version} are not those that training stored: they have "
                f"SHA-256 {actual[:12]}, and {expected[:12]} was recorded"
            )
    return tuple(found)


def _save(folder: Path, *, parts: Path, example: pd.DataFrame, logged: LoggedModel) -> None:
    """Write the folder that MLflow serves from: script, parts, signature, example, packages."""
    heads, card = served.read_model(parts)
    served.check_columns(card, example)
    some = example.head(EXAMPLE_ROWS)
    inputs = served.names_of(some).join(_inputs(card, some)).reset_index(drop=True)
    outputs = served.names_of(inputs).join(served.predict_quantiles(heads, card, inputs))
    mlflow.pyfunc.save_model(
        folder,
        python_model=served.__file__,
        artifacts={"model": str(parts)},
        # Without the gaps: MLflow would take a feature with a gap for one that may be left out.
        signature=_signature(inputs.fillna(0.0), outputs),
        input_example=inputs,
        pip_requirements=[f"{package}=={installed(package)}" for package in REQUIREMENTS],
        mlflow_model=Model(
            artifact_path=logged.artifact_location,
            model_uuid=logged.model_id,
            run_id=logged.source_run_id,
            model_id=logged.model_id,
        ),
    )


def _signature(inputs: pd.DataFrame, outputs: pd.DataFrame) -> ModelSignature:
    """Return what goes in and what comes out.

    No column is required: rows bring the features or ``as_of``. An error names what is missing.
    """
    found = infer_signature(inputs, outputs)
    columns: list[ColSpec | TensorSpec] = [
        ColSpec(one.type, one.name, required=False) for one in found.inputs.inputs
    ]
    by_moment = [name for name in (served.AS_OF, *served.NAMES) if name not in inputs]
    columns += [ColSpec(DataType.string, name, required=False) for name in by_moment]
    return ModelSignature(Schema(columns), found.outputs)


def _inputs(card: Mapping[str, object], rows: pd.DataFrame) -> pd.DataFrame:
    """Return the model's inputs as floats: an integer column could not hold a missing value."""
    return rows[served.needed_columns(card)].astype(np.float64)


def _next_version(
    client: MlflowClient, logged: LoggedModel, tags: Mapping[str, str], description: str
) -> int:
    """Register a logged model and return the number it got."""
    found = client.search_registered_models(f"name = '{MODEL}'")
    if not found:
        _make_model(client)
    elif not found[0].description:  # made before models were described
        client.update_registered_model(MODEL, ABOUT)
    # The location, not "models:/<id>": MLflow would resolve that in its process-wide database.
    made = client.create_model_version(
        MODEL,
        logged.artifact_location,
        run_id=logged.source_run_id,
        tags=dict(tags),
        description=description,
        model_id=logged.model_id,
    )
    link = json.dumps([{"name": MODEL, "version": made.version}])
    client.set_logged_model_tags(logged.model_id, {MLFLOW_MODEL_VERSIONS: link})
    return int(made.version)


def _make_model(client: MlflowClient) -> None:
    """Make the registered model, unless another process has just done so."""
    try:
        client.create_registered_model(MODEL, description=ABOUT)
    except MlflowException as err:
        if err.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
