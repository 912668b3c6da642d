"""Recipes: which parameters of a model are not at their defaults, read from text and checked."""

import json
import math
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, TypeVar

from models.learning.spec import EngineSpec, ModelSpec, Spec
from store.errors import DataError

FORMAT: Final = 1
"""Of recipe files; raised when what is written in one means something else."""

ALIASES: Final[Mapping[str, str]] = {
    "n_estimators": "rounds",
    "num_boost_round": "rounds",
    "num_iterations": "rounds",
    "eta": "learning_rate",
    "shrinkage_rate": "learning_rate",
    "num_leaves": "leaves",
    "max_leaves": "leaves",
    "min_data_in_leaf": "least_rows",
    "min_child_samples": "least_rows",
    "lambda_l2": "l2",
    "reg_lambda": "l2",
    "feature_fraction": "feature_share",
    "colsample_bytree": "feature_share",
    "bagging_fraction": "row_share",
    "subsample": "row_share",
    "max_bin": "bins",
    "random_state": "seed",
    "num_threads": "threads",
    "n_jobs": "threads",
}
"""LightGBM's names of parameters, and ours."""

MODELS: Final[Mapping[str, type[Spec]]] = {"magnets": ModelSpec, "panel": EngineSpec}
"""What a recipe may be of: the magnets' model, or the engine of panels and partner tables."""

_LIST: Final = "`magnetcast config show` lists them"

Given = Mapping[str, object]
SpecT = TypeVar("SpecT", bound=Spec)


def with_parameters(spec: SpecT, given: Given, *, where: str) -> SpecT:
    """Return a spec with some parameters changed.

    Args:
        spec: What is left as it is.
        given: New values by our name or LightGBM's: numbers, or text as typed.
        where: Where they were written, for messages.

    Raises:
        DataError: A parameter is unknown, named twice, no number of its kind or out of range.
    """
    found: dict[str, int | float] = {}
    for text, value in given.items():
        name = known_name(type(spec), text, where=where)
        if name in found:
            raise DataError(
                f"{where}: {text} is {name}, which is set twice. Expected each parameter once. "
                "Leave one out."
            )
        found[name] = _number(spec, name, value, where=where)
    return replace(spec, **found)


def known_name(kind: type[Spec], text: str, *, where: str) -> str:
    """Return our name of a parameter.

    Raises:
        DataError: The model has none of that name; the message names the nearest.
    """
    names, name = kind.bounds(), ALIASES.get(text, text)
    if name in names:
        return name
    for model, other in MODELS.items():
        if other is not kind and name in other.bounds():
            raise DataError(
                f"{where}: {text!r} is a parameter of the model {model!r} only. Expected one of "
                f"the model {model_of(kind)!r}; {_LIST}. Leave it out."
            )
    near = get_close_matches(text, [*names, *ALIASES], n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise DataError(
        f"{where}: there is no parameter {text!r}.{hint} Expected one of {len(names)}; {_LIST}."
    )


def model_of(kind: type[Spec]) -> str:
    """Return what recipes call a model."""
    return next(name for name, one in MODELS.items() if one is kind)


def _number(spec: Spec, name: str, value: object, *, where: str) -> int | float:
    bounds, is_whole = spec.bounds()[name], isinstance(spec.choices[name], int)
    try:
        number = math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not bounds.low <= number <= bounds.high or (is_whole and not number.is_integer()):
        raise DataError(
            f"{where}: {name}={value} does not fit. Expected a "
            f"{'whole ' if is_whole else ''}number from {bounds.low:.12g} to {bounds.high:.12g}"
            f"{f' ({bounds.unit})' if bounds.unit else ''}. Correct it."
        )
    return int(number) if is_whole else number


def parameters_of(text: str) -> dict[str, str]:
    """Return name and value of ``name=value``.

    Raises:
        DataError: It is no such text.
    """
    name, equals, value = (part.strip() for part in text.partition("="))
    if not (name and equals and value):
        raise DataError(
            f"--set {text!r} sets nothing. Expected NAME=VALUE, e.g. learning_rate=0.1. Correct it."
        )
    return {name: value}


def read_recipe(path: Path, kind: type[SpecT]) -> tuple[SpecT, tuple[str, ...]]:
    """Return the spec that a file describes, and the parameters in it that were not taken.

    A TOML file has ``model``, ``format`` and a table ``[parameters]``; what it leaves out has its
    default. A JSON file is what ``train --tune --out`` wrote. Found for the engine, it gives the
    magnets' model what the search changed of the parameters that both have.

    Args:
        path: The file.
        kind: Of which model.

    Raises:
        DataError: It cannot be read, is of another format or version, or is wrong.
    """
    where = f"Recipe {path}"
    content = _content(path, where)
    if content.get("format", FORMAT) != FORMAT:
        raise DataError(
            f"{where} has format {content['format']!r}. Expected {FORMAT}, the format of this "
            "version. Write it anew."
        )
    is_found = "spec" in content
    model = content.get("model", "panel" if is_found else model_of(kind))
    if is_found:
        whole = _found(content, where)
        if kind is EngineSpec:
            return with_parameters(kind(), whole.changed, where=where), ()
        shared = {name: one for name, one in whole.changed.items() if name in kind.bounds()}
        left_out = tuple(name for name in whole.changed if name not in shared)
        return with_parameters(kind(), shared, where=where), left_out
    unknown = sorted(set(content) - {"format", "model", "parameters"})
    given = content.get("parameters", {})
    if unknown or not isinstance(given, dict):
        what = f"{unknown[0]!r}" if unknown else "parameters that are no table"
        raise DataError(
            f"{where} has {what}. Expected format, model and a table [parameters]. Correct it."
        )
    if model != model_of(kind):
        raise DataError(
            f"{where} is for the model {model!r}. Expected one for {model_of(kind)!r}. "
            "Take another recipe."
        )
    return with_parameters(kind(), given, where=where), ()


def _content(path: Path, where: str) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (OSError, UnicodeDecodeError, ValueError) as err:
        raise DataError(
            f"{where} cannot be read ({err}). Expected a TOML file with [parameters], or the JSON "
            "file that `magnetcast train --tune N --out FILE` writes. Correct it."
        ) from err
    if not isinstance(content, dict):
        raise DataError(f"{where} holds a list. Expected what `--tune --out` wrote. Correct it.")
    return content


def _found(content: Mapping[str, Any], where: str) -> EngineSpec:
    """Return the spec that a search found, if this version has the same parameters."""
    given = content["spec"]
    names = set(EngineSpec.bounds()) - EngineSpec.uncounted
    if not isinstance(given, dict) or not names - EngineSpec.added <= set(given) <= names:
        raise DataError(
            f"{where} was found by another version, whose parameters are others. Expected the "
            f"{len(names)} of the engine. Run `magnetcast train --tune` again."
        )
    spec = with_parameters(EngineSpec(), given, where=where)
    if content.get("digest") != spec.digest:
        raise DataError(
            f"{where} has digest {content.get('digest')}, and its parameters give {spec.digest}: "
            "it was changed by hand or by another version. Expected a file as `--tune --out` wrote "
            "it. Write your own recipe as TOML, or tune again."
        )
    return spec
