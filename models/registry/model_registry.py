"""Models in MLflow: versions and their aliases, logged with the script that serves them.

A stored model is boosters as text and metadata as JSON. We load just those with our own code and
only if they are what training stored; nothing here executes the code beside them.
"""

import json
from collections.abc import Mapping
from importlib.metadata import version as installed
from pathlib import Path
from shutil import copy
from tempfile import TemporaryDirectory
from typing import Final

import mlflow
import numpy as np
import pandas as pd
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature, infer_signature
from mlflow.types import ColSpec, DataType, Schema, TensorSpec
from mlflow.utils.mlflow_tags import MLFLOW_MODEL_VERSIONS

from features.build import catalogue_digest
from models import quantile_model
from models.quantile_model import (
    FILES,
    METADATA,
    NAMES,
    TrainedModel,
    names_of,
    needed_columns,
    parsed,
    predict_quantiles,
)
from models.registry.runs import connect, with_mlflow_errors
from models.registry.stored_model import (
    MODEL,
    MODEL_FILES,
    MODEL_SCHEMA,
    check,
    check_rows,
    digest_of,
    features_of,
    may_have_records,
    registered_version,
    unreadable,
)
from store.database import shown_address
from store.errors import StoreError
from store.publications.publication_rows import RegisteredVersion
from store.settings import Settings


@with_mlflow_errors
def aliased(
    settings: Settings, name: str = MODEL
) -> list[tuple[str, RegisteredVersion, Mapping[str, str]]]:
    """Each alias with its version and that one's tags."""
    client, _ = connect(settings)
    models = client.search_registered_models(f"name = '{name}'")
    aliases = {alias: number for model in models for alias, number in model.aliases.items()}
    entries = {alias: client.get_model_version(name, str(n)) for alias, n in aliases.items()}
    return [(alias, _registered(settings, each), each.tags) for alias, each in entries.items()]


def at_version(settings: Settings, version: int, name: str = MODEL) -> RegisteredVersion:
    """Registered version by its number."""
    for registered in versions(settings, name):
        if registered.version == version:
            return registered
    raise StoreError(
        f"Model {name!r} in {shown_address(settings.tracking_uri)} has no version {version}. "
        "Expected a version that training registered. Train one, or choose one shown by `mlflow "
        "ui`."
    )


@with_mlflow_errors
def versions(settings: Settings, name: str = MODEL) -> list[RegisteredVersion]:
    """All versions, oldest first; never makes a database."""
    if not may_have_records(settings):
        return []
    client, _ = connect(settings)
    entries = client.search_model_versions(f"name = '{name}'")
    return sorted(
        (_registered(settings, entry) for entry in entries),
        key=lambda registered: registered.version,
    )


def named(settings: Settings, model_version: str, name: str = MODEL) -> RegisteredVersion | None:
    """Newest version whose name published forecasts carry, or None."""
    matches = [each for each in versions(settings, name) if each.model_version == model_version]
    return matches[-1] if matches else None


@with_mlflow_errors
def set_alias(settings: Settings, alias: str, version: int, name: str = MODEL) -> None:
    """Give an alias to a version, in one call: the one before it loses it."""
    client, _ = connect(settings)
    client.set_registered_model_alias(name, alias, str(version))


@with_mlflow_errors
def remove_alias(settings: Settings, alias: str, name: str = MODEL) -> None:
    """Leave an alias to no version."""
    client, _ = connect(settings)
    client.delete_registered_model_alias(name, alias)


@with_mlflow_errors
def set_tags(settings: Settings, version: int, tags: Mapping[str, str], name: str = MODEL) -> None:
    """Keep further tags with a version."""
    client, _ = connect(settings)
    for tag, value in tags.items():
        client.set_model_version_tag(name, str(version), tag, value)


def _registered(settings: Settings, entry: ModelVersion) -> RegisteredVersion:
    number = int(entry.version)
    return registered_version(settings, number, entry.run_id, entry.source, entry.tags)


EXAMPLE_ROWS: Final = 5
"""Rows kept beside the model to show what it takes."""

_ABOUT: Final = (
    "Monthly exports (HS %s) from China by destination, as quantiles in tonnes. The version with "
    "alias champion publishes, challenger is the last that was refused. `magnetcast compare` shows "
    "how two versions differ."
)

REQUIREMENTS: Final = ("lightgbm", "mlflow", "numpy", "pandas")
"""Packages that a stored model imports; it names their installed versions."""


def stamp(metadata: Mapping[str, object]) -> dict[str, object]:
    """Further metadata, by which a model that takes other rows can be refused."""
    return {"schema": MODEL_SCHEMA, "meanings": catalogue_digest(frozenset(features_of(metadata)))}


