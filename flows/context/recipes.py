"""Which recipe a job uses: the champion's, a file's, or that with parameters set by hand."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pandas as pd

from flows.context.console import echo
from flows.context.run_config import MAGNETS, RunConfig
from models.learning.spec import (
    MAGNETS_SPEC,
    PANEL_SPEC,
    Spec,
    parameters_of,
    read_recipe,
    with_parameters,
)
from store.asof import require_time_zone
from store.errors import DataError, StoreError
from store.settings import Settings

if TYPE_CHECKING:
    from models.registry.record import Champion

_DEFAULT: Final = "default"
"""What ``--recipe`` calls the defaults, whatever the champion's recipe is."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """A recipe, and where each of its parameters comes from."""

    spec: Spec
    sources: Mapping[str, str] = field(default_factory=dict)
    """By name of a parameter that is not at its default."""


def recipe_of(
    settings: Settings,
    as_of: pd.Timestamp,
    file: str | None = None,
    changes: Sequence[str] = (),
    *,
    config: RunConfig = MAGNETS,
) -> Recipe:
    """Return the recipe of the model of some goods at a moment.

    Args:
        file: Of a recipe, or ``default``; the champion's if None.
        changes: ``name=value`` each, laid over it.
    """
    start = MAGNETS_SPEC if config.is_main else replace(PANEL_SPEC, threads=settings.threads)
    if file is not None:
        return _publishable(_changed(_of_file(file, start), changes))
    # A slip is reported before the registry is read.
    _publishable(_changed(Recipe(start), changes))
    return _changed(_of_champion(settings, as_of, config.model, start), changes)


def panel_recipe(
    settings: Settings, file: str | None = None, changes: Sequence[str] = ()
) -> Recipe:
    """Return the recipe of the panel engine; arguments as for the magnets, its defaults if None."""
    is_given = "threads" in settings.model_fields_set
    start = Recipe(replace(PANEL_SPEC, threads=settings.threads), {"threads": "MAGNETCAST_THREADS"})
    if file is not None or not is_given:
        start = _of_file(file or _DEFAULT, start.spec)
    recipe = _changed(start, changes)
    if recipe.spec.pretrained:
        from features.statistical import pretrained  # noqa: PLC0415 - needed then

        echo(f"recipe    pretrained: {pretrained.notice()}")
    return recipe


def champion_of(settings: Settings, name: str = MAGNETS.model) -> "Champion | None":
    """Return the champion, and what checks that it can be read; a server of MLflow is asked."""
    from models.registry.record import record_file, stored_champion  # noqa: PLC0415 - what computes

    if record_file(settings) is not None:
        return stored_champion(settings, name)
    from models.registry import registry  # noqa: PLC0415 - MLflow takes seconds to import

    asked = registry.champion(settings, name)
    if asked is None:
        return None
    return asked, partial(registry.load, settings, asked.version, name)


def _of_champion(settings: Settings, as_of: pd.Timestamp, name: str, start: Spec) -> Recipe:
    """Return the champion's recipe if it existed by then, else the defaults.

    What differed from the defaults when it was trained is laid over the defaults of today.
    """
    require_time_zone(as_of)
    try:
        found = champion_of(settings, name)
    except StoreError:
        return Recipe(start)  # no model can be asked or kept either, which is reported there
    champion = found and found[0]
    if champion is None or not champion.parameters or pd.Timestamp(champion.as_of) > as_of:
        return Recipe(start)
    where = f"champion, version {champion.version}"
    try:
        given = json.loads(champion.parameters)
        spec = _publishable(Recipe(with_parameters(start, given, where=where))).spec
    except (DataError, ValueError) as err:
        echo(f"recipe    the defaults are used, for the champion's cannot be: {err}")
        return Recipe(start)
    return Recipe(spec, dict.fromkeys(spec.changed, where))


def _of_file(file: str, start: Spec) -> Recipe:
    if file == _DEFAULT:
        return Recipe(start)
    spec = read_recipe(Path(file), start)
    return Recipe(spec, dict.fromkeys(spec.differing(start), file))


def _publishable(recipe: Recipe) -> Recipe:
    """Return a recipe of goods that are published, which no pretrained network forecasts.

    Source: docs/adr/0063-a-pretrained-expert.md.
    """
    if recipe.spec.pretrained:
        raise DataError(
            "pretrained=1 is for panel files only, because nothing that is published uses the "
            "network. Expected 0. Leave it out."
        )
    return recipe


def _changed(recipe: Recipe, changes: Sequence[str]) -> Recipe:
    given: dict[str, str] = {}
    for text in changes:
        for name, value in parameters_of(text).items():
            if name in given:
                raise DataError(f"--set {name} is given twice. Expected it once. Leave one out.")
            given[name] = value
    spec = with_parameters(recipe.spec, given, where="--set")
    return Recipe(spec, {**recipe.sources, **dict.fromkeys(given, "--set")})
