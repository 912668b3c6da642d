"""Parameters that a job uses: those of the champion, a file or a preset, and changes by hand."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import pandas as pd

from flows.context.console import echo
from flows.context.run_config import MAGNETS, RunConfig
from flows.context.stores import store_of
from models.learning.parameters import (
    PANEL_PRESET,
    Changes,
    ModelParameters,
    parse_assignment,
    read_parameters,
    with_changes,
)
from models.registry.champions import read_champions
from store.asof import require_time_zone
from store.errors import DataError, StoreError
from store.settings import Settings

_DEFAULT: Final = "default"
"""Value of ``--parameters`` for the preset, whatever the champion has."""


@dataclass(frozen=True, slots=True)
class SourcedParameters:
    """Parameters, and where each of them comes from."""

    parameters: ModelParameters
    sources: Mapping[str, str] = field(default_factory=dict)
    """By name of a parameter that differs from the preset."""


def parameters_for(
    settings: Settings,
    as_of: pd.Timestamp,
    file: str | None = None,
    changes: Sequence[str] | Changes = (),
    *,
    config: RunConfig = MAGNETS,
) -> SourcedParameters:
    """Parameters of the model of a commodity at a moment.

    Args:
        file: Parameter file, or ``default`` for the preset; None takes the champion's parameters.
        changes: ``name=value`` each, or values by name, laid over them.
    """
    start = config.preset(settings.threads)
    if file is not None:
        return _changed(_of_file(file, start), changes)
    # A slip is reported before the registry is read.
    _changed(SourcedParameters(start), changes)
    return _changed(_of_champion(settings, as_of, config.model, start), changes)


def panel_parameters(
    settings: Settings, file: str | None = None, changes: Sequence[str] = ()
) -> SourcedParameters:
    """Parameters of the panel engine; arguments as of ``parameters_for``, the preset if None."""
    is_given = "threads" in settings.model_fields_set
    preset = replace(PANEL_PRESET, threads=settings.threads)
    sourced = SourcedParameters(preset, {"threads": "MAGNETCAST_THREADS"})
    if file is not None or not is_given:
        sourced = _of_file(file or _DEFAULT, preset)
    return _changed(sourced, changes)


def _of_champion(
    settings: Settings, as_of: pd.Timestamp, name: str, start: ModelParameters
) -> SourcedParameters:
    """Parameters of the champion if it existed by then, else the preset.

    What differed from the preset when it was trained is laid over the preset of today.
    """
    require_time_zone(as_of)
    try:
        champion = read_champions(settings, store_of(settings), name).champion
    except StoreError:
        return SourcedParameters(start)  # loading or storing a model reports it
    if champion is None or not champion.parameters or pd.Timestamp(champion.as_of) > as_of:
        return SourcedParameters(start)
    where = f"champion, version {champion.version}"
    try:
        parameters = with_changes(start, json.loads(champion.parameters), where=where)
    except (DataError, ValueError) as err:
        echo(
            f"model     the default parameters are used, as those of the champion cannot be: {err}"
        )
        return SourcedParameters(start)
    return SourcedParameters(parameters, dict.fromkeys(parameters.changed, where))


def _of_file(file: str, start: ModelParameters) -> SourcedParameters:
    if file == _DEFAULT:
        return SourcedParameters(start)
    parameters = read_parameters(Path(file), start)
    return SourcedParameters(parameters, dict.fromkeys(parameters.differing(start), file))


def _changed(sourced: SourcedParameters, changes: Sequence[str] | Changes) -> SourcedParameters:
    values: dict[str, object] = {}
    pairs = changes.items() if isinstance(changes, Mapping) else map(parse_assignment, changes)
    for name, value in pairs:
        if name in values:
            raise DataError(f"--set {name} is given twice. Expected it once. Leave one out.")
        values[name] = value
    parameters = with_changes(sourced.parameters, values, where="--set")
    return SourcedParameters(parameters, {**sourced.sources, **dict.fromkeys(values, "--set")})