@with_mlflow_errors
def register(
    settings: Settings,
    name: str = MODEL,
    *,
    boosters: Mapping[str, str],
    metadata: Mapping[str, object],
    example: pd.DataFrame,
    tags: Mapping[str, str],
    script: Path,
    description: str = "",
    metrics: Mapping[str, float] | None = None,
) -> int:
    """Log a trained model to MLflow's active run and return its number as the next version.

    A model that is there already, trained on the same facts, gets no further version.

    Args:
        boosters: Boosters in LightGBM's text form by the names in ``quantile_model.BOOSTERS``.
        metadata: As for :func:`models.quantile_model.predict_quantiles`; must survive JSON.
        example: Rows the model can predict; the first few are kept; not modified.
        tags: As the fields of ``RegisteredVersion``.
        script: Sets a pyfunc that reads boosters, metadata and ``quantile_model.py`` from the
            artifact folder ``model``.
        metrics: Scores of its backtest, kept with the run and the logged model.

    Raises:
        ValueError: The example lacks a column.
    """
    client, _ = connect(settings)
    texts = {f"{booster}.txt": text for booster, text in boosters.items()}
    texts[METADATA] = json.dumps(metadata, allow_nan=False, indent=1)
    model = parsed(texts)
    rows = example.head(EXAMPLE_ROWS).reset_index(drop=True)
    outputs = names_of(rows).join(predict_quantiles(*model, rows))
    # As floats: an integer column could not hold a missing value.
    inputs = names_of(rows).join(rows[needed_columns(model.metadata)].astype(np.float64))
    tags = {**tags, "sha256": digest_of(texts)}
    identity = (tags["sha256"], tags.get("data_vintage", ""))
    duplicates = [
        each.version
        for each in versions(settings, name)
        if (each.sha256, each.data_vintage) == identity
    ]
    if duplicates:
        return duplicates[-1]
    with TemporaryDirectory() as scratch:
        folder = Path(scratch) / MODEL_FILES
        folder.mkdir()
        for file, text in texts.items():
            (folder / file).write_text(text, encoding="utf-8", newline="\n")
        copy(quantile_model.__file__, folder)
        logged = mlflow.pyfunc.log_model(
            name=name,
            python_model=str(script),
            artifacts={MODEL_FILES: str(folder)},
            # Without the gaps: MLflow would take a feature with a gap for one to be left out.
            signature=_signature(inputs.fillna(0.0), outputs),
            input_example=inputs,
            pip_requirements=[f"{package}=={installed(package)}" for package in REQUIREMENTS],
            tags=tags,
        )
    mlflow.log_metrics(dict(metrics or {}), model_id=logged.model_id)
    tags["model_id"] = str(logged.model_id)
    return _next_version(client, name, str(logged.model_id), tags, description)


@with_mlflow_errors
def load(settings: Settings, version: int, name: str = MODEL) -> TrainedModel:
    """Model of a registered version; none of its code is executed."""
    client, _ = connect(settings)
    expected = at_version(settings, version, name).sha256 or "none"
    source = client.get_model_version_download_uri(name, str(version))
    try:
        folder = mlflow.artifacts.download_artifacts(
            artifact_uri=f"{source}/artifacts/{MODEL_FILES}", tracking_uri=client.tracking_uri
        )
        texts = {file: (Path(folder) / file).read_text(encoding="utf-8") for file in FILES}
        check(texts, expected)
    except (MlflowException, OSError, ValueError) as err:
        raise unreadable(name, version, source, err) from err
    check_rows(texts, version, name)
    return parsed(texts)


def _signature(inputs: pd.DataFrame, outputs: pd.DataFrame) -> ModelSignature:
    """Columns of inputs and outputs.

    No column is required: rows bring the features or ``as_of``. An error names what is missing.
    """
    inferred = infer_signature(inputs, outputs)
    columns: list[ColSpec | TensorSpec] = [
        ColSpec(column.type, column.name, required=False) for column in inferred.inputs.inputs
    ]
    by_moment = [name for name in ("as_of", *NAMES) if name not in inputs]
    columns += [ColSpec(DataType.string, name, required=False) for name in by_moment]
    columns.append(ColSpec(DataType.long, "vintage", required=False))
    return ModelSignature(Schema(columns), inferred.outputs)


def _next_version(
    client: MlflowClient, name: str, model_id: str, tags: Mapping[str, str], description: str
) -> int:
    """Number of the version as which a logged model is registered here."""
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name, description=_ABOUT % tags["commodity"])
    logged = client.get_logged_model(model_id)
    entry = client.create_model_version(
        name,
        logged.artifact_location,
        run_id=logged.source_run_id,
        tags=dict(tags),
        description=description,
        model_id=model_id,
    )
    link = json.dumps([{"name": name, "version": entry.version}])
    client.set_logged_model_tags(model_id, {MLFLOW_MODEL_VERSIONS: link})
    return int(entry.version)
