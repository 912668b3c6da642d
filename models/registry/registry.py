"""Versions of the registered model and their aliases: champion, challenger, previous."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from models.registry.mlflow_client import connect, is_kept, worded
from store.database import shown_address
from store.errors import StoreError
from store.settings import Settings

MODEL: Final = "magnetcast"
"""Name of the registered model."""

CHAMPION: Final = "champion"
"""Alias of the version that publishes."""

CHALLENGER: Final = "challenger"
"""Alias of the version on trial: the newest that is not champion."""

PREVIOUS: Final = "previous"
"""Alias of the version that published before: the way back."""

ROLLED_BACK_TAG: Final = "rolled_back"
"""Tag of a version that was taken back as champion: the reason."""


@dataclass(frozen=True, slots=True)
class Champion:
    """A registered version that holds an alias, and what it was trained on."""

    version: int
    run_id: str
    model_version: str
    as_of: str
    data_vintage: str
    score: float
    """Error in its own backtest (tag ``gate_score``), NaN if it was not recorded."""
    recipe: str = ""
    """How it was made (``contract.recipe_of``); empty for versions older than the tag."""
    rolled_back: str = ""
    """Why it was taken back as champion; empty if it was not."""
    git_commit: str = ""
    """Commit of the code that trained it."""
    parameters: str = ""
    """Choices that were not at their defaults, as JSON; empty for versions older than the tag."""


@worded
def champion(settings: Settings) -> Champion | None:
    """Return the version that publishes, or None before the first promotion."""
    return _holder(settings, CHAMPION)


@worded
def challenger(settings: Settings) -> Champion | None:
    """Return the version on trial, or None."""
    return _holder(settings, CHALLENGER)


@worded
def previous(settings: Settings) -> Champion | None:
    """Return the version that published before the champion, or None."""
    return _holder(settings, PREVIOUS)


@worded
def at_version(settings: Settings, version: int) -> Champion:
    """Return what is known of a registered version.

    Raises:
        StoreError: There is no such version.
    """
    if not is_kept(settings):
        raise _no_version(settings, version)
    client, _ = connect(settings)
    return version_of(client, settings, version)


@worded
def rolled_back(settings: Settings) -> list[Champion]:
    """Return the versions that were taken back as champions, oldest first."""
    return [one for one in _versions(settings) if one.rolled_back]


@worded
def of_recipe(settings: Settings, recipe: str) -> list[Champion]:
    """Return the versions of a recipe, oldest first; none of an empty one."""
    return [one for one in _versions(settings) if one.recipe == recipe != ""]


@worded
def named(settings: Settings, model_version: str) -> Champion | None:
    """Return the newest version that training registered under a name, or None.

    Args:
        settings: Where MLflow's database is.
        model_version: The name, as a published forecast carries it.
    """
    return next(
        (one for one in _versions(settings)[::-1] if one.model_version == model_version), None
    )


@worded
def nominate(settings: Settings, version: int) -> None:
    """Put a version on trial, in the place of the challenger before it."""
    client, _ = connect(settings)
    client.set_registered_model_alias(MODEL, CHALLENGER, str(version))


@worded
def promote(settings: Settings, version: int) -> None:
    """Let a version publish; the one that did until now stays at hand as :func:`previous`.

    Args:
        settings: Where MLflow's database is.
        version: Number of a registered version.

    Raises:
        StoreError: There is no such version.
    """
    client, _ = connect(settings)
    version_of(client, settings, version)
    aliases = _aliases(client)
    holder = aliases.get(CHAMPION)
    if holder is not None and int(holder) != version:
        client.set_registered_model_alias(MODEL, PREVIOUS, holder)
    client.set_registered_model_alias(MODEL, CHAMPION, str(version))
    if aliases.get(CHALLENGER) == str(version):
        client.delete_registered_model_alias(MODEL, CHALLENGER)


@worded
def roll_back(settings: Settings, *, reason: str) -> tuple[Champion, Champion]:
    """Let the previous champion publish again and mark the one that did as rolled back.

    There is no previous champion afterwards: the one taken back must not replace it.

    Args:
        settings: Where MLflow's database is.
        reason: Why; kept with the version that is taken back.

    Returns:
        The version that publishes now and the one that was taken back.

    Raises:
        StoreError: There is no champion, or none before it.
    """
    now, before = champion(settings), previous(settings)
    if now is None or before is None:
        raise StoreError(
            f"Model {MODEL!r} in {settings.tracking_uri} has no version with alias "
            f"{CHAMPION if now is None else PREVIOUS!r}. Expected a champion and one before it to "
            "go back to. Promote a version with `magnetcast promote VERSION --accept REASON`."
        )
    client, _ = connect(settings)
    client.set_model_version_tag(MODEL, str(now.version), ROLLED_BACK_TAG, reason)
    client.set_registered_model_alias(MODEL, CHAMPION, str(before.version))
    client.delete_registered_model_alias(MODEL, PREVIOUS)
    return before, at_version(settings, now.version)


@worded
def note(settings: Settings, version: int, tags: Mapping[str, str]) -> None:
    """Keep further tags with a version."""
    client, _ = connect(settings)
    for name, value in tags.items():
        client.set_model_version_tag(MODEL, str(version), name, value)


def _aliases(client: MlflowClient) -> dict[str, str]:
    """Return the version of each alias; none before the first registration."""
    found = client.search_registered_models(f"name = '{MODEL}'")
    return {alias: str(version) for alias, version in found[0].aliases.items()} if found else {}


def _holder(settings: Settings, alias: str) -> Champion | None:
    """Return the version that holds an alias; never makes a database."""
    if not is_kept(settings):
        return None
    client, _ = connect(settings)
    version = _aliases(client).get(alias)
    return None if version is None else version_of(client, settings, int(version))


def version_of(client: MlflowClient, settings: Settings, version: int) -> Champion:
    """Return what is known of a version."""
    try:
        found = client.get_model_version(MODEL, str(version))
    except MlflowException as err:
        if err.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        raise _no_version(settings, version) from err
    return _champion_of(found)


def _no_version(settings: Settings, version: int) -> StoreError:
    return StoreError(
        f"Model {MODEL!r} in {shown_address(settings.tracking_uri)} has no version {version}. "
        "Expected a version that training registered. Run `magnetcast train`, or choose one "
        "shown by `mlflow ui`."
    )


def _versions(settings: Settings) -> list[Champion]:
    """Return what is known of every version, oldest first; never makes a database."""
    if not is_kept(settings):
        return []
    client, _ = connect(settings)
    found = client.search_model_versions(f"name = '{MODEL}'")
    return sorted((_champion_of(one) for one in found), key=lambda one: one.version)


def _champion_of(found: ModelVersion) -> Champion:
    names = (
        "model_version",
        "as_of",
        "data_vintage",
        "recipe",
        ROLLED_BACK_TAG,
        "git_commit",
        "parameters",
    )
    named = {name: found.tags.get(name, "") for name in names}
    score = float(found.tags.get("gate_score", "nan"))
    return Champion(version=int(found.version), run_id=found.run_id or "", **named, score=score)
