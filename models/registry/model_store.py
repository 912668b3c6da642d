"""Trained models in MLflow: logged with the script that serves them, read back as data.

A stored model is boosters as text and a card as JSON. We load just those with our own code and only
if they are what training stored; the script beside them serves whoever has MLflow alone, and
nothing here executes it.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version as installed
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, cast

import lightgbm as lgb
import mlflow
import numpy as np
import pandas as pd
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature, infer_signature
from mlflow.types import ColSpec, DataType, Schema, TensorSpec
from mlflow.utils.mlflow_tags import MLFLOW_MODEL_VERSIONS

from features.build import ALL_FEATURES, catalogue_digest
from models.registry import served
from models.registry.registry import MODEL, version_of
from models.registry.runs import connect, worded
from store.errors import StoreError, first_few
from store.settings import Settings

MODEL_SCHEMA: Final = 1
"""Raised when what a row means changes in a way that no entry of the catalogue tells: the target,
the level that forecasts are ratios to, the destinations."""

DIGEST_TAG: Final = "sha256"
"""Tag of a version: digest of its boosters and card."""

_PARTS: Final = "model"
"""Folder of boosters and card, below ``artifacts`` in the logged model."""

EXAMPLE_ROWS: Final = 5
"""Rows kept beside the model to show what it takes."""

_ABOUT: Final = (
    "Monthly exports of rare-earth magnets (HS 85051110) from China by destination, up to twelve "
    "months ahead, as quantiles in tonnes. The version with alias champion publishes, challenger "
    "is on trial, previous is the way back. `magnetcast compare` tells two versions apart."
)

REQUIREMENTS: Final = ("lightgbm", "mlflow", "numpy", "pandas")
"""Packages that ``served.py`` imports; a stored model names their installed versions."""


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A stored model."""

    version: int
    card: Mapping[str, object]
    heads: Mapping[str, lgb.Booster] = field(repr=False)


def stamp(card: Mapping[str, object]) -> dict[str, object]:
    """Return what training adds to a card so that a model of other rows can be refused."""
    return {"schema": MODEL_SCHEMA, "meanings": catalogue_digest(frozenset(_features(card)))}


@worded
def register(
    settings: Settings,
    *,
    heads: Mapping[str, str],
    card: Mapping[str, object],
    example: pd.DataFrame,
    tags: Mapping[str, str],
    description: str = "",
) -> int:
    """Log a trained model to MLflow's active run and return its number as the next version.

    Args:
        heads: Boosters in LightGBM's text form by the names in ``served.HEADS``.
        card: As for :func:`models.registry.served.predict_quantiles`; must survive JSON.
        example: Rows the model can predict; the first few are kept; not modified.
        tags: As the fields of ``registry.RegisteredVersion``.

    Raises:
        ValueError: A head is missing, or the example lacks a column.
    """
    client, _ = connect(settings)
    texts = _texts(heads, card)
    loaded, card = served.parsed(texts)
    served.check_columns(card, example)
    some = example.head(EXAMPLE_ROWS)
    inputs = served.names_of(some).join(_inputs(card, some)).reset_index(drop=True)
    outputs = served.names_of(inputs).join(served.predict_quantiles(loaded, card, inputs))
    tags = {**tags, DIGEST_TAG: _digest(texts)}
    with TemporaryDirectory() as scratch:
        folder = Path(scratch) / _PARTS
        folder.mkdir()
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8", newline="\n")
        logged = mlflow.pyfunc.log_model(
            name=MODEL,
            python_model=served.__file__,
            artifacts={_PARTS: str(folder)},
            # Without the gaps: MLflow would take a feature with a gap for one to be left out.
            signature=_signature(inputs.fillna(0.0), outputs),
            input_example=inputs,
            pip_requirements=[f"{package}=={installed(package)}" for package in REQUIREMENTS],
            tags=tags,
        )
    return _next_version(client, str(logged.model_id), tags, description)


@worded
def load(settings: Settings, version: int) -> LoadedModel:
    """Return a registered version; no code of it is executed."""
    client, _ = connect(settings)
    version_of(client, settings, version)
    expected = client.get_model_version(MODEL, str(version)).tags.get(DIGEST_TAG, "none")
    source = client.get_model_version_download_uri(MODEL, str(version))
    try:
        folder = mlflow.artifacts.download_artifacts(
            artifact_uri=f"{source}/artifacts/{_PARTS}", tracking_uri=client.tracking_uri
        )
        texts = {name: (Path(folder) / name).read_text(encoding="utf-8") for name in served.FILES}
        _check_digest(texts, expected)
        heads, card = served.parsed(texts)
        _check_rows(card)
    except (MlflowException, OSError, ValueError) as err:
        raise StoreError(
            f"Version {version} of model {MODEL!r} cannot be read from {source}: {err} "
            "Expected the files that training stored. Restore the artifact folder from a backup, "
            "or promote another version."
        ) from err
    return LoadedModel(version, card, heads)


def _texts(heads: Mapping[str, str], card: Mapping[str, object]) -> dict[str, str]:
    if set(heads) != set(served.HEADS):
        raise ValueError(
            f"A model of heads {sorted(heads)} was to be registered. "
            f"Expected exactly {list(served.HEADS)}. Train one booster for each."
        )
    boosters = {f"{name}.txt": text for name, text in heads.items()}
    return {**boosters, served.CARD: json.dumps(card, allow_nan=False, indent=1)}


def _digest(texts: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(texts, sort_keys=True).encode()).hexdigest()


def _check_digest(texts: Mapping[str, str], expected: str) -> None:
    if (found := _digest(texts)) != expected:
        raise ValueError(
            f"its boosters and card have SHA-256 {found[:12]}, and {expected[:12]} was "
            "recorded when it was registered."
        )


def _features(card: Mapping[str, object]) -> list[str]:
    return [str(name) for name in cast("list[object]", card.get("features", []))]


def _check_rows(card: Mapping[str, object]) -> None:
    """Refuse a model that was trained on other rows than today's."""
    features = _features(card)
    remedy = "Run `magnetcast train`, or promote a version that was trained with this code."
    if card.get("schema") != MODEL_SCHEMA:
        why = f"it was trained on schema {card.get('schema', 'none')}. Expected {MODEL_SCHEMA}"
    elif unknown := sorted(set(features) - {feature.name for feature in ALL_FEATURES}):
        why = f"it was trained on features that are no more: {first_few(unknown)}"
    elif card.get("meanings") != (today := catalogue_digest(frozenset(features))):
        why = f"its features had other meanings ({card.get('meanings')}). Expected {today}"
    else:
        return
    raise ValueError(f"{why}. {remedy}")


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
    client: MlflowClient, model_id: str, tags: Mapping[str, str], description: str
) -> int:
    """Register a logged model and return the number it got."""
    if not client.search_registered_models(f"name = '{MODEL}'"):
        client.create_registered_model(MODEL, description=_ABOUT)
    logged = client.get_logged_model(model_id)
    made = client.create_model_version(
        MODEL,
        logged.artifact_location,
        run_id=logged.source_run_id,
        tags=dict(tags),
        description=description,
        model_id=model_id,
    )
    link = json.dumps([{"name": MODEL, "version": made.version}])
    client.set_logged_model_tags(model_id, {MLFLOW_MODEL_VERSIONS: link})
    return int(made.version)
